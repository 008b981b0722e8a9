"""Bringing a database to our tables, and knowing whether it has them. Alembic without an ini file."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

FOLDER = Path(__file__).parent / "migrations"

_NOT_VALID = (
    "SELECT conrelid::regclass::text, quote_ident(conname) FROM pg_constraint"
    " WHERE contype = 'c' AND NOT convalidated AND connamespace = current_schema()::regnamespace ORDER BY 1, 2"
)


def upgrade(engine: Engine) -> None:
    """Apply what is missing, in one transaction; then hold the rows that were there against its new CHECKs. A database
    that is up to date is left alone.

    However long it takes: what bounds a request's statement would keep a large database at its revision for ever. For a
    lock it waits no longer than others do, so that an upgrade beside a running installation fails soon and whole.
    """
    with engine.connect() as connection, _references_off(connection), connection.begin():
        _take_your_time(connection)
        command.upgrade(config_for(connection), "head")
        if connection.dialect.name == "sqlite" and connection.execute(text("PRAGMA foreign_key_check")).first():
            raise RuntimeError("the upgrade would leave rows whose references lead nowhere; nothing was changed")
    if engine.dialect.name == "postgresql":
        _validate(engine)


def _take_your_time(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))


def _validate(engine: Engine) -> None:
    """CHECKs that a migration added as NOT VALID, so that no large table is read while nobody else may read it: each in
    a transaction of its own, beside whatever reads and writes."""
    with engine.connect() as connection:
        waiting = connection.execute(text(_NOT_VALID)).all()
    for table, name in waiting:
        with engine.begin() as connection:
            _take_your_time(connection)
            connection.execute(text(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"))


@contextlib.contextmanager
def _references_off(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by making it anew (lang_altertable §7): what refers to it must not mind meanwhile."""
    if connection.dialect.name != "sqlite":
        yield
        return
    cursor = connection.connection.cursor()  # outside of any transaction, where alone the pragma works
    cursor.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()


def config_for(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


@functools.cache
def head_of() -> str | None:
    """The newest revision that this code knows."""
    return ScriptDirectory.from_config(config_for()).get_current_head()


def revision_of(connection: Connection) -> str | None:
    """The revision that the database is at."""
    return MigrationContext.configure(connection).get_current_revision()
