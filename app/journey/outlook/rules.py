"""Money ahead: what is there on each day, what may be paid of it, and why a bill is best paid on its day. Pure.

All amounts are minor units of one currency. A payment of a day leaves in the course of it: ``balances`` are those at
the end of each day.
"""

from __future__ import annotations

import datetime as dt
import enum
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.journey.outlook.best import HORIZON, Bill
from app.journey.plans.rules import each_month

#: of one customer
PAYDAYS_MOST = 10
NAME_MAX = 60
_ONE = dt.timedelta(days=1)
#: months that reach beyond any horizon from a day in the past ten years
_MONTHS_MOST = 150


class Every(enum.StrEnum):
    ONCE = "once"
    WEEK = "week"
    TWO_WEEKS = "two_weeks"
    MONTH = "month"  #: on the same day; of a shorter month on its last one


_STEPS = {Every.WEEK: dt.timedelta(days=7), Every.TWO_WEEKS: dt.timedelta(days=14)}

#: a day, and how much comes or goes on it
Entry = tuple[dt.date, int]


def last_day(today: dt.date) -> dt.date:
    """Of those that are looked at."""
    return today + (HORIZON - 1) * _ONE


def paydays(every: Every, next_on: dt.date, *, first: dt.date, last: dt.date) -> tuple[dt.date, ...]:
    """The days from ``first`` to ``last`` on which it comes, given one of them."""
    return tuple(itertools.takewhile(lambda day: day <= last, _from(first, _days(every, next_on, first=first))))


def next_payday(every: Every, next_on: dt.date, *, first: dt.date) -> dt.date | None:
    """The next one from ``first`` on; None: it came once, and that is over."""
    return next(_from(first, _days(every, next_on, first=first)), None)


