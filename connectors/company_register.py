"""Whose number is this? A question to a public register of companies, asked before a biller is let in.

Each register speaks for itself (VIES, the SIRENE directory, GLEIF, Companies House): for a real service an adapter is
written that asks the right one. This is what it answers, and a client for a service that answers so.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from connectors.questions import QuestionService, shown_name
from connectors.strict_json import JsonObject


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


class RegisterService(QuestionService):
    """One service that answers for all schemes, at one address.

    ``{"scheme": "siren", "value": "904172681"}`` → ``{"status": "active", "legalName": "Eaux de Brumeval"}``; the
    status is ``active``, ``ceased`` or ``not_found``, and the last one comes without a name.
    """

    def look_up(self, *, scheme: str, value: str, timeout_s: float) -> RegisterAnswer:
        question = {"scheme": scheme, "value": value}
        return self.ask(question, timeout_s=timeout_s, read=_read, otherwise=NOT_POSSIBLE)


def _read(said: JsonObject) -> RegisterAnswer:
    """Raises NotReadable, ValueError. A company without a name, or with one that no page should show, says nothing."""
    outcome = Found(said.text("status"))
    if outcome is Found.NOT_POSSIBLE or outcome is Found.NOT_FOUND:
        return RegisterAnswer(outcome)
    name = shown_name(said.text("legalName"))
    return NOT_POSSIBLE if name is None else RegisterAnswer(outcome, name)
