"""The only ways from an outside id to a plan."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.journey.plans.models import Plan, PlanDay
from app.journey.plans.states import PlanState


def plan_of_customer(session: Session, *, plan_id: str, customer_id: str) -> Plan:
    """Raises NotFound alike for none and for somebody else's."""
    plan = session.get(Plan, plan_id, populate_existing=True)
    if plan is None or plan.customer_id != customer_id:
        raise NotFound("plan")
    return plan


def standing_plan(session: Session, invoice_id: str) -> Plan | None:
    """What stands of this bill now, locked. Who means to change it has locked the invoice before."""
    return session.scalar(
        select(Plan)
        .where(Plan.invoice_id == invoice_id, Plan.state == PlanState.STANDING)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def days_of(session: Session, plan_id: str) -> Sequence[PlanDay]:
    return session.scalars(
        select(PlanDay)
        .where(PlanDay.plan_id == plan_id)
        .order_by(PlanDay.number)
        .execution_options(populate_existing=True)
    ).all()
