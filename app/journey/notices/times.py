"""When a customer is told: how long before a bill's day, and in which hours of theirs nothing is sent. Pure."""

from __future__ import annotations

import datetime as dt
import functools
import zoneinfo
from dataclasses import dataclass

from app.people.customers import MORNING

#: days before a bill's own at the most
LEAD_MOST = 14
#: hours of a day that may be quiet: so that what is told at six in the morning of a day is still told on it
QUIET_MOST = 16
_ONE, _MINUTE = dt.timedelta(days=1), dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Times:
    """``quiet_from`` and ``quiet_to`` are whole hours of the customer's own clock, 0 to 23: both or neither."""

    lead_days: int = 3
    quiet_from: int | None = None
    quiet_to: int | None = None

    def __post_init__(self) -> None:
        """Raises ValueError: neither is a matter of taste."""
        if not 0 <= self.lead_days <= LEAD_MOST:
            raise ValueError("lead")
        hours = [hour for hour in (self.quiet_from, self.quiet_to) if hour is not None]
        if len(hours) == 1 or any(not 0 <= hour <= 23 for hour in hours):
            raise ValueError("quiet")
        if hours and not 1 <= (hours[1] - hours[0]) % 24 <= QUIET_MOST:
            raise ValueError("quiet")

    def is_quiet(self, hour: int) -> bool:
        """Whether nothing is sent in this hour of the day. Those from 22 to 7 go over midnight."""
        if self.quiet_from is None or self.quiet_to is None:
            return False
        return (hour - self.quiet_from) % 24 < (self.quiet_to - self.quiet_from) % 24


#: of whoever has said nothing
NO_TIMES = Times()


def quiet_until(times: Times, now: dt.datetime, *, time_zone: str) -> dt.datetime | None:
    """When the quiet hours of now end; None: it is none of them.

    By the customer's clock, also where that is set forward or back meanwhile: they end when it first shows the hour
    at which they end, or, where it leaves that hour out, when it goes on behind it.
    """
    zone = zoneinfo.ZoneInfo(time_zone)
    local = now.astimezone(zone)
    if times.quiet_to is None or not times.is_quiet(local.hour):
        return None
    day = local.date() if local.hour < times.quiet_to else local.date() + _ONE
    last = dt.datetime.combine(day, dt.time(times.quiet_to), zone)
    end = last.astimezone(dt.UTC)
    if end <= now:  # it was set back right then, into the quiet hours, and shows that hour once more
        end = last.replace(fold=1).astimezone(dt.UTC)
    while not times.is_quiet((end - _MINUTE).astimezone(zone).hour):  # the clock leaves that hour out
        end -= _MINUTE
    return end


def quiet_begins(times: Times, now: dt.datetime, *, time_zone: str) -> dt.datetime | None:
    """When the next quiet hours begin, by the customer's clock; within them, now. None: there are none."""
    if times.quiet_from is None:
        return None
    zone = zoneinfo.ZoneInfo(time_zone)
    local = now.astimezone(zone)
    if times.is_quiet(local.hour):
        return now
    first = dt.datetime.combine(local.date(), dt.time(times.quiet_from), zone)
    # by the clock on the wall: where it is set back, it may show that hour twice, and where it is set forward never
    shown = ((first + _ONE * day).replace(fold=fold).astimezone(dt.UTC) for day in range(3) for fold in (0, 1))
    return min(begin for begin in shown if begin > now and times.is_quiet(begin.astimezone(zone).hour))


def begun_day(now: dt.datetime, *, time_zone: str) -> dt.date:
    """The customer's day whose morning has come last: what is told on a day is told from six in the morning."""
    return _begun_day(now, zoneinfo.ZoneInfo(time_zone))


def _begun_day(now: dt.datetime, zone: dt.tzinfo) -> dt.date:
    local = now.astimezone(zone)
    return local.date() if local.time() >= MORNING else local.date() - _ONE


def days_apart(now: dt.datetime) -> dict[int, tuple[str, ...]]:
    """For −1 and 1: the time zones in which ``begun_day`` is that many days beside the date of UTC.

    In all others it is that date: a database that knows no time zones can ask by these.
    """
    today = now.astimezone(dt.UTC).date()
    found: dict[int, list[str]] = {-1: [], 1: []}
    for name, zone in _zones():
        apart = (_begun_day(now, zone) - today).days
        if apart:
            found[apart].append(name)
    return {apart: tuple(names) for apart, names in found.items()}


@functools.cache
def _zones() -> tuple[tuple[str, zoneinfo.ZoneInfo], ...]:
    # zoneinfo itself remembers eight of its six hundred, and would read the others from their files each time
    return tuple((name, zoneinfo.ZoneInfo(name)) for name in sorted(zoneinfo.available_timezones()))
