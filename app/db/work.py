"""Durable work: one table in the same database, claimed by lease.

A row says "look at this again at run_at". It commits with the business row that asked for it, a dead worker's rows
are taken over when their lease ends, and a handler ends its row in the very transaction that records the effect
(fenced by ``lock_token``), so an effect is recorded once even when two workers met.

A row that failed for a day is a dead letter: marked for an operator, and tried once a day from then on. Nothing is
ever dropped.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CursorResult,
    Executable,
    Index,
    Integer,
    String,
    Text,
    bindparam,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.db.many import insert_new
from app.db.upsert import insert_once, table_of
from app.errors import Invalid
from consent.base import Base

LEASE = dt.timedelta(seconds=30)
#: nobody is given a longer one. What ends later still was written by a clock that was ahead, and counts as over
LEASE_MOST = dt.timedelta(minutes=2)
BACKOFF_FIRST_S = 1
BACKOFF_MOST_S = 3600
#: in a row; with the pauses between them that is about a day
TRIES_MOST = 35
#: between the tries of a dead letter: what was mended meanwhile heals by itself
DEAD_PAUSE = dt.timedelta(days=1)

#: what PostgreSQL calls when work became due
CHANNEL = "quittance_work"
#: a worker looks at least that often; only for what is due before that it has to be called
LOOK = dt.timedelta(seconds=1)

VANISHED = "its worker ended without a word, again and again"


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
    dead_at: Mapped[dt.datetime | None]  # since when it is a dead letter
    created_at: Mapped[dt.datetime]

    __table_args__ = (
        Index(
            "ix_work_dead_at",
            "dead_at",
            postgresql_where=text("dead_at IS NOT NULL"),
            sqlite_where=text("dead_at IS NOT NULL"),
        ),
    )


class LostClaim(Exception):
    """Our lease ended and another worker took the row: whatever we did must not be recorded."""


class Lane(enum.Enum):
    """Work that waits for strangers has lanes of its own: a slow biller, or the push service of somebody's browser,
    must never keep a payment waiting, nor one of them the other: a customer names the one, a company the other.

    So has the work of many bills at once, for which no customer waits; and so have the reports to billers, for which
    no bill waits either. Mail goes through one server, which may be away for hours: no biller's program waits for it.
    """

    JOURNEY = enum.auto()
    OUTBOUND = enum.auto()
    PUSH = enum.auto()
    MAIL = enum.auto()
    BULK = enum.auto()
    REPORTS = enum.auto()


#: handlers whose time is in the hands of companies
OUTBOUND_HANDLERS = ("webhooks.deliver",)
#: and of whatever a browser named
PUSH_HANDLERS = ("notices.push",)
#: handlers that talk to the mail server
MAIL_HANDLERS = ("notices.send",)
#: handlers that work long on one bill
REPORT_HANDLERS = ("intake.check_conformance",)
#: handlers that work on hundreds of bills at a time
BULK_HANDLERS = (
    "intake.deliver_upload",
    "invoices.open_invoice_together",
    "webhooks.tell_bill_delivered_together",
    "webhooks.tell_bill_unseen_together",
    "notices.tell_new_bill_together",
    "notices.tell_held_bill_together",
    "notices.tell_bill_due_together",
)
#: what every lane has but the journey's, which has all others
HANDLERS_OF = {
    Lane.OUTBOUND: OUTBOUND_HANDLERS,
    Lane.PUSH: PUSH_HANDLERS,
    Lane.MAIL: MAIL_HANDLERS,
    Lane.BULK: BULK_HANDLERS,
    Lane.REPORTS: REPORT_HANDLERS,
}


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that is ours until the lease ends."""

    work_id: int
    handler: str
    key: str
    payload: dict[str, Any]
    attempts: int
    lock_token: str
    lease: dt.timedelta = LEASE  #: how long it is ours without a sign of life


# ------------------------------------------------------------------------------------- what the database is asked for
# It is asked before and after every step of everything: these are put together once. They are none of the session's
# own (``_execute``): no row of work is ever an object in it.

