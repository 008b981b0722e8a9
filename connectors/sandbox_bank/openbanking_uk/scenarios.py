"""Magic amounts of the UK brands: those of the other bank that make sense here, and what only a submission can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.sandbox_bank.scenarios import ORDINARY, SCENARIOS, Fault, Reason, Scenario, Step


@dataclass(frozen=True, kw_only=True)
class UkScenario(Scenario):
    """``initiation`` is what becomes of the consent's call."""

    submission: Fault | None = None
    wrongly_signed: bool = False  #: the answer to the submission
    other_interaction: bool = False  #: it carries the x-fapi-interaction-id of another call
    refused_at_once: bool = False  #: also where the payment would wait for its day


_NO_FUNDS = (Step(status="RJCT", reason=Reason.NO_FUNDS),)
_RECEIVED, _CHECKED = Step(status="RCVD"), Step(status="PDNG", after_ms=500)
_SLOWLY = (_RECEIVED, _CHECKED, Step(status="ACSP", after_ms=1_000), Step(status="ACSC", after_ms=2_000))

#: what only these banks do
OWN: Mapping[int, UkScenario] = {
    999_16: UkScenario(meaning="submission executed, but the answer is a 500", submission=Fault.FAILS),
    999_17: UkScenario(meaning="submission executed, but the answer hangs 30 s", submission=Fault.HANGS),
    999_18: UkScenario(meaning="submission answered 201 with RJCT", timetable=_NO_FUNDS, refused_at_once=True),
    999_19: UkScenario(meaning="the answer to the submission is wrongly signed, once", wrongly_signed=True),
    999_20: UkScenario(meaning="submission refused with 400", submission=Fault.REFUSED),
    999_21: UkScenario(meaning="submission answers 500, nothing executed, once", submission=Fault.FAILS_BEFORE),
    999_22: UkScenario(meaning="RCVD, PDNG, ACSP, ACSC within two seconds", timetable=_SLOWLY),
    999_23: UkScenario(
        meaning="the answer to the submission carries another call's x-fapi-interaction-id, once",
        other_interaction=True,
    ),
}

#: "£999.01" → what happens, for the brand's page
DESCRIBED: Mapping[str, str] = {
    f"£{pence // 100}.{pence % 100:02d}": scenario.meaning for pence, scenario in sorted({**SCENARIOS, **OWN}.items())
}


def scenario_of(amount_minor: int) -> UkScenario:
    if amount_minor in OWN:
        return OWN[amount_minor]
    usual = SCENARIOS.get(amount_minor, ORDINARY)
    return UkScenario(
        meaning=usual.meaning,
        initiation=usual.initiation,
        token=usual.token,
        reads=usual.reads,
        timetable=usual.timetable,
    )
