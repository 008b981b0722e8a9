"""Everything that belongs to a customer goes along, or it is written down why not; and no secret does."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Table

from app.audit.kinds import SOURCES
from app.journey.export import archive, verify
from app.journey.export.tables import TABLES, Left, Taken, left_of
from app.tables import metadata

#: columns that may be secrets by their names, and are none: each because of what it has
NO_SECRETS = {
    ("delivered_bill", "sha256"),  # of a document that lies beside it
    ("own_bill", "sha256"),
    ("held_bill", "sha256"),
    ("brought", "sha256"),
    ("shown_text", "sha256"),
    ("standing", "shown_hash"),  # of a text that lies beside it
    ("export", "manifest_sha256"),
    ("sealing_key", "id"),
    ("passkey", "public_key"),
}
SUSPICIOUS = re.compile(r"hash|token|secret|box|verifier|nonce|challenge|private|cookie|state_|headers|password|_key$")


def theirs() -> set[str]:
    """Tables that lead to a customer by their foreign keys, however far."""
    found = {"customer"}
    while True:
        more = {
            table.name
            for table in metadata.tables.values()
            if any(key.column.table.name in found for key in table.foreign_keys)
        }
        if more <= found:
            return found
        found |= more


@pytest.mark.parametrize("table", sorted(metadata.tables))
def test_every_table_is_known(table: str) -> None:
    assert table in TABLES, (
        f"{table} is new: say in app/journey/export/tables.py where it stands in an archive, or why not"
    )


def test_no_table_is_known_that_is_gone() -> None:
    assert TABLES.keys() == metadata.tables.keys()


def test_what_is_said_to_go_along_is_written() -> None:
    assert {name for name, each in TABLES.items() if isinstance(each, Taken)} == archive.tables_taken()


def test_what_belongs_to_a_customer_and_is_left_is_told_apart() -> None:
    """A short list: whoever adds one here thinks about it twice."""
    left = {name for name in theirs() if isinstance(TABLES[name], Left)}
    assert left == {"ceremony", "recovery_attempt"}


@pytest.mark.parametrize("table", metadata.tables.values(), ids=lambda table: table.name)
def test_no_column_that_looks_like_a_secret_goes_along(table: Table) -> None:
    if isinstance(TABLES[table.name], Left):
        return
    gone = left_of(table.name)
    assert gone <= {column.name for column in table.columns}, "a column of that list is gone"
    out = {column.name for column in table.columns} - gone
    if table.name in ("original", "log_entry", "log_checkpoint", "brought_part"):
        return  # their rows stand in files of another form
    suspicious = {name for name in out if SUSPICIOUS.search(name) and (table.name, name) not in NO_SECRETS}
    assert not suspicious, f"{table.name}: {suspicious} look like secrets: leave them out, or say why they are none"


@pytest.mark.parametrize("kind", verify.SOURCES)
def test_the_verifier_knows_the_log_as_it_is(kind: str) -> None:
    source = SOURCES[next(each for each in SOURCES if each.value == kind)]
    assert verify.SOURCES[kind] == (source.table, source.key)


def test_the_verifier_knows_every_kind_of_fact_that_an_archive_has() -> None:
    taken = archive.tables_taken()
    assert {kind.value for kind, source in SOURCES.items() if source.table in taken} == verify.SOURCES.keys()


@pytest.mark.parametrize("kind", verify.SOURCES)
def test_what_a_fact_says_is_in_the_archive(kind: str) -> None:
    """Column for column, but for what is left out and known to be."""
    source = next(source for each, source in SOURCES.items() if each.value == kind)
    for column in source.columns:
        assert column not in left_of(source.table) or (source.table, column) in verify.LEFT_OUT, column
