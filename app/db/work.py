"""Durable work: one table in the same database, claimed by lease.

A row says "look at this again at run_at". It commits with the business row that asked for it, a dead worker's rows
are taken over when their lease ends, and a handler ends its row in the very transaction that records the effect
(fenced by ``lock_token``), so an effect is recorded once even when two workers met.
"""

from __future__ import annotations

import datetime as dt
import enum
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, String, Text, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from consent.base import Base

LEASE = dt.timedelta(seconds=30)
BACKOFF_FIRST_S = 1
BACKOFF_MOST_S = 3600


class WorkRow(Base):
    __tablename__ = "work"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    handler: Mapped[str] = mapped_column(String(80))
    key: Mapped[str] = mapped_column(String(160), unique=True)
    payload: Mapped[dict[str, Any]]
    run_at: Mapped[dt.datetime] = mapped_column(index=True)  # doubles as the end of the lease
    attempts: Mapped[int] = mapped_column(default=0)  # since the last success
    lock_token: Mapped[str | None] = mapped_column(String(32))
    last_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[dt.datetime]


class LostClaim(Exception):
    """Our lease ended and another worker took the row: whatever we did must not be recorded."""


class Lane(enum.Enum):
    """Work that waits for strangers has a lane of its own: a slow biller must never keep a payment waiting."""

    JOURNEY = enum.auto()
    OUTBOUND = enum.auto()


#: handlers whose time is in the hands of others than us and the banks
OUTBOUND_HANDLERS = ("webhooks.deliver",)


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that is ours until the lease ends."""

    work_id: int
    handler: str
    key: str
    payload: dict[str, Any]
    attempts: int
    lock_token: str


def enqueue(
    session: Session,
    *,
    handler: str,
    key: str,
    payload: dict[str, Any],
    now: dt.datetime,
    run_at: dt.datetime | None = None,
) -> None:
    """Ask for work, in the caller's transaction. The same key twice is one row."""
    values = {
        "handler": handler,
        "key": key,
        "payload": payload,
        "run_at": run_at or now,
        "attempts": 0,
        "created_at": now,
    }
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(dialect.insert(WorkRow).values(**values).on_conflict_do_nothing(index_elements=["key"]))


def bring_forward(session: Session, *, key: str, run_at: dt.datetime) -> None:
    """Let waiting work run earlier (never later). A row that is being worked on is left alone."""
    session.execute(
        update(WorkRow)
        .where(WorkRow.key == key, WorkRow.lock_token.is_(None), WorkRow.run_at > run_at)
        .values(run_at=run_at, attempts=0)
    )


def claim_due(session: Session, *, now: dt.datetime, limit: int, lane: Lane = Lane.JOURNEY) -> list[Claim]:
    """Take due rows of a lane, and rows whose worker's lease ran out."""
    due = (
        select(WorkRow.id)
        .where(WorkRow.run_at <= now, _in(lane))
        .order_by(WorkRow.run_at, WorkRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        # a CTE that locks runs once; as a plain subquery a nested loop may run it once a row and take every due row
        .cte("due")
    )
    return _take(session, WorkRow.id.in_(select(due.c.id)), now=now)


def _in(lane: Lane) -> ColumnElement[bool]:
    outbound = WorkRow.handler.in_(OUTBOUND_HANDLERS)
    return outbound if lane is Lane.OUTBOUND else ~outbound


def claim_key(session: Session, *, key: str, now: dt.datetime) -> Claim | None:
    """Take one row by name, unless a worker has it. For the web request that would rather not wait."""
    free = or_(WorkRow.lock_token.is_(None), WorkRow.run_at <= now)
    claims = _take(session, (WorkRow.key == key) & free, now=now)
    return claims[0] if claims else None


def _take(session: Session, condition: Any, *, now: dt.datetime) -> list[Claim]:
    token = secrets.token_hex(16)
    rows = session.execute(
        update(WorkRow)
        .where(condition)
        .values(run_at=now + LEASE, lock_token=token, attempts=WorkRow.attempts + 1)
        .returning(WorkRow.id, WorkRow.handler, WorkRow.key, WorkRow.payload, WorkRow.attempts)
        .execution_options(synchronize_session=False)
    ).all()
    return [Claim(row.id, row.handler, row.key, row.payload, row.attempts, token) for row in rows]


def extend(session: Session, claims: list[Claim], *, now: dt.datetime) -> None:
    """The heartbeat: push the end of the lease of what is still being worked on."""
    for claim in claims:
        session.execute(
            update(WorkRow)
            .where(WorkRow.id == claim.work_id, WorkRow.lock_token == claim.lock_token)
            .values(run_at=now + LEASE)
        )


def hold(session: Session, claim: Claim, *, now: dt.datetime) -> None:
    """Before something is done that others can see: the row is still ours, for a whole lease from now.

    Raises LostClaim when it is not. In the caller's transaction.
    """
    held = session.execute(
        update(WorkRow)
        .where(WorkRow.id == claim.work_id, WorkRow.lock_token == claim.lock_token)
        .values(run_at=now + LEASE)
    )
    _must_be_one(held)


def finish(session: Session, claim: Claim) -> None:
    """End the row in the caller's transaction. Raises LostClaim when it is no longer ours."""
    ended = session.execute(delete(WorkRow).where(WorkRow.id == claim.work_id, WorkRow.lock_token == claim.lock_token))
    _must_be_one(ended)


def run_again(session: Session, claim: Claim, *, run_at: dt.datetime, payload: dict[str, Any] | None = None) -> None:
    """Not done yet, and nothing went wrong: look again at ``run_at``. Raises LostClaim when it is no longer ours."""
    values: dict[str, Any] = {"run_at": run_at, "lock_token": None, "attempts": 0, "last_error": None}
    if payload is not None:
        values["payload"] = payload
    again = session.execute(
        update(WorkRow).where(WorkRow.id == claim.work_id, WorkRow.lock_token == claim.lock_token).values(**values)
    )
    _must_be_one(again)


def put_back(session: Session, claim: Claim, *, now: dt.datetime, error: str) -> None:
    """It failed: wait longer each time, keep the error in the row. It is never dropped, and never stops trying."""
    wait_s = min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2 ** min(claim.attempts - 1, 20))
    jitter = 0.5 + secrets.randbelow(1000) / 1000  # the many that failed together do not come back together
    session.execute(
        update(WorkRow)
        .where(WorkRow.id == claim.work_id, WorkRow.lock_token == claim.lock_token)
        .values(run_at=now + dt.timedelta(seconds=wait_s * jitter), lock_token=None, last_error=error[:2000])
    )


def _must_be_one(result: Any) -> None:
    if result.rowcount != 1:
        raise LostClaim


def oldest_due(session: Session, *, now: dt.datetime, lane: Lane) -> dt.datetime | None:
    """When the longest-waiting due row should have run; None when all is done in time."""
    return session.scalar(select(func.min(WorkRow.run_at)).where(WorkRow.run_at <= now, _in(lane)))
