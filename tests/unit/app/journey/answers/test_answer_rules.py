"""What may be said, and until when: over month ends, leap days, and nights when clocks change."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.journey.answers.rules import (
    INSTALMENTS_LEAST,
    INSTALMENTS_MOST,
    MORE_TIME_MOST,
    OF_OWN,
    SAID_OF,
    Policy,
    are_granted,
    first_day_not_over,
    is_granted,
    kinds_for,
    later_days,
)
from app.journey.answers.states import AnswerKind
from app.journey.invoices.states import InvoiceState
from app.people.customers import today_of
from app.people.models import Customer
from tests.support.thorough import thorough

pytestmark = pytest.mark.timeout(1800)  # a hundred thousand times each in `make test-long`

DAY = dt.timedelta(days=1)
MANY = settings(max_examples=thorough(100, 100_000), deadline=None)
#: the ends of the earth, half hours, and those whose clocks change, in either half of the year
ZONES = (
    "Etc/GMT+12",
    "Pacific/Kiritimati",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
)
days = st.dates(dt.date(2024, 1, 1), dt.date(2032, 12, 31))
moments = st.integers(0, 9 * 365 * 24 * 60).map(
    lambda of: dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(minutes=of)
)


@given(due_on=days, given_days=st.integers(0, 400), today=days)
@MANY
def test_more_time_is_later_than_what_there_is_and_within_a_year_of_the_bills_own_day(
    due_on: dt.date, given_days: int, today: dt.date
) -> None:
    pay_by = due_on + given_days * DAY
    found = later_days(due_on=due_on, pay_by=pay_by, today=today)
    asked_for = [due_on + n * DAY for n in range(1, MORE_TIME_MOST + 1)]
    wanted = [day for day in asked_for if day > pay_by and day > today]
    assert found == ((wanted[0], wanted[-1]) if wanted else None)


@given(due_on=days, until=days, more_time_days=st.integers(0, MORE_TIME_MOST))
@MANY
def test_a_policy_gives_so_many_days_and_not_one_more(due_on: dt.date, until: dt.date, more_time_days: int) -> None:
    assert is_granted(Policy(more_time_days=more_time_days), due_on=due_on, until=until) == (
        (until - due_on).days <= more_time_days
    )


@pytest.mark.parametrize(
    ("due_on", "more", "until"),
    [
        ("2028-01-31", 29, "2028-02-29"),
        ("2027-02-28", 1, "2027-03-01"),
        ("2026-12-31", 1, "2027-01-01"),
        ("2027-03-27", 2, "2027-03-29"),  # clocks change between
        ("2027-10-30", 2, "2027-11-01"),
        ("2028-02-29", 365, "2029-02-28"),
    ],
)
def test_days_are_counted_by_the_calendar(due_on: str, more: int, until: str) -> None:
    due, last = dt.date.fromisoformat(due_on), dt.date.fromisoformat(until)
    assert is_granted(Policy(more_time_days=more), due_on=due, until=last)
    assert not is_granted(Policy(more_time_days=more), due_on=due, until=last + DAY)


@given(said_at=moments, zone=st.sampled_from(ZONES), answer_days=st.integers(1, 60), later=st.integers(0, 70 * 24))
@MANY
def test_no_reply_is_called_late_before_its_day_is_over_for_its_customer(
    said_at: dt.datetime, zone: str, answer_days: int, later: int
) -> None:
    customer = Customer(time_zone=zone)
    reply_by = today_of(customer, said_at) + answer_days * DAY
    now = said_at + later * dt.timedelta(hours=1)
    assert today_of(customer, now) == now.astimezone(ZoneInfo(zone)).date()
    if reply_by < first_day_not_over(now):
        assert reply_by < today_of(customer, now)
    if reply_by < today_of(customer, now - 3 * DAY):
        assert reply_by < first_day_not_over(now)


@given(
    state=st.sampled_from(InvoiceState),
    is_asked=st.booleans(),
    is_delivered=st.booleans(),
    due_on=st.none() | days,
    takes_parts=st.booleans(),
    today=days,
)
@MANY
def test_what_may_be_said(
    state: InvoiceState, is_asked: bool, is_delivered: bool, due_on: dt.date | None, takes_parts: bool, today: dt.date
) -> None:
    kinds = kinds_for(
        state=state,
        is_asked=is_asked,
        is_delivered=is_delivered,
        due_on=due_on,
        pay_by=due_on,
        takes_parts=takes_parts,
        today=today,
    )
    assert set(kinds) <= set(SAID_OF.get(state, ()))
    assert not kinds or is_asked
    assert is_delivered or set(kinds) <= set(OF_OWN)
    assert AnswerKind.MORE_TIME not in kinds or (due_on is not None and today < due_on + MORE_TIME_MOST * DAY)
    assert (AnswerKind.INSTALMENTS in kinds) == (AnswerKind.MORE_TIME in kinds and takes_parts)


@given(
    due_on=days,
    most=st.integers(0, INSTALMENTS_MOST),
    within=st.integers(0, MORE_TIME_MOST),
    count=st.integers(INSTALMENTS_LEAST, INSTALMENTS_MOST),
    later=st.integers(1, MORE_TIME_MOST),
)
@MANY
def test_a_policy_says_yes_to_so_many_parts_within_so_many_days_and_to_not_one_more(
    due_on: dt.date, most: int, within: int, count: int, later: int
) -> None:
    policy = Policy(more_time_days=MORE_TIME_MOST, instalments_most=most, instalments_days=within)
    granted = are_granted(policy, due_on=due_on, count=count, until=due_on + later * DAY)
    assert granted == (count <= most and later <= within)


@pytest.mark.parametrize(("count", "later", "granted"), [(3, 60, True), (4, 60, False), (3, 61, False), (2, 1, True)])
def test_the_edges_of_a_policy_for_parts(count: int, later: int, granted: bool) -> None:
    policy, due_on = Policy(instalments_most=3, instalments_days=60), dt.date(2026, 12, 31)
    assert are_granted(policy, due_on=due_on, count=count, until=due_on + later * DAY) == granted
    assert not are_granted(Policy(), due_on=due_on, count=count, until=due_on + later * DAY)
