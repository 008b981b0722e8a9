"""One engine for each database of the tests' process: a new one for each test would compile every statement anew.

And the database emptied, which a race wants for each of its moments.
"""

from __future__ import annotations

import functools

from sqlalchemy import Connection, Engine, StaticPool, create_engine

from app.db.engine import make_engine
from app.keys.customers import CustomerKeys
from app.services import utc_now
from app.tables import metadata
from consent.private import open_with
from consent.vault import Vault


@functools.cache
def engine_for(url: str, *, pool_size: int = 12) -> Engine:
    """The engine of this database."""
    return open_with(make_engine(url, pool_size=pool_size), keys_in_memory())


@functools.cache
def keys_in_memory() -> CustomerKeys:
    """Real keys in a real database, which nobody writes to a disk: one for all tests of this process."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    return CustomerKeys(engine, Vault({"k1": bytes(32)}, active="k1"), clock=utc_now)


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