_WORK = table_of(WorkRow)
#: the row is still the claim's (``_of``)
_STILL = (_WORK.c.id == bindparam("of_id"), _WORK.c.lock_token == bindparam("held_by"))
#: in nobody's hands: never taken, or its lease is over (``_free_at``)
_IS_FREE = or_(_WORK.c.lock_token.is_(None), _WORK.c.run_at <= bindparam("now"), _WORK.c.run_at > bindparam("latest"))
_FREE = select(_WORK.c.id).where(*_STILL).with_for_update(skip_locked=True).cte("free")
_EXTENDING = update(_WORK).where(_WORK.c.id.in_(select(_FREE.c.id))).values(run_at=bindparam("until"))
_LOCKING = select(_WORK.c.id).where(*_STILL).with_for_update()
_HOLDING = update(_WORK).where(*_STILL).values(run_at=bindparam("until"))
_FINISHING = delete(_WORK).where(*_STILL)
_WAITING = (
    update(_WORK)
    .where(*_STILL)
    .values(run_at=bindparam("until"), lock_token=None, attempts=0, last_error=None, dead_at=None)
)
_GIVING_BACK = (
    update(_WORK).where(*_STILL).values(run_at=bindparam("until"), lock_token=None, attempts=_WORK.c.attempts - 1)
)
_BRINGING_FORWARD = (
    update(_WORK)
    .where(_WORK.c.key == bindparam("of_key"), _WORK.c.lock_token.is_(None), _WORK.c.run_at > bindparam("until"))
    .values(run_at=bindparam("until"), attempts=case((_WORK.c.dead_at.is_(None), 0), else_=_WORK.c.attempts))
)


# -------------------------------------------------------------------------------------------------------- asking for it


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
    run_at = run_at or now
    values = {
        "handler": handler,
        "key": key,
        "payload": payload,
        "run_at": run_at,
        "attempts": 0,
        "created_at": now,
    }
    asked = insert_once(session, WorkRow, values, unique=["key"])
    if asked and run_at < now + LOOK:
        _call_workers(session)


def enqueue_together(
    session: Session, *, handler: str, payloads: Mapping[str, dict[str, Any]], now: dt.datetime
) -> None:
    """Ask for many pieces of work of one handler, by key, due at once. Keys that are there already stay as they are."""
    rows = [
        {"handler": handler, "key": key, "payload": payload, "run_at": now, "attempts": 0, "created_at": now}
        for key, payload in payloads.items()
    ]
    if insert_new(session, WorkRow, rows, unique=["key"]):
        _call_workers(session)


def bring_forward(session: Session, *, key: str, run_at: dt.datetime) -> None:
    """Let waiting work run earlier (never later). A row that is being worked on is left alone.

    Its failures so far are forgotten; but a dead letter gets this one try and stays what it is until it succeeds.
    """
    if _count(_execute(session, _BRINGING_FORWARD, {"of_key": key, "until": run_at})):
        _call_workers(session)  # even when it is not due yet: they planned their next look without it


def _call_workers(session: Session) -> None:
    """Wake the workers when this transaction commits. SQLite has no such call: its workers look often."""
    if session.get_bind().dialect.name != "postgresql":
        return
    # one call a transaction is enough; a savepoint takes its own call with it when it is rolled back
    transaction = session.get_nested_transaction() or session.get_transaction()
    if session.info.get(CHANNEL) is not transaction:
        session.execute(select(func.pg_notify(CHANNEL, "")))
        session.info[CHANNEL] = transaction


# --------------------------------------------------------------------------------------------------------- claiming it


def claim_due(
    session: Session, *, now: dt.datetime, limit: int, lane: Lane = Lane.JOURNEY, lease: dt.timedelta = LEASE
) -> list[Claim]:
    """Take due rows of a lane, and rows whose worker's lease ran out."""
    return _take(session, _taking_due(lane), {"now": now, "most": limit}, now=now, lease=lease)


