"""Does this name belong to this account? A question to the payee's bank, asked before money goes there.

The answers are those of the EPC's Verification of Payee. UK Confirmation of Payee says the same in other words:
matched, "may be a match" with the name (MBAM), no match (ANNM), and for all else that it cannot tell.
"""

from __future__ import annotations

import enum
import json
import unicodedata
import uuid
from dataclasses import dataclass
from typing import Protocol

from connectors.errors import BankError
from connectors.http import BankSession, Deadline
from connectors.strict_json import NotReadable, read_object

#: longer is no name of an account in ISO 20022
NAME_MAX = 140


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


class VerificationOfPayee:
    """One service that answers in the EPC's JSON, at one address."""

    is_offered = True

    def __init__(self, url: str, *, allow_http: bool = False) -> None:
        """``allow_http`` is for the demo and tests alone."""
        self._url = url
        self._session = BankSession(allow_http=allow_http)

    def check(self, *, name: str, iban: str, timeout_s: float) -> NameAnswer:
        body = json.dumps({"party": {"name": name}, "partyAccount": {"iban": iban}}).encode()
        headers = {"Content-Type": "application/json", "X-Request-ID": str(uuid.uuid4())}
        try:
            answer = self._session.call("POST", self._url, headers=headers, deadline=Deadline(timeout_s), body=body)
            return _read(answer.body) if answer.status == 200 else NOT_POSSIBLE
        except (BankError, NotReadable, ValueError):  # also of an address that is none
            return NOT_POSSIBLE


def _read(body: bytes) -> NameAnswer:
    """Raises NotReadable. A close match that says no name, or one that no page should show, says nothing."""
    said = read_object(body)
    outcome = _CODES.get(said.text("partyNameMatch"), NameMatch.NOT_POSSIBLE)
    if outcome is not NameMatch.CLOSE_MATCH:
        return NameAnswer(outcome)
    name = unicodedata.normalize("NFC", said.text("matchedName")).strip()
    if len(name) > NAME_MAX or not name.isprintable() or not any(map(str.isalnum, name)):
        return NOT_POSSIBLE
    return NameAnswer(outcome, name)
