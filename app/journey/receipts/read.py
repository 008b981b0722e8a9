"""Receipts as pages show them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session, aliased

from app.errors import NotFound
from app.journey.decisions.models import Decision
from app.journey.invoices.models import Invoice
from app.journey.payments.models import Payment, PaymentHistory
from app.journey.payments.read import is_arrival_confirmed
from app.journey.payments.states import PaymentState, Source
from app.journey.receipts.models import Receipt
from app.people.models import Biller
from connectors.money import Money

RECEIPTS_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptView:
    id: str
    number: str
    issued_at: dt.datetime
    biller_name: str
    is_delivered: bool  #: by its biller; else its customer added the bill, and nobody has verified it
    invoice_id: str
    invoice_number: str
    payment_id: str
    amount: Money
    billed: Money
    credited: Money | None  #: what its biller had taken off the bill before
    discount: Money | None
    discount_until: dt.date | None  #: which of the bill's it was: the last day of that one
    before: Money | None  #: what payments of other parts of the bill had paid before
    rest: Money | None  #: what it left to pay then
    payee_name: str
    payee_iban: str
    reference: str | None
    bank_name: str  #: the bank's id until the door puts its name in
    under_consent: bool  #: paid under a standing consent; else it was approved at the bank by itself
    end_to_end_id: str
    bank_payment_id: str | None
    decided_at: dt.datetime
    settled_at: dt.datetime
    fact: str
    source: str  #: by whose word the payment was settled (Source)
    arrival_confirmed: bool  #: the bank itself said that the payee's account was credited
    void: bool  #: the bank took the payment back later, whatever became of it then


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptInShort:
    """One receipt beside its payment."""

    id: str
    number: str
    issued_at: dt.datetime
    void: bool  #: as of ReceiptView


def receipts_of(
    session: Session, *, customer_id: str, between: tuple[dt.datetime, dt.datetime] | None = None, page: int = 1
) -> list[ReceiptView]:
    """A page of a customer's receipts, newest first: at most RECEIPTS_MOST. ``between``: of those issued from the one
    moment on and before the other."""
    wanted = _select().where(Receipt.customer_id == customer_id)
    if between is not None:
        wanted = wanted.where(Receipt.issued_at >= between[0], Receipt.issued_at < between[1])
    first = (page - 1) * RECEIPTS_MOST
    rows = session.execute(wanted.order_by(Receipt.id.desc()).offset(first).limit(RECEIPTS_MOST)).all()
    return [_view(*row) for row in rows]


def first_and_last_issued(session: Session, *, customer_id: str) -> tuple[dt.datetime, dt.datetime] | None:
    """When the first and the last receipt of this customer were issued. None: there is none."""
    ends = select(func.min(Receipt.issued_at), func.max(Receipt.issued_at))
    first, last = session.execute(ends.where(Receipt.customer_id == customer_id)).one()
    return None if None in (first, last) else (first, last)


def receipt_view(session: Session, *, receipt_id: str, customer_id: str) -> ReceiptView:
    """One receipt of this customer. Raises NotFound."""
    row = session.execute(_select().where(Receipt.id == receipt_id, Receipt.customer_id == customer_id)).one_or_none()
    if row is None:
        raise NotFound("receipt")
    return _view(*row)


def receipt_ids(session: Session, *, payment_ids: Sequence[str]) -> dict[str, str]:
    """For each payment that has one: its receipt."""
    rows = session.execute(select(Receipt.payment_id, Receipt.id).where(Receipt.payment_id.in_(payment_ids))).all()
    return {row[0]: row[1] for row in rows}


def receipts_in_short(session: Session, *, payment_ids: Sequence[str]) -> dict[str, ReceiptInShort]:
    """The same with what stands beside a payment."""
    rows = session.execute(
        select(Receipt, Payment)
        .join(Payment, Payment.id == Receipt.payment_id)
        .where(Receipt.payment_id.in_(payment_ids))
    )
    return {
        payment.id: ReceiptInShort(
            id=receipt.id, number=receipt.number, issued_at=receipt.issued_at, void=payment.was_taken_back
        )
        for receipt, payment in rows
    }


def _select() -> Select[*tuple[Any, ...]]:
    """With the line of the history by which the payment is settled: the last such, since what was taken back may be
    settled again."""
    line = aliased(PaymentHistory)
    last_settled = (
        select(func.max(line.sequence))
        .where(line.payment_id == Payment.id, line.after == PaymentState.SETTLED)
        .correlate(Payment)
    )
    return (
        select(
            Receipt,
            Payment,
            Decision,
            Invoice,
            func.coalesce(Biller.name, Invoice.payee_name),
            PaymentHistory,
        )
        .join(Payment, Payment.id == Receipt.payment_id)
        .join(Decision, Decision.id == Payment.decision_id)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .outerjoin(Biller, Biller.id == Payment.biller_id)
        # what was reversed before histories were kept has none
        .outerjoin(
            PaymentHistory,
            and_(PaymentHistory.payment_id == Payment.id, PaymentHistory.sequence == last_settled.scalar_subquery()),
        )
    )


def _view(
    receipt: Receipt,
    payment: Payment,
    decision: Decision,
    invoice: Invoice,
    biller: str,
    settled: PaymentHistory | None,
) -> ReceiptView:
    if payment.settled_at is None:
        raise ValueError(f"{receipt.id} is the receipt of a payment that never settled")
    # in those days only the bank's status settled a payment
    source, evidence = (settled.source, settled.evidence) if settled is not None else (Source.BANK, "")
    is_settled_again = settled is not None and settled.at > receipt.issued_at
    fact = payment.fact if is_settled_again and payment.fact is not None else receipt.fact
    return ReceiptView(
        id=receipt.id,
        number=receipt.number,
        issued_at=receipt.issued_at,
        biller_name=biller,
        is_delivered=invoice.is_delivered,
        invoice_id=invoice.id,
        invoice_number=invoice.number,
        payment_id=payment.id,
        amount=payment.amount,
        billed=invoice.amount,
        credited=Money(decision.credited_minor, decision.currency) if decision.credited_minor else None,
        discount=Money(decision.discount_minor, decision.currency) if decision.discount_minor else None,
        discount_until=decision.discount_until,
        before=Money(decision.paid_minor, decision.currency) if decision.paid_minor else None,
        rest=Money(decision.rest_minor, decision.currency) if decision.rest_minor else None,
        payee_name=decision.payee_name,
        payee_iban=decision.payee_iban,
        reference=decision.reference,
        bank_name=payment.bank_id,
        under_consent=decision.consent_id is not None,
        end_to_end_id=payment.end_to_end_id,
        bank_payment_id=payment.bank_payment_id,
        decided_at=decision.decided_at,
        settled_at=payment.settled_at,
        fact=fact,
        source=source,
        arrival_confirmed=is_arrival_confirmed(fact, source=source, evidence=evidence),
        void=payment.was_taken_back,
    )
