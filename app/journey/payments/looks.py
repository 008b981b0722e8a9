"""When a payment that the bank holds is gone on with: one row of work follows one payment."""

from __future__ import annotations

import datetime as dt

from app.db import work
from app.db.unit_of_work import UnitOfWork
from app.journey.payments import rules
from app.journey.payments.models import Payment
from app.services import Task

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


def look_again(task: Task, uow: UnitOfWork, payment: Payment, *, run_at: dt.datetime) -> None:
    """Go on with it then. Where the bank wants to be left alone for longer than was promised, that is said at once."""
    payment.next_look_at = run_at
    if payment.know_by is not None and run_at > payment.know_by:
        payment.promises_broken += payment.updated_at != uow.now  # what was promised just now was told to nobody
        payment.know_by = run_at + rules.PROMISE
        payment.updated_at = uow.now
    task.run_again(uow, run_at=run_at)
