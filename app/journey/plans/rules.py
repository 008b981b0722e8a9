"""Days and amounts of a plan. Pure: values in, a verdict out."""

from __future__ import annotations

import calendar
import datetime as dt
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass

#: days of one plan
DAYS_MOST = 12
#: from today
AHEAD_MOST = dt.timedelta(days=366)
#: plans of one bill: each of them is told to its company
PLANS_MOST = 50


@dataclass(frozen=True, slots=True)
class PlannedDay:
    """``minor`` is meant to be paid on ``pay_on``. None, of the last one alone: all that is left then."""

    pay_on: dt.date
    minor: int | None = None


def split(minor: int, count: int) -> tuple[int, ...]:
    """Equal amounts, the larger ones first, which sum to ``minor``."""
    share, more = divmod(minor, count)
    return tuple(share + 1 if number < more else share for number in range(count))


def each_month(first: dt.date, count: int) -> tuple[dt.date, ...]:
    """The same day of ``count`` months; of a shorter month its last one."""
    return tuple(_months_after(first, number) for number in range(count))


def evenly(today: dt.date, last: dt.date, count: int) -> tuple[dt.date, ...]:
    """``count`` days from after today until ``last``, as far from each other as can be; the last one is ``last``. Where
    there are not as many, some are the same, or not after today."""
    days = (last - today).days
    return tuple(today + dt.timedelta(days=days * number // count) for number in range(1, count + 1))


def _months_after(day: dt.date, months: int) -> dt.date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def in_equal_parts(minor: int, days: Sequence[dt.date]) -> tuple[PlannedDay, ...]:
    """All but the last one by its amount: that one is what is left then."""
    amounts = split(minor, len(days))
    return (*map(PlannedDay, days[:-1], amounts), PlannedDay(days[-1]))


def agreed(days: Sequence[PlannedDay], *, today: dt.date) -> tuple[PlannedDay, ...]:
    """What is left of days with their amounts, to which a company says yes only today: what had fallen to days that are
    over falls to the next one. None, where all of them are over."""
    found, carried = [], 0
    for day in days:
        carried += day.minor or 0
        if day.pay_on >= today:
            found.append(PlannedDay(day.pay_on, carried))
            carried = 0
    return (*found[:-1], PlannedDay(found[-1].pay_on)) if found else ()


def amounts(days: Sequence[PlannedDay], *, left_minor: int, paid_minor: int) -> tuple[int, ...]:
    """How much of what is left falls to each day, once ``paid_minor`` was paid since the plan was made: they sum to
    what is left. What was paid, on whatever day, counts for the first days; what was taken off, for the last ones."""
    found, paid, left = [], max(0, paid_minor), left_minor
    for day in days:
        wanted = left if day.minor is None else day.minor
        covered = 0 if day.minor is None else min(wanted, paid)
        amount = min(wanted - covered, left)
        paid, left = paid - covered, left - amount
        found.append(amount)
    return tuple(found)


def over_at(day: dt.date, *, time_zone: str) -> dt.datetime:
    """When that day is over for them."""
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), zoneinfo.ZoneInfo(time_zone)).astimezone(dt.UTC)
