"""What an entry of a calendar may say, and what is told of its changes."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from app.journey.calendars import ics
from app.journey.calendars.rules import NAME_MOST, Kept, Line, Told, plain_name, told

NOW = dt.datetime(2026, 11, 23, 10, tzinfo=dt.UTC)
DAY = dt.date(2026, 12, 1)

#: what a program may make a link of, or a telephone offer to call
FOLLOWED = re.compile(r"://|[\w-][.@]\w|/\w|\d(?:\D{0,2}\d){6}")

#: pieces of which somebody might build a property, a component, a line or an address
PIECES = st.sampled_from(
    ["\r\n", "\n", "\r", "\u2028", "\u2029", "\x0b", "\x0c", "\x85", "\x00", "\\", "\\n", "\\N", ";", ":", ",",
     '"', " ", "\t", "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VALARM", "ACTION:AUDIO", "URL:https://evil.example/",
     "ATTACH:https://e.example",
     "DESCRIPTION:x", "METHOD:REQUEST", "https://evil.example", "www.evil.example", "tel:0800123456", "a@b.example",
     "\uff0e", "\u3002", "．com", "Lumen", "é", "𝔼", "\u202e", "\u200d", "^n", "^'", "%0d%0a", "0800 12 34 56 78"]
)  # fmt: skip
HOSTILE = st.lists(PIECES | st.text(max_size=8), max_size=40).map("".join)


def line(uid: str = "u1", day: dt.date = DAY, summary: str = "Quittance") -> Line:
    return Line(uid=uid, day=day, summary=summary)


def rendered(*summaries: str) -> bytes:
    lines = [line(uid=f"u{number}", summary=summary) for number, summary in enumerate(summaries)]
    return ics.render(told(lines, {}, changes=0, now=NOW)[0])


@given(st.lists(HOSTILE, min_size=1, max_size=4))
def test_nothing_gets_out_of_a_line(names: list[str]) -> None:
    """Even of names that nobody has made plain: parsed again there is what there was, and nothing else."""
    for made in (names, [plain_name(name) for name in names]):
        written = rendered(*made)
        calendar = Calendar.from_ical(written)
        assert {type(each).__name__ for each in calendar.walk()} <= {"Calendar", "Event"}
        events = calendar.walk("VEVENT")
        assert len(events) == len(names)
        for event in events:
            assert sorted(event.keys()) == sorted(
                ["UID", "DTSTAMP", "SEQUENCE", "DTSTART", "DTEND", "SUMMARY", "CLASS", "TRANSP"]
            )
        assert sorted(calendar.keys()) == sorted(
            ["PRODID", "VERSION", "X-WR-CALNAME", "REFRESH-INTERVAL", "X-PUBLISHED-TTL"]
        )
        if made is not names:
            assert [str(event["SUMMARY"]) for event in events] == made


@given(st.lists(HOSTILE, min_size=1, max_size=4))
def test_it_is_lines_as_the_standard_has_them(names: list[str]) -> None:
    written = rendered(*[plain_name(name) for name in names])
    assert written.endswith(b"END:VCALENDAR\r\n")
    for each in written.split(b"\r\n"):
        assert len(each) <= 75
        assert b"\n" not in each
        assert b"\r" not in each
        each.decode()  # no line is folded within a sign


@given(HOSTILE)
def test_a_name_has_nothing_that_could_be_followed_or_called(name: str) -> None:
    plain = plain_name(name)
    assert not FOLLOWED.search(plain), plain
    assert plain.isprintable()
    assert len(plain) <= NAME_MOST
    assert plain == plain.strip()


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Lumen Énergie S.A.", "Lumen Énergie S·A."),
        ("E.ON", "E·ON"),
        ("Dupont & Fils, 1870", "Dupont & Fils, 1870"),
        ("Régie  des\nEaux", "Régie des Eaux"),
        ("https://evil.example/pay", "https···evil·example·pay"),
        ("Studio 54", "Studio 54"),
        ("call 0800 12 34 56 78", "call …"),
        ("x" * 200, "x" * NAME_MOST),
        ("", ""),
    ],
)
def test_what_names_look_like(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_what_is_read_first_is_told_with_sequence_nought() -> None:
    found, kept, changes = told([line()], {}, changes=0, now=NOW)
    assert (found, changes) == ([Told(line=line(), sequence=0, changed_at=NOW)], 0)
    assert told([line()], kept, changes=0, now=NOW + dt.timedelta(days=9)) == (found, kept, 0)


def test_only_what_changed_has_another_number_and_another_moment() -> None:
    both = [line(), line(uid="u2")]
    _, kept, changes = told(both, {}, changes=0, now=NOW)
    later = NOW + dt.timedelta(hours=1)
    moved = [line(), line(uid="u2", day=DAY + dt.timedelta(days=7))]
    found, kept, changes = told(moved, kept, changes=changes, now=later)
    assert [(each.sequence, each.changed_at) for each in found] == [(0, NOW), (1, later)]
    assert changes == 1


def test_what_goes_and_comes_back_has_a_higher_number() -> None:
    _, kept, changes = told([line()], {}, changes=0, now=NOW)
    _, kept, changes = told([], kept, changes=changes, now=NOW)
    found, _, _ = told([line()], kept, changes=changes, now=NOW)
    assert (found[0].sequence, kept) == (2, {})


_LINES = st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(0, 3), st.sampled_from(["x", "y"])), max_size=4)


@given(st.lists(_LINES, max_size=12))
def test_numbers_never_fall_and_stand_still_while_nothing_changes(readings: list[dict[str, tuple[int, str]]]) -> None:
    kept: Kept = {}
    changes, last, said = 0, dict.fromkeys("abcd", -1), dict.fromkeys("abcd", (-1, ""))
    for number, reading in enumerate(readings):
        now = NOW + dt.timedelta(minutes=number)
        lines = [
            line(uid=uid, day=DAY + dt.timedelta(days=days), summary=text) for uid, (days, text) in reading.items()
        ]
        was_there = set(kept)
        found, kept, changes = told(lines, kept, changes=changes, now=now)
        for each in found:
            uid = each.line.uid
            is_same = uid in was_there and said[uid] == reading[uid]
            assert (each.sequence == last[uid]) if is_same else (each.sequence > last[uid])
            assert each.changed_at == now or is_same
            last[uid], said[uid] = each.sequence, reading[uid]
        assert set(kept) == set(reading)
