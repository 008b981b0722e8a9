"""Making a plan, or proposing it to a bill's company, and what becomes of it. No verb here moves money, holds any of a
bill, or changes what is owed.

Whoever makes or ends a plan has locked its invoice. Who looks at its days has locked the plan alone, and waits for
nobody: what is read of the invoice then may be a moment old, and only decides whether its customer is asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise

from sqlalchemy import exists, func, select

from app.db.events import Event
from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, FieldError, Invalid, TooLate
from app.journey.answers import service as answers
from app.journey.answers.access import kinds_of
from app.journey.answers.events import AnswerChanged
from app.journey.answers.models import BillAnswer
from app.journey.answers.rules import Instalment
from app.journey.answers.service import Said
from app.journey.answers.states import AnswerKind, AnswerState
from app.journey.invoices.access import (
    invoice_of_customer,
    locked_invoice,
    must_be_free,
    must_not_be_set_aside,
    must_take_parts,
    payee_of,
)
from app.journey.invoices.chain import earlier_payments
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.payments.models import Payment
from app.journey.plans.access import days_of, plan_of_customer, standing_plan
from app.journey.plans.events import PlanChanged, PlanDue
from app.journey.plans.models import Plan, PlanDay
from app.journey.plans.rules import AHEAD_MOST, DAYS_MOST, PLANS_MOST, PlannedDay, agreed, amounts, over_at
from app.journey.plans.states import DAY, PLAN, DayState, DayStep, PlanState, PlanStep
from app.people import stops
from app.people.accounts import may_be_paid
from app.people.customers import morning_of, today_of
from app.people.models import Customer
from app.people.sessions import SignedIn
from app.services import Services, Task
from consent.base import new_id

#: plans that are looked at in one transaction
LOOKS_AT_ONCE = 50
#: while a payment of its bill is under way, or nothing may be paid of it: nobody is asked, and nothing kept or missed
PAUSE = dt.timedelta(hours=1)


def arrange(uow: UnitOfWork, *, signed_in: SignedIn, invoice_id: str, days: Sequence[PlannedDay]) -> Plan | BillAnswer:
    """Pay in parts: what ends by the day by which the bill is to be paid is planned, and what ends later is proposed to
    its company, where that may be. A proposal that its policy says yes to is the plan at once. Raises what both raise.
    """
    signed_in.check_acts()
    customer = signed_in.customer
    invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer.id, lock=True)
    must_not_be_set_aside(invoice)
    is_late = len(days) > 1 and invoice.pay_by is not None and days[-1].pay_on > invoice.pay_by
    if is_late and AnswerKind.INSTALMENTS in kinds_of(invoice, today=today_of(customer, uow.now)):
        instalments = [Instalment(day.pay_on, day.minor) for day in days]
        said = Said(kind=AnswerKind.INSTALMENTS, instalments=instalments)
        return answers.say(uow, signed_in=signed_in, invoice_id=invoice_id, said=said)
    return make(uow, signed_in=signed_in, invoice_id=invoice_id, days=days)


def make(uow: UnitOfWork, *, signed_in: SignedIn, invoice_id: str, days: Sequence[PlannedDay]) -> Plan:
    """Plan to pay a bill. What was planned until now is taken back by it.

    Raises NotFound, NotAllowed (demo visit), Invalid naming the field, and Conflict where the bill as it is now is not
    to be paid, or not in parts; then nothing is written.
    """
    signed_in.check_acts()
    customer = signed_in.customer
    invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer.id, lock=True)
    payee_of(invoice)
    must_be_free(invoice)
    must_not_be_set_aside(invoice)
    _check(days, left_minor=invoice.to_pay.minor, today=today_of(customer, uow.now))
    if len(days) > 1:
        must_take_parts(invoice)
    _must_not_be_too_many(uow, invoice.id)
    plan = _new(uow, invoice, left_minor=invoice.to_pay.minor, paid_minor=invoice.paid_minor)
    _write(uow, plan, customer, days)
    return plan


def agree_at_once(uow: UnitOfWork, events: Sequence[Event]) -> None:
    """AnswerChanged: its company has said yes to instalments. They are what is planned from that very moment on, and
    take the place of what its customer had planned; nobody sees the time given, and nothing planned for it."""
    for event in events:
        if isinstance(event, AnswerChanged) and event.state == AnswerState.ACCEPTED:
            answer = uow.session.get_one(BillAnswer, event.answer_id)
            if answer.kind == AnswerKind.INSTALMENTS:
                _agree(uow, answer)


def _agree(uow: UnitOfWork, answer: BillAnswer) -> None:
    """Whoever says yes has locked the invoice. What was paid since they were proposed counts for the first days."""
    invoice = uow.session.get_one(Invoice, answer.invoice_id, populate_existing=True)
    customer = uow.session.get_one(Customer, answer.customer_id)
    proposed = [PlannedDay(dt.date.fromisoformat(each["pay_on"]), each["minor"]) for each in answer.instalments or ()]
    days = agreed(proposed, today=today_of(customer, uow.now))
    if not days or not invoice.left.minor:
        return
    left = sum(day.minor or 0 for day in proposed)
    plan = _new(uow, invoice, left_minor=left, paid_minor=answer.paid_minor or 0, answer_id=answer.id)
    _write(uow, plan, customer, days)


def _new(uow: UnitOfWork, invoice: Invoice, *, left_minor: int, paid_minor: int, answer_id: str | None = None) -> Plan:
    """In the place of what stands."""
    before = standing_plan(uow.session, invoice.id)
    if before is not None:
        _end(uow, before, PlanStep.WITHDRAW)
    plan = Plan(
        id=new_id("pln"),
        invoice_id=invoice.id,
        customer_id=invoice.customer_id,
        biller_id=invoice.biller_id,
        state=PlanState.STANDING,
        answer_id=answer_id,
        left_minor=left_minor,
        paid_minor=paid_minor,
        made_at=uow.now,
        sequence=0,
    )
    uow.session.add(plan)
    uow.session.flush()
    return plan


def _write(uow: UnitOfWork, plan: Plan, customer: Customer, days: Sequence[PlannedDay]) -> None:
    for number, day in enumerate(days, start=1):
        look_at = morning_of(day.pay_on, time_zone=customer.time_zone)
        uow.session.add(
            PlanDay(
                plan_id=plan.id,
                number=number,
                pay_on=day.pay_on,
                minor=day.minor,
                state=DayState.WAITING,
                look_at=look_at,
            )
        )
    _record(uow, plan)


def withdraw(uow: UnitOfWork, *, signed_in: SignedIn, plan_id: str) -> Plan:
    """Its customer does not mean it any more. Taken back again it is the same. Raises NotFound, NotAllowed, and TooLate
    where it has ended otherwise."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    found = plan_of_customer(uow.session, plan_id=plan_id, customer_id=customer_id)
    locked_invoice(uow.session, found.invoice_id)
    plan = standing_plan(uow.session, found.invoice_id)
    if plan is None or plan.id != plan_id:
        ended = plan_of_customer(uow.session, plan_id=plan_id, customer_id=customer_id)
        if ended.state != PlanState.WITHDRAWN:
            raise TooLate("plan-ended", "This plan has an end already: it cannot be taken back any more.")
        return ended
    _end(uow, plan, PlanStep.WITHDRAW)
    return plan


