"""What a standing consent allows: its frame, the periods of its limits, and what a payment would break. Pure.

The words and the arithmetic are those of variable recurring payments (OBL Read/Write 4.0, domestic VRP consents,
OBDomesticVRPControlParameters and "Periodic Limits"). Amounts are minor units of the frame's one currency. All is in
whole days, for the standard disregards the time of a consent's dates: ``days_at`` alone makes a day of a moment.
"""

from __future__ import annotations

import calendar
import datetime as dt
import enum
import zoneinfo
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from connectors.capabilities import UNSURE, Alignment, Period
from connectors.money import Money

#: of a bank that does not say by which clock it counts (UNSURE). Only banks in the UK keep such consents
_UNSURE_ZONES = ("UTC", "Europe/London")
_DAYS = {Period.DAY: 1, Period.WEEK: 7, Period.FORTNIGHT: 14}
_MONTHS = {Period.MONTH: 1, Period.HALF_YEAR: 6, Period.YEAR: 12}
_ONE_DAY = dt.timedelta(days=1)
#: how far from now a first or a last day may lie: ten years, and every day that is reckoned from them is a day
LONGEST = dt.timedelta(days=3652)
#: every month has this day
_LAST_COMMON_DAY = 28

#: what has been claimed of each period: (number of the limit, first day of the period) → minor units
Used = Mapping[tuple[int, dt.date], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most ``minor`` in each period, of all payments under the consent (PeriodicLimits)."""

    period: Period
    alignment: Alignment
    minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Within what a customer may start payments. Never changed: the standard has no way to, so another is agreed on."""

    payee_name: str
    payee_iban: str  #: electronic form
    currency: str
    each_minor: int  #: of one payment (MaximumIndividualAmount)
    limits: tuple[Limit, ...]  #: one to six, which hold together
    begins_on: dt.date  #: always named to the bank: where it is not, the standard's texts contradict each other
    ends_on: dt.date | None  #: the last day, on which payments may still be made; None: until it is taken back


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One period of the frame's limit ``number``, counted from 0: both days are within it."""

    number: int
    first: dt.date
    last: dt.date
    limit_minor: int  #: of the first period by the calendar, a share of the limit

    @property
    def key(self) -> tuple[int, dt.date]:
        return self.number, self.first

    @property
    def resets_on(self) -> dt.date:
        return self.last + _ONE_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What of a payment a frame speaks of."""

    payee_name: str
    payee_iban: str
    amount: Money


class Why(enum.StrEnum):
    """Why a bill can or cannot be paid in some way. In the order in which they are told: what lasts longest, first."""

    STOPPED_ALL = "stopped_all"  #: the customer has stopped everything
    CURRENCY_NOT_TAKEN = "currency_not_taken"  #: by the bank, in any way; ``name``: the bill's
    REMOVED = "removed"  #: the customer has removed the bank
    PAYEE_UNREACHABLE = "payee_unreachable"  #: the bank cannot pay to such an account
    UNVERIFIED = "unverified"  #: nobody verified the payee: the bill was not delivered
    NOT_OFFERED = "not_offered"  #: the bank keeps no standing consents in the bill's currency
    CURRENCY = "currency"  #: ``name``: the consent's. Before the payee: a bill in another one needs another standard
    PAYEE_DIFFERS = "payee_differs"  #: ``name``: whom the consent is for
    PAYEE_NAME_DIFFERS = "payee_name_differs"  #: the same account has another holder's name; ``name``: the consent's
    ENDED = "ended"  #: ``day``: the last one
    IN_SESSION_ONLY = "in_session_only"  #: it is for payments while the customer is there, and not for a later day
    STOPPING = "stopping"  #: the customer took it back, and the bank has not confirmed that yet
    BANK_UNUSABLE = "bank_unusable"  #: it is not set up here at the moment
    OVER_EACH = "over_each"  #: ``over`` the limit of one payment, which is ``amount``
    OVER_PERIOD_ALWAYS = "over_period_always"  #: ``over`` the limit of any ``period``, which is ``amount``
    OVER_LAST_PERIOD = "over_last_period"  #: ``over`` what is left, ``amount``: the consent ends before it is more
    ACCOUNT_UNKNOWN = "account_unknown"  #: the bank no longer knows the account that it pays from
    ACCESS_LOST = "access_lost"  #: stopped at the bank
    WAITING = "waiting"  #: not approved at the bank yet
    BANK_COUNTS_OTHERWISE = "bank_counts_otherwise"  #: it refused one that our count allowed; ``day``: when it resets
    NOT_YET = "not_yet"  #: ``day``: the first one
    OVER_PERIOD = "over_period"  #: ``over`` what is left, ``amount``, until the ``period``'s limit resets on ``day``
    RESETTING = "resetting"  #: the ``period``'s limit resets about now: the bank may already count its new day, or not
    BANK_AWAY = "bank_away"  #: its latest calls failed: nothing forbids to try
    ENDS_BEFORE = "ends_before"  #: covered today, but it ends before the bill is due; ``day``: the last one
    COVERS = "covers"  #: one signature, no visit to the bank
    SIGN_IN_FIRST = "sign_in_first"  #: no consent is needed beforehand: the bank wants a sign-in, and then an approval
    REDIRECT = "redirect"  #: … an approval on its pages
    IN_APP = "in_app"  #: … an approval in its app
    CAN_SET_UP = "can_set_up"  #: a standing consent could be agreed on for this payee


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason, with what its sentence has to name. None: it names nothing of that kind."""

    why: Why
    amount: Money | None = None
    over: Money | None = None  #: how much the payment is above the amount
    day: dt.date | None = None
    name: str | None = None
    period: Period | None = None


class Fault(enum.StrEnum):
    """Why a frame cannot be agreed on."""

    BACKDATED = "backdated"  #: ValidFromDateTime must not lie in the past
    BEGINS_TOO_LATE = "begins_too_late"  #: more than LONGEST from now: whoever means never, names no last day
    ENDS_TOO_LATE = "ends_too_late"
    ENDS_BEFORE_IT_BEGINS = "ends_before_it_begins"
    CURRENCY_NOT_TAKEN = "currency_not_taken"
    NO_AMOUNT = "no_amount"  #: zero or less, of one payment or of a period
    NO_LIMIT = "no_limit"  #: PeriodicLimits is 1..*
    PERIOD_TWICE = "period_twice"  #: banks may refuse two limits of one period type
    FORTNIGHT_BY_CALENDAR = "fortnight_by_calendar"  #: no calendar has fortnights
    LESS_THAN_EACH = "less_than_each"  #: a period would allow less than one payment
    DAY_NOT_IN_EVERY_MONTH = "day_not_in_every_month"  #: the standard does not say what follows 31 January


# ----------------------------------------------------------------------------------------------------- days and periods


def days_at(now: dt.datetime, *, days: str, margin: dt.timedelta = dt.timedelta(0)) -> tuple[dt.date, ...]:
    """The one or two calendar days, in their order, on which a payment of ``now`` may count.

    ``days``: the zone by whose clock the bank counts, such as UTC; UNSURE: by one of two. ``margin``: how far the
    bank's clock and the moment at which the payment arrives may be from ``now``, to either side.
    """
    zones = _UNSURE_ZONES if days == UNSURE else (days,)
    moments = (now - margin, now, now + margin) if margin else (now,)
    return tuple(sorted({moment.astimezone(zoneinfo.ZoneInfo(zone)).date() for zone in zones for moment in moments}))


def span_of(limit: Limit, number: int, *, begins_on: dt.date, day: dt.date) -> Span:
    """The period of ``limit`` that ``day`` lies in. Raises ValueError for a day before ``begins_on``.

    By the calendar the first one is shorter, and its limit is less by as much: amount × its days ÷ the days of the
    whole period, down to the penny below, as in all examples of the standard. The last one is not shortened. Weeks
    begin on Monday (ISO 8601), half-years on 1 January and 1 July.
    """
    if day < begins_on:
        raise ValueError(f"there is no period on {day}: the consent begins on {begins_on}")
    if limit.alignment is Alignment.CONSENT:
        first, last = _counted_from(begins_on, limit.period, day)
        return Span(number=number, first=first, last=last, limit_minor=limit.minor)
    first, last = _of_calendar(limit.period, day)
    whole, opened = (last - first).days + 1, max(first, begins_on)
    share = limit.minor * ((last - opened).days + 1) // whole
    return Span(number=number, first=opened, last=last, limit_minor=share)


def spans_at(frame: Frame, days: Collection[dt.date]) -> tuple[Span, ...]:
    """The periods of all limits on any of the ``days``, each once: a payment is claimed in every one of them.

    Raises ValueError for a day before the frame begins.
    """
    found = {
        span_of(limit, number, begins_on=frame.begins_on, day=day)
        for number, limit in enumerate(frame.limits)
        for day in days
    }
    return tuple(sorted(found, key=lambda span: span.key))


def _counted_from(begins_on: dt.date, period: Period, day: dt.date) -> tuple[dt.date, dt.date]:
    """Those of months begin on the consent's day of the month, or on that month's last one: 31 Jan, 28 Feb, 31 Mar."""
    if period in _DAYS:
        length = dt.timedelta(days=_DAYS[period])
        first = begins_on + (day - begins_on) // length * length
        return first, first + length - _ONE_DAY
    months = _MONTHS[period]
    count = ((day.year - begins_on.year) * 12 + day.month - begins_on.month) // months
    if _later(begins_on, count * months) > day:
        count -= 1
    return _later(begins_on, count * months), _later(begins_on, (count + 1) * months) - _ONE_DAY


def _of_calendar(period: Period, day: dt.date) -> tuple[dt.date, dt.date]:
    if period is Period.DAY:
        return day, day
    if period is Period.WEEK:
        first = day - dt.timedelta(days=day.weekday())
        return first, first + dt.timedelta(days=6)
    months = _MONTHS[period]
    first = day.replace(month=(day.month - 1) // months * months + 1, day=1)
    return first, _later(first, months) - _ONE_DAY


def _later(day: dt.date, months: int) -> dt.date:
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


# ------------------------------------------------------------------------------------ what breaks a frame, and no frame


def breaches(frame: Frame, order: Order, *, days: Collection[dt.date], used: Used) -> list[Reason]:
    """All that speaks against a payment on ``days`` (days_at), in the order of Why; empty: the frame allows it.

    It must be allowed on each of the days, by whichever of them the bank counts. ``used``: of every period of these
    days; a period that is not there is untouched. Refunds give no room back.
    """
    return sorted(_breaches(frame, order, days, used), key=rank)


def first_breach(frame: Frame, order: Order, *, days: Collection[dt.date], used: Used) -> Reason | None:
    """What a payment is refused for; None: it may be claimed."""
    return next(iter(breaches(frame, order, days=days, used=used)), None)


def rank(reason: Reason) -> tuple[int, int]:
    """By which reasons are sorted: what lasts longest first, and of two limits the one that resets later."""
    return _RANK[reason.why], -reason.day.toordinal() if reason.day is not None else 0


_RANK = {why: number for number, why in enumerate(Why)}


def _breaches(frame: Frame, order: Order, days: Collection[dt.date], used: Used) -> Iterator[Reason]:
    if order.payee_iban != frame.payee_iban:
        yield Reason(why=Why.PAYEE_DIFFERS, name=frame.payee_name)
    elif order.payee_name != frame.payee_name:
        yield Reason(why=Why.PAYEE_NAME_DIFFERS, name=frame.payee_name)
    is_ended = frame.ends_on is not None and max(days) > frame.ends_on
    if is_ended:
        yield Reason(why=Why.ENDED, day=frame.ends_on)
    if min(days) < frame.begins_on:
        yield Reason(why=Why.NOT_YET, day=frame.begins_on)
    if order.amount.currency != frame.currency:
        yield Reason(why=Why.CURRENCY, name=frame.currency)
        return  # two currencies have no difference
    over = order.amount.minor - frame.each_minor
    if over > 0:
        each = Money(frame.each_minor, frame.currency)
        yield Reason(why=Why.OVER_EACH, amount=each, over=Money(over, frame.currency))
    yield from _over_always(frame, order.amount)
    if not is_ended and min(days) >= frame.begins_on:
        yield from _over_now(frame, order.amount, days, used)


def _over_always(frame: Frame, amount: Money) -> Iterator[Reason]:
    for limit in frame.limits:
        if amount.minor > limit.minor:
            most, over = Money(limit.minor, frame.currency), Money(amount.minor - limit.minor, frame.currency)
            yield Reason(why=Why.OVER_PERIOD_ALWAYS, amount=most, over=over, period=limit.period)


def _over_now(frame: Frame, amount: Money, days: Collection[dt.date], used: Used) -> Iterator[Reason]:
    """Of each limit that would allow the amount in a period of its own: whether it does in those of these days."""
    left: dict[int, int] = {}
    over: dict[int, Span] = {}
    for span in spans_at(frame, days):
        here = max(0, span.limit_minor - used.get(span.key, 0))
        left[span.number] = min(here, left.get(span.number, here))
        if here < amount.minor <= frame.limits[span.number].minor:
            over[span.number] = span  # spans come in their order: the later one stays
    for number, span in over.items():
        yield over_period(frame, span, left_minor=left[number], minor=amount.minor, days=days)


def over_period(frame: Frame, span: Span, *, left_minor: int, minor: int, days: Collection[dt.date]) -> Reason:
    """A period that has only ``left_minor`` left for a payment of ``minor``: until when, or that no other one comes.
    ``days``: those of the payment; where one of them is in the next period already, there is no day to wait for."""
    if span.resets_on <= max(days):
        return Reason(why=Why.RESETTING, period=frame.limits[span.number].period)
    is_last = frame.ends_on is not None and span.resets_on > frame.ends_on
    return Reason(
        why=Why.OVER_LAST_PERIOD if is_last else Why.OVER_PERIOD,
        amount=Money(left_minor, frame.currency),
        over=Money(minor - left_minor, frame.currency),
        day=frame.ends_on if is_last else span.resets_on,
        period=frame.limits[span.number].period,
    )


def faults(frame: Frame, *, today: dt.date, currencies: Collection[str]) -> tuple[tuple[Fault, int | None], ...]:
    """What must be mended before the frame can be agreed on: each fault, and the number of its limit if it is of one.

    ``today``: the customer's day, or the bank's, whichever is later: it is begun on no day that is over for one of
    them. ``currencies``: what the bank's standing consents can be in.
    """
    whole = [
        (Fault.BACKDATED, frame.begins_on < today),
        (Fault.BEGINS_TOO_LATE, frame.begins_on > today + LONGEST),
        (Fault.ENDS_TOO_LATE, frame.ends_on is not None and frame.ends_on > today + LONGEST),
        (Fault.ENDS_BEFORE_IT_BEGINS, frame.ends_on is not None and frame.ends_on < frame.begins_on),
        (Fault.CURRENCY_NOT_TAKEN, frame.currency not in currencies),
        (Fault.NO_AMOUNT, frame.each_minor <= 0),
        (Fault.NO_LIMIT, not frame.limits),
    ]
    found: list[tuple[Fault, int | None]] = [(fault, None) for fault, is_so in whole if is_so]
    times = Counter(limit.period for limit in frame.limits)
    for number, limit in enumerate(frame.limits):
        is_counted = limit.alignment is Alignment.CONSENT
        of_limit = [
            (Fault.NO_AMOUNT, limit.minor <= 0),
            (Fault.PERIOD_TWICE, times[limit.period] > 1),
            (Fault.FORTNIGHT_BY_CALENDAR, limit.period is Period.FORTNIGHT and not is_counted),
            (Fault.LESS_THAN_EACH, limit.minor < frame.each_minor),
            (
                Fault.DAY_NOT_IN_EVERY_MONTH,
                is_counted and limit.period in _MONTHS and frame.begins_on.day > _LAST_COMMON_DAY,
            ),
        ]
        found += [(fault, number) for fault, is_so in of_limit if is_so]
    return tuple(found)
