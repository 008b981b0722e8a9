"""What a variable recurring payment may be (OBL Read/Write 4.0, "OBDomesticVRPControlParameters"). Pure.

Amounts are pence, days are calendar days by the bank's own clock: the standard disregards the time of the dates of a
consent.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_VRP_TYPES = ("UK.OBIE.VRPType.Sweeping", "UK.OBIE.VRPType.Other")
_COMMERCIAL = ("UK.OBIE.VRPType.CVRP1", "UK.OBIE.VRPType.CVRP2", "UK.OBIE.VRPType.CVRP3")
AUTHENTICATION_METHODS = ("UK.OBIE.SCA", "UK.OBIE.SCANotRequired")
INTERACTION_TYPES = ("InSession", "OffSession")
#: where a consent or a payment does not say
INTERACTION_TYPE = "OffSession"
PERIOD_TYPES = ("Day", "Week", "Fortnight", "Month", "Half-year", "Year")
ALIGNMENTS = ("Consent", "Calendar")

_DAYS = {"Day": 1, "Week": 7, "Fortnight": 14}
_MONTHS = {"Month": 1, "Half-year": 6, "Year": 12}
_ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodicLimit:
    period_type: str
    alignment: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From ``first`` to ``last``, both within. ``limit_minor`` is what may be paid in it."""

    first: dt.date
    last: dt.date
    limit_minor: int

    def __contains__(self, day: dt.date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlParameters:
    """``begins``: the first day, which is that of the consent where none is given."""

    begins: dt.date
    ends: dt.date | None
    individual_minor: int
    periodic: Sequence[PeriodicLimit]
    vrp_types: Sequence[str]
    authentication_methods: Sequence[str]
    interaction_types: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What of a payment the control parameters speak of."""

    amount_minor: int
    vrp_type: str
    authentication_method: str
    interaction_type: str


def vrp_types(version: str) -> Sequence[str]:
    """What such payments may be for. The commercial types came with 4.0 (cVRP)."""
    return _VRP_TYPES if version == "3.1" else (*_VRP_TYPES, *_COMMERCIAL)


def control_parameters(given: Mapping[str, Any], *, created: dt.date) -> ControlParameters:
    """Out of the JSON of a consent, which has been checked."""
    begins = given.get("ValidFromDateTime")
    ends = given.get("ValidToDateTime")
    return ControlParameters(
        begins=created if begins is None else max(created, day_of(begins)),
        ends=None if ends is None else day_of(ends),
        individual_minor=pence(given["MaximumIndividualAmount"]["Amount"]),
        periodic=[
            PeriodicLimit(
                period_type=each["PeriodType"],
                alignment=each["PeriodAlignment"],
                amount_minor=pence(each["Amount"]),
            )
            for each in given["PeriodicLimits"]
        ],
        vrp_types=given["VRPType"],
        authentication_methods=given["PSUAuthenticationMethods"],
        interaction_types=given.get("PSUInteractionTypes") or [INTERACTION_TYPE],
    )


def first_breach(
    parameters: ControlParameters, asked: Asked, *, today: dt.date, paid: Iterable[tuple[dt.date, int]]
) -> str | None:
    """The control parameter that a payment of today would breach; None for one that may be made.

    ``paid``: (day, pence) of all other payments under the consent that were not rejected.
    """
    if today < parameters.begins:
        return "ValidFromDateTime"
    if parameters.ends is not None and today > parameters.ends:
        return "ValidToDateTime"
    if asked.vrp_type not in parameters.vrp_types:
        return "VRPType"
    if asked.authentication_method not in parameters.authentication_methods:
        return "PSUAuthenticationMethods"
    if asked.interaction_type not in parameters.interaction_types:
        return "PSUInteractionTypes"
    if asked.amount_minor > parameters.individual_minor:
        return "MaximumIndividualAmount"
    so_far = list(paid)
    for at, limit in enumerate(parameters.periodic):
        period = period_of(limit, begins=parameters.begins, day=today)
        if sum(minor for day, minor in so_far if day in period) + asked.amount_minor > period.limit_minor:
            return f"PeriodicLimits[{at}]"
    return None


def period_of(limit: PeriodicLimit, *, begins: dt.date, day: dt.date) -> Period:
    """The period that a day lies in. By the calendar the first one is shorter, and its limit is less by as much."""
    if limit.alignment == "Consent":
        first, last = _aligned_with(begins, limit.period_type, day)
        return Period(first=first, last=last, limit_minor=limit.amount_minor)
    first, last = _by_calendar(limit.period_type, day)
    whole, open_days = (last - first).days + 1, (last - max(first, begins)).days + 1
    # To the penny below: never more than was agreed. The standard's own examples agree with that.
    return Period(first=max(first, begins), last=last, limit_minor=limit.amount_minor * open_days // whole)


def _aligned_with(begins: dt.date, period_type: str, day: dt.date) -> tuple[dt.date, dt.date]:
    days = _DAYS.get(period_type)
    if days is not None:
        first = begins + dt.timedelta(days=(day - begins).days // days * days)
        return first, first + dt.timedelta(days=days - 1)
    months = _MONTHS[period_type]
    number = ((day.year - begins.year) * 12 + day.month - begins.month) // months
    if _months_after(begins, number * months) > day:
        number -= 1
    return _months_after(begins, number * months), _months_after(begins, (number + 1) * months) - _ONE_DAY


def _by_calendar(period_type: str, day: dt.date) -> tuple[dt.date, dt.date]:
    """A week begins on Monday (ISO 8601). A fortnight has no place in a calendar."""
    if period_type == "Day":
        return day, day
    if period_type == "Week":
        first = day - dt.timedelta(days=day.weekday())
        return first, first + dt.timedelta(days=6)
    months = _MONTHS[period_type]
    first = dt.date(day.year, (day.month - 1) // months * months + 1, 1)
    return first, _months_after(first, months) - _ONE_DAY


def _months_after(day: dt.date, months: int) -> dt.date:
    """The same day of a later month, or that month's last one: 31 January, 28 February, 31 March."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def day_of(text: str) -> dt.date:
    """Of an ISODateTime, as written: its time is disregarded. Raises ValueError."""
    return dt.datetime.fromisoformat(text).date()


def pence(text: str) -> int:
    """Of an amount in pounds that has been checked."""
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part[:2].ljust(2, "0"))


def in_words(parameters: ControlParameters) -> list[str]:
    """What a customer is asked to approve."""
    words = [f"{_pounds(parameters.individual_minor)} at most with each payment"]
    for limit in parameters.periodic:
        name = limit.period_type.lower()
        counted = "by the calendar" if limit.alignment == "Calendar" else f"counted from {_day(parameters.begins)}"
        words.append(f"{_pounds(limit.amount_minor)} at most in a {name}, {counted}")
    words.append(f"from {_day(parameters.begins)}")
    if parameters.ends is not None:
        words.append(f"until {_day(parameters.ends)}")
    return words


def _pounds(minor: int) -> str:
    return f"£{minor // 100:,}.{minor % 100:02d}"


def _day(day: dt.date) -> str:
    return f"{day.day} {calendar.month_name[day.month]} {day.year}"
