"""What must always be true of the database, each as one query that finds no row. `quittance check` runs them all.

The letters are groups: A connections, B claims, C calls that could lead to money, D states, E consents,
F ledger and receipts, G telling, H the log, J refunds, L liveness (nothing waits longer than it may), M messages to
customers, N answers to bills, O opinions, P payee accounts, S stops, V billers, Y plans. Many are constraints of the
tables as well: what two things keep, one mistake does not break. The queries read tables only, so that they judge the
code and do not repeat it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, DateTime, Engine, TextClause, bindparam, text

from app.invariants.answers import ANSWERS
from app.invariants.connections import CONNECTIONS
from app.invariants.ledger import LEDGER
from app.invariants.liveness import LIVENESS
from app.invariants.log import LOG
from app.invariants.opinions import OPINIONS
from app.invariants.payments import PAYMENTS
from app.invariants.people import PEOPLE
from app.invariants.plans import PLANS
from app.invariants.query import Invariant
from app.invariants.refunds import REFUNDS
from app.invariants.telling import TELLING

#: rows that are shown of a broken invariant
ROWS_MOST = 20

INVARIANTS: Sequence[Invariant] = (
    *CONNECTIONS,
    *PAYMENTS,
    *LEDGER,
    *TELLING,
    *LOG,
    *PEOPLE,
    *ANSWERS,
    *PLANS,
    *REFUNDS,
    *OPINIONS,
    *LIVENESS,
)


@dataclass(frozen=True, slots=True)
class Broken:
    """An invariant that does not hold, and what breaks it."""

    invariant: Invariant
    ids: tuple[str, ...]  #: at most ROWS_MOST of them

    def __str__(self) -> str:
        return f"{self.invariant.name}: {self.invariant.says} — not so: {', '.join(self.ids)}"


def check(engine: Engine, *, now: dt.datetime, late: bool = True) -> list[Broken]:
    """Run all of them in one reading transaction. Without ``late`` only those that hold at every moment."""
    wanted = [invariant for invariant in INVARIANTS if late or not invariant.late]
    with reading(engine) as connection:
        return [Broken(each, ids) for each in wanted if (ids := found(connection, each, now=now))]


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees the database as it is at one moment, and has the time to look at all of it."""
    with engine.execution_options(read_only=True).connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            connection.execute(text("SET LOCAL statement_timeout = '120s'"))
        yield connection


def found(connection: Connection, invariant: Invariant, *, now: dt.datetime) -> tuple[str, ...]:
    """What breaks one of them, at most ROWS_MOST ids; empty when it holds."""
    dialect = connection.dialect.name
    query = _question(invariant, dialect)
    values: dict[str, Any] = {}
    if ":now" in query.text:
        values["now"] = now if dialect == "postgresql" else now.replace(tzinfo=None)
    return tuple(str(row[0]) for row in connection.execute(query, values))


@functools.cache
def _question(invariant: Invariant, dialect: str) -> TextClause:
    query = text(f"SELECT * FROM ({invariant.query(dialect)}) AS found LIMIT {ROWS_MOST}")  # noqa: S608  # our own text
    if ":now" in query.text:
        return query.bindparams(bindparam("now", type_=DateTime(timezone=True)))
    return query
