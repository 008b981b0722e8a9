"""Asking the bank until it is clear what happened. Its status is the only proof; a redirect never is (K3, K8)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from app.db import work
from app.db.unit_of_work import UnitOfWork
from app.journey.payments import rules
from app.journey.payments.access import locked
from app.journey.payments.models import Payment
from app.journey.payments.reasons import Reason, reason_of
from app.journey.payments.states import OVER, PAYMENT, STEP_OF_FACT, PaymentState, PaymentStep
from app.journey.payments.step import believe, step
from app.services import Task
from connectors.contract import BankStatus, Fact
from connectors.errors import BankError
from consent import trips
from consent.models import Consent, Trip
from consent.tokens import access_token

HANDLER = "payments.follow"


def work_key(payment_id: str) -> str:
    """One row follows one payment."""
    return f"{HANDLER}:{payment_id}"


def follow_from(uow: UnitOfWork, payment: Payment, *, run_at: dt.datetime) -> None:
    """Ask the bank about this payment from ``run_at`` on, or earlier when it was to be later."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    bank_id: str
    bank_consent_id: str
    access_token: str | None


def follow(task: Task) -> None:
    """Ask the bank once and step by what it says; then again at the bank's pace until it is over."""
    question = _question(task)
    if question is None:
        return
    connector = task.services.banks.connector(question.bank_id)
    status: BankStatus | None
    try:
        status = connector.status(
            question.bank_consent_id, access_token=question.access_token, timeout_s=task.deadline_s
        )
    except BankError:
        status = None  # it did not tell: the row below says when it is asked again
    with task.services.unit_of_work() as uow:
        payment = locked(uow.session, task.payload["payment_id"])
        _take_in(uow, payment, status)
        _go_on(task, uow, payment)
        uow.commit()


def _question(task: Task) -> _Question | None:
    """What to ask; None (and the work is ended) when the payment is over or nobody ever got the link."""
    services = task.services
    with services.unit_of_work() as uow:
        payment = locked(uow.session, task.payload["payment_id"])
        trip = uow.session.get_one(Trip, payment.trip_id)
        if payment.state in OVER or payment.consent_id is None:
            task.finish(uow)
            uow.commit()
            return None
        consent = uow.session.get_one(Consent, payment.consent_id)
        if trip.left_at is None:
            if uow.now < consent.expires_at:
                task.run_again(uow, run_at=consent.expires_at)
            else:
                # the link was given to nobody, so nothing can have been approved: no need to ask
                step(uow, payment, PaymentStep.EXPIRE, reason=Reason.NOT_APPROVED_IN_TIME)
                task.finish(uow)
            uow.commit()
            return None
        return _Question(
            bank_id=payment.bank_id,
            bank_consent_id=consent.bank_consent_id,
            access_token=access_token(uow.session, services.vault, consent, now=uow.now),
        )


def _take_in(uow: UnitOfWork, payment: Payment, status: BankStatus | None) -> None:
    """Step by the bank's word. Silence after the customer came back means that we do not know (K3)."""
    trip = uow.session.get_one(Trip, payment.trip_id)
    state = PaymentState(payment.state)
    if status is None:
        if trip.returned_at is not None and PAYMENT.allows(state, PaymentStep.LOSE_SIGHT):
            step(uow, payment, PaymentStep.LOSE_SIGHT)
        return
    taken = STEP_OF_FACT.get(status.fact)
    if taken is not None:
        if state is PaymentState.SETTLED and taken is PaymentStep.BANK_REJECT:
            believe(uow, payment, status, taken, reason=Reason.REVERSED)
        else:
            failed = status.fact in (Fact.REJECTED, Fact.CANCELLED)
            believe(
                uow,
                payment,
                status,
                taken,
                reason=reason_of(status, outcome=trip.outcome) if failed else None,
            )
    elif status.fact is Fact.WAITING and PAYMENT.allows(state, PaymentStep.EXPIRE):
        consent = uow.session.get_one(Consent, payment.consent_id)
        if uow.now >= consent.expires_at + rules.EXPIRY_MARGIN:
            step(uow, payment, PaymentStep.EXPIRE, reason=Reason.NOT_APPROVED_IN_TIME)


def _go_on(task: Task, uow: UnitOfWork, payment: Payment) -> None:
    """End the work, or say when the bank is asked again."""
    services = task.services
    trip = uow.session.get_one(Trip, payment.trip_id)
    if payment.state in OVER:
        payment.next_look_at = None
        trips.forget(uow.session, services.vault, trip)
        task.finish(uow)
        return
    run_at = rules.next_look(
        anchor=trip.returned_at or trip.left_at or payment.created_at,
        returned=trip.returned_at is not None,
        now=uow.now,
        pace_s=services.banks.profile(payment.bank_id).poll_s,
    )
    payment.next_look_at = run_at
    task.run_again(uow, run_at=run_at)