@functools.cache
def _taking_due(lane: Lane) -> Executable:
    due = (
        select(_WORK.c.id)
        .where(_WORK.c.run_at <= bindparam("now"), _in(lane))
        .order_by(_WORK.c.run_at, _WORK.c.id)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(skip_locked=True)
        # a CTE that locks runs once; as a plain subquery a nested loop may run it once a row and take every due row
        .cte("due")
    )
    return _taking(_WORK.c.id.in_(select(due.c.id)))


def _in(lane: Lane) -> ColumnElement[bool]:
    """By handler; what no other lane has is the journey's. Each is a value of its own: a list of any length would be
    written into the statement anew each time."""
    if lane is Lane.JOURNEY:
        return _WORK.c.handler.not_in([literal(name) for names in HANDLERS_OF.values() for name in names])
    return _WORK.c.handler.in_([literal(name) for name in HANDLERS_OF[lane]])


def claim_key(session: Session, *, key: str, now: dt.datetime, lease: dt.timedelta = LEASE) -> Claim | None:
    """Take one row by name, unless a worker has it. For the web request that would rather not wait."""
    claims = _take(session, _TAKING_KEY, {"of_key": key, **_free_at(now)}, now=now, lease=lease)
    return claims[0] if claims else None


def _free_at(now: dt.datetime) -> dict[str, dt.datetime]:
    """What ``_IS_FREE`` is to be given."""
    return {"now": now, "latest": now + LEASE_MOST}


def end_wrong_leases(session: Session, *, now: dt.datetime) -> list[str]:
    """Let rows whose lease ends later than any lease can be claimed now. Returns their keys.

    Once a minute: the claim itself looks for what is due, by an index, and must not read all that waits. The token
    stays, so whoever still works on one may end it until another worker takes it.
    """
    ended = session.scalars(
        update(_WORK)
        .where(_WORK.c.run_at > now + LEASE_MOST, _WORK.c.lock_token.is_not(None))
        .values(run_at=now)
        .returning(_WORK.c.key)
    ).all()
    if ended:
        _call_workers(session)
    return sorted(ended)


def _taking(condition: ColumnElement[bool]) -> Executable:
    """What ``_take`` asks, of the rows for which it holds."""
    return (
        update(_WORK)
        .where(condition)
        .values(
            run_at=bindparam("until"),
            lock_token=case(
                (_WORK.c.lock_token.is_(None), bindparam("fresh", type_=String)),
                else_=bindparam("inherited", type_=String),
            ),
            attempts=_WORK.c.attempts + 1,
        )
        .returning(
            _WORK.c.id,
            _WORK.c.handler,
            _WORK.c.key,
            _WORK.c.payload,
            _WORK.c.attempts,
            _WORK.c.lock_token.label("token"),
        )
    )


_TAKING_KEY = _taking((_WORK.c.key == bindparam("of_key")) & _IS_FREE)


def _take(
    session: Session, taking: Executable, given: Mapping[str, Any], *, now: dt.datetime, lease: dt.timedelta
) -> list[Claim]:
    if lease > LEASE_MOST:
        raise ValueError(f"a lease of {lease} would count as over from the start")
    # two new tokens: which of them a row got says whether its last worker gave it back or vanished with it
    fresh, inherited = secrets.token_hex(16), secrets.token_hex(16)
    rows = _execute(session, taking, {**given, "until": now + lease, "fresh": fresh, "inherited": inherited}).all()
    claims = [Claim(row.id, row.handler, row.key, row.payload, row.attempts, str(row.token), lease) for row in rows]
    # a row that kills who works on it never fails in words: without this it would kill a worker each lease for ever
    deadly = [claim for claim in claims if claim.lock_token == inherited and claim.attempts > TRIES_MOST]
    for claim in deadly:
        put_back(session, claim, now=now, error=VANISHED)
    return [claim for claim in claims if claim not in deadly]


def extend(session: Session, claims: Sequence[Claim], *, now: dt.datetime) -> None:
    """The heartbeat: push the end of the lease of what is still being worked on.

    A row that another worker has taken since, or has ended, is left alone. So is one that a transaction holds at this
    moment: its handler is about to end it, and the other leases must not wait for that.
    """
    for claim in claims:
        _execute(session, _EXTENDING, {**_of(claim), "until": now + claim.lease})


