"""Payments as pages and billers see them."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.journey.decisions.models import Decision
from app.journey.intake.models import DeliveredBill
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.ledger.service import is_overpaid
from app.journey.payments.models import Payment
from app.journey.payments.states import MEANING, OVER, PaymentState, Truth
from app.people.models import Biller
from connectors.money import Money
from consent.models import Consent, Trip

PAYMENTS_MOST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    key: str
    done: bool
    at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentView:
    """One payment as its customer sees it."""

    id: str
    state: str
    version: str  #: changes whenever the page would
    truth: Truth
    may_pay_again: bool
    biller_name: str
    number: str
    invoice_id: str
    amount: Money
    payee_name: str
    payee_iban: str
    reference: str | None
    bank_id: str
    bank_name: str  #: the bank's id until the door puts its name in
    end_to_end_id: str
    bank_payment_id: str | None
    pay_on: dt.date
    decided_at: dt.datetime
    updated_at: dt.datetime
    settled_at: dt.datetime | None
    fact: str | None
    reason: str | None
    know_by: dt.datetime | None  #: unknown: it was promised to be known by then
    promises_broken: int  #: how often it was not known by the time that was promised
    paid_twice: bool  #: executed on top of another payment of the same bill
    link_open: bool  #: the customer may go to the bank
    cancellable: bool
    approved: bool  #: at the bank, as far as we know
    final: bool
    steps: tuple[StepView, ...]
    receipt_id: str | None = None  #: filled in by the door from a later stage


def payment_view(session: Session, payment_id: str) -> PaymentView:
    """One payment; whose it is was checked by access.py. Raises NotFound."""
    row = session.execute(_select().where(Payment.id == payment_id)).one_or_none()
    if row is None:
        raise NotFound("payment")
    view = _view(*row)
    if view.state == PaymentState.SETTLED and is_overpaid(session, payment_id=payment_id):
        return dataclasses.replace(view, paid_twice=True)
    return view


def payments_of_invoice(session: Session, *, invoice_id: str, customer_id: str) -> list[PaymentView]:
    """All tries at one bill, newest first."""
    rows = session.execute(
        _select()
        .where(Payment.invoice_id == invoice_id, Payment.customer_id == customer_id)
        .order_by(Payment.id.desc())
        .limit(PAYMENTS_MOST)
    ).all()
    return [_view(*row) for row in rows]


def live_payments(session: Session, *, invoice_ids: Sequence[str]) -> dict[str, str]:
    """For each invoice that has one: the payment that holds or has settled it."""
    released = [state for state, meaning in MEANING.items() if meaning.may_pay_again]
    rows = session.execute(
        select(Payment.invoice_id, Payment.id).where(
            Payment.invoice_id.in_(invoice_ids), Payment.state.not_in(released)
        )
    ).all()
    return {row[0]: row[1] for row in rows}


def is_decided(session: Session, *, payment_id: str, customer_id: str) -> bool:
    """Whether this customer decided this payment, though the bank may not have been told yet."""
    return (
        session.scalar(
            select(Decision.id).where(Decision.payment_id == payment_id, Decision.customer_id == customer_id)
        )
        is not None
    )


def _select() -> Select[*tuple[Any, ...]]:
    return (
        select(Payment, Decision, Invoice.number, Biller.name, Trip, Consent)
        .join(Decision, Decision.id == Payment.decision_id)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .join(Biller, Biller.id == Payment.biller_id)
        .join(Trip, Trip.id == Payment.trip_id)
        .outerjoin(Consent, Consent.id == Payment.consent_id)
    )


def _view(
    payment: Payment, decision: Decision, number: str, biller: str, trip: Trip, consent: Consent | None
) -> PaymentView:
    state = PaymentState(payment.state)
    meaning = MEANING[state]
    waiting = state is PaymentState.AWAITING_CUSTOMER
    # back from the bank and its answer is not read yet: nobody may say "not approved" to somebody who has approved
    truth = Truth.NOT_KNOWN if waiting and trip.returned_at is not None else meaning.truth
    return PaymentView(
        id=payment.id,
        state=state,
        version=f"{state}-{payment.updated_at.timestamp():.6f}",
        truth=truth,
        may_pay_again=meaning.may_pay_again,
        biller_name=biller,
        number=number,
        invoice_id=payment.invoice_id,
        amount=payment.amount,
        payee_name=decision.payee_name,
        payee_iban=decision.payee_iban,
        reference=decision.reference,
        bank_id=payment.bank_id,
        bank_name=payment.bank_id,
        end_to_end_id=payment.end_to_end_id,
        bank_payment_id=consent.bank_consent_id if consent else None,
        pay_on=decision.pay_on,
        decided_at=decision.decided_at,
        updated_at=payment.updated_at,
        settled_at=payment.settled_at,
        fact=payment.fact,
        reason=payment.reason,
        know_by=payment.know_by,
        promises_broken=payment.promises_broken,
        paid_twice=False,
        link_open=waiting and trip.returned_at is None,
        cancellable=waiting and trip.left_at is None,
        approved=_is_approved(payment, trip),
        final=state in OVER,
        steps=_steps(payment, decision, trip),
    )


def _is_approved(payment: Payment, trip: Trip) -> bool:
    """At the bank, as far as we know: it says so, or it sent the customer back with a code."""
    return payment.accepted_at is not None or trip.outcome == "code"


def _steps(payment: Payment, decision: Decision, trip: Trip) -> tuple[StepView, ...]:
    approved = _is_approved(payment, trip)
    return (
        StepView(key="confirmed", done=True, at=decision.decided_at),
        StepView(key="sent", done=trip.left_at is not None, at=trip.left_at),
        StepView(key="approved", done=approved, at=payment.accepted_at or (trip.returned_at if approved else None)),
        StepView(key="settled", done=payment.settled_at is not None, at=payment.settled_at),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOutcome:
    """A payment whose end is not known, as an operator sees it: nothing about who pays what to whom."""

    id: str
    bank_id: str
    bank_payment_id: str | None
    since: dt.datetime
    silent_since: dt.datetime | None
    fence_at: dt.datetime | None
    know_by: dt.datetime | None
    promises_broken: int


def open_outcomes(session: Session, *, most: int = 200) -> list[OpenOutcome]:
    """Unknown outcomes, the most often promised first, then the oldest."""
    rows = session.execute(
        select(Payment, Consent.bank_consent_id)
        .outerjoin(Consent, Consent.id == Payment.consent_id)
        .where(Payment.state == PaymentState.UNKNOWN)
        .order_by(Payment.promises_broken.desc(), Payment.id)
        .limit(most)
    )
    return [
        OpenOutcome(
            id=payment.id,
            bank_id=payment.bank_id,
            bank_payment_id=bank_payment_id,
            since=payment.updated_at,
            silent_since=payment.silent_since,
            fence_at=payment.fence_at,
            know_by=payment.know_by,
            promises_broken=payment.promises_broken,
        )
        for payment, bank_payment_id in rows
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class BillForBiller:
    """A delivered bill as its biller sees it."""

    id: str
    number: str
    status: str  #: open or paid
    amount: Money
    delivered_at: dt.datetime
    payments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentForBiller:
    """A payment as the biller sees it: never the payer's account."""

    id: str
    bill_id: str
    number: str
    status: str  #: open, paid or failed
    amount: Money
    end_to_end_id: str
    decided_at: dt.datetime
    settled_at: dt.datetime | None
    updated_at: dt.datetime
    sequence: int  #: grows with each step: which of two messages is the later one


