"""How much of a standing consent's limits is claimed: two payments can never together exceed one (K6).

What is used of a period is added to only where it fits, in the database itself: to read it first and write it then
would let two pass that do not fit together. The rows of periods are locked last, after all others, and in one order:
consent by consent, limit by limit, day by day. Who decides takes them as the last thing; what is given back, or counts
again, moves them at the end of its transaction (``UnitOfWork.at_the_end``): one word about a payment may end another
one, under another consent, and goes on to lock the bills that replace this one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, and_, select, update
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.services import WORKER_DEADLINE_S
from connectors.capabilities import Period
from consent.models import ConsentUsage, LimitClaim, Standing
from consent.rules import Frame, Reason, Span, Used, days_at, over_period, spans_at

#: how far from now a payment may arrive at its bank: so long may we take to send it and the bank to take it, and their
#: clock may differ from ours by a minute
MARGIN = dt.timedelta(seconds=2 * WORKER_DEADLINE_S + 60)


class LimitReached(Exception):
    """A period has not that much left. Nothing may be committed of the transaction in which this is raised."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.why)
        self.reason = reason


def days_of_sending(standing: Standing, *, now: dt.datetime) -> tuple[dt.date, ...]:
    """The days on which the bank may count what is sent now. All of them are claimed."""
    return days_at(now, days=standing.days, margin=MARGIN)


def used(session: Session, *, consent_id: str, days: Collection[dt.date]) -> Used:
    """What is used of the periods of these days, and perhaps of some later ones. It may be out of date at once."""
    return used_of(session, consent_ids=[consent_id], since=min(days)).get(consent_id, {})


def used_of(
    session: Session, *, consent_ids: Iterable[str], since: dt.date
) -> dict[str, dict[tuple[int, dt.date], int]]:
    """Of each of these consents of which anything is used in a period that ends on ``since`` or later."""
    rows = session.execute(
        select(ConsentUsage.consent_id, ConsentUsage.number, ConsentUsage.first, ConsentUsage.used_minor).where(
            ConsentUsage.consent_id.in_(consent_ids), ConsentUsage.last >= since
        )
    )
    found: dict[str, dict[tuple[int, dt.date], int]] = {}
    for consent_id, number, first, minor in rows:
        found.setdefault(consent_id, {})[number, first] = minor
    return found


def refused(session: Session, *, consent_id: str, days: Collection[dt.date]) -> set[tuple[int, dt.date]]:
    """In which of these periods, and perhaps of some later ones, the bank refused what our count allowed."""
    rows = session.execute(
        select(ConsentUsage.number, ConsentUsage.first).where(
            ConsentUsage.consent_id == consent_id,
            ConsentUsage.last >= min(days),
            ConsentUsage.refused_at.is_not(None),
        )
    )
    return {(number, first) for number, first in rows}


def take(
    session: Session, standing: Standing, *, payment_id: str, minor: int, days: Collection[dt.date], now: dt.datetime
) -> None:
    """Claim the amount in each period of ``days`` (rules.days_at) in which the payment has claimed nothing yet.

    Raises LimitReached, and ValueError for a payment whose claims were released: it is over. Whether the frame allows
    the payment otherwise is not asked here (rules.first_breach).
    """
    frame = standing.frame
    claims = session.execute(
        select(LimitClaim.number, LimitClaim.first, LimitClaim.released_at).where(LimitClaim.payment_id == payment_id)
    ).all()
    if any(released_at is not None for _, _, released_at in claims):
        raise ValueError(f"the claims of {payment_id} were released")
    there = {(number, first) for number, first, _ in claims}
    wanted = [span for span in spans_at(frame, days) if span.key not in there]
    for span in wanted:  # before any of them is locked: a new row looks at its consent, which another one may hold
        _begin(session, standing.consent_id, span)
    for span in wanted:
        _take(session, standing.consent_id, frame, span, minor=minor, days=days)
        claim = {"payment_id": payment_id, "number": span.number, "first": span.first}
        session.add(LimitClaim(consent_id=standing.consent_id, minor=minor, at=now, **claim))
    session.flush()


