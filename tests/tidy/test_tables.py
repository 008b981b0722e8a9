"""The tables that the code has are the tables that a migrated database has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Connection, Engine, MetaData, inspect, make_url

import app.tables
from app.db.engine import make_engine
from app.db.migrate import FOLDER, config_for, head_of, revision_of
from config.settings import ROOT
from tests.tidy.conftest import PACKAGES, module_of, name_of, sources


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def migrated(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A database that was made by the migrations alone; nothing is written to it here."""
    if request.param == "sqlite":
        engine = make_engine(f"sqlite:///{request.getfixturevalue('sqlite_template')}")
    else:
        template = make_url(request.getfixturevalue("postgres_template")).set(database="template_quittance")
        engine = make_engine(str(template))
    yield engine
    engine.dispose()


def imports_of(source: str) -> set[str]:
    """The modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_every_module_with_a_table_is_in_tables_py() -> None:
    known = imports_of((ROOT / "app" / "tables.py").read_text("utf-8"))
    for path in sources():
        if path.name == "models.py" or re.search(r"^    __tablename__ = ", path.read_text("utf-8"), re.MULTILINE):
            assert module_of(path) in known, f"app/tables.py must import {module_of(path)}, or its tables are missing."


def test_there_is_one_head() -> None:
    heads = ScriptDirectory.from_config(config_for()).get_heads()
    assert len(heads) == 1, f"{heads}: two migrations follow the same one; give the later one the other as its parent."


def test_migrations_import_none_of_our_models() -> None:
    for path in sorted(FOLDER.rglob("*.py")):
        ours = {name for name in imports_of(path.read_text("utf-8")) if name.split(".")[0] in PACKAGES}
        assert not ours, f"{name_of(path)} imports {sorted(ours)}: write what the table was then, not what it is now."


def test_a_migrated_database_is_at_the_head(migrated: Engine) -> None:
    with migrated.connect() as connection:
        assert revision_of(connection) == head_of()


def test_a_migrated_database_has_exactly_our_tables(migrated: Engine) -> None:
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        missing = compare_metadata(context, app.tables.metadata)
    assert not missing, f"Draft a migration (python -m app.draft_migration): {missing}"


def test_a_migrated_database_checks_what_our_tables_say(migrated: Engine) -> None:
    """Alembic does not compare CHECK constraints, and they guard the money."""
    with migrated.connect() as connection:
        there = checks_of(connection)
    here = expected_checks(app.tables.metadata)
    assert there.keys() == here.keys(), "A CHECK constraint has no migration: add it by hand."
    if migrated.dialect.name == "sqlite":  # PostgreSQL rewrites the words
        changed = sorted(name for name in here if here[name] != there[name])
        assert not changed, f"{', '.join(changed)} says something else than the migration: change it by hand there."


def checks_of(connection: Connection) -> dict[str, str]:
    inspector = inspect(connection)
    return {
        str(check["name"]): " ".join(str(check["sqltext"]).split())
        for table in inspector.get_table_names()
        for check in inspector.get_check_constraints(table)
    }


def expected_checks(metadata: MetaData) -> dict[str, str]:
    return {
        str(check.name): " ".join(str(check.sqltext).split())
        for table in metadata.tables.values()
        for check in table.constraints
        if isinstance(check, CheckConstraint)
    }
