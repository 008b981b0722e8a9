"""kill -9 of the process that decides about several bills at once, before every statement of it: all, or nothing."""

from __future__ import annotations

import os
import signal

import pytest
from sqlalchemy import Engine, event

from app import invariants
from app.people.models import Customer
from tests.conftest import Clock
from tests.support.engines import empty
from tests.unit.app.journey.decisions.bundles import Bundle, agree, decisions
from tests.unit.app.journey.decisions.test_decision_service import passkey_of
from tests.unit.app.journey.standing_house import StandingHouse

STATEMENTS_MOST = 400


@pytest.fixture(params=[9, pytest.param(1, marks=pytest.mark.long)])
def every(request: pytest.FixtureRequest) -> int:
    """Before every so many-th statement."""
    every: int = request.param
    return every


def dies_before(engine: Engine, nth: int, bundle: Bundle) -> bool:
    """Sent by a process of its own. False: it was done before it got to its ``nth`` statement."""
    engine.dispose()  # no connection goes along
    child = os.fork()
    if child == 0:
        seen = 0

        def kill(*_: object) -> None:
            nonlocal seen
            seen += 1
            if seen == nth:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            event.listen(engine, "before_cursor_execute", kill)
            bundle.send()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_all_of_it_or_nothing(engine: Engine, customer: Customer, clock: Clock, every: int) -> None:
    for nth in range(1, STATEMENTS_MOST, every):
        with engine.begin() as connection:
            empty(connection, but=("customer", "log_head"))
        house = StandingHouse(engine, clock, customer)
        bills = [house.bill(number) for number in ("1", "2", "3")]
        bundle = Bundle.signed(house, passkey_of(house, customer), *bills)
        died = dies_before(engine, nth, bundle)
        assert decisions(house) == (0 if died else 3)
        agree(house)
        bundle.send()  # what was signed is still good, or it was taken
        assert bundle.told == (None if died else "ceremony-over")
        assert decisions(house) == 3
        agree(house)
        assert [str(each) for each in invariants.check(engine, now=house.clock(), late=False)] == []
        if not died:
            assert nth > 3 * every
            return
    raise AssertionError("it never ends")
