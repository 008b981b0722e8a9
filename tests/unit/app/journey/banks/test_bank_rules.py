"""When we say that a bank does not answer."""

from __future__ import annotations

import datetime as dt

import pytest

from app.journey.banks.rules import RECENT, Trouble, trouble

NOW = dt.datetime(2026, 11, 23, 10, 0, tzinfo=dt.UTC)


def ago(minutes: float) -> dt.datetime:
    return NOW - dt.timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("calls", "since"),
    [
        ([], None),
        ([(1, "BankSilent")], None),
        ([(1, "BankSilent"), (2, "BankUnavailable")], 2),
        ([(1, "BankSilent"), (2, "BankSilent"), (5, "BankUnavailable"), (6, "staged"), (7, "BankSilent")], 5),
        ([(1, "staged"), (2, "BankSilent"), (3, "BankSilent")], None),
        ([(1, "BankRefused"), (2, "BankSilent"), (3, "BankSilent")], None),
        ([(1, "BankSilent"), (2, "refused"), (3, "BankSilent")], None),
        ([(1, "BankSilent"), (40, "BankSilent")], None),
        ([(21, "BankSilent"), (22, "BankSilent")], None),
        ([(19, "BankSilent"), (20, "BankSilent")], 20),
    ],
)
def test_two_failures_in_a_row_of_late(calls: list[tuple[int, str]], since: int | None) -> None:
    told = trouble([(ago(minutes), outcome) for minutes, outcome in calls], now=NOW)
    assert told == (None if since is None else Trouble(since=ago(since), last=ago(calls[0][0])))


def test_recent_is_what_the_sentence_can_bear() -> None:
    assert dt.timedelta(minutes=5) < RECENT < dt.timedelta(hours=1)
