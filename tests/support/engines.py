"""One engine for each database of the tests' process: a new one for each test would compile every statement anew.

And the database emptied, which a race wants for each of its moments.
"""

from __future__ import annotations

import functools

from sqlalchemy import Connection, Engine

from app.db.engine import make_engine
from app.tables import metadata


@functools.cache
def engine_for(url: str, *, pool_size: int = 12) -> Engine:
    """The engine of this database."""
    return make_engine(url, pool_size=pool_size)


def let_go(engine: Engine) -> None:
    """A test is done with it. The file of SQLite is another one for the next; a server of PostgreSQL is the same, and
    a connection that has read the tables once has what a new one reads again."""
    if engine.dialect.name == "sqlite":
        engine.dispose()


def empty(connection: Connection, *, but: tuple[str, ...] = ("log_head",)) -> None:
    """Delete all rows of all tables ``but`` these; that of ``log_head`` is the row of a migration."""
    statements = _emptying(but)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(";".join(statements))  # one message to the server
        return
    cursor = connection.connection.cursor()
    for each in statements:
        cursor.execute(each)
    cursor.close()


@functools.cache
def _emptying(but: tuple[str, ...]) -> tuple[str, ...]:
    tables = reversed(metadata.sorted_tables)
    return tuple(f"DELETE FROM {table.name}" for table in tables if table.name not in but)  # noqa: S608  # our own
