"""A feed as iCalendar (RFC 5545), by a library that folds and escapes. Each entry is a whole day, and has no link."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from icalendar import Calendar, Event

from app.journey.calendars.rules import Told

NAME = "Quittance"
#: how often a calendar is asked to look, as RFC 7986 has it and as most read it
REFRESH = dt.timedelta(hours=6)


def render(entries: Sequence[Told]) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", "-//Quittance//Calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", NAME)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT6H")
    for each in entries:
        event = Event()
        event.add("uid", each.line.uid)
        event.add("dtstamp", each.changed_at)
        event.add("sequence", each.sequence)
        event.add("dtstart", each.line.day)
        event.add("dtend", each.line.day + dt.timedelta(days=1))
        event.add("summary", each.line.summary)
        event.add("class", "PRIVATE")
        event.add("transp", "TRANSPARENT")  # nobody is busy by it
        calendar.add_component(event)
    return bytes(calendar.to_ical())
