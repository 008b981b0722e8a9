"""Rules with time in them: when a bank is asked, what a customer is promised, what a bill costs on a day, and where.

The machines let time pass as it does: on time, late, for hours, a moment backwards, over the ends of days, months and
years, and over the hours that clocks leave out or repeat.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from app.journey.invoices.rules import Discount, payable_on
from app.journey.payments import rules
from app.journey.webhooks.delivery import PAUSES_S
from app.people.customers import today_of
from app.people.models import Customer
from connectors.money import Money
from connectors.profile import POLL_S
from tests.faults.machines.house import runs

SECOND, HOUR, DAY = dt.timedelta(seconds=1), dt.timedelta(hours=1), dt.timedelta(days=1)
#: ends of a day, a month and a year, a leap day, and hours that clocks in Europe leave out or repeat
STARTS = tuple(
    dt.datetime.fromisoformat(f"{text}+00:00")
    for text in (
        "2026-11-23T10:00:00",
        "2026-12-31T23:59:59",
        "2027-01-31T23:59:59.999999",
        "2028-02-28T23:59:58",
        "2027-03-28T00:59:59",
        "2027-10-31T00:59:59",
    )
)
LATE_S = st.sampled_from((0.0, 0.000001, 0.5, 1.0, 5.0, 30.0, 119.0, 300.0, 3600.0, 86_400.0))


class Looks(RuleBasedStateMachine):
    """One payment, from the link that was given away to the last look at what became of it."""

    now: dt.datetime
    anchor: dt.datetime  #: when the customer left or came back
    returned: bool
    silent_since: dt.datetime | None
    ended_at: dt.datetime | None
    asked: list[dt.datetime]  #: since this way of asking began
    jumps: int  #: how often the clock went back meanwhile: each may bring one look a second time

    @initialize(start=st.sampled_from(STARTS), pace_s=st.sampled_from((POLL_S, (60,), (1, 86_400))))
    def leave(self, start: dt.datetime, pace_s: tuple[int, ...]) -> None:
        self.now = self.anchor = start
        self.pace_s = pace_s
        self.returned, self.silent_since, self.ended_at = False, None, None
        self._begin_to_count()

    def _begin_to_count(self) -> None:
        self.asked = []
        self.jumps = 0

    def _next(self, now: dt.datetime) -> dt.datetime | None:
        if self.ended_at is not None:
            return rules.late_look(ended_at=self.ended_at, now=now)
        if self.silent_since is not None:
            return rules.look_in_silence(silent_since=self.silent_since, now=now)
        return rules.next_look(anchor=self.anchor, returned=self.returned, now=now, pace_s=self.pace_s)

    @rule(late_s=LATE_S)
    def ask(self, late_s: float) -> None:
        """The worker asks when it is time, or when it comes round to it."""
        look = self._next(self.now)
        if look is None:
            return
        assert look > self.now, "a time that is past is no next time"
        if self.silent_since is not None and self.ended_at is None and self.now >= self.silent_since + 45 * SECOND:
            assert look >= self.now + 30 * SECOND
        self.now = look + dt.timedelta(seconds=late_s)
        self.asked.append(self.now)

    @rule(seconds=LATE_S, back=st.booleans())
    def time_passes(self, seconds: float, back: bool) -> None:
        """Forwards, or two seconds backwards at the most: what was to come never comes earlier for that."""
        before = self._next(self.now)
        moved = dt.timedelta(seconds=-min(seconds, 2) if back else seconds)
        after = self._next(self.now + moved)
        if back:
            assert before is None or (after is not None and after <= before)
            # but for a moment before the anchor, when nobody was away, silent or at an end yet
            start = self.ended_at or self.silent_since or self.anchor
            self.now = max(self.now + moved, start)
            self.jumps += 1
        else:
            assert after is None or (before is not None and after >= before)
            self.now += moved

    @rule()
    def come_back(self) -> None:
        if not self.returned and self.ended_at is None:
            self.returned, self.anchor, self.silent_since = True, self.now, None
            self._begin_to_count()

    @rule()
    def bank_falls_silent(self) -> None:
        if self.silent_since is None and self.ended_at is None:
            self.silent_since = self.now
            self._begin_to_count()
            assert self._next(self.now) == self.now + 2 * SECOND

    @rule()
    def bank_answers_again(self) -> None:
        if self.silent_since is not None:
            self.silent_since = None
            self._begin_to_count()

    @rule()
    def end(self) -> None:
        if self.ended_at is None:
            self.ended_at = self.now
            self._begin_to_count()

    @invariant()
    def it_is_looked_at_within_the_pace(self) -> None:
        """While it is open there is a next look, and never longer from now than the longest pause of its phase."""
        look = self._next(self.now)
        if self.ended_at is not None:
            assert look is None or self.now < look <= self.ended_at + 6 * DAY
            assert len(self.asked) <= len(rules.LATE_LOOKS_S) + self.jumps
            return
        longest = 3600 if self.silent_since is not None else max(*self.pace_s, rules.AWAY_FIRST_LOOK_S)
        assert look is not None
        assert self.now < look <= self.now + longest * SECOND

    @invariant()
    def the_bank_is_not_pestered(self) -> None:
        """Eight questions at most in the first two hours after the return, at the usual pace, however late they are."""
        if self.ended_at is not None:
            return
        start = self.silent_since or self.anchor
        early = sum(at <= start + 2 * HOUR for at in self.asked) - self.jumps
        if self.silent_since is not None:
            assert early <= 85
        elif self.pace_s == POLL_S:
            assert early <= (8 if self.returned else 4)


class Promises(RuleBasedStateMachine):
    """A payment that nobody knows the end of, and what its customer is told meanwhile."""

    now: dt.datetime

    @initialize(start=st.sampled_from(STARTS), fence_s=st.none() | st.sampled_from((-86_400, -1, 0, 1, 900, 86_400)))
    def lose_sight(self, start: dt.datetime, fence_s: int | None) -> None:
        self.now, self.broken = start, 0
        fence_at = start + fence_s * SECOND if fence_s is not None else None
        self.know_by = rules.promise(now=start, fence_at=fence_at)
        assert self.know_by == max(start, fence_at or start) + dt.timedelta(minutes=15)

    @rule(late_s=LATE_S)
    def break_it(self, late_s: float) -> None:
        """It was not known by then: a new promise, longer each time, until it is one a day."""
        self.now = self.know_by + dt.timedelta(seconds=late_s)
        self.broken += 1
        before, self.know_by = self.know_by, rules.next_promise(now=self.now, broken=self.broken)
        assert self.know_by >= before + HOUR
        assert self.know_by - self.now == (HOUR, 4 * HOUR, DAY)[min(self.broken, 3) - 1]

    @invariant()
    def it_is_not_over_yet(self) -> None:
        assert self.know_by > self.now


def test_looks_at_a_payment() -> None:
    run_state_machine_as_test(Looks, settings=runs(150, steps=30))


def test_promises() -> None:
    run_state_machine_as_test(Promises, settings=runs(50, steps=10))


def test_a_silent_bank_is_asked_85_times_in_its_first_two_hours() -> None:
    start, calls = STARTS[1], []
    now = start
    while (now := rules.look_in_silence(silent_since=start, now=now)) <= start + 2 * HOUR:
        calls.append((now - start).total_seconds())
    assert calls[:6] == [2, 7, 22, 45, 75, 105]
    assert len(calls) == 85


def test_an_initiation_is_given_up_after_the_sixth_sending() -> None:
    """Three and a half minutes after the first one, and long before identical bytes may not go any more."""
    now = first = STARTS[1]
    sends = 1
    while (again := rules.send_again_at(sends=sends, now=now)) is not None:
        assert again >= now + rules.SEND_GAP
        now, sends = again, sends + 1
    assert sends == 6
    assert now - first == 202 * SECOND
    assert now - first < rules.SEND_LIFE


def test_a_message_is_tried_twelve_times_with_ever_longer_pauses() -> None:
    assert len(PAUSES_S) + 1 == 12
    assert list(PAUSES_S) == sorted(PAUSES_S)
    assert PAUSES_S[0] >= 1
    assert dt.timedelta(seconds=sum(PAUSES_S)) > dt.timedelta(hours=72)


# --------------------------------------------------------------------------------------------- days, and where they are

AMOUNT = Money(100_00, "EUR")
#: by the last day, and two days later
DISCOUNTS = (Money(3_00, "EUR"), Money(1_50, "EUR"))
#: east and west of everything, whole hours and not, clocks that change at midnight, by half an hour or by two hours
ZONES = (
    "Europe/Paris",
    "Europe/Dublin",
    "America/New_York",
    "America/St_Johns",
    "America/Santiago",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Antarctica/Troll",
    "UTC",
)
DAYS = st.dates(dt.date(2026, 1, 1), dt.date(2037, 12, 31))


def resident(zone: str) -> Customer:
    return Customer(id="cus_1", name="Camille", email="c@x.org", time_zone=zone, locale="fr", created_at=STARTS[0])


def price(customer: Customer, now: dt.datetime, *, until: dt.date) -> int:
    tiers = tuple(Discount(until + place * 2 * DAY, saves) for place, saves in enumerate(DISCOUNTS))
    return payable_on(amount=AMOUNT, discounts=tiers, day=today_of(customer, now)).minor


def end_of(day: dt.date, zone: str) -> dt.datetime:
    """The moment at which the day is over there, found from the calendar and not from a clock."""
    return dt.datetime.combine(day + DAY, dt.time(0), tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(dt.UTC)


class Day(RuleBasedStateMachine):
    """A bill with two discounts, a customer somewhere, a clock: the price goes up when the last day of each is over."""

    now: dt.datetime

    @initialize(zone=st.sampled_from(ZONES), until=DAYS)
    def deliver(self, zone: str, until: dt.date) -> None:
        self.zone, self.until = zone, until
        self.customer = resident(zone)
        self.now = end_of(until, zone) - 3 * DAY
        self.seen = today_of(self.customer, self.now)

    @rule(seconds=st.sampled_from((0.5, 1, 59, 1800, 3600, 7200, 43_200, 86_399, 86_400, 86_401)))
    def time_passes(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)
        today = today_of(self.customer, self.now)
        assert self.seen <= today <= self.seen + 2 * DAY, "days come one after the other and never back"
        self.seen = today

    @rule(moments=st.sampled_from((-1, -0.000001, 0, 1)), days=st.sampled_from((0, 2)))
    def look_at_the_end_of_a_last_day(self, moments: float, days: int) -> None:
        end = end_of(self.until + days * DAY, self.zone)
        self.now = max(self.now, end + dt.timedelta(seconds=moments))
        self.seen = today_of(self.customer, self.now)

    @invariant()
    def the_discount_ends_with_the_customers_day(self) -> None:
        over = sum(self.now >= end_of(self.until + days * DAY, self.zone) for days in (0, 2))
        assert price(self.customer, self.now, until=self.until) == (97_00, 98_50, 100_00)[over]


def test_the_last_day_of_a_discount() -> None:
    run_state_machine_as_test(Day, settings=runs(100, steps=15))


@pytest.mark.parametrize(
    ("zone", "until"),
    [
        ("Pacific/Auckland", dt.date(2026, 11, 27)),
        ("Pacific/Auckland", dt.date(2026, 9, 27)),  # a day of 23 hours
        ("Pacific/Auckland", dt.date(2027, 4, 4)),  # of 25
        ("Europe/Paris", dt.date(2026, 10, 25)),
        ("Europe/Paris", dt.date(2027, 3, 28)),
        ("Australia/Lord_Howe", dt.date(2027, 4, 4)),
        ("Africa/Cairo", dt.date(2027, 4, 29)),  # there is no midnight after it: at 00:00 it is 01:00
        ("Pacific/Kiritimati", dt.date(2026, 12, 31)),
    ],
)
def test_the_last_second_of_a_discount_and_the_first_of_the_next_one(zone: str, until: dt.date) -> None:
    customer, there = resident(zone), zoneinfo.ZoneInfo(zone)
    last = dt.datetime.combine(until, dt.time(23, 59, 59), tzinfo=there).astimezone(dt.UTC)
    assert end_of(until, zone) - last == SECOND
    assert [price(customer, last + seconds * SECOND, until=until) for seconds in (0, 1)] == [97_00, 98_50]
    end = end_of(until + 2 * DAY, zone)
    assert [price(customer, end - seconds * SECOND, until=until) for seconds in (1, 0)] == [98_50, 100_00]


@given(zone=st.sampled_from(ZONES), year=st.integers(2026, 2037))
@runs(40, steps=1)
def test_days_are_whole_and_one_after_the_other(zone: str, year: int) -> None:
    """All days of a year: 22 to 26 hours each, none left out, none twice, and their last second is still theirs."""
    customer = resident(zone)
    days = [dt.date(year, 1, 1) + number * DAY for number in range(365)]
    for day in days:
        end = end_of(day, zone)
        assert dt.timedelta(hours=22) <= end - end_of(day - DAY, zone) <= dt.timedelta(hours=26)
        assert today_of(customer, end - SECOND) == day
        assert today_of(customer, end) == day + DAY


def test_two_customers_pay_two_prices_at_one_moment() -> None:
    """It is tomorrow in the east while it is yesterday in the west."""
    until = dt.date(2026, 12, 31)
    now = dt.datetime(2026, 12, 31, 10, 30, tzinfo=dt.UTC)
    assert price(resident("Pacific/Kiritimati"), now, until=until) == 98_50  # 1 January, 00:30
    assert price(resident("Pacific/Pago_Pago"), now, until=until) == 97_00  # 30 December, 23:30
