"""What must have happened at least once in many histories: a system that does nothing breaks no invariant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import app.journey.consents as consents
import app.journey.payments as payments
from app.journey.corrections.states import CorrectionKind
from tests.faults.sim import adding
from tests.faults.sim.bank import FAULTS, OVER_WORDS, PATHS, VERBS
from tests.faults.sim.standing_bank import STANDING_VERBS

#: from so many seeds on, something that was never seen fails the run
GATE = 2000
_POINT = re.compile(r'failpoint\("([a-z.]+)"\)')

_NAMED = (
    "some two tabs already-in-payment",
    "some fenced",
    "some promises kept",
    "visit dawdled",
    "some corrected",
    "some resolved by operator",
    "some stopped by customer",
    "some asked by operator",
    "some words of billers",
    "some stepped by statement",
    "fault thawed",
    "bank dropped",
    "bank kept until a day",
    "bank dropped what it kept",
    "bank cancelled by customer",
    "some wanted back",
    "bank kept",
    "bank doubled order",
    "bank repeated id",
    "bank no link",
    "bank approved without link",
    "bank second approval",
    "bank stale answer",
    "bank early 404",
    "bank early 409",
    "bank error after approval",
    "bank approval too late",
    "bank refused by customer",
    "bank rejected order",
    "bank rejected submission",
    "bank refused what it did",
    "bank same key",
    "bank consent used up",
    "bank dead token",
    "bank stale consent",
    "bank repeated payment id",
    "bank ended earlier sign-in",
    "bank dead sign-in",
    "bank told a sign-in 401",
    "bank told a sign-in 404",
    "bank asked in app",
    "bank approved in app",
    "bank refused in app",
    "bank told at the last",
    "some signed in there",
    "some signed in as another",
    "some sign-ins not believed",
    "some sent again after another's sign-in",
    "some told to nobody",
    "some lived on with their token",
    "some left to a statement",
    "refused sign-in-first",
    "lie forgotten",
    "lie dropped",
    "back other browser",
    "back forged state",
    "back wrong issuer",
    "told paid",
    "told failed",
    "told open",
    "refused too-late",
    "refused not-awaiting",
    "refused not-yet",
    "refused order-changed",
    "step awaiting_customer → authorised",
    "step authorised → submitting",
    "step authorised → rejected",
    "step authorised → cancelled",
    "step submitting → accepted",
    "step submitting → settled",
    "step submitting → rejected",
    "step submitting → unknown",
    "step accepted → settled",
    "step accepted → rejected",
    "step accepted → cancelled",
    "step awaiting_customer → expired",
    "step awaiting_customer → settled",
    "step awaiting_customer → cancelled",
    "step initiating → rejected",
    "step unknown → settled",
    "step unknown → rejected",
    "step unknown → cancelled",
    "step settled → reversed",
    "step rejected → settled",
    "step cancelled → settled",
    "step rejected → unknown",
    "step cancelled → unknown",
    "some said again",
    "some said withdrawal again",
    "some said bill after all",
    "some said further version",
    "some said ring",
    "some said collected",
    "some said collected version",
    "some collected",
    "refused not-paid-here",
    "some said too much",
    "some said early part",
    "some said early version",
    "some refund told",
    "some refund taken back",
    "some new version opened late",
    "some new version beside a payment come alive",
    "some own bill kept",
    "some own bill kept again",
    "some own bill removed",
    "some own bill paid",
    "some paid in parts",
    "some payee warned of",
    "some twin warned",
    "some twin paid as well",
    "some check refused typed",
    "some check refused warned",
    "some check refused besides",
    "refused check-payee-first",
    "some account frozen",
    "some account thawed",
    "some account approved anew",
    "refused account-held",
    "refused payment-begun",
    "some said paid_elsewhere",
    "some said declined",
    "some said disputed",
    "some said more_time",
    "some said instalments",
    "some disputed lines",
    "some rest decided beside disputed lines",
    "some time given by policy",
    "some instalments agreed by policy",
    "some instalments agreed by a reply",
    "some answer taken back",
    "some answer lapsed by payment",
    "some answer lapsed by correction",
    "some answer accepted by correction",
    "some replied yes",
    "some replied no",
    "refused set-aside",
    "refused answer-ended",
    "bank approved a standing consent",
    "bank standing consent stopped there",
    "bank standing consent altered",
    "bank stale standing consent",
    "bank same key under a standing consent",
    "bank refused what it did under a standing consent",
    "bank rejected a payment under a standing consent",
    "bank access lost",
    "bank counts otherwise",
    "bank renewed a token",
    "bank distrusts us",
    "some standing consent agreed",
    "some standing consent approved anew",
    "some standing consent taken back",
    "some standing consent taken back with its bank",
    "some bank removed",
    "some decided under a standing consent",
    "some settled under a standing consent",
    "some lost answer under a standing consent resolved",
    "refused not-covered",
    "refused bank-removed",
    "some stopped everything",
    "some stop lifted",
    "some stopped all while awaiting_customer",
    "some stopped all while submitting",
    "some stopped all while unknown",
    "some stopped all while accepted",
    "some stopped all while one under a standing consent is submitted",
    "refused stopped-all",
)
#: lines of the histories of standing consents
_LINES = (
    "stage",
    "give_up",
    "authorise",
    "reject",
    "expire",
    "lose_access",
    "revoke",
    "bank_gone",
    "approve_again",
    "account",
)
#: what a correction meets of a payment of its bill, whatever it is
_MET = (
    "free",
    "link with nobody",
    "link given",
    "accepted",
    "unknown",
    "settled",
    "rejected",
    "reversed",
    "there is a discount",
)
#: moments that are short; one kind of correction is enough
_MET_BY_ONE = ("decided", "initiating", "authorised", "submitting")


def expected() -> Iterator[str]:
    """Names of counters."""
    for folder in (payments, consents):
        for path in sorted(Path(folder.__path__[0]).glob("*.py")):
            for name in _POINT.findall(path.read_text("utf-8")):
                yield f"point {name}"
                yield f"died at {name}"
    for verb in VERBS:
        yield from (f"fault {verb} {fault}" for fault in FAULTS)
        if verb != "cancel":  # the status is asked first
            yield f"fault {verb} away"
    yield from (f"fault signed_in {fault}" for fault in FAULTS)
    for verb in STANDING_VERBS:
        yield from (f"fault {verb} {fault}" for fault in FAULTS)
    yield from (f"standing {line}" for line in _LINES)
    yield from (f"path {path}" for path in PATHS)
    yield from (f"bank consent {word}" for word in OVER_WORDS)
    yield from (f"fault biller {trouble}" for trouble in ("down", "5xx", "refuses", "loses"))
    yield from (f"met {kind} while {moment}" for kind in CorrectionKind for moment in _MET)
    yield from (f"met correction while {moment}" for moment in _MET_BY_ONE)
    yield from (f"died at {point}" for point in adding.POINTS)
    yield from _NAMED


def missing(counts: Mapping[str, int]) -> list[str]:
    """What was never seen."""
    return [name for name in expected() if not counts.get(name)]
