"""When a request may be sent again: every edge of the day, the second and the clock."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import idempotency
from connectors.contract import BankRequest
from connectors.idempotency import Repeat

NOON = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
REQUEST = BankRequest(method="POST", path="/domestic-vrps", headers={"x": "1"}, body=b"{}", request_id="k-1")


def after(**how: float) -> dt.datetime:
    return NOON + dt.timedelta(**how)


@pytest.mark.parametrize("value", ["k", "k" * 40, "5c2fb8a4-6f8e-4a2b-9a52-0b1a5f2f0a11", "a b"])
def test_a_key(value: str) -> None:
    assert idempotency.key(value) == value


@pytest.mark.parametrize("value", ["", " ", " k", "k ", "k" * 41, "k\n", "é", "\x00"])
def test_what_is_no_key(value: str) -> None:
    with pytest.raises(ValueError, match="1 to 40"):
        idempotency.key(value)


@pytest.mark.parametrize(
    ("first", "last", "asked", "now", "verdict"),
    [
        (NOON, NOON, None, after(seconds=0.999), Repeat.WAIT),
        (NOON, NOON, None, after(seconds=1), Repeat.NOW),
        (NOON, after(hours=1), None, after(hours=1, seconds=0.5), Repeat.WAIT),
        (NOON, after(hours=22), None, after(hours=23) - dt.timedelta(microseconds=1), Repeat.NOW),
        (NOON, after(hours=22), None, after(hours=23), Repeat.ASK_FIRST),
        (NOON, after(hours=22), after(hours=21), after(hours=23), Repeat.ASK_FIRST),  # asked before it was last sent
        (NOON, after(hours=22), after(hours=22), after(hours=23), Repeat.ASK_FIRST),
        (NOON, after(hours=22), after(hours=22, seconds=1), after(hours=30), Repeat.NOW),
        (NOON, after(hours=22), after(hours=31), after(hours=30), Repeat.ASK_FIRST),  # asked in a time to come
        (NOON, NOON, None, after(seconds=-1), Repeat.ASK_FIRST),  # a clock that went back
        (after(seconds=5), NOON, None, after(seconds=9), Repeat.ASK_FIRST),
        (NOON, NOON, after(seconds=0.5), after(seconds=0.9), Repeat.WAIT),
    ],
)
def test_the_verdict(
    first: dt.datetime, last: dt.datetime, asked: dt.datetime | None, now: dt.datetime, verdict: Repeat
) -> None:
    assert idempotency.repeat(first_sent_at=first, last_sent_at=last, asked_at=asked, now=now) is verdict


MOMENTS = st.datetimes(dt.datetime(2026, 11, 20), dt.datetime(2026, 11, 27), timezones=st.just(dt.UTC))  # noqa: DTZ001


@given(MOMENTS, MOMENTS, MOMENTS)
def test_unasked_it_goes_out_only_under_a_key_that_protects(
    first: dt.datetime, last: dt.datetime, now: dt.datetime
) -> None:
    if idempotency.repeat(first_sent_at=first, last_sent_at=last, asked_at=None, now=now) is Repeat.NOW:
        assert dt.timedelta() <= now - first < dt.timedelta(hours=24)
        assert now - last >= dt.timedelta(seconds=1)


def test_the_same_request_is_the_same() -> None:
    idempotency.check_identical(REQUEST, dataclasses.replace(REQUEST))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("request_id", "k-2"),
        ("method", "PUT"),
        ("path", "/domestic-payments"),
        ("headers", {"x": "2"}),
        ("body", b"{ }"),
    ],
)
def test_another_is_named(name: str, value: Any) -> None:
    changes: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=f"its {name} differs"):
        idempotency.check_identical(REQUEST, dataclasses.replace(REQUEST, **changes))
