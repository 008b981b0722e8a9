"""What is asked, until when, and from how many people on it is told. Pure: values in, a verdict out."""

from __future__ import annotations

import datetime as dt
import enum

#: asked so long after it was over: later nobody remembers, and old pages stay as they are
ASKED_FOR = dt.timedelta(days=30)
#: people who answered, below which nothing is told: of fewer a company could guess who said what
GROUP_LEAST = 5


class About(enum.StrEnum):
    PAYMENT = "payment"  #: that was settled
    DISPUTE = "dispute"  #: that its company has answered


class Word(enum.StrEnum):
    """All that can be said. There is nothing to write: who writes can be recognised."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"
    SKIPPED = "skipped"  #: not to be asked again; counted nowhere


def may_be_asked(*, is_delivered: bool, over_at: dt.datetime | None, now: dt.datetime) -> bool:
    """Whether the question has an object: it is over (``over_at``), not for long, and a company had part in it."""
    return is_delivered and over_at is not None and now - over_at <= ASKED_FOR


def is_told(people: int) -> bool:
    """Whether counts of the answers of so many people are told."""
    return people >= GROUP_LEAST
