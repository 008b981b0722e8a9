"""Does this name belong to this account? A question to the payee's bank, asked before money goes there.

The answers are those of the EPC's Verification of Payee. UK Confirmation of Payee says the same in other words:
matched, "may be a match" with the name (MBAM), no match (ANNM), and for all else that it cannot tell.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from connectors.questions import QuestionService, shown_name
from connectors.strict_json import JsonObject


class NameMatch(enum.StrEnum):
    """What the payee's bank says of a name and an account. Only its own clear word is a match."""

    MATCH = "match"
    CLOSE_MATCH = "close_match"  #: nearly: it says the real name
    NO_MATCH = "no_match"
    NOT_POSSIBLE = "not_possible"  #: nobody could say, or nobody is asked


@dataclass(frozen=True, slots=True)
class NameAnswer:
    outcome: NameMatch
    name: str | None = None  #: of a close match alone: whose account it is, as the bank has it


#: what silence afterwards does not take back
SAID = frozenset({NameMatch.NO_MATCH, NameMatch.CLOSE_MATCH})
#: nobody could say
NOT_POSSIBLE = NameAnswer(NameMatch.NOT_POSSIBLE)


class PayeeNames(Protocol):
    """Whoever can be asked."""

    @property
    def is_offered(self) -> bool:
        """Whether there is anybody to ask at all."""

    def check(self, *, name: str, iban: str, timeout_s: float) -> NameAnswer:
        """Ask once. Whatever the other side does, it raises nothing: no answer, or nonsense, is NOT_POSSIBLE."""


class NobodyToAsk:
    """No name check is offered here."""

    is_offered = False

    def check(self, **_: object) -> NameAnswer:
        return NOT_POSSIBLE


#: the EPC's codes for how a party's name matches
_CODES = {
    "MTCH": NameMatch.MATCH,
    "CMTC": NameMatch.CLOSE_MATCH,
    "NMTC": NameMatch.NO_MATCH,
    "NOAP": NameMatch.NOT_POSSIBLE,
}


class VerificationOfPayee(QuestionService):
    """One service that answers in the EPC's JSON, at one address."""

    def check(self, *, name: str, iban: str, timeout_s: float) -> NameAnswer:
        question = {"party": {"name": name}, "partyAccount": {"iban": iban}}
        return self.ask(question, timeout_s=timeout_s, read=_read, otherwise=NOT_POSSIBLE)


def _read(said: JsonObject) -> NameAnswer:
    """Raises NotReadable. A close match that says no name, or one that no page should show, says nothing."""
    outcome = _CODES.get(said.text("partyNameMatch"), NameMatch.NOT_POSSIBLE)
    if outcome is not NameMatch.CLOSE_MATCH:
        return NameAnswer(outcome)
    name = shown_name(said.text("matchedName"))
    return NOT_POSSIBLE if name is None else NameAnswer(outcome, name)
