"""How often a bank is asked for statuses: one budget for all payments and standing consents, and for all workers of the
installation (K8)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CursorResult, Update, bindparam, case, or_, select, update
from sqlalchemy.orm import Session

from app.db.upsert import insert_once
from app.journey.consents.models import BankBudget
from connectors.http import RETRY_AFTER_MAX_S
from consent.base import UTCDateTime

_MINUTE = dt.timedelta(minutes=1)
#: no bank is left alone for longer: what lies beyond was written by a clock that was ahead, and is forgotten
_LEFT_ALONE_MOST = dt.timedelta(seconds=RETRY_AFTER_MAX_S) + _MINUTE


def _taking() -> Update:
    """Of a bank (``of_bank``) at a time (``now``) in a minute (``this``): one call more, if it may be made now."""
    now, minute = bindparam("now", type_=UTCDateTime), bindparam("this", type_=UTCDateTime)
    # a worker whose clock is a moment behind counts in the minute that has begun; one far ahead was wrong
    is_new = or_(BankBudget.minute < minute, BankBudget.minute > bindparam("next"))
    is_wrong = BankBudget.not_before > bindparam("latest")
    return (
        update(BankBudget)
        .where(
            BankBudget.bank_id == bindparam("of_bank"),
            or_(BankBudget.not_before.is_(None), BankBudget.not_before <= now, is_wrong),
            or_(is_new, BankBudget.calls < bindparam("most")),
        )
        .values(
            calls=case((is_new, 1), else_=BankBudget.calls + 1),
            minute=case((is_new, minute), else_=BankBudget.minute),
            not_before=case((is_wrong, None), else_=BankBudget.not_before),
        )
        .execution_options(synchronize_session=False)
    )


_TAKING = _taking()


def take(session: Session, *, bank_id: str, most: int, now: dt.datetime) -> dt.datetime | None:
    """Take one call of ``most`` a minute. None when it may be made now, else the time from when on it may."""
    minute = now.replace(second=0, microsecond=0)
    given = {"of_bank": bank_id, "most": most, "now": now, "this": minute}
    given |= {"next": minute + _MINUTE, "latest": now + _LEFT_ALONE_MOST}
    taken: CursorResult[Any] = session.execute(_TAKING, given)  # type: ignore[assignment]  # an UPDATE gives one
    if taken.rowcount == 1:
        return None
    row = session.execute(
        select(BankBudget.not_before, BankBudget.minute, BankBudget.calls).where(BankBudget.bank_id == bank_id)
    ).one_or_none()
    if row is None:
        insert_once(session, BankBudget, {"bank_id": bank_id, "minute": minute, "calls": 0}, unique=["bank_id"])
        return take(session, bank_id=bank_id, most=most, now=now)
    free_at: dt.datetime = row.minute + _MINUTE
    if row.not_before is None or not now < row.not_before <= now + _LEFT_ALONE_MOST:
        return free_at
    is_full = row.calls >= most and minute <= row.minute <= minute + _MINUTE
    return max(row.not_before, free_at) if is_full else row.not_before  # type: ignore[no-any-return]


def put_off(session: Session, *, bank_id: str, until: dt.datetime, now: dt.datetime) -> None:
    """The bank wants to be left alone until then (429, Retry-After)."""
    minute = now.replace(second=0, microsecond=0)
    insert_once(session, BankBudget, {"bank_id": bank_id, "minute": minute, "calls": 0}, unique=["bank_id"])
    session.execute(
        update(BankBudget)
        .where(BankBudget.bank_id == bank_id, or_(BankBudget.not_before.is_(None), BankBudget.not_before < until))
        .values(not_before=until)
        .execution_options(synchronize_session=False)
    )