def _days(every: Every, next_on: dt.date, *, first: dt.date) -> Iterator[dt.date]:
    if every is Every.ONCE:
        return iter([next_on])
    if every is Every.MONTH:
        months = max(0, (first.year - next_on.year) * 12 + first.month - next_on.month - 1)
        return (each_month(next_on, months + number + 1)[-1] for number in itertools.count())
    step = _STEPS[every]
    start = next_on + max(0, (first - next_on) // step) * step
    return (start + number * step for number in itertools.count())


def _from(first: dt.date, days: Iterable[dt.date]) -> Iterator[dt.date]:
    return itertools.dropwhile(lambda day: day < first, days)


def balances(balance: int, *, comes: Iterable[Entry], goes: Iterable[Entry], today: dt.date) -> list[int]:
    """At the end of each day that is looked at. What should have gone before today goes today."""
    changes = [0] * HORIZON
    for day, minor in comes:
        if 0 <= (day - today).days < HORIZON:
            changes[(day - today).days] += minor
    for day, minor in goes:
        if (day - today).days < HORIZON:
            changes[max(0, (day - today).days)] -= minor
    return [balance + change for change in itertools.accumulate(changes)]


def cash(of_days: Sequence[int], *, floor: int, days: Iterable[dt.date], today: dt.date) -> list[Entry]:
    """How much may be paid until the end of each of these days, so that neither it nor any later one ends below the
    floor. Below nothing: on that day nothing may be paid."""
    lowest = [*itertools.accumulate(reversed(of_days), min)][::-1]
    return [(day, lowest[(day - today).days] - floor) for day in sorted({today, *days})]


class Place(enum.Enum):
    """Where a bill stands in a period by which it is due, as suggested."""

    DUE = enum.auto()  #: paid in it
    PAID_BEFORE = enum.auto()  #: due in it, and paid before
    UNPAID = enum.auto()  #: not paid by its end


def place_of(due_on: dt.date | None, pay_on: dt.date | None, first: dt.date, last: dt.date) -> Place | None:
    """Of a bill that is to be paid by ``due_on``, and that is suggested for ``pay_on``, in the days from ``first`` to
    ``last``. None: it is not due by then, or was due and paid before."""
    if due_on is None or due_on > last:
        return None
    if pay_on is None or pay_on > last:
        return Place.UNPAID
    if pay_on >= first:
        return Place.DUE
    return Place.PAID_BEFORE if due_on >= first else None


class Why(enum.StrEnum):
    """Why a bill is best paid on its day. What ``Reason`` has beside each."""

    DISCOUNT = "discount"  #: early payment takes ``amount`` off until ``day``
    DUE = "due"  #: it is to be paid by ``day``
    LATE = "late"  #: it was to be paid by ``day``, which is over
    FREE = "free"  #: it names no day, and the money is there
    WAITS = "waits"  #: paid today it would leave ``amount`` on ``day``, ``below`` under the floor
    AFTER_DUE = "after_due"  #: of its price ``amount`` is missing until ``day``, by which it is to be paid
    NO_MONEY = "no_money"  #: likewise, and there is no money for it on any day that is looked at
    #: of its price ``amount`` is missing until ``day``, the last one that is looked at, or on which it is asked for
    NO_MONEY_YET = "no_money_yet"
    NO_FEE = "no_fee"  #: paid so, ``amount`` is not owed besides, which it is after ``day``
    FEE = "fee"  #: paid so, ``amount`` is owed besides: it is after ``day``


@dataclass(frozen=True, slots=True)
class Reason:
    why: Why
    day: dt.date | None = None
    amount: int = 0
    below: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    bill: int  #: its place in the list
    pay_on: dt.date | None  #: None: there is no money for it
    price: int  #: on that day, or today
    reasons: tuple[Reason, ...]  #: the first is the one that says why this day


def suggestions(
    bills: Sequence[Bill],
    days: Sequence[dt.date | None],
    *,
    of_days: Sequence[int],
    floor: int,
    choices: Sequence[dt.date],
    today: dt.date,
) -> list[Suggested]:
    """What to pay on which day, the first first, and why. ``of_days``: the balances before any of it; ``choices``: the
    days that could be chosen."""
    followed = follow(bills, days, of_days=of_days, today=today)
    found = [
        Suggested(
            bill=number,
            pay_on=day,
            price=bill.price_on(day or today),
            reasons=tuple(_reasons(bill, day, without(followed, bill, day, today), floor, choices, today)),
        )
        for number, (bill, day) in enumerate(zip(bills, days, strict=True))
    ]
    return sorted(found, key=lambda each: (each.pay_on or dt.date.max, each.bill))


def follow(
    bills: Sequence[Bill], days: Sequence[dt.date | None], *, of_days: Sequence[int], today: dt.date
) -> list[int]:
    """The balances once all of it is paid so."""
    goes = [(day, bill.price_on(day)) for bill, day in zip(bills, days, strict=True) if day is not None]
    changes = balances(0, comes=(), goes=goes, today=today)
    return [before + change for before, change in zip(of_days, changes, strict=True)]


def without(of_days: Sequence[int], bill: Bill, day: dt.date | None, today: dt.date) -> list[int]:
    """The same without this one."""
    if day is None:
        return list(of_days)
    paid = (day - today).days
    return [each + bill.price_on(day) * (number >= paid) for number, each in enumerate(of_days)]


def _reasons(
    bill: Bill, day: dt.date | None, others: Sequence[int], floor: int, choices: Sequence[dt.date], today: dt.date
) -> Iterator[Reason]:
    """``others``: the balances once all others are paid."""
    due, last = bill.due_on, last_day(today)
    if day is None:
        asked = min(bill.last_on or last, last)  # behind its last day nobody asks for it
        ends = due is not None and today <= due <= last == asked
        until = due if ends and due else asked
        missing = _missing(bill, others, floor, choices, until, today)
        yield Reason(Why.NO_MONEY if ends else Why.NO_MONEY_YET, until, missing)
    elif day > today:
        at, lowest = min(enumerate(others[: (day - today).days]), key=lambda each: each[1])
        leaves = lowest - bill.price_on(today)
        yield Reason(Why.WAITS, today + at * _ONE, leaves, floor - leaves)
    saves = bill.saves_on(day) if day else 0
    if day and saves:
        yield Reason(Why.DISCOUNT, next(each.until for each in bill.discounts if day <= each.until), saves)
    if due is not None and due < today:
        yield Reason(Why.LATE, due)
    elif due is not None and day and due < day:
        yield Reason(Why.AFTER_DUE, due, _missing(bill, others, floor, choices, due, today))
    elif day == today and not saves:
        yield Reason(Why.FREE) if due is None else Reason(Why.DUE, due)
    fee = bill.late_fee
    if fee is not None and day is not None and not fee.on(day):
        yield Reason(Why.NO_FEE, fee.last_day_without, fee.amount.minor)
    elif fee is not None and fee.on(day or last + _ONE):  # of what cannot be paid, a fee of later days may be avoided
        yield Reason(Why.FEE, fee.last_day_without, fee.amount.minor)


def _missing(
    bill: Bill, others: Sequence[int], floor: int, choices: Sequence[dt.date], until: dt.date, today: dt.date
) -> int:
    """What would have to be there in addition, so that it could be paid on one of the days until then."""
    rooms = cash(others, floor=floor, days=[day for day in choices if day <= until], today=today)
    return min(bill.price_on(day) - room for day, room in rooms)
