"""Every official sample of an account statement: no value wrong, every refusal known by name."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from app.journey.reconciliation.camt import CamtRefused, Direction, Entry, Statement, read
from tests.support.shared import shared_folder

pytestmark = pytest.mark.shared

#: a message without a statement
REFUSED = {"camt053/genkgo__camt053.v2.wrong.xml": "empty"}
#: three transactions of one entry and no amount in any of them: each is kept as unreadable, with its id
NO_AMOUNTS = "camt054/genkgo__camt054.v2.xml"
#: so these differ from what stands in the file
NO_AMOUNTS_FIELDS = {"end_to_end_ids"}
#: the bank writes the id of no payment, which we read as none
NO_ID = "NOTPROVIDED"


def samples() -> Path:
    return shared_folder() / "samples"


def total(entries: tuple[Entry, ...], direction: Direction) -> Decimal:
    return sum((one.amount.decimal() for one in entries if one.direction is direction), Decimal())


def seen(kind: str, statement: Statement) -> dict[str, object]:
    """The statement in the words of the table of expected values."""
    entries = statement.entries
    return {
        "message": kind,
        "id": statement.id,
        "account": statement.account,
        "entries": len(entries),
        "tx_details": sum(one.details for one in entries),
        "sum_credit": total(entries, Direction.CREDIT),
        "sum_debit": total(entries, Direction.DEBIT),
        "entry_ccys": sorted({one.amount.currency for one in entries}),
        "statuses": sorted({one.status for one in entries}),
        "end_to_end_ids": [one.end_to_end_id or "" for entry in entries for one in entry.transactions],
        "reversals": sum(one.reversal for one in entries),
    }


def expected(row: dict[str, str]) -> dict[str, object]:
    def listed(name: str) -> list[str]:
        return row[name].split("|") if row[name] else []

    ids = ["" if one == NO_ID else one for one in row["end_to_end_ids"].split("|")]
    count = int(row["tx_details"])
    return {
        **{name: row[name] for name in ("message", "id", "account")},
        **{name: int(row[name]) for name in ("entries", "tx_details", "reversals")},
        **{name: Decimal(row[name]) for name in ("sum_credit", "sum_debit")},
        **{name: sorted(listed(name)) for name in ("entry_ccys", "statuses")},
        "end_to_end_ids": ids if count else [],
    }


def test_every_sample_agrees_with_its_expected_values() -> None:
    with (samples() / "expected_camt.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 18
    wrong: list[tuple[str, str]] = []
    for name in sorted({row["file"] for row in rows}):
        message = read((samples() / name).read_bytes())
        kind = f"{message.kind}.001.{message.version}"
        here = [seen(kind, each) for each in message.statements]
        there = [expected(row) for row in rows if row["file"] == name]
        assert len(here) == len(there), name
        for ours, theirs in zip(here, there, strict=True):
            wrong += [(name.removeprefix("train/"), field) for field, value in theirs.items() if ours[field] != value]
    assert set(wrong) == {(NO_AMOUNTS, field) for field in NO_AMOUNTS_FIELDS}


def test_every_sample_is_read_whole_or_refused_by_name() -> None:
    files = sorted((samples() / "train").glob("camt05[234]/*.xml"))
    assert len(files) == 18
    refused, unreadable = {}, {}
    for path in files:
        try:
            message = read(path.read_bytes())
        except CamtRefused as error:
            refused[f"{path.parent.name}/{path.name}"] = error.code
            continue
        found = [one for each in message.statements for one in each.unreadable]
        if found:
            unreadable[f"{path.parent.name}/{path.name}"] = [one.end_to_end_id for one in found]
    assert refused == REFUSED
    assert unreadable == {NO_AMOUNTS: ["MUELL/FINP/RA12345"] * 3}
