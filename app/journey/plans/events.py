from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class PlanChanged(Event):
    """A customer plans to pay a bill, one of the days was missed, or the plan has ended."""

    plan_id: str
    state: str  #: of the plan then
    missed: int | None  #: the number of the day that was missed, the first is 1; None: it is about the plan
    sequence: int  #: grows with every fact about this plan


@dataclass(frozen=True, kw_only=True)
class PlanDue(Event):
    """A day of a plan has come: its customer is asked."""

    plan_id: str
    number: int  #: of the day, the first is 1