def hold(session: Session, claim: Claim, *, clock: Callable[[], dt.datetime]) -> None:
    """Before something is done that others can see: the row is still ours, for a whole lease from now.

    Raises LostClaim when it is not. In the caller's transaction; the time is read here, when the row is locked: since
    the transaction began, it may have waited for other rows for seconds.
    """
    if session.get_bind().dialect.name == "postgresql":  # of SQLite's one writer the time was read when it began
        _execute(session, _LOCKING, _of(claim))
    _must_be_one(_execute(session, _HOLDING, {**_of(claim), "until": clock() + claim.lease}))


# ----------------------------------------------------------------------------------------------------------- ending it


def finish(session: Session, claim: Claim) -> None:
    """End the row in the caller's transaction. Raises LostClaim when it is no longer ours."""
    _must_be_one(_execute(session, _FINISHING, _of(claim)))


def finish_if_ours(session: Session, claim: Claim) -> None:
    """End the row in the caller's transaction; one that is no longer ours is left to who has it."""
    _execute(session, _FINISHING, _of(claim))


def run_again(session: Session, claim: Claim, *, run_at: dt.datetime) -> None:
    """Not done yet, and nothing went wrong: look again at ``run_at``. Raises LostClaim when it is no longer ours."""
    _must_be_one(_execute(session, _WAITING, {**_of(claim), "until": run_at}))


def put_back(session: Session, claim: Claim, *, now: dt.datetime, error: str) -> bool:
    """It failed: wait longer each time, keep the error in the row. It is never dropped, and never stops trying.

    True when it is a dead letter, by this failure or by an earlier one.
    """
    dead = claim.attempts >= TRIES_MOST
    values: dict[str, Any] = {"lock_token": None, "last_error": error[:2000]}
    if dead:
        # not all at the same time of the day
        values["run_at"] = now + DEAD_PAUSE * (0.9 + _dice() / 5)
        values["dead_at"] = func.coalesce(_WORK.c.dead_at, now)
    else:
        wait_s = min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2 ** min(claim.attempts - 1, 20))
        # the many that failed together do not come back together
        values["run_at"] = now + dt.timedelta(seconds=wait_s * (0.5 + _dice()))
    _execute(session, update(_WORK).where(*_STILL).values(**values), _of(claim))
    return dead


def give_back(session: Session, claims: Sequence[Claim], *, now: dt.datetime) -> None:
    """Nobody has begun with these and we shall not: another worker may have them at once."""
    for claim in claims:
        _execute(session, _GIVING_BACK, {**_of(claim), "until": now})
    _call_workers(session)


def _of(claim: Claim) -> dict[str, Any]:
    """What ``_STILL`` is to be given."""
    return {"of_id": claim.work_id, "held_by": claim.lock_token}


def _execute(session: Session, statement: Executable, given: Mapping[str, Any]) -> CursorResult[Any]:
    """After what waits in the session to be written, as with its own statements."""
    session.flush()
    return session.execute(statement, given)  # type: ignore[return-value]  # an UPDATE or a DELETE gives one


def _dice() -> float:
    return secrets.randbelow(1000) / 1000


def _must_be_one(result: Any) -> None:
    if _count(result) != 1:
        raise LostClaim


def _count(result: Any) -> int:
    return int(result.rowcount)


# ---------------------------------------------------------------------------------------------------------- looking on


def oldest_due(session: Session, *, now: dt.datetime, lane: Lane) -> dt.datetime | None:
    """When the longest-waiting due row should have run; None when all is done in time."""
    return session.scalar(select(func.min(WorkRow.run_at)).where(WorkRow.run_at <= now, _in(lane)))


def next_due(session: Session, *, now: dt.datetime, before: dt.datetime) -> dt.datetime | None:
    """When the next row comes due, or the next lease ends, after ``now`` and not after ``before``; None: nothing."""
    return session.scalar(select(func.min(WorkRow.run_at)).where(WorkRow.run_at > now, WorkRow.run_at <= before))


