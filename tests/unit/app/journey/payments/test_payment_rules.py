"""When the bank is asked, and how we name a payment to it."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.journey.payments.rules import (
    AWAY_FIRST_LOOK_S,
    FIRST_LOOKS_S,
    LATE_LOOKS_S,
    PROMISE_SPARE,
    SEND_AGAIN_S,
    SENDS_MOST,
    approval_life,
    approve_until,
    end_to_end_id,
    is_last_look,
    is_now_or_never,
    late_look,
    look_at_the_last,
    look_before_promise,
    look_in_silence,
    look_while_told,
    next_look,
    promised,
    send_again_at,
)
from connectors.profile import POLL_S
from consent.base import new_id

BACK = dt.datetime(2026, 11, 23, 10, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
PACES = st.lists(st.integers(1, 100_000), min_size=1, max_size=10)
MOMENTS = st.integers(0, 30 * 24 * 3600 * 10).map(lambda tenths: BACK + dt.timedelta(seconds=tenths / 10))
#: EPC AOS: Latin letters, digits and / - ? : ( ) . , ' + and the space
SEPA = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]{1,35}")


def looks(*, returned: bool, pace_s: Sequence[int] = POLL_S) -> Iterator[float]:
    """Seconds after the anchor at which the bank is asked, when every call is made on time."""
    now = BACK - dt.timedelta(microseconds=1)
    while True:
        now = next_look(anchor=BACK, returned=returned, now=now, pace_s=pace_s)
        yield (now - BACK).total_seconds()


def test_after_the_return_the_bank_is_asked_eight_times_in_two_hours() -> None:
    calls = list(itertools.takewhile(lambda at: at <= 2 * 3600, looks(returned=True)))
    assert calls == [0, 2, 7, 22, 67, 367, 1267, 3667]


def test_while_the_customer_is_away_it_is_asked_less() -> None:
    calls = list(itertools.takewhile(lambda at: at <= 2 * 3600, looks(returned=False)))
    assert calls == [120, 420, 1320, 3720]


def test_the_pace_slows_down_to_once_a_day_and_never_ends() -> None:
    calls = list(itertools.islice(looks(returned=True), 16))
    pauses = [later - sooner for sooner, later in itertools.pairwise(calls)]
    assert pauses == [2, 5, 15, 45, *POLL_S, *[POLL_S[-1]] * 3]
    assert pauses == sorted(pauses)


@given(now=MOMENTS, pace_s=PACES, returned=st.booleans())
def test_the_next_look_is_never_in_the_past(now: dt.datetime, pace_s: list[int], returned: bool) -> None:
    after = next_look(anchor=BACK, returned=returned, now=now, pace_s=pace_s)
    assert now < after
    assert after - now <= dt.timedelta(seconds=max([AWAY_FIRST_LOOK_S, *pace_s]))


@given(one=MOMENTS, other=MOMENTS, pace_s=PACES, returned=st.booleans())
def test_a_later_moment_never_has_an_earlier_next_look(
    one: dt.datetime, other: dt.datetime, pace_s: list[int], returned: bool
) -> None:
    first, second = sorted((one, other))
    asked = [next_look(anchor=BACK, returned=returned, now=now, pace_s=pace_s) for now in (first, second)]
    assert asked == sorted(asked)


def test_after_settlement_the_bank_is_asked_after_an_hour_a_day_three_days_and_six() -> None:
    now, calls = BACK, []
    while (look := late_look(ended_at=BACK, now=now)) is not None:
        calls.append((look - BACK).total_seconds())
        now = look
    assert calls == list(LATE_LOOKS_S) == [3600, 86_400, 3 * 86_400, 6 * 86_400]
    assert late_look(ended_at=BACK, now=BACK + dt.timedelta(hours=23)) == BACK + dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("silent_s", "pause_s"),
    [
        (0, 2),
        (1.9, 0.1),
        (2, 5),
        (44.9, 0.1),
        (45, 30),
        (899.9, 30),
        (900, 120),
        (7199.9, 120),
        (7200, 900),
        (86_399.9, 900),
        (86_400, 3600),
        (30 * 86_400, 3600),
    ],
)
def test_a_bank_that_is_silent_is_asked_less_and_less_and_never_less_than_hourly(
    silent_s: float, pause_s: float
) -> None:
    now = BACK + dt.timedelta(seconds=silent_s)
    assert look_in_silence(silent_since=BACK, now=now) == now + dt.timedelta(seconds=pause_s)


@given(late_s=st.integers(0, 44))
def test_calls_that_came_late_are_not_made_up_for(late_s: int) -> None:
    now = BACK + dt.timedelta(seconds=FIRST_LOOKS_S[-2] + late_s)
    assert next_look(anchor=BACK, returned=True, now=now, pace_s=POLL_S) == BACK + dt.timedelta(seconds=67)


@pytest.mark.parametrize(
    ("sends", "wait_s"), [(1, 2), (2, 5), (3, 15), (4, 60), (5, 120), (6, None), (7, None), (100, None)]
)
def test_an_unanswered_initiation_is_sent_six_times_at_most(sends: int, wait_s: int | None) -> None:
    expected = None if wait_s is None else BACK + dt.timedelta(seconds=wait_s)
    assert send_again_at(sends=sends, now=BACK) == expected


def test_there_is_a_pause_for_every_sending_again() -> None:
    assert len(SEND_AGAIN_S) == SENDS_MOST - 1


def test_a_bank_takes_the_name_of_a_payment() -> None:
    payment_id = new_id("pay")
    name = end_to_end_id(payment_id)
    assert len(name) == 35
    assert SEPA.fullmatch(name)
    assert name == "pay" + payment_id.removeprefix("pay_")
    assert not name.startswith("/")
    assert "//" not in name


@given(one=st.uuids(), other=st.uuids())
def test_two_payments_never_have_the_same_name(one: object, other: object) -> None:
    names = {end_to_end_id(f"pay_{str(some).replace('-', '')}") for some in (one, other)}
    assert len(names) == len({one, other})


def test_the_customer_has_the_minutes_that_the_bank_gives() -> None:
    assert approval_life(90) == dt.timedelta(hours=1, minutes=30)


@given(now=MOMENTS, late_s=st.integers(0, 90_000), promised_s=st.integers(1, 90_000))
def test_a_promise_never_puts_a_look_off_and_never_has_it_in_the_past(
    now: dt.datetime, late_s: int, promised_s: int
) -> None:
    run_at, know_by = now + dt.timedelta(seconds=late_s), now + dt.timedelta(seconds=promised_s)
    look = look_before_promise(run_at=run_at, know_by=know_by, now=now)
    assert now <= look <= min(run_at, know_by)
    assert look in (run_at, know_by - PROMISE_SPARE, know_by)


# ------------------------------------------------------------------------------------- where only a token is told of it


def test_the_bank_is_asked_often_before_its_token_dies_and_then_no_more() -> None:
    end, now, asked = BACK + 20 * MINUTE, BACK, []
    while now < end:
        now = look_while_told(run_at=BACK + 1000 * MINUTE, begun_at=BACK, told_until=end, now=now)
        asked.append((now - BACK) / MINUTE)
    assert asked == [10, 12, 14, 16, 18, 18.5, 19.5, 20]
    assert look_while_told(run_at=now + MINUTE, begun_at=BACK, told_until=end, now=now) == now + MINUTE


def test_a_long_life_is_not_one_of_many_questions() -> None:
    end = BACK + dt.timedelta(days=90)
    first = look_while_told(run_at=end + MINUTE, begun_at=BACK, told_until=end, now=BACK)
    assert first == end - 30 * MINUTE


@given(now=MOMENTS, run_at=MOMENTS, end=MOMENTS)
def test_a_token_brings_a_look_forward_and_never_into_the_past(
    now: dt.datetime, run_at: dt.datetime, end: dt.datetime
) -> None:
    look = look_while_told(run_at=max(run_at, now), begun_at=BACK, told_until=end, now=now)
    assert now <= look <= max(run_at, now)
    assert look_while_told(run_at=run_at, begun_at=BACK, told_until=None, now=now) == run_at


def test_who_may_approve_comes_back_before_the_last_look() -> None:
    end = BACK + 20 * MINUTE
    until = approve_until(lapses_at=end, told_until=end)
    assert until < end - 1.5 * MINUTE
    assert not is_last_look(told_until=end, now=until)
    assert is_last_look(told_until=end, now=end - 1.5 * MINUTE)
    assert not is_last_look(told_until=None, now=end)
    assert approve_until(lapses_at=until, told_until=None) == until
    assert approve_until(lapses_at=BACK, told_until=end) == BACK


@given(now=MOMENTS, run_at=MOMENTS, end=MOMENTS)
def test_whatever_makes_us_wait_there_is_a_look_before_the_end(
    now: dt.datetime, run_at: dt.datetime, end: dt.datetime
) -> None:
    look = look_at_the_last(run_at=max(run_at, now), told_until=end, now=now)
    assert now <= look <= max(run_at, now)
    if now < end - 1.5 * MINUTE:
        assert look <= end - 1.5 * MINUTE
    elif now < end - 0.5 * MINUTE:
        assert look <= end - 0.5 * MINUTE


@pytest.mark.parametrize(
    ("left_s", "wait_s", "is_so"),
    [(90, 31, True), (90, 30, False), (30, 1, True), (91, 3600, False), (0, 60, True)],
)
def test_only_the_last_looks_do_not_wait_beyond_the_end(left_s: int, wait_s: int, is_so: bool) -> None:
    wait_until = BACK + dt.timedelta(seconds=wait_s)
    told_until = BACK + dt.timedelta(seconds=left_s)
    assert is_now_or_never(wait_until=wait_until, told_until=told_until, now=BACK) == is_so
    assert not is_now_or_never(wait_until=wait_until, told_until=None, now=BACK)


def test_no_promise_outlives_who_can_be_asked() -> None:
    assert promised(BACK, told_until=None) == promised(BACK, told_until=BACK) == BACK
    assert promised(BACK + MINUTE, told_until=BACK) is None