def follow_payment(task: Task) -> None:
    """PaymentSettled, PaymentFailed, PaymentReversed: perhaps nothing is left to pay, or the bill is set aside now."""
    with task.services.unit_of_work() as uow:
        _reconsider(uow, uow.session.get_one(Payment, task.payload["payment_id"]).invoice_id)
        task.finish(uow)
        uow.commit()


def follow_correction(task: Task) -> None:
    """BillCorrected: perhaps nothing is asked any more."""
    with task.services.unit_of_work() as uow:
        _reconsider(uow, task.payload["invoice_id"])
        task.finish(uow)
        uow.commit()


def follow_answer(task: Task) -> None:
    """AnswerChanged: perhaps its customer has said that it is not to be paid."""
    with task.services.unit_of_work() as uow:
        answer = uow.session.get(BillAnswer, task.payload["answer_id"])  # one of a bill that was removed is gone
        if answer is not None:
            _reconsider(uow, answer.invoice_id)
        task.finish(uow)
        uow.commit()


def look_at_days(services: Services) -> None:
    """Ask for what is planned for today, and say of what is over whether it was paid. In small transactions: whoever
    makes or drops a plan meanwhile waits for one of them at the most."""
    while _look_at_some(services):
        pass


def _look_at_some(services: Services) -> bool:
    """Whether there may be more. Each day that is looked at now is looked at later, or no more."""
    with services.unit_of_work() as uow:
        due = exists().where(PlanDay.plan_id == Plan.id, PlanDay.look_at <= uow.now)
        plans = uow.session.scalars(
            select(Plan)
            .where(Plan.state == PlanState.STANDING, due)
            .order_by(Plan.id)
            .limit(LOOKS_AT_ONCE)
            .with_for_update(skip_locked=True)  # whoever has it ends it, or looks at it just now
            .execution_options(populate_existing=True)
        ).all()
        for plan in plans:
            _look_at(uow, plan)
        uow.commit()
        return len(plans) == LOOKS_AT_ONCE


