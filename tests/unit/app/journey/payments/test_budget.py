"""The budget of a bank on clocks that are wrong; what it grants on right ones is tried by its state machine."""

from __future__ import annotations

import datetime as dt

import pytest

from app.journey.consents import budget
from connectors.http import RETRY_AFTER_MAX_S
from tests.conftest import Clock
from tests.unit.conftest import Begin

SECOND = dt.timedelta(seconds=1)


def take(begin: Begin) -> dt.datetime | None:
    with begin() as uow:
        wait_until = budget.take(uow.session, bank_id="horizon", most=60, now=uow.now)
        uow.commit()
    return wait_until


def put_off(begin: Begin, until: dt.datetime) -> None:
    with begin() as uow:
        budget.put_off(uow.session, bank_id="horizon", until=until, now=uow.now)
        uow.commit()


def test_a_bank_is_left_alone_for_as_long_as_it_may_want(begin: Begin, clock: Clock) -> None:
    assert take(begin) is None
    until = clock.now + RETRY_AFTER_MAX_S * SECOND
    put_off(begin, until)
    clock.tick(seconds=-10)  # another machine's clock
    assert take(begin) == until
    clock.now = until
    assert take(begin) is None


@pytest.mark.parametrize("days", [1, 400])
def test_a_wish_that_was_counted_by_a_clock_that_was_ahead_is_forgotten(begin: Begin, clock: Clock, days: int) -> None:
    """Else the bank would not be asked for days, about any payment; and its true wishes would not count."""
    assert take(begin) is None
    put_off(begin, clock.now + dt.timedelta(days=days))
    assert take(begin) is None
    until = clock.now + 60 * SECOND
    put_off(begin, until)
    assert take(begin) == until
