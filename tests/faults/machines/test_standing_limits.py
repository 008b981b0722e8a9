"""The limits of a standing consent: claims of a customer in a hurry at the edges of days, months and summer time.

The bank counts by its own clock and by code of its own (the sandbox bank's limits.py), and nobody knows by which zone.
Whatever it executes of what was claimed, each limit holds by both.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from connectors.capabilities import UNSURE, Alignment, Period
from connectors.money import Money
from connectors.sandbox_bank.openbanking_uk import limits as bank
from consent.rules import Frame, Limit, Order, Why, days_at, first_breach, spans_at
from tests.faults.machines.house import runs

SECOND, DAY = dt.timedelta(seconds=1), dt.timedelta(days=1)
MARGIN = dt.timedelta(seconds=90)
ZONES = ("UTC", "Europe/London")
EACH = 50_00
PLANS = (
    ((Period.MONTH, Alignment.CALENDAR, 100_00),),
    ((Period.DAY, Alignment.CALENDAR, 60_00), (Period.WEEK, Alignment.CONSENT, 120_00)),
    ((Period.WEEK, Alignment.CALENDAR, 70_00), (Period.YEAR, Alignment.CALENDAR, 9_000_00)),
    ((Period.FORTNIGHT, Alignment.CONSENT, 90_00), (Period.MONTH, Alignment.CONSENT, 150_00)),
)
#: a while before: the end of a month in winter, one in summer, and the nights in which clocks change
STARTS = (dt.date(2026, 11, 20), dt.date(2026, 6, 20), dt.date(2027, 3, 20), dt.date(2027, 10, 20))


@dataclass
class Claim:
    minor: int
    claimed_at: dt.datetime
    keys: list[tuple[int, dt.date]]
    executed_at: dt.datetime | None = None


class Limits(RuleBasedStateMachine):
    """One consent, one customer, one bank."""

    seen: ClassVar[set[str]] = set()  #: of all runs: a machine that never meets an edge finds nothing

    now: dt.datetime

    @initialize(begins=st.sampled_from(STARTS), plan=st.sampled_from(PLANS), life=st.none() | st.sampled_from((10, 45)))
    def agree(self, begins: dt.date, plan: tuple[tuple[Period, Alignment, int], ...], life: int | None) -> None:
        self.frame = Frame(
            payee_name="Trams",
            payee_iban="GB33BUKB20201555555555",
            currency="GBP",
            each_minor=EACH,
            limits=tuple(Limit(period=period, alignment=alignment, minor=minor) for period, alignment, minor in plan),
            begins_on=begins,
            ends_on=None if life is None else begins + life * DAY,
        )
        self.now = dt.datetime.combine(begins, dt.time(0), tzinfo=dt.UTC) - 2 * SECOND
        self.used: dict[tuple[int, dt.date], int] = defaultdict(int)
        self.claims: list[Claim] = []

    @rule(minor=st.sampled_from((9_99, EACH)), arrives_s=st.none() | st.sampled_from((0, 90)))
    def pay_as_often_as_it_goes(self, minor: int, arrives_s: int | None) -> None:
        before = -1
        while before < len(self.claims):
            before = len(self.claims)
            self.pay(minor, arrives_s)

    @rule(minor=st.sampled_from((1, 25_00, EACH, EACH + 1)), arrives_s=st.none() | st.integers(0, 90))
    def pay(self, minor: int, arrives_s: int | None) -> None:
        """Claim, and send it: it arrives within the margin, or nobody knows yet what became of it."""
        order = Order(payee_name=self.frame.payee_name, payee_iban=self.frame.payee_iban, amount=Money(minor, "GBP"))
        days = days_at(self.now, days=UNSURE, margin=MARGIN)
        breach = first_breach(self.frame, order, days=days, used=self.used)
        if breach is not None:
            self.seen.add(breach.why)
            return
        keys = [span.key for span in spans_at(self.frame, days)]
        self.seen.add("two days" if len(days) == 2 else "one day")
        claim = Claim(minor, self.now, keys)
        if arrives_s is not None:
            claim.executed_at = self.now + arrives_s * SECOND
        for key in keys:
            self.used[key] += minor
        self.claims.append(claim)

    @rule()
    def be_refused(self) -> None:
        """The bank says no to the oldest one that it has not executed: what was claimed for it is free again."""
        waiting = next((claim for claim in self.claims if claim.executed_at is None), None)
        if waiting is not None:
            self.claims.remove(waiting)
            for key in waiting.keys:
                self.used[key] -= waiting.minor
            self.seen.add("released")

    @rule(seconds=st.sampled_from((1, 30, 89, 91, 3600, 86_400, 5 * 86_400)))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @rule(zone=st.sampled_from(ZONES), seconds=st.sampled_from((-91, -90, -1, 0, 1, 89, 90, 91)))
    def a_day_ends(self, zone: str, seconds: int) -> None:
        here = self.now.astimezone(zoneinfo.ZoneInfo(zone))
        midnight = dt.datetime.combine(here.date() + DAY, dt.time(0), tzinfo=here.tzinfo).astimezone(dt.UTC)
        self.now = max(self.now, midnight + seconds * SECOND)

    @rule(seconds=st.sampled_from((-91, -1, 0, 1, 91)))
    def a_month_ends(self, seconds: int) -> None:
        first = (self.now.replace(day=1) + 32 * DAY).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        self.now = max(self.now, first + seconds * SECOND)

    @invariant()
    def every_limit_holds_by_the_clock_of_either_zone(self) -> None:
        """Also if each one that nobody knows of was executed, at the last moment at which it may have arrived."""
        for zone in ZONES:
            paid: dict[tuple[int, dt.date], int] = defaultdict(int)
            for claim in self.claims:
                at = claim.executed_at or claim.claimed_at + MARGIN
                today = at.astimezone(zoneinfo.ZoneInfo(zone)).date()
                assert self.frame.begins_on <= today
                assert self.frame.ends_on is None or today <= self.frame.ends_on
                for number, limit in enumerate(self.frame.limits):
                    period = self._at_the_bank(limit, today)
                    paid[number, period.first] += claim.minor
                    assert paid[number, period.first] <= period.limit_minor

    def _at_the_bank(self, limit: Limit, today: dt.date) -> bank.Period:
        theirs = bank.PeriodicLimit(
            period_type=limit.period.value.capitalize(),
            alignment=limit.alignment.value.capitalize(),
            amount_minor=limit.minor,
        )
        return bank.period_of(theirs, begins=self.frame.begins_on, day=today)


def test_the_limits_of_a_standing_consent() -> None:
    run_state_machine_as_test(Limits, settings=runs(200, steps=40))
    refusals = {Why.NOT_YET, Why.ENDED, Why.OVER_EACH, Why.OVER_PERIOD, Why.OVER_LAST_PERIOD, Why.RESETTING}
    assert Limits.seen == {"one day", "two days", "released", *refusals}
