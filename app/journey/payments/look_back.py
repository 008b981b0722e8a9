"""What ended before the bank ever named a payment of it is looked at again: by its consent, which is all there is to
ask about. Is it used up, there is a payment after all."""

from __future__ import annotations

import datetime as dt

from app.db.unit_of_work import UnitOfWork
from app.journey.payments.access import source_of
from app.journey.payments.looks import late_look, look_again
from app.journey.payments.models import Payment
from app.journey.payments.own_consent import is_unused, is_used
from app.journey.payments.states import CLOSED, OTHERS, OVER, PaymentState, StatusSays
from app.journey.payments.step import doubt
from app.journey.payments.way import way_of
from app.services import Task
from connectors.contract import ConsentStatus


def look_back(
    task: Task,
    uow: UnitOfWork,
    payment: Payment,
    said: ConsentStatus | None,
    *,
    asked_at: dt.datetime,
    retry_after_s: int,
) -> None:
    """It ended, and the bank never named a payment: should the consent be used up, there is one after all."""
    payment.silent_since = (payment.silent_since or uow.now) if said is None else None
    if is_used(uow.session, payment, said) and payment.state in CLOSED:
        _doubt(uow, payment, asked_at=asked_at)
    elif said is not None:
        payment.doubted_since = None
        _weigh(uow, payment, said)
    run_at: dt.datetime | None = uow.now
    if payment.state in OVER:
        run_at = late_look(payment, way_of(uow.session, payment), now=uow.now)
    if run_at is None:
        payment.next_look_at = None
        task.finish(uow)
    else:
        look_again(task, uow, payment, run_at=max(run_at, uow.now + dt.timedelta(seconds=retry_after_s)))


def _doubt(uow: UnitOfWork, payment: Payment, *, asked_at: dt.datetime) -> None:
    """Closed, and its consent is used up. Whoever closed it by other evidence after the bank had said so knew that: it
    is listed. Said for the first time, or again after the opposite, it is news."""
    knew = payment.accepted_at is not None and payment.status_says != StatusSays.SAME
    if knew and source_of(uow.session, payment) in OTHERS:
        payment.status_says = StatusSays.OPPOSITE
        return
    payment.doubted_since = payment.doubted_since or asked_at
    doubt(uow, payment)


def _weigh(uow: UnitOfWork, payment: Payment, said: ConsentStatus) -> None:
    """Where other evidence decided: whether the consent agrees with it now. What says neither changes nothing."""
    if source_of(uow.session, payment) not in OTHERS:
        return
    settled, used = payment.state == PaymentState.SETTLED, is_used(uow.session, payment, said)
    unused = is_unused(uow.session, payment, said)
    if (settled and used) or (payment.state in CLOSED and unused):
        payment.status_says = StatusSays.SAME
    elif settled and unused:
        payment.status_says = StatusSays.OPPOSITE
