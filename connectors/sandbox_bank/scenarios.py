"""Magic amounts: what a bank may do to us, each reachable by paying one special sum.

Without them nobody could show what Quittance does when a bank fails at the worst moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Fault(Enum):
    """What goes wrong with one answer. The deed behind the answer is done, but for the first two."""

    REFUSED = auto()
    FAILS_BEFORE = auto()
    FAILS = auto()
    HANGS = auto()
    UNREADABLE = auto()


class Reason(Enum):
    """Why a payment was rejected; the words for the customer are in texts.py."""

    REFUSED_BY_CUSTOMER = "refused_by_customer"
    WRONG_PIN = "wrong_pin_five_times"
    TIMED_OUT = "timed_out"
    NO_FUNDS = "no_funds"
    REJECTED_LATER = "rejected_later"
    REVERSED = "reversed"


@dataclass(frozen=True, kw_only=True)
class Step:
    """From `after_ms` after approval (or settlement, where `from_settlement`) this status holds."""

    status: str
    after_ms: int = 0
    from_settlement: bool = False
    reason: Reason | None = None


_ACCEPTED = Step(status="ACSP")
_SETTLED = (_ACCEPTED, Step(status="ACSC", from_settlement=True))


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`reads` answers the first status reads after approval: a fault, or a status that is not true."""

    meaning: str
    initiation: Fault | None = None
    token: Fault | None = None
    reads: tuple[Fault | str, ...] = ()
    timetable: tuple[Step, ...] = _SETTLED


ORDINARY = Scenario(meaning="accepted, then settled")

#: cents of EUR → what happens; README.md shows the same table
SCENARIOS: dict[int, Scenario] = {
    999_01: Scenario(meaning="initiation refused with 400", initiation=Fault.REFUSED),
    999_02: Scenario(meaning="initiation answers 500, nothing created", initiation=Fault.FAILS_BEFORE),
    999_03: Scenario(meaning="payment created, but the answer is a 500", initiation=Fault.FAILS),
    999_04: Scenario(meaning="payment created, but the answer hangs 30 s", initiation=Fault.HANGS),
    999_05: Scenario(
        meaning="approved, then rejected at once for lack of funds",
        timetable=(Step(status="RJCT", reason=Reason.NO_FUNDS),),
    ),
    999_06: Scenario(
        meaning="ACSP for 2 s, then RJCT",
        timetable=(_ACCEPTED, Step(status="RJCT", after_ms=2_000, reason=Reason.REJECTED_LATER)),
    ),
    999_07: Scenario(
        meaning="ACSP for 20 s, then ACSC",
        timetable=(_ACCEPTED, Step(status="ACSC", after_ms=20_000)),
    ),
    999_08: Scenario(meaning="first three status reads after approval answer 500", reads=(Fault.FAILS,) * 3),
    999_09: Scenario(meaning="first two status reads after approval hang 30 s", reads=(Fault.HANGS,) * 2),
    999_10: Scenario(meaning="token exchange spends the code and answers 500", token=Fault.FAILS),
    999_11: Scenario(meaning="token exchange spends the code and hangs 30 s", token=Fault.HANGS),
    999_12: Scenario(
        meaning="first two status reads after approval answer unreadable JSON with 200",
        reads=(Fault.UNREADABLE,) * 2,
    ),
    999_13: Scenario(
        meaning="ACSC, then reversed after 3 s: RJCT, and a reversal in the ledger",
        timetable=(
            *_SETTLED,
            Step(status="RJCT", after_ms=3_000, from_settlement=True, reason=Reason.REVERSED),
        ),
    ),
    999_14: Scenario(
        meaning="ends ACCC (credited) instead of ACSC (debited)",
        timetable=(_ACCEPTED, Step(status="ACCC", from_settlement=True)),
    ),
    999_15: Scenario(
        meaning="status goes backwards once: first three reads ACSP, RCVD, ACSP",
        reads=("ACSP", "RCVD", "ACSP"),
    ),
}


def scenario_of(amount_minor: int) -> Scenario:
    return SCENARIOS.get(amount_minor, ORDINARY)
