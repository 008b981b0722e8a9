"""Whose number is this? A question to a public register of companies, asked before a biller is let in.

Each register speaks for itself (VIES, the SIRENE directory, GLEIF, Companies House): for a real service an adapter is
written that asks the right one. This is what it answers, and a client for a service that answers so.
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

#: longer is no name that a page should show
NAME_MAX = 140


class Found(enum.StrEnum):
    """What a register says of a number. Only its own clear word is an answer."""

    ACTIVE = "active"  #: there is such a company, and it does business
    CEASED = "ceased"  #: there was
    NOT_FOUND = "not_found"  #: the register knows no such number
    NOT_POSSIBLE = "not_possible"  #: nobody could say, or nobody is asked


@dataclass(frozen=True, slots=True)
class RegisterAnswer:
    outcome: Found
    name: str | None = None  #: the legal name, of an active or ceased company


#: nobody could say
NOT_POSSIBLE = RegisterAnswer(Found.NOT_POSSIBLE)


class CompanyRegister(Protocol):
    """Whoever can be asked."""

    @property
    def is_offered(self) -> bool:
        """Whether there is anybody to ask at all."""

    def look_up(self, *, scheme: str, value: str, timeout_s: float) -> RegisterAnswer:
        """Ask once. Whatever the other side does, it raises nothing: no answer, or nonsense, is NOT_POSSIBLE."""


class NoRegister:
    """No register is asked here."""

    is_offered = False

    def look_up(self, **_: object) -> RegisterAnswer:
        return NOT_POSSIBLE


class RegisterService:
    """One service that answers for all schemes, at one address.

    ``{"scheme": "siren", "value": "904172681"}`` → ``{"status": "active", "legalName": "Eaux de Brumeval"}``; the
    status is ``active``, ``ceased`` or ``not_found``, and the last one comes without a name.
    """

    is_offered = True

    def __init__(self, url: str, *, allow_http: bool = False) -> None:
        """``allow_http`` is for the demo and tests alone."""
        self._url = url
        self._session = BankSession(allow_http=allow_http)

    def look_up(self, *, scheme: str, value: str, timeout_s: float) -> RegisterAnswer:
        body = json.dumps({"scheme": scheme, "value": value}).encode()
        headers = {"Content-Type": "application/json", "X-Request-ID": str(uuid.uuid4())}
        try:
            answer = self._session.call("POST", self._url, headers=headers, deadline=Deadline(timeout_s), body=body)
            return _read(answer.body) if answer.status == 200 else NOT_POSSIBLE
        except (BankError, NotReadable, ValueError):  # also of an address that is none
            return NOT_POSSIBLE


def _read(body: bytes) -> RegisterAnswer:
    """Raises NotReadable, ValueError. A company without a name, or with one that no page should show, says nothing."""
    said = read_object(body)
    outcome = Found(said.text("status"))
    if outcome is Found.NOT_POSSIBLE or outcome is Found.NOT_FOUND:
        return RegisterAnswer(outcome)
    name = unicodedata.normalize("NFC", said.text("legalName")).strip()
    if len(name) > NAME_MAX or not name.isprintable() or not any(map(str.isalnum, name)):
        return NOT_POSSIBLE
    return RegisterAnswer(outcome, name)
