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
        return f"{self.verdict:<6}{self.step:<14}{self.text}"


def ok(step: str, text: str) -> Finding:
    return Finding(step=step, verdict=Verdict.OK, text=text)


def warn(step: str, text: str) -> Finding:
    return Finding(step=step, verdict=Verdict.WARN, text=text)


def wrong(step: str, text: str) -> Finding:
    return Finding(step=step, verdict=Verdict.WRONG, text=text)
