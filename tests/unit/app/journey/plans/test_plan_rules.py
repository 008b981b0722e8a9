"""Days and amounts of plans, over all there may be."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.journey.decisions.bank_days import carried_out_on, in_time_for, is_bank_day
from app.journey.plans.rules import (
    DAYS_MOST,
    PlannedDay,
    agreed,
    amounts,
    each_month,
    evenly,
    in_equal_parts,
    over_at,
    split,
)
from app.journey.plans.states import DAY, PLAN, DayState, PlanState
from app.people.customers import morning_of
from tests.support.thorough import thorough

MINOR = st.integers(1, 10**15 - 1)
DAYS = st.dates(dt.date(2026, 1, 1), dt.date(2080, 12, 31))
ZONES = ("Europe/London", "Europe/Paris", "Pacific/Auckland", "Pacific/Kiritimati", "America/St_Johns", "Asia/Beirut")


@given(minor=MINOR, count=st.integers(1, DAYS_MOST))
def test_equal_parts_sum_to_the_whole_and_differ_by_one_at_most(minor: int, count: int) -> None:
    parts = split(minor, count)
    assert (sum(parts), len(parts)) == (minor, count)
    assert max(parts) - min(parts) <= 1
    assert list(parts) == sorted(parts, reverse=True)


@st.composite
def plans(draw: st.DrawFn) -> tuple[list[PlannedDay], int]:
    """Days with amounts that leave something for the last one, and what was left when it was made."""
    left = draw(st.integers(2, 10**9))
    first = draw(DAYS)
    count = draw(st.integers(1, min(DAYS_MOST, left)))
    cuts = sorted(draw(st.sets(st.integers(1, left - 1), min_size=count - 1, max_size=count - 1)))
    minors = [after - before for before, after in zip([0, *cuts], cuts, strict=False)]
    days = [PlannedDay(first + dt.timedelta(days=number), minor) for number, minor in enumerate(minors)]
    return [*days, PlannedDay(first + dt.timedelta(days=count))], left


@given(made=plans(), later=st.integers(-3, DAYS_MOST + 3))
def test_of_days_that_are_agreed_to_later_those_that_are_over_fall_to_the_next(
    made: tuple[list[PlannedDay], int], later: int
) -> None:
    """Nothing is lost, nothing is asked for on a day that is over, and nothing earlier than it was proposed."""
    days, left = made
    known = sum(day.minor or 0 for day in days)
    proposed = [*days[:-1], PlannedDay(days[-1].pay_on, left - known)]
    today = days[0].pay_on + dt.timedelta(days=later)
    found = agreed(proposed, today=today)
    assert [day.pay_on for day in found] == [day.pay_on for day in days if day.pay_on >= today]
    assert all(day.minor for day in found[:-1])
    for number, day in enumerate(found):
        until_then = left if day.minor is None else sum(each.minor or 0 for each in found[: number + 1])
        assert until_then == sum(each.minor or 0 for each in proposed if each.pay_on <= day.pay_on)
    if found:
        assert found[-1] == PlannedDay(days[-1].pay_on)
        assert sum(amounts(found, left_minor=left, paid_minor=0)) == left


@given(made=plans(), data=st.data())
@settings(max_examples=thorough(100, 100_000), deadline=None)
def test_what_falls_to_the_days_is_what_is_left_whatever_was_paid_and_taken_off(
    made: tuple[list[PlannedDay], int], data: st.DataObject
) -> None:
    days, left = made
    paid = data.draw(st.integers(0, left))
    off = data.draw(st.integers(0, left - paid))
    found = amounts(days, left_minor=left - paid - off, paid_minor=paid)
    assert sum(found) == left - paid - off
    assert all(minor >= 0 for minor in found)
    assert all(minor <= day.minor for minor, day in zip(found, days, strict=True) if day.minor is not None)
    if not off:  # until each day, never more than was planned until then and is not paid
        planned = 0
        for number, day in enumerate(days[:-1], start=1):
            planned += day.minor or 0
            assert sum(found[:number]) == max(0, planned - paid)


@given(made=plans())
def test_at_first_it_is_what_was_planned(made: tuple[list[PlannedDay], int]) -> None:
    days, left = made
    found = amounts(days, left_minor=left, paid_minor=0)
    assert list(found[:-1]) == [day.minor for day in days[:-1]]
    assert found[-1] > 0


@given(made=plans(), paid=st.integers(-(10**9), -1))
def test_what_was_paid_before_and_taken_back_since_falls_to_the_last_day(
    made: tuple[list[PlannedDay], int], paid: int
) -> None:
    days, left = made
    assert sum(amounts(days, left_minor=left - paid, paid_minor=paid)) == left - paid


@given(minor=st.integers(DAYS_MOST, 10**9), first=DAYS, count=st.integers(1, DAYS_MOST))
def test_equal_parts_are_a_plan_whose_last_day_is_the_rest(minor: int, first: dt.date, count: int) -> None:
    days = in_equal_parts(minor, each_month(first, count))
    assert days[-1].minor is None
    assert amounts(days, left_minor=minor, paid_minor=0) == split(minor, count)


@given(first=DAYS, count=st.integers(1, DAYS_MOST))
def test_each_month_has_its_day_or_its_last_one(first: dt.date, count: int) -> None:
    days = each_month(first, count)
    months = [day.year * 12 + day.month for day in days]
    assert months == list(range(months[0], months[0] + count))
    for day in days:
        assert day.day == first.day or (day.day < first.day and (day + dt.timedelta(days=1)).day == 1)


def test_the_thirty_first_is_the_last_of_each_month() -> None:
    assert [str(day) for day in each_month(dt.date(2027, 12, 31), 4)] == [
        "2027-12-31",
        "2028-01-31",
        "2028-02-29",
        "2028-03-31",
    ]


@given(today=DAYS, days=st.integers(1, 366), count=st.integers(1, DAYS_MOST))
def test_even_days_end_with_the_last_one(today: dt.date, days: int, count: int) -> None:
    last = today + dt.timedelta(days=days)
    found = evenly(today, last, count)
    assert (len(found), found[-1]) == (count, last)
    assert list(found) == sorted(found)
    if days >= count:
        assert len(set(found)) == count
        assert found[0] > today
    gaps = [(after - before).days for before, after in zip((today, *found), found, strict=False)]
    assert max(gaps) - min(gaps) <= 1


@given(day=DAYS, zone=st.sampled_from(ZONES))
@settings(max_examples=thorough(100, 100_000), deadline=None)
def test_a_day_is_its_customers_own_also_when_clocks_change(day: dt.date, zone: str) -> None:
    asked, over = morning_of(day, time_zone=zone), over_at(day, time_zone=zone)
    there = zoneinfo.ZoneInfo(zone)
    assert asked.astimezone(there).date() == day
    assert (asked.astimezone(there).hour, asked.astimezone(there).minute) == (6, 0)
    assert over.astimezone(there).date() == day + dt.timedelta(days=1)
    assert (over - dt.timedelta(seconds=1)).astimezone(there).date() == day
    assert asked < over == over_at(day, time_zone=zone)


@pytest.mark.parametrize(
    ("day", "euro", "pound"),
    [
        ("2026-12-04", "2026-12-04", "2026-12-04"),  # a Friday
        ("2026-12-05", "2026-12-07", "2026-12-05"),  # a Saturday
        ("2026-12-25", "2026-12-28", "2026-12-25"),  # Christmas, a Friday, and the 26th is a Saturday
        ("2027-03-26", "2027-03-30", "2027-03-26"),  # Good Friday to Easter Monday
        ("2027-05-01", "2027-05-03", "2027-05-01"),  # Labour Day, a Saturday
        ("2027-12-31", "2027-12-31", "2027-12-31"),
        ("2028-01-01", "2028-01-03", "2028-01-01"),
    ],
)
def test_euros_move_when_target_is_open_and_pounds_every_day(day: str, euro: str, pound: str) -> None:
    asked = dt.date.fromisoformat(day)
    assert str(carried_out_on(asked, currency="EUR")) == euro
    assert str(carried_out_on(asked, currency="GBP")) == pound


@given(day=DAYS, currency=st.sampled_from(("EUR", "GBP", "SEK")))
def test_the_bank_day_before_and_after_are_the_nearest(day: dt.date, currency: str) -> None:
    before, after = in_time_for(day, currency=currency), carried_out_on(day, currency=currency)
    assert before <= day <= after
    assert is_bank_day(before, currency=currency)
    assert is_bank_day(after, currency=currency)
    between = [before + dt.timedelta(days=number) for number in range(1, (after - before).days)]
    assert not any(is_bank_day(each, currency=currency) for each in between if each != day or before != after)
    assert (after - day).days <= 5
    assert (day - before).days <= 5


def test_what_has_ended_stays_so() -> None:
    ends = {state for (_, _), state in PLAN.table.items()}
    assert ends == set(PlanState) - {PlanState.STANDING}
    assert not any(before in ends for before, _ in PLAN.table)
    over = {DayState.KEPT, DayState.MISSED}
    assert not any(before in over for before, _ in DAY.table)
