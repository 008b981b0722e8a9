"""What being late costs, where an XML bill says so in a place of its own and leaves nothing to guess.

That is a fixed amount: ``PenaltyAmount`` of UBL, ``ActualPenaltyAmount`` of CII EXTENDED. EN 16931 itself has only
words for it (BT-20; BT-22 with the subject code PMT for the lump sum of French law, PMD for interest): these are shown
and never computed with. Neither is a percentage: what it comes to nobody knows before the day of the payment.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from typing import ParamSpec

from app.journey.intake.bill import BillRefused, LateFee
from connectors.money import Money

_P = ParamSpec("_P")


def named(amount: Money, starts_on: dt.date | None, *, issued_on: dt.date, due_on: dt.date | None) -> LateFee | None:
    """The fee, as our JSON would have it: more than nothing, owed on a day after the due one.
    None: no bill is refused for a fee that we do not show."""
    if starts_on is None or starts_on <= (due_on or issued_on) or amount.minor <= 0:
        return None
    return LateFee(starts_on=starts_on, amount=amount)


def unless_refused(reading: Callable[_P, LateFee | None]) -> Callable[_P, LateFee | None]:
    """A reading that finds none where something of the fee cannot be read, such as an amount in another currency."""

    @functools.wraps(reading)
    def read(*args: _P.args, **named: _P.kwargs) -> LateFee | None:
        try:
            return reading(*args, **named)
        except BillRefused:
            return None

    return read


def day_after(day: dt.date | None) -> dt.date | None:
    return day + dt.timedelta(days=1) if day else None