def _begin(session: Session, consent_id: str, span: Span) -> None:
    key = {"consent_id": consent_id, "number": span.number, "first": span.first}
    values = {**key, "last": span.last, "limit_minor": span.limit_minor, "used_minor": 0}
    insert_once(session, ConsentUsage, values, unique=list(key))


def _take(
    session: Session, consent_id: str, frame: Frame, span: Span, *, minor: int, days: Collection[dt.date]
) -> None:
    is_span = _is_period(consent_id, span.number, span.first)
    taken: CursorResult[Any] = session.execute(  # type: ignore[assignment]  # an UPDATE gives one
        update(ConsentUsage)
        .where(is_span, ConsentUsage.used_minor + minor <= ConsentUsage.limit_minor)
        .values(used_minor=ConsentUsage.used_minor + minor)
        .execution_options(synchronize_session=False)
    )
    if taken.rowcount != 1:
        so_far = session.scalars(select(ConsentUsage.used_minor).where(is_span)).one()
        left_minor = max(0, span.limit_minor - so_far)
        raise LimitReached(over_period(frame, span, left_minor=left_minor, minor=minor, days=days))


def release(uow: UnitOfWork, *, payment_id: str) -> None:
    """The payment is closed as not done: what it claimed is free again once this is committed. May be repeated.

    Not for one that was paid and came back: the standard gives no room back for a refund.
    """
    _turn(uow, payment_id, stands=False)


def restore(uow: UnitOfWork, *, payment_id: str) -> None:
    """The bank calls it done after all, or may: what it claimed counts again once this is committed, whether there is
    room or not. May be repeated."""
    _turn(uow, payment_id, stands=True)


def refuse(uow: UnitOfWork, *, payment_id: str, number: int | None) -> None:
    """The bank called the payment more than a period allows, though it was claimed: it counts otherwise than we do.
    ``number``: of which limit; None: it did not say, and then the one whose period is the shortest stands for all. A
    longer one would keep its customer from paying for up to a year, on no more than a guess."""
    claims = uow.session.execute(
        select(LimitClaim.number, LimitClaim.first, LimitClaim.consent_id)
        .where(LimitClaim.payment_id == payment_id)
        .order_by(LimitClaim.number, LimitClaim.first)
    ).all()
    if number is None and claims:
        number = _shortest(uow.session.get_one(Standing, claims[0].consent_id).frame)
    for claimed, first, consent_id in claims:
        if claimed == number:
            _change_at_the_end(uow, consent_id, claimed, first, {"refused_at": uow.now})


def _shortest(frame: Frame) -> int:
    """Which limit is the one of the shortest periods."""
    lengths = list(Period)
    return min(range(len(frame.limits)), key=lambda number: lengths.index(frame.limits[number].period))


def _turn(uow: UnitOfWork, payment_id: str, *, stands: bool) -> None:
    """Have all of its claims stand or not, and what is used follow."""
    turned = uow.session.execute(
        update(LimitClaim)
        .where(
            LimitClaim.payment_id == payment_id,
            LimitClaim.released_at.is_not(None) if stands else LimitClaim.released_at.is_(None),
        )
        .values(released_at=None if stands else uow.now)
        .returning(LimitClaim.number, LimitClaim.first, LimitClaim.consent_id, LimitClaim.minor)
        .execution_options(synchronize_session=False)
    ).all()
    for number, first, consent_id, minor in turned:
        used_minor = ConsentUsage.used_minor + (minor if stands else -minor)
        _change_at_the_end(uow, consent_id, number, first, {"used_minor": used_minor})


def _change_at_the_end(
    uow: UnitOfWork, consent_id: str, number: int, first: dt.date, values: Mapping[str, object]
) -> None:
    changing = (
        update(ConsentUsage)
        .where(_is_period(consent_id, number, first))
        .values(values)
        .execution_options(synchronize_session=False)
    )
    uow.at_the_end((consent_id, number, first), lambda: uow.session.execute(changing))


def _is_period(consent_id: str, number: int, first: dt.date) -> ColumnElement[bool]:
    return and_(ConsentUsage.consent_id == consent_id, ConsentUsage.number == number, ConsentUsage.first == first)
