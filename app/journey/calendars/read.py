"""The days of one customer: of bills that are to pay, of payments that were decided for a day, and of plans."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from app.journey.calendars.models import CalendarFeed
from app.journey.decisions.models import Decision, Verb
from app.journey.invoices.models import Invoice
from app.journey.invoices.ordering import PAY_BY
from app.journey.invoices.read import is_bill_stopped
from app.journey.invoices.states import InvoiceState
from app.journey.payments.coming import is_to_come
from app.journey.payments.models import Payment
from app.journey.payments.read import taken_under_way
from app.journey.payments.states import PaymentState
from app.journey.payments.terms import is_kept
from app.journey.plans.models import Plan
from app.journey.plans.read import last_plans, still_to_come
from app.journey.plans.states import DayState, PlanState
from app.people.customers import today_of
from app.people.models import Biller, Customer
from connectors.money import Money

BACK = dt.timedelta(days=60)
AHEAD = dt.timedelta(days=400)
#: of each of the three; of very many the last ones are left out
DAYS_MOST = 500
#: so that one entry has the same name in every feed, which tells nothing of what it stands for
_NAMES = uuid.UUID("6d0b6b3e-6a5c-4a47-9d83-2f0c8a6f1b57")


class DayKind(enum.StrEnum):
    DUE = "due"  #: by which a bill is to be paid
    PAYMENT = "payment"  #: on which a payment is made, or was, without its customer being asked again
    PLANNED = "planned"  #: on which its customer means to pay


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDay:
    """One day of one bill."""

    uid: str
    kind: DayKind
    day: dt.date
    name: str  #: the company's; of a bill that a customer added the payee, as they confirmed it
    amount: Money


def feeds_of(session: Session, *, customer_id: str) -> list[CalendarFeed]:
    """Those that can be read, the newest first."""
    is_open = (CalendarFeed.customer_id == customer_id, CalendarFeed.ended_at.is_(None))
    return list(session.scalars(select(CalendarFeed).where(*is_open).order_by(CalendarFeed.id.desc())))


def days_of(session: Session, *, customer: Customer, now: dt.datetime) -> list[CalendarDay]:
    """From BACK to AHEAD by the customer's own calendar, in order."""
    today = today_of(customer, now)
    found = [
        *_due(session, customer, today=today, now=now),
        *_payments(session, customer, today=today, now=now),
        *_planned(session, customer, today=today, now=now),
    ]
    return sorted(found, key=lambda each: (each.day, each.uid))


_NAME = func.coalesce(Biller.name, Invoice.payee_name, "")


def _due(session: Session, customer: Customer, *, today: dt.date, now: dt.datetime) -> list[CalendarDay]:
    """Of what can be paid: neither set aside nor stopped, as the sum of the inbox has it."""
    rows = session.execute(
        select(Invoice, _NAME)
        .outerjoin(Biller, Biller.id == Invoice.biller_id)
        .where(
            Invoice.customer_id == customer.id,
            Invoice.state == InvoiceState.TO_PAY,
            Invoice.is_set_aside.is_(False),
            PAY_BY.between(today - BACK, today + AHEAD),
            is_bill_stopped(now).is_(False),
        )
        .order_by(PAY_BY, Invoice.id)
        .limit(DAYS_MOST)
    )
    return [
        CalendarDay(uid=_uid("due", bill.id), kind=DayKind.DUE, day=bill.pay_by, name=name, amount=bill.to_pay)
        for bill, name in rows
        if bill.pay_by is not None and bill.to_pay.minor and not bill.is_expired(today)
    ]


def _payments(session: Session, customer: Customer, *, today: dt.date, now: dt.datetime) -> list[CalendarDay]:
    """Of those for a later day: that wait for it and that nothing speaks against, that are on their way, and that were
    made. What is not known, or was not made, has no day."""
    waits = or_(
        and_(Payment.state == PaymentState.AUTHORISED, Payment.send_from.is_not(None)),
        and_(Payment.state == PaymentState.ACCEPTED, Payment.kept_until > now),
    )
    on_its_way = Payment.state.in_((PaymentState.SUBMITTING, PaymentState.ACCEPTED, PaymentState.SETTLED))
    rows = session.execute(
        select(Payment, Decision.pay_on, _NAME)
        .join(Decision, Decision.id == Payment.decision_id)
        .join(Invoice, Invoice.id == Payment.invoice_id)
        .outerjoin(Biller, Biller.id == Payment.biller_id)
        .where(
            Payment.customer_id == customer.id,
            Decision.verb == Verb.PAY_ON_DAY,
            Decision.pay_on.between(today - BACK, today + AHEAD),
            or_(waits, on_its_way),
        )
        .order_by(Decision.pay_on, Payment.id)
        .limit(DAYS_MOST)
    )
    return [
        CalendarDay(uid=_uid("pay", payment.id), kind=DayKind.PAYMENT, day=day, name=name, amount=payment.amount)
        for payment, day, name in rows
        if day < today or _is_made(payment, now=now) or is_to_come(session, payment, now=now)
    ]


def _is_made(payment: Payment, *, now: dt.datetime) -> bool:
    """Or on its way: it does not wait for its day any more."""
    return payment.state != PaymentState.AUTHORISED and not is_kept(payment, now=now)


def _planned(session: Session, customer: Customer, *, today: dt.date, now: dt.datetime) -> list[CalendarDay]:
    """Of plans that stand, each day to which something falls still: beside what a payment under way takes, and where
    it may be paid at all, as of what is due."""
    rows = session.execute(
        select(Invoice, _NAME)
        .join(Plan, Plan.invoice_id == Invoice.id)
        .outerjoin(Biller, Biller.id == Invoice.biller_id)
        .where(
            Invoice.customer_id == customer.id,
            Plan.state == PlanState.STANDING,
            Invoice.is_set_aside.is_(False),
            is_bill_stopped(now).is_(False),
        )
        .order_by(Plan.id)
        .limit(DAYS_MOST)
    )
    names = {bill.id: name for bill, name in rows if not bill.is_expired(today)}
    taken = taken_under_way(session, invoice_ids=list(names))
    plans = last_plans(session, invoice_ids=list(names), today=today)
    return [
        CalendarDay(
            uid=_uid("plan", f"{plan.id}:{day.number}"),
            kind=DayKind.PLANNED,
            day=day.pay_on,
            name=names[invoice_id],
            amount=day.amount,
        )
        for invoice_id, plan in plans.items()
        for day in still_to_come(plan, taken_minor=taken.get(invoice_id, 0))
        if day.state in (DayState.WAITING, DayState.ASKED) and day.pay_on <= today + AHEAD
    ]


def _uid(kind: str, of: str) -> str:
    return str(uuid.uuid5(_NAMES, f"{kind}:{of}"))
