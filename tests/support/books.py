"""The invariants after every test, as `quittance check` asks them, without asking again what is known already."""

from __future__ import annotations

import datetime as dt
import functools
import re
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.pool import ConnectionPoolEntry

from app.invariants import INVARIANTS, Broken, found, reading
from app.invariants.query import Invariant
from app.tables import metadata

_TABLES = frozenset(metadata.tables)
_FILLED = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in sorted(_TABLES))  # noqa: S608  # our own


def broken_now(engine: Engine, *, now: dt.datetime) -> list[Broken]:
    """What `check` would find that must hold at every moment.

    An invariant whose tables are all empty holds as it holds in an empty installation, for which it is asked in
    tests/unit/app/test_invariants.py: a test writes into a third of the tables.
    """
    with reading(engine) as connection:
        there = filled(connection)
        wanted = (each for each in INVARIANTS if not each.late and there & tables_of(each))
        return [Broken(each, ids) for each in wanted if (ids := found(connection, each, now=now))]


def filled(connection: Connection) -> frozenset[str]:
    """The tables that have a row."""
    return frozenset(connection.scalars(text(_FILLED)))


@functools.cache
def tables_of(invariant: Invariant) -> frozenset[str]:
    """Every table that its query names, and at most a few too many: whatever word of it is a table's name."""
    return _TABLES & frozenset(
        word for dialect in ("sqlite", "postgresql") for word in re.findall(r"\w+", invariant.query(dialect))
    )


def prepared_engine(url: str) -> Engine:
    """Of PostgreSQL, for the same questions again and again: the server plans each of them once."""
    engine = create_engine(url, pool_pre_ping=True, pool_size=1)  # tests may end every connection

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.prepare_threshold, connection.prepared_max = 0, None

    return engine
