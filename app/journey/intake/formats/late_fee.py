"""What being late costs, where an XML bill says so in a place of its own and leaves nothing to guess.

That is a fixed amount: ``PenaltyAmount`` of UBL, ``ActualPenaltyAmount`` of CII EXTENDED. EN 16931 itself has only
words for it (BT-20; BT-22 with the subject code PMT for the lump sum of French law, PMD for interest): these are shown
and never computed with. Neither is a percentage: what it comes to nobody knows before the day of the payment.
"""

from __future__ import annotations

import datetime as dt

from app.journey.intake.bill import LateFee
from connectors.money import Money


def named(amount: Money, starts_on: dt.date | None, *, issued_on: dt.date, due_on: dt.date | None) -> LateFee | None:
    """The fee, as our JSON would have it: more than nothing, owed on a day after the due one.
    None: no bill is refused for a fee that we do not show."""
    if starts_on is None or starts_on <= (due_on or issued_on) or amount.minor <= 0:
        return None
    return LateFee(starts_on=starts_on, amount=amount)


def day_after(day: dt.date | None) -> dt.date | None:
    return day + dt.timedelta(days=1) if day else None
