"""When we say that a bank does not answer. Values in, a verdict out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from connectors.errors import BankSilent, BankUnavailable

#: what is longer ago says nothing about now
RECENT = dt.timedelta(minutes=20)
#: one call that fails is an accident; the next one tells
FAILURES_LEAST = 2

#: as the attempts have it: the bank was not reached, or what it said could not be read. A refusal is an answer
_FAILED = frozenset({BankUnavailable.__name__, BankSilent.__name__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """All calls to a bank about payments fail, one after the other."""

    since: dt.datetime
    last: dt.datetime


def trouble(calls: Iterable[tuple[dt.datetime, str]], *, now: dt.datetime) -> Trouble | None:
    """``calls``: when each ended, and how, the latest first. None: nothing that we could say."""
    failed = []
    for ended_at, outcome in calls:
        if ended_at < now - RECENT or outcome not in _FAILED:
            break
        failed.append(ended_at)
    return Trouble(since=failed[-1], last=failed[0]) if len(failed) >= FAILURES_LEAST else None