@dataclass(frozen=True, slots=True)
class Age:
    """How late a handler's work is."""

    handler: str
    oldest_s: float  #: seconds by which its longest-waiting row is late; 0 when all is in time
    dead: int  #: dead letters


def ages(session: Session, now: dt.datetime) -> list[Age]:
    """Of every handler that has work which is due or dead, by name. Reads no other rows, so that it is cheap."""
    due = WorkRow.run_at <= now
    rows = session.execute(
        select(
            WorkRow.handler,
            func.min(case((due, WorkRow.run_at))).label("oldest"),
            func.count(WorkRow.dead_at).label("dead"),
        )
        .where(or_(due, WorkRow.dead_at.is_not(None)))
        .group_by(WorkRow.handler)
        .order_by(WorkRow.handler)
    )
    return [Age(row.handler, _late_s(row.oldest, now), row.dead) for row in rows]


@dataclass(frozen=True, slots=True)
class Standing:
    """How many rows of a handler are what. A dead letter counts as that and as nothing else."""

    handler: str
    ready: int  #: due, and nobody has it (or its worker's lease is over)
    leased: int  #: in a worker's hands
    waiting: int  #: for its time
    dead: int
    oldest_s: float  #: seconds by which the longest-waiting one is late


def standing(session: Session, now: dt.datetime) -> list[Standing]:
    """Every handler that has work, by name. Reads the whole table."""
    due, living = WorkRow.run_at <= now, WorkRow.dead_at.is_(None)
    held = WorkRow.lock_token.is_not(None)
    rows = session.execute(
        select(
            WorkRow.handler,
            func.count(case((living & due, 1))).label("ready"),
            func.count(case((living & ~due & held, 1))).label("leased"),
            func.count(case((living & ~due & ~held, 1))).label("waiting"),
            func.count(WorkRow.dead_at).label("dead"),
            func.min(case((due, WorkRow.run_at))).label("oldest"),
        )
        .group_by(WorkRow.handler)
        .order_by(WorkRow.handler)
    )
    return [
        Standing(row.handler, row.ready, row.leased, row.waiting, row.dead, _late_s(row.oldest, now)) for row in rows
    ]


def _late_s(oldest: dt.datetime | None, now: dt.datetime) -> float:
    return (now - oldest).total_seconds() if oldest else 0.0


# --------------------------------------------------------------------------------------------------- for the operator


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Work that failed for so long that somebody should look at it."""

    key: str
    tries: int
    dead_at: dt.datetime
    run_at: dt.datetime  #: when it is tried again by itself
    last_error: str | None


def dead_letters(session: Session) -> list[DeadLetter]:
    """All of them, the oldest first."""
    rows = session.scalars(select(WorkRow).where(WorkRow.dead_at.is_not(None)).order_by(WorkRow.dead_at, WorkRow.id))
    return [DeadLetter(row.key, row.attempts, row.dead_at, row.run_at, row.last_error) for row in rows if row.dead_at]


def replay(session: Session, *, keys: Sequence[str] | None, now: dt.datetime) -> list[str]:
    """Run these now, as if they had never failed; None: all dead letters. Returns the keys, in order.

    What a worker has in its hands is left to it. Raises Invalid when there is no work with one of the keys: then
    nothing is changed.
    """
    wanted = _WORK.c.dead_at.is_not(None) if keys is None else _WORK.c.key.in_(keys)
    if keys is not None:
        there = set(session.scalars(select(_WORK.c.key).where(wanted)))
        if unknown := [key for key in dict.fromkeys(keys) if key not in there]:
            raise Invalid("work", f"There is no work with the key {', '.join(unknown)}; nothing was changed.")
    replayed = session.scalars(
        update(_WORK)
        .where(wanted, _IS_FREE)
        .values(run_at=now, attempts=0, lock_token=None, last_error=None, dead_at=None)
        .returning(_WORK.c.key),
        _free_at(now),
    ).all()
    if replayed:
        _call_workers(session)
    return sorted(replayed)
