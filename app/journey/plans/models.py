"""What customers plan, and each day of it."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.plans.states import DayState, PlanState
from consent.base import Base, Id


def _known(choices: type[enum.StrEnum]) -> str:
    return ", ".join(f"'{choice.value}'" for choice in choices)


class Plan(Base):
    """What it says is never changed: who means something else makes another one."""

    __tablename__ = "plan"
    __table_args__ = (
        CheckConstraint(f"state IN ({_known(PlanState)})", name="state_known"),
        CheckConstraint("(state = 'standing') = (ended_at IS NULL)", name="ended_has_its_moment"),
        CheckConstraint("left_minor > 0", name="something_was_left"),
        CheckConstraint("paid_minor >= 0", name="paid_not_negative"),
        Index(
            "uq_plan_standing",
            "invoice_id",
            unique=True,
            postgresql_where=text("state = 'standing'"),
            sqlite_where=text("state = 'standing'"),
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id", ondelete="CASCADE"), index=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    biller_id: Mapped[str | None] = mapped_column(ForeignKey("biller.id"))  # None: its customer added the bill
    state: Mapped[str] = mapped_column(String(9), default=PlanState.STANDING)
    # to these days its company has said yes: the proposal that it said yes to. None: its customer's own plan
    answer_id: Mapped[str | None] = mapped_column(ForeignKey("bill_answer.id", ondelete="CASCADE"), unique=True)
    left_minor: Mapped[int]  # that was left to pay of the bill when it was made; of an agreed one, when it was proposed
    paid_minor: Mapped[int]  # that had been paid of it by then
    made_at: Mapped[dt.datetime]
    ended_at: Mapped[dt.datetime | None]
    sequence: Mapped[int] = mapped_column(default=0)  # of what is told of it


class PlanDay(Base):
    __tablename__ = "plan_day"
    __table_args__ = (
        CheckConstraint(f"state IN ({_known(DayState)})", name="state_known"),
        CheckConstraint("minor > 0", name="amount_positive"),
        Index(
            "ix_plan_day_look_at",
            "look_at",
            postgresql_where=text("look_at IS NOT NULL"),
            sqlite_where=text("look_at IS NOT NULL"),
        ),
    )

    plan_id: Mapped[str] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1, 2, 3 …
    pay_on: Mapped[dt.date]  # the customer's local day
    minor: Mapped[int | None]  # None, of the last day alone: all that is left then
    state: Mapped[str] = mapped_column(String(7), default=DayState.WAITING)
    look_at: Mapped[dt.datetime | None]  # when it has come, then when it is over; None: it is over, or the plan is


class Round(Base):
    """Bills that a customer chose to pay: at once, or one after the other. One choice at a time, forgotten once they
    have done with it."""

    __tablename__ = "paying_round"

    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id", ondelete="CASCADE"), primary_key=True)
    invoice_ids: Mapped[list[Any]]  # in the order in which they were chosen
    begun_at: Mapped[dt.datetime] = mapped_column(index=True)
