"""One line of ``quittance bank check``."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from typing_extensions import override


class Verdict(enum.StrEnum):
    OK = "ok"
    WARN = "warn"  #: it works today
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """``text`` is one sentence: what is so, and where it is wrong what to mend. No secret is in it."""

    step: str
    verdict: Verdict
    text: str

    @override
    def __str__(self) -> str:
        return printable(f"{self.verdict:<6}{self.step:<14}{self.text}")


def printable(text: str) -> str:
    """In one line and without anything that a terminal obeys: a bank's words may be in it."""
    return "".join(character if character.isprintable() else "?" for character in text)


def ok(step: str, text: str) -> Finding:
    return Finding(step=step, verdict=Verdict.OK, text=text)


def warn(step: str, text: str) -> Finding:
    return Finding(step=step, verdict=Verdict.WARN, text=text)


def wrong(step: str, text: str) -> Finding:
    return Finding(step=step, verdict=Verdict.WRONG, text=text)
