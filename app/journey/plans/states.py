"""The life cycle of a plan and of its days. A plan is what its customer means to do, also where its
company has said yes to it: nothing is paid by it, and nothing
follows for the bill from its end. On each of its days its customer is asked; unanswered means unpaid.
"""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class PlanState(enum.StrEnum):
    STANDING = "standing"
    KEPT = "kept"  #: nothing is left to pay of the bill
    MISSED = "missed"  #: its last day is over, and something is left
    WITHDRAWN = "withdrawn"  #: its customer does not mean it any more, or has planned it otherwise
    LAPSED = "lapsed"  #: it has no object any more: its customer answered the bill, or its company took it back


class PlanStep(enum.Enum):
    KEEP = enum.auto()
    MISS = enum.auto()
    WITHDRAW = enum.auto()
    LAPSE = enum.auto()


PLAN = Lifecycle(
    {
        (PlanState.STANDING, PlanStep.KEEP): PlanState.KEPT,
        (PlanState.STANDING, PlanStep.MISS): PlanState.MISSED,
        (PlanState.STANDING, PlanStep.WITHDRAW): PlanState.WITHDRAWN,
        (PlanState.STANDING, PlanStep.LAPSE): PlanState.LAPSED,
    }
)


class DayState(enum.StrEnum):
    WAITING = "waiting"  #: it has not come
    ASKED = "asked"  #: it is today, and its customer was asked
    KEPT = "kept"  #: when it was over nothing was missing
    MISSED = "missed"  #: when it was over it had not been paid


class DayStep(enum.Enum):
    ASK = enum.auto()
    KEEP = enum.auto()
    MISS = enum.auto()


DAY = Lifecycle(
    {
        (DayState.WAITING, DayStep.ASK): DayState.ASKED,
        (DayState.WAITING, DayStep.KEEP): DayState.KEPT,  # there was nothing to ask for
        (DayState.WAITING, DayStep.MISS): DayState.MISSED,  # nobody could ask in time
        (DayState.ASKED, DayStep.KEEP): DayState.KEPT,
        (DayState.ASKED, DayStep.MISS): DayState.MISSED,
    }
)
