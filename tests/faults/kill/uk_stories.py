"""What customers do with a bill that they pay at a UK bank, and what it makes of it: it is submitted by us, once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tests.faults.kill.stories import (
    ASKED,
    BACK,
    EXCHANGED,
    FAILED,
    GIVEN,
    OF_EVERY_CALL,
    SUBMITTED,
    THERE,
    UK_BANKS,
    UNANSWERED,
    WORK,
    Story,
)

FAPI_1, FAPI_2 = UK_BANKS

#: as FAULTS in stories.py; "bank dies" is its process, right after it did what was asked and before it said so.
#: To give an order is tried at Horizon Bank in all ways: it is the same line of the same program.
UK_FAULTS: Mapping[str, Sequence[str]] = {
    "initiate": ("answer lost", "late", "bank dies"),
    "token": ("answer lost",),
    "complete": (*OF_EVERY_CALL, "bank dies"),
    # "refuses": a gateway says no and passes nothing on; "403 after": one that passed it on, and says no all the same;
    # "409 after": there is one already, says one that did
    "submit": (*OF_EVERY_CALL, "bank dies", "refuses", "403 after", "409 after"),
    # asked only after a submission that was not answered
    "consent": ("answer lost", "5xx after", "unreadable", "429", "slow", "not found", "refuses", "bank dies"),
    "status": ("answer lost", "5xx after", "unreadable", "429", "slow", "not found", "refuses", "bank dies"),
}
#: of the bank that wants the request before its customer comes: what its binding and its nonces may make worse
_PUSHED: Mapping[str, Sequence[str]] = {
    "push": ("answer lost", "429", "bank dies"),
    "complete": ("answer lost", "bank dies"),
    "submit": ("answer lost", "late", "bank dies"),
    "consent": ("answer lost", "not found"),
    "status": ("answer lost",),
}

#: as in stories.py: where a fault is felt. How work is taken is tried there, and here where all goes well
_FELT: Mapping[str, Sequence[str]] = {
    "initiate": ("initiate.intended", *FAILED),
    "push": THERE,
    "token": FAILED,
    "complete": ("exchange.taken", "exchange.sent", "exchange.kept"),
    "submit": (*SUBMITTED, *UNANSWERED),
    "consent": ("submit.asked", "submit.sent", "submit.kept"),
    "status": ("status.asked", "status.heard"),
}
_WHOLE = (*WORK, *GIVEN, *THERE, *BACK, *EXCHANGED, *SUBMITTED, *ASKED)
#: the bank executes the submission and answers 500, once
_EXECUTED_AND_SILENT = "999.16"


def stories() -> Iterator[Story]:
    yield from _people(FAPI_1)
    yield from _outcomes(FAPI_1)
    yield from _faults(FAPI_1, UK_FAULTS)
    for story in _people(FAPI_2):
        if story.customer in ("pays", "approves and stops"):
            yield replace(story, thorough=False)
    yield _silent(FAPI_2)
    yield from _faults(FAPI_2, _PUSHED)


def _people(bank: str) -> Iterator[Story]:
    back = (*BACK, *EXCHANGED, *SUBMITTED)
    for story in (
        Story(name="pays", kills=_WHOLE, thorough=True),
        Story(name="refuses", customer="refuses", kills=BACK),
        Story(name="forgets the PIN", customer="wrong PIN", kills=BACK),
        Story(name="approves and never comes back", customer="never comes back", kills=THERE),
        Story(name="looks and goes away", customer="looks and goes away", kills=THERE),
        Story(name="never goes to the bank", customer="never goes", kills=GIVEN),
        Story(name="stops it here", customer="stops", kills=GIVEN),
        Story(name="approves and stops it here", customer="approves and stops", kills=THERE),
        Story(name="stops it on the way back", customer="stops on the way back", kills=back),
        Story(name="comes back twice", customer="comes back twice", kills=(*BACK, *EXCHANGED)),
        Story(name="comes back in another browser", customer="other browser", kills=THERE),
        Story(name="approves in the last minute", customer="hesitates", kills=(*BACK, "exchange.taken")),
    ):
        yield replace(story, name=f"{bank}: {story.name}", bank=bank)


def _outcomes(bank: str) -> Iterator[Story]:
    """What the sandbox bank makes of its magic amounts: of the consent, of the submission, and what it says then."""
    given = ("initiate.intended", *FAILED)
    told = ("submit.kept", "status.heard")
    silent = ("submit.sent", "submit.kept", *UNANSWERED)
    for story in (
        Story(name="the bank refuses the order", amount="999.01", kills=given, paid=False),
        Story(name="the bank always fails", amount="999.02", kills=given, paid=False),
        Story(name="the bank keeps orders and fails", amount="999.03", kills=given, paid=False),
        Story(name="no funds", amount="999.05", kills=told, paid=False),
        Story(name="accepted, then rejected", amount="999.06", kills=told, paid=False),
        Story(name="accepted for 20 s", amount="999.07", kills=told),
        Story(name="three questions fail", amount="999.08", kills=told),
        Story(name="the exchange always fails", amount="999.10", kills=EXCHANGED, paid=False),
        Story(name="settled, then reversed", amount="999.13", kills=told, paid=False, thorough=True),
        Story(name="the status goes backwards", amount="999.15", kills=told),
        Story(name="answered with a no", amount="999.18", kills=told, paid=False),
        Story(name="wrongly signed", amount="999.19", kills=silent),
        Story(
            name="the submission is refused", amount="999.20", kills=("submit.intended", "submit.failed"), paid=False
        ),
        Story(name="silent and not executed", amount="999.21", kills=silent),
        Story(name="another call's answer", amount="999.23", kills=silent),
        _silent(bank),
    ):
        yield replace(story, name=f"{bank}: {story.name.removeprefix(f'{bank}: ')}", bank=bank)


def _silent(bank: str) -> Story:
    kills = (*SUBMITTED, *UNANSWERED)
    name = f"{bank}: executed and silent"
    return Story(name=name, bank=bank, amount=_EXECUTED_AND_SILENT, kills=kills)


def _faults(bank: str, of: Mapping[str, Sequence[str]]) -> Iterator[Story]:
    """What one call to the bank comes to."""
    for verb, faults in of.items():
        amount = _EXECUTED_AND_SILENT if verb == "consent" else Story.amount
        for fault in faults:
            name = f"{bank}: {verb}: {fault}"
            yield Story(name=name, bank=bank, amount=amount, fault=(verb, fault), kills=_FELT[verb])