def bill_for_biller(session: Session, *, bill_id: str, biller_id: str) -> BillForBiller:
    """One delivered bill of this biller. Raises NotFound. Before the invoice is opened it is simply open."""
    row = session.execute(
        select(DeliveredBill, Invoice)
        .outerjoin(Invoice, Invoice.bill_id == DeliveredBill.id)
        .where(DeliveredBill.id == bill_id, DeliveredBill.biller_id == biller_id)
    ).one_or_none()
    if row is None:
        raise NotFound("bill")
    delivered: DeliveredBill = row[0]
    invoice: Invoice | None = row[1]
    payments: Sequence[str] = ()
    if invoice is not None:
        payments = session.scalars(
            select(Payment.id).where(Payment.invoice_id == invoice.id).order_by(Payment.id).limit(PAYMENTS_MOST)
        ).all()
    return BillForBiller(
        id=delivered.id,
        number=delivered.number,
        status="paid" if invoice is not None and invoice.state == InvoiceState.PAID else "open",
        amount=Money(delivered.amount_minor, delivered.currency),
        delivered_at=delivered.delivered_at,
        payments=tuple(payments),
    )


def payment_for_biller(session: Session, *, payment_id: str, biller_id: str) -> PaymentForBiller:
    """One payment of a bill of this biller. Raises NotFound."""
    row = session.execute(
        select(Payment, Decision.decided_at, Invoice.bill_id, Invoice.number)
        .join(Decision, Decision.id == Payment.decision_id)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .where(Payment.id == payment_id, Payment.biller_id == biller_id)
    ).one_or_none()
    if row is None:
        raise NotFound("payment")
    payment, decided_at, bill_id, number = row
    return PaymentForBiller(
        id=payment.id,
        bill_id=bill_id,
        number=number,
        status=MEANING[PaymentState(payment.state)].outside,
        amount=payment.amount,
        end_to_end_id=payment.end_to_end_id,
        decided_at=decided_at,
        settled_at=payment.settled_at,
        updated_at=payment.updated_at,
        sequence=payment.sequence,
    )
