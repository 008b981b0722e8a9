"""When the bank is asked about a payment: one row of work follows one payment."""

from __future__ import annotations

import datetime as dt

from app.db import work
from app.db.unit_of_work import UnitOfWork
from app.journey.payments.models import Payment

HANDLER = "payments.follow"


def work_key(payment_id: str) -> str:
    return f"{HANDLER}:{payment_id}"


def follow_from(uow: UnitOfWork, payment: Payment, *, run_at: dt.datetime) -> None:
    """Ask the bank about this payment from ``run_at`` on, or earlier when it was to be earlier.

    The bank's budget and its own wish (Retry-After) are looked at when the time has come.
    """
    work.enqueue(
        uow.session,
        handler=HANDLER,
        key=work_key(payment.id),
        payload={"payment_id": payment.id},
        now=uow.now,
        run_at=run_at,
    )
    work.bring_forward(uow.session, key=work_key(payment.id), run_at=run_at)
    payment.next_look_at = run_at
