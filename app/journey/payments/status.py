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
from connectors.contract import BankStatus, Connector, Fact
from connectors.errors import BankError, BankUnavailable
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
    take_back: bool  #: the time to approve is over and nobody came back with an approval


@dataclass(frozen=True, slots=True)
class _Heard:
    """What the bank said; nothing when it did not tell. ``taken_back``: it says so because we asked it to drop it."""

    status: BankStatus | None
    taken_back: bool = False
    retry_after_s: int = 0


def follow(task: Task) -> None:
    """Ask the bank once and step by what it says; then again at the bank's pace until it is over."""
    question = _question(task)
    if question is None:
        return
    heard = _ask(task.services.banks.connector(question.bank_id), question, timeout_s=task.deadline_s)
    with task.services.unit_of_work() as uow:
        payment = locked(uow.session, task.payload["payment_id"])
        payment.looked_at = uow.now
        _take_in(uow, payment, heard)
        _go_on(task, uow, payment, not_before=uow.now + dt.timedelta(seconds=heard.retry_after_s))
        uow.commit()


def _ask(connector: Connector, question: _Question, *, timeout_s: float) -> _Heard:
    """One question. "Still waiting" never means "nobody approved": only the bank can free the claim, so we ask it to
    take the order back, and believe its word that it did."""
    try:
        status = connector.status(question.bank_consent_id, access_token=question.access_token, timeout_s=timeout_s / 2)
        if status.fact is Fact.WAITING and question.take_back:
            cancelled = connector.cancel(question.bank_consent_id, timeout_s=timeout_s / 2)
            if cancelled is not None:
                return _Heard(cancelled, taken_back=True)
    except BankUnavailable as error:
        return _Heard(None, retry_after_s=error.retry_after_s or 0)
    except BankError:
        return _Heard(None)
    return _Heard(status)


def _question(task: Task) -> _Question | None:
    """What to ask; None (and the work is ended) when the payment is over or nobody ever got the link."""
    services = task.services
    with services.unit_of_work() as uow:
        payment = locked(uow.session, task.payload["payment_id"])
        trip = uow.session.get_one(Trip, payment.trip_id)
        if payment.consent_id is None or (payment.state in OVER and payment.state != PaymentState.SETTLED):
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
        needs_customer = services.banks.profile(payment.bank_id).status_access == "psu_token"
        return _Question(
            bank_id=payment.bank_id,
            bank_consent_id=consent.bank_consent_id,
            # our own word is the more lasting one: a customer's token may die before the money has settled
            access_token=access_token(uow.session, services.vault, consent, now=uow.now) if needs_customer else None,
            take_back=_is_overdue(uow, consent) and trip.outcome != "code",
        )


def _is_overdue(uow: UnitOfWork, consent: Consent) -> bool:
    return uow.now >= consent.expires_at + rules.EXPIRY_MARGIN


def _take_in(uow: UnitOfWork, payment: Payment, heard: _Heard) -> None:
    """Step by the bank's word. Where it says nothing that helps when it should, we do not know (K3)."""
    status = heard.status
    taken = None
    if status is not None:
        payment.transaction_status = status.transaction_status[:35]
        taken = STEP_OF_FACT.get(status.fact)
    if status is not None and taken is not None:
        believe(uow, payment, status, taken, reason=_reason(uow, payment, heard, status))
        return
    trip = uow.session.get_one(Trip, payment.trip_id)
    overdue = _is_overdue(uow, uow.session.get_one(Consent, payment.consent_id))
    if (overdue or (status is None and trip.returned_at is not None)) and PAYMENT.allows(
        PaymentState(payment.state), PaymentStep.LOSE_SIGHT
    ):
        step(uow, payment, PaymentStep.LOSE_SIGHT)


def _reason(uow: UnitOfWork, payment: Payment, heard: _Heard, status: BankStatus) -> Reason | None:
    if status.fact not in (Fact.REJECTED, Fact.CANCELLED):
        return None
    if payment.state == PaymentState.SETTLED:
        return Reason.REVERSED
    if heard.taken_back:
        return Reason.NOT_APPROVED_IN_TIME
    outcome = uow.session.get_one(Trip, payment.trip_id).outcome
    return reason_of(status, outcome=outcome, accepted=payment.accepted_at is not None)


def _go_on(task: Task, uow: UnitOfWork, payment: Payment, *, not_before: dt.datetime) -> None:
    """End the work, or say when the bank is asked again: never before it wants to be (Retry-After)."""
    run_at = _next_look(task, uow, payment)
    payment.next_look_at = None if run_at is None else max(run_at, not_before)
    if payment.next_look_at is None:
        task.finish(uow)
    else:
        task.run_again(uow, run_at=payment.next_look_at)


def _next_look(task: Task, uow: UnitOfWork, payment: Payment) -> dt.datetime | None:
    if payment.state == PaymentState.SETTLED and payment.settled_at is not None:
        return rules.late_look(settled_at=payment.settled_at, now=uow.now)
    if payment.state in OVER:
        return None
    trip = uow.session.get_one(Trip, payment.trip_id)
    return rules.next_look(
        anchor=trip.returned_at or trip.left_at or payment.created_at,
        returned=trip.returned_at is not None,
        now=uow.now,
        pace_s=task.services.banks.profile(payment.bank_id).poll_s,
    )
