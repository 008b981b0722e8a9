"""Plans as customers and billers see them."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.many import among
from app.journey.decisions.orders import price_of
from app.journey.invoices.models import Invoice
from app.journey.plans.models import Plan, PlanDay
from app.journey.plans.rules import PlannedDay, amounts
from app.journey.plans.states import PlanState
from connectors.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDayView:
    """One day of a plan."""

    number: int
    pay_on: dt.date
    amount: Money  #: of what is left, that falls to it; nothing once it is paid
    planned: Money  #: when it was planned
    state: str  #: DayState


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """A plan, as the customer who made it sees it."""

    id: str
    state: str  #: PlanState
    made_at: dt.datetime
    ended_at: dt.datetime | None
    answer_id: str | None  #: the proposal that its company has said yes to; None: its customer's own plan
    took_place: bool  #: and another one stood until then
    days: tuple[PlanDayView, ...]
    due: Money  #: that is meant to be paid by today
    is_all: bool  #: and that is all that is left
    next_on: dt.date | None  #: the next day after today to which anything falls

    @property
    def stands(self) -> bool:
        return self.state == PlanState.STANDING


def last_plans(session: Session, *, invoice_ids: Collection[str], today: dt.date) -> dict[str, PlanView]:
    """For each of these bills that is planned, what stands; else what was missed last, or has ended with its bill."""
    last = (
        select(func.max(Plan.id))
        .where(among(session, Plan.invoice_id, invoice_ids), Plan.state != PlanState.WITHDRAWN)
        .group_by(Plan.invoice_id)
    )
    rows = session.execute(select(Plan, Invoice).join(Invoice, Invoice.id == Plan.invoice_id).where(Plan.id.in_(last)))
    found = [(plan, invoice) for plan, invoice in rows]
    days = _days(session, [plan.id for plan, _ in found])
    before = _replaced(session, [plan for plan, _ in found if plan.answer_id is not None])
    return {
        plan.invoice_id: _view(plan, invoice, days[plan.id], today=today, took_place=plan.id in before)
        for plan, invoice in found
    }


def still_to_come(plan: PlanView, *, taken_minor: int) -> list[PlanDayView]:
    """The days of a plan, and what falls to each once a payment under way has taken so much of the bill: it takes from
    the first ones."""
    found = []
    for day in plan.days:
        taken = min(taken_minor, day.amount.minor)
        taken_minor -= taken
        if day.amount.minor > taken:
            found.append(dataclasses.replace(day, amount=Money(day.amount.minor - taken, day.amount.currency)))
    return found


def is_withdrawn_last(session: Session, *, invoice_id: str) -> bool:
    """Whether what was planned last of this bill is not meant any more."""
    states = select(Plan.state).where(Plan.invoice_id == invoice_id).order_by(Plan.id.desc()).limit(1)
    return session.scalar(states) == PlanState.WITHDRAWN


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanForBiller:
    """A plan, as the company that sent the bill sees it."""

    id: str
    biller_id: str
    bill_id: str
    number: str  #: of the bill
    state: str  #: PlanState
    made_at: dt.datetime
    ended_at: dt.datetime | None
    answer_id: str | None
    sequence: int
    currency: str
    days: tuple[PlanDayView, ...]


def plan_for_biller(session: Session, *, plan_id: str) -> PlanForBiller | None:
    """None: of a bill that its customer added there is nobody to tell, and one that was removed is gone."""
    plan = session.get(Plan, plan_id)
    if plan is None or plan.biller_id is None:
        return None
    invoice = session.get_one(Invoice, plan.invoice_id)
    view = _view(plan, invoice, _days(session, [plan.id])[plan.id], today=dt.date.min)
    return PlanForBiller(
        id=plan.id,
        biller_id=plan.biller_id,
        bill_id=invoice.delivery.bill_id,
        number=invoice.number,
        state=plan.state,
        made_at=plan.made_at,
        ended_at=plan.ended_at,
        answer_id=plan.answer_id,
        sequence=plan.sequence,
        currency=invoice.currency,
        days=view.days,
    )


def standing_for_biller(session: Session, *, invoice_id: str) -> PlanForBiller | None:
    """What stands of this bill."""
    plan_id = session.scalar(select(Plan.id).where(Plan.invoice_id == invoice_id, Plan.state == PlanState.STANDING))
    return plan_for_biller(session, plan_id=plan_id) if plan_id is not None else None


def _replaced(session: Session, plans: Sequence[Plan]) -> set[str]:
    """Those of them in whose place another one had stood."""
    ended = select(Plan.invoice_id, Plan.ended_at).where(
        among(session, Plan.invoice_id, [plan.invoice_id for plan in plans]), Plan.state == PlanState.WITHDRAWN
    )
    found = {(invoice_id, at) for invoice_id, at in session.execute(ended)} if plans else set()
    return {plan.id for plan in plans if (plan.invoice_id, plan.made_at) in found}


def _days(session: Session, plan_ids: Collection[str]) -> dict[str, list[PlanDay]]:
    rows = session.scalars(
        select(PlanDay).where(among(session, PlanDay.plan_id, plan_ids)).order_by(PlanDay.plan_id, PlanDay.number)
    )
    found: dict[str, list[PlanDay]] = {plan_id: [] for plan_id in plan_ids}
    for day in rows:
        found[day.plan_id].append(day)
    return found


def _view(
    plan: Plan, invoice: Invoice, days: Sequence[PlanDay], *, today: dt.date, took_place: bool = False
) -> PlanView:
    planned = [PlannedDay(day.pay_on, day.minor) for day in days]
    left = amounts(planned, left_minor=invoice.to_pay.minor, paid_minor=invoice.paid_minor - plan.paid_minor)
    before = amounts(planned, left_minor=plan.left_minor, paid_minor=0)
    if len(days) == 1:  # all at once: what early payment takes off on that day is taken off
        left = (price_of(invoice, day=max(today, days[0].pay_on)).amount.minor,)
    views = tuple(
        PlanDayView(
            number=day.number,
            pay_on=day.pay_on,
            amount=Money(minor, invoice.currency),
            planned=Money(planned_minor, invoice.currency),
            state=day.state,
        )
        for day, minor, planned_minor in zip(days, left, before, strict=True)
    )
    due = sum(view.amount.minor for view in views if view.pay_on <= today)
    return PlanView(
        id=plan.id,
        state=plan.state,
        made_at=plan.made_at,
        ended_at=plan.ended_at,
        answer_id=plan.answer_id,
        took_place=took_place,
        days=views,
        due=Money(due, invoice.currency),
        is_all=all(view.pay_on <= today for view in views if view.amount.minor),
        next_on=next((view.pay_on for view in views if view.pay_on > today and view.amount.minor), None),
    )
