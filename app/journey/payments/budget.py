"""How often a bank is asked for statuses: one budget for all payments and all workers of the installation (K8)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CursorResult, case, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.journey.payments.models import BankBudget

_MINUTE = dt.timedelta(minutes=1)


def take(session: Session, *, bank_id: str, most: int, now: dt.datetime) -> dt.datetime | None:
    """Take one call of ``most`` a minute. None when it may be made now, else the time from when on it may."""
    minute = now.replace(second=0, microsecond=0)
    is_new = BankBudget.minute != minute
    taken: CursorResult[Any] = session.execute(  # type: ignore[assignment]  # an UPDATE gives one
        update(BankBudget)
        .where(
            BankBudget.bank_id == bank_id,
            or_(BankBudget.not_before.is_(None), BankBudget.not_before <= now),
            or_(is_new, BankBudget.calls < most),
        )
        .values(calls=case((is_new, 1), else_=BankBudget.calls + 1), minute=minute)
        .execution_options(synchronize_session=False)
    )
    if taken.rowcount == 1:
        return None
    row = session.execute(
        select(BankBudget.not_before, BankBudget.calls, BankBudget.minute).where(BankBudget.bank_id == bank_id)
    ).one_or_none()
    if row is None:
        _open(session, bank_id, minute)
        return take(session, bank_id=bank_id, most=most, now=now)
    if row.not_before is not None and row.not_before > now:
        return row.not_before  # type: ignore[no-any-return]
    return minute + _MINUTE


def put_off(session: Session, *, bank_id: str, until: dt.datetime) -> None:
    """The bank wants to be left alone until then (429, Retry-After)."""
    session.execute(
        update(BankBudget)
        .where(BankBudget.bank_id == bank_id, or_(BankBudget.not_before.is_(None), BankBudget.not_before < until))
        .values(not_before=until)
        .execution_options(synchronize_session=False)
    )


def _open(session: Session, bank_id: str, minute: dt.datetime) -> None:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    values = {"bank_id": bank_id, "minute": minute, "calls": 0}
    session.execute(dialect.insert(BankBudget).values(**values).on_conflict_do_nothing(index_elements=["bank_id"]))
