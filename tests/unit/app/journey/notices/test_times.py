"""When a customer is told: quiet hours by their own clock, whatever is done to it, and days that begin at six."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.journey.notices.times import (
    LEAD_MOST,
    QUIET_MOST,
    Times,
    begun_day,
    days_apart,
    quiet_begins,
    quiet_until,
)

#: forward and back at two, at midnight, by half an hour, over a whole day; and some that never move
ZONES = (
    "Europe/Paris",
    "Europe/London",
    "America/New_York",
    "America/St_Johns",
    "America/Havana",
    "America/Sao_Paulo",
    "America/Asuncion",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "UTC",
)
MOMENTS = st.integers(946_684_800, 2_145_830_400).map(lambda second: dt.datetime.fromtimestamp(second, dt.UTC))
#: hours that are quiet: from, and how many
HOURS = st.tuples(st.integers(0, 23), st.integers(1, QUIET_MOST))


def hour(moment: dt.datetime, zone: str) -> int:
    return moment.astimezone(zoneinfo.ZoneInfo(zone)).hour


def offset(moment: dt.datetime, zone: str) -> dt.timedelta:
    return moment.astimezone(zoneinfo.ZoneInfo(zone)).utcoffset() or dt.timedelta()


def changes(zone: str) -> list[dt.datetime]:
    """When the clock there is set, from 2009 to 2026, to the quarter of an hour."""
    moment, found = dt.datetime(2009, 1, 1, tzinfo=dt.UTC), []
    while moment.year < 2027:
        after = moment + dt.timedelta(days=1)
        if offset(moment, zone) != offset(after, zone):
            step = moment
            while offset(step, zone) == offset(moment, zone):
                step += dt.timedelta(minutes=15)
            found.append(step)
        moment = after
    return found


def look(now: dt.datetime, zone: str, begins: int, lasts: int) -> None:
    """It is quiet until it says, by what the clock on the wall shows each quarter of an hour, and then not.

    Where the clock is set back over the beginning, as at midnight in St John's, nothing is sent in the hour before that
    comes again.
    """
    times = Times(3, begins, (begins + lasts) % 24)
    until = quiet_until(times, now, time_zone=zone)
    quiet_hours = {(begins + each) % 24 for each in range(lasts)}
    if until is None:
        assert hour(now, zone) not in quiet_hours
        return
    assert now < until <= now + dt.timedelta(hours=lasts + 25)
    assert hour(until, zone) not in quiet_hours
    step, again = now, (begins - 1) % 24
    while step < until:
        was_set_back = offset(step, zone) < offset(now, zone)
        assert hour(step, zone) in quiet_hours or (was_set_back and hour(step, zone) == again), (step, until)
        step += dt.timedelta(minutes=15)


@given(MOMENTS, st.sampled_from(ZONES), HOURS)
@example(dt.datetime(2026, 3, 29, 0, 30, tzinfo=dt.UTC), "Europe/Paris", (22, 4))  # two does not come that night
@example(dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC), "Europe/Paris", (22, 4))  # two comes twice
def test_it_is_quiet_until_it_says(now: dt.datetime, zone: str, hours: tuple[int, int]) -> None:
    look(now, zone, *hours)


@pytest.mark.parametrize("zone", ZONES)
def test_whenever_the_clock_is_set(zone: str) -> None:
    """Every hour at which it can end, looked at from each quarter of an hour around the changes of some years."""
    for change in changes(zone)[::3]:
        for quarters in range(-9, 9, 2):
            now = change + dt.timedelta(minutes=15 * quarters)
            for ends in range(24):
                look(now, zone, (ends - 4) % 24, 4)


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ("2026-03-29T00:30+00:00", "2026-03-29T01:00+00:00"),  # at three in the morning, since two is left out
        ("2026-10-24T23:30+00:00", "2026-10-25T00:00+00:00"),  # at the first two of two
        ("2026-10-25T00:30+00:00", None),
        ("2026-11-23T21:00+00:00", "2026-11-24T01:00+00:00"),
    ],
)
def test_the_nights_on_which_the_clock_is_set_in_paris(now: str, ends: str | None) -> None:
    until = quiet_until(Times(3, 22, 2), dt.datetime.fromisoformat(now), time_zone="Europe/Paris")
    assert until == (dt.datetime.fromisoformat(ends) if ends else None)


def test_without_quiet_hours_it_is_never_quiet() -> None:
    for each in range(24):
        assert not Times().is_quiet(each)
    assert quiet_until(Times(), dt.datetime(2026, 11, 23, 2, tzinfo=dt.UTC), time_zone="UTC") is None


@given(st.integers(-30, 30), st.none() | st.integers(-30, 30), st.none() | st.integers(-30, 30))
def test_times_are_those_that_the_page_offers_or_none(lead: int, begins: int | None, ends: int | None) -> None:
    is_lead = 0 <= lead <= LEAD_MOST
    if begins is None or ends is None:
        is_quiet = begins is ends
    else:
        is_quiet = begins in range(24) and ends in range(24) and 1 <= (ends - begins) % 24 <= QUIET_MOST
    if is_lead and is_quiet:
        Times(lead, begins, ends)
    else:
        with pytest.raises(ValueError, match=r"quiet|lead"):
            Times(lead, begins, ends)


def test_what_is_told_at_six_is_told_on_that_day_whatever_is_quiet() -> None:
    at_six = dt.datetime(2026, 11, 23, 6, tzinfo=dt.UTC)
    for begins in range(24):
        for lasts in range(1, QUIET_MOST + 1):
            until = quiet_until(Times(0, begins, (begins + lasts) % 24), at_six, time_zone="UTC")
            assert until is None or until.date() == at_six.date()


@given(MOMENTS)
@example(dt.datetime(2026, 11, 23, 0, tzinfo=dt.UTC))
@example(dt.datetime(2026, 11, 23, 23, 59, tzinfo=dt.UTC))
def test_a_database_without_time_zones_finds_the_day_of_each(now: dt.datetime) -> None:
    apart = days_apart(now)
    assert set(apart) == {-1, 1}
    where = {name: days for days, names in apart.items() for name in names}
    for zone in ZONES:
        assert now.date() + dt.timedelta(days=where.get(zone, 0)) == begun_day(now, time_zone=zone)


def test_a_day_begins_at_six() -> None:
    before, after = (dt.datetime(2026, 11, 23, 5, minute, tzinfo=dt.UTC) for minute in (0, 59))
    assert begun_day(before, time_zone="UTC") == begun_day(after, time_zone="UTC") == dt.date(2026, 11, 22)
    assert begun_day(after + dt.timedelta(minutes=1), time_zone="UTC") == dt.date(2026, 11, 23)


@given(now=MOMENTS, zone=st.sampled_from(ZONES), hours=HOURS)
@example(now=dt.datetime(2026, 3, 28, 20, tzinfo=dt.UTC), zone="Europe/Paris", hours=(2, 3))  # two is left out
@example(now=dt.datetime(2026, 10, 24, 20, tzinfo=dt.UTC), zone="Europe/Paris", hours=(2, 1))  # and comes twice
@example(now=dt.datetime(2026, 4, 23, 20, tzinfo=dt.UTC), zone="Africa/Cairo", hours=(0, 6))
@example(now=dt.datetime(2009, 11, 1, 3, tzinfo=dt.UTC), zone="America/St_Johns", hours=(0, 6))  # 23:30 once more
def test_until_quiet_hours_begin_none_are(now: dt.datetime, zone: str, hours: tuple[int, int]) -> None:
    """What a push service may keep for a device that is off is handed over before they begin, or not at all."""
    times = Times(3, hours[0], (hours[0] + sum(hours[1:])) % 24)
    begins = quiet_begins(times, now, time_zone=zone)
    assert begins is not None
    quiet_hours = {(hours[0] + each) % 24 for each in range(hours[1])}
    if hour(now, zone) in quiet_hours:
        assert begins == now
        return
    assert now < begins <= now + dt.timedelta(hours=49)  # a day that is left out, as in Apia, makes it longer
    step = now
    while step < begins:
        assert hour(step, zone) not in quiet_hours, (step, begins)
        step += dt.timedelta(minutes=15)


def test_who_has_no_quiet_hours_has_no_beginning_of_them() -> None:
    assert quiet_begins(Times(), dt.datetime(2026, 12, 1, tzinfo=dt.UTC), time_zone="Europe/Paris") is None