def _look_at(uow: UnitOfWork, plan: Plan) -> None:
    customer = uow.session.get_one(Customer, plan.customer_id)
    invoice = uow.session.get_one(Invoice, plan.invoice_id, populate_existing=True)
    days = days_of(uow.session, plan.id)
    missing = _missing(plan, days, invoice)
    waits = invoice.state == InvoiceState.IN_PAYMENT or not _may_be_paid(uow, invoice)
    for day, minor in zip(days, missing, strict=True):
        if day.look_at is None or day.look_at > uow.now:
            continue
        if uow.now < over_at(day.pay_on, time_zone=customer.time_zone):
            _come(uow, plan, day, customer, asks=minor > 0 and not waits)
        elif waits:
            day.look_at = uow.now + PAUSE
        else:
            _be_over(uow, plan, day, missed=minor > 0)
    if all(day.look_at is None for day in days):
        _end(uow, plan, PlanStep.MISS if invoice.to_pay.minor else PlanStep.KEEP)


def _may_be_paid(uow: UnitOfWork, invoice: Invoice) -> bool:
    """Whether its customer could pay it just now: else nobody asks them, and nothing is missed."""
    if invoice.is_set_aside or stops.is_stopped(uow.session, invoice.customer_id):
        return False
    if earlier_payments(uow.session, invoice.id).in_payment:
        return False
    _, iban = payee_of(invoice)
    return may_be_paid(uow.session, biller_id=invoice.biller_id, iban=iban, moment=uow.now)


def _come(uow: UnitOfWork, plan: Plan, day: PlanDay, customer: Customer, *, asks: bool) -> None:
    over = over_at(day.pay_on, time_zone=customer.time_zone)
    day.look_at = over if asks else min(over, uow.now + PAUSE)
    if asks and day.state == DayState.WAITING:
        day.state = DAY.next(DayState.WAITING, DayStep.ASK)
        uow.session.flush()
        uow.record(PlanDue(plan_id=plan.id, number=day.number))


def _be_over(uow: UnitOfWork, plan: Plan, day: PlanDay, *, missed: bool) -> None:
    day.state = DAY.next(DayState(day.state), DayStep.MISS if missed else DayStep.KEEP)
    day.look_at = None
    if missed:
        _record(uow, plan, missed=day.number)


def _missing(plan: Plan, days: Sequence[PlanDay], invoice: Invoice) -> tuple[int, ...]:
    """How much falls to each day of what is left."""
    return amounts(
        [PlannedDay(day.pay_on, day.minor) for day in days],
        left_minor=invoice.to_pay.minor,
        paid_minor=invoice.paid_minor - plan.paid_minor,
    )


def _reconsider(uow: UnitOfWork, invoice_id: str) -> None:
    """End the plan of this bill where it has no object any more."""
    invoice = locked_invoice(uow.session, invoice_id)
    plan = standing_plan(uow.session, invoice_id)
    if plan is None or invoice is None:
        return
    if invoice.state == InvoiceState.PAID:
        _end(uow, plan, PlanStep.KEEP)
    elif invoice.is_set_aside or invoice.state not in (InvoiceState.TO_PAY, InvoiceState.IN_PAYMENT):
        _end(uow, plan, PlanStep.LAPSE)


def _end(uow: UnitOfWork, plan: Plan, step: PlanStep) -> None:
    """The one place where a plan ends: none of its days is looked at any more."""
    plan.state = PLAN.next(PlanState(plan.state), step)
    plan.ended_at = uow.now
    for day in days_of(uow.session, plan.id):
        day.look_at = None
    _record(uow, plan)


def _record(uow: UnitOfWork, plan: Plan, *, missed: int | None = None) -> None:
    plan.sequence += 1
    uow.session.flush()
    uow.record(PlanChanged(plan_id=plan.id, state=plan.state, missed=missed, sequence=plan.sequence))


def _check(days: Sequence[PlannedDay], *, left_minor: int, today: dt.date) -> None:
    """Raises Invalid."""
    if not 1 <= len(days) <= DAYS_MOST:
        raise _wrong("/days", f"Plan one to {DAYS_MOST} days.")
    if any(not today < day.pay_on <= today + AHEAD_MOST for day in days):
        raise _wrong("/days", "Choose days from tomorrow on, within a year.")
    if any(one.pay_on >= other.pay_on for one, other in pairwise(days)):
        raise _wrong("/days", "Choose days one after the other.")
    if days[-1].minor is not None or any(day.minor is None for day in days[:-1]):
        raise _wrong("/amounts", "Give each day an amount but the last: that one is what is left then.")
    parts = [day.minor for day in days if day.minor is not None]
    if any(minor <= 0 for minor in parts) or sum(parts) >= left_minor:
        raise _wrong("/amounts", "Choose amounts that leave something for the last day.")


def _must_not_be_too_many(uow: UnitOfWork, invoice_id: str) -> None:
    count = select(func.count()).select_from(Plan).where(Plan.invoice_id == invoice_id)
    if uow.session.scalars(count).one() >= PLANS_MOST:
        raise Conflict("plans-most", "This bill was planned too often. Pay it, or answer it. Nothing was changed.")


def _wrong(pointer: str, detail: str) -> Invalid:
    return Invalid("plan", detail, errors=(FieldError(pointer, detail),))
