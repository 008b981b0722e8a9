"""Payments that were decided for a later day, on the day before: what their customer is told then, and until when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from app.journey.decisions.models import Decision
from app.journey.invoices.models import Invoice
from app.journey.payments.access import why_unwanted
from app.journey.payments.calls import drop_answered
from app.journey.payments.models import Payment
from app.journey.payments.states import PaymentState
from app.journey.payments.terms import is_kept
from app.people.customers import morning_of
from app.people.models import Biller, Customer
from connectors.money import Money

_ONE = dt.timedelta(days=1)
#: that are shown
COMING_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ComingPayment:
    """A payment that will be made on its day without its customer being asked again."""

    id: str
    amount: Money
    payee_name: str
    pay_on: dt.date  #: the customer's local day
    is_kept: bool  #: by its bank
    is_soon: bool  #: its customer is told of it now, since they had decided before the day before


def told_from(pay_on: dt.date, *, customer: Customer, decided_at: dt.datetime) -> dt.datetime | None:
    """From when on its customer is told that the payment is coming: six in the morning of the day before, by their
    clock. None: they signed it after that, and know."""
    moment = morning_of(pay_on - _ONE, time_zone=customer.time_zone)
    return moment if decided_at < moment else None


def is_to_come(session: Session, payment: Payment, *, now: dt.datetime) -> bool:
    """Whether it waits for its day, here or at its bank, and nothing speaks against it. From the moment on from which
    it is sent, or may be carried out, nobody can say any more that it can be cancelled."""
    waits = payment.state == PaymentState.AUTHORISED and payment.send_from is not None and now < payment.send_from
    if not waits and not is_kept(payment, now=now):
        return False
    is_wanted_back = payment.take_back_since is not None and drop_answered(session, payment) is None
    return not is_wanted_back and why_unwanted(session, payment) is None


def coming_payments(session: Session, *, customer: Customer, now: dt.datetime) -> list[ComingPayment]:
    """Those that wait for a later day, the first to be made first; the last ones, of very many, are left out."""
    rows = session.execute(
        select(Payment, Decision, func.coalesce(Biller.name, Invoice.payee_name))
        .join(Decision, Decision.id == Payment.decision_id)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .outerjoin(Biller, Biller.id == Payment.biller_id)
        .where(
            Payment.customer_id == customer.id,
            or_(
                and_(Payment.state == PaymentState.AUTHORISED, Payment.send_from > now),
                and_(Payment.state == PaymentState.ACCEPTED, Payment.kept_until > now),
            ),
        )
        .order_by(Decision.pay_on, Payment.id)
        .limit(COMING_MOST)
    )
    found = []
    for payment, decision, payee_name in rows:
        moment = told_from(decision.pay_on, customer=customer, decided_at=decision.decided_at)
        if is_to_come(session, payment, now=now):
            found.append(
                ComingPayment(
                    id=payment.id,
                    amount=payment.amount,
                    payee_name=payee_name,
                    pay_on=decision.pay_on,
                    is_kept=payment.kept_until is not None,
                    is_soon=moment is not None and moment <= now,
                )
            )
    return found


def scheduled_days(session: Session, *, invoice_ids: Sequence[str], now: dt.datetime) -> dict[str, dt.date]:
    """For each of these invoices that is to be paid on a later day, as its customer decided and, where its bank keeps
    it until then, approved: that day."""
    rows = session.execute(
        select(Payment.invoice_id, Decision.pay_on)
        .join(Decision, Decision.id == Payment.decision_id)
        .where(
            Payment.invoice_id.in_(invoice_ids),
            or_(
                and_(Payment.state == PaymentState.AUTHORISED, Payment.send_from.is_not(None)),
                and_(Payment.state == PaymentState.ACCEPTED, Payment.kept_until > now),
            ),
        )
    )
    return {row.invoice_id: row.pay_on for row in rows}
