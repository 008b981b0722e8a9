"""The only writer of a payment's state: steps the table, keeps the claim and the consent in line, records the fact.

All of it in the caller's transaction: a payment is never settled without its invoice, nor told without being so.
"""

from __future__ import annotations

from app.db.unit_of_work import UnitOfWork
from app.journey.invoices import service as invoices
from app.journey.payments.events import (
    PaymentAccepted,
    PaymentFailed,
    PaymentReversed,
    PaymentSettled,
    PaymentUnknown,
)
from app.journey.payments.models import Payment
from app.journey.payments.states import OVER, PAYMENT, PaymentState, PaymentStep
from connectors.contract import BankStatus
from consent import trips
from consent.models import Consent
from consent.states import CONSENT, ConsentState, ConsentStep

#: what a consent of a single payment goes through when its payment gets into a state
_CONSENT_STEPS = {
    PaymentState.ACCEPTED: (ConsentStep.AUTHORISE,),
    PaymentState.SETTLED: (ConsentStep.AUTHORISE, ConsentStep.CONSUME),
    PaymentState.REJECTED: (ConsentStep.REJECT,),
    PaymentState.CANCELLED: (ConsentStep.REJECT,),
    PaymentState.EXPIRED: (ConsentStep.EXPIRE,),
}


def step(uow: UnitOfWork, payment: Payment, taken: PaymentStep, *, reason: str | None = None) -> bool:
    """Take one step. Returns False when it is a known repeat that changes nothing. Raises IllegalStep.

    The caller has locked the payment's row.
    """
    before = PaymentState(payment.state)
    after = PAYMENT.next(before, taken)
    if after is before:
        return False
    payment.state = after
    payment.updated_at = uow.now
    payment.reason = reason
    if after in OVER:
        trips.forget(uow.session, payment.trip_id)
    _move_claim(uow, payment, after)
    _move_consent(uow, payment, after)
    _tell(uow, payment, after)
    return True


def believe(uow: UnitOfWork, payment: Payment, status: BankStatus, taken: PaymentStep, *, reason: str | None) -> bool:
    """Take the step that the bank's word asks for, and keep the word as the evidence of it."""
    if PAYMENT.next(PaymentState(payment.state), taken) is PaymentState.SETTLED:
        payment.fact = status.fact.value  # debited, and perhaps credited later
    moved = step(uow, payment, taken, reason=reason)
    if moved:
        payment.bank_answer = status.raw_response
    return moved


def _move_claim(uow: UnitOfWork, payment: Payment, after: PaymentState) -> None:
    # the row of the payment first, so that the unique index sees the claim go before another one can come
    uow.session.flush()
    if after in (PaymentState.REJECTED, PaymentState.CANCELLED, PaymentState.EXPIRED):
        invoices.release(uow.session, payment.invoice_id)
    elif after is PaymentState.SETTLED:
        payment.settled_at = uow.now
        payment.accepted_at = payment.accepted_at or uow.now
        invoices.settle(uow.session, payment.invoice_id)
    elif after is PaymentState.REVERSED:
        invoices.reopen(uow.session, payment.invoice_id)
    elif after is PaymentState.ACCEPTED:
        payment.accepted_at = uow.now


def _move_consent(uow: UnitOfWork, payment: Payment, after: PaymentState) -> None:
    if payment.consent_id is None:
        return
    consent = uow.session.get_one(Consent, payment.consent_id)
    for taken in _CONSENT_STEPS.get(after, ()):
        consent.state = CONSENT.next(ConsentState(consent.state), taken)


def _tell(uow: UnitOfWork, payment: Payment, after: PaymentState) -> None:
    facts = {
        PaymentState.ACCEPTED: PaymentAccepted,
        PaymentState.SETTLED: PaymentSettled,
        PaymentState.REJECTED: PaymentFailed,
        PaymentState.CANCELLED: PaymentFailed,
        PaymentState.EXPIRED: PaymentFailed,
        PaymentState.UNKNOWN: PaymentUnknown,
        PaymentState.REVERSED: PaymentReversed,
    }
    if after in facts:
        uow.record(facts[after](payment_id=payment.id))
