"""Housekeeping: each job in its time, and none that fails keeps anything else from running."""

from __future__ import annotations

import datetime as dt
import logging
import threading

import pytest
from sqlalchemy import text

from app import schedule
from app.db import work
from app.db.unit_of_work import UnitOfWork
from app.journey.payments.service import renew_promises
from app.schedule import Schedule
from app.services import Services
from tests.conftest import Clock

PAUSE = dt.timedelta(minutes=5)


def test_a_job_that_fails_keeps_no_other_from_running_and_gets_its_next_turn(
    services: Services, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def bad(uow: UnitOfWork) -> None:
        ran.append("bad")
        raise RuntimeError("statement timeout")

    def good(uow: UnitOfWork) -> None:
        ran.append("good")

    monkeypatch.setattr(schedule, "JOBS", {bad: PAUSE, good: PAUSE})
    made = Schedule(services)
    made.run_due()
    made.run_due()
    assert ran == ["bad", "good"]
    clock.tick(minutes=5)
    made.run_due()
    assert ran == ["bad", "good"] * 2


def test_what_was_planned_by_a_clock_that_was_ahead_does_not_keep_a_job_from_running(
    services: Services, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[dt.datetime] = []
    proved = threading.Event()
    monkeypatch.setattr(schedule, "JOBS", {lambda uow: ran.append(uow.now): PAUSE})
    monkeypatch.setattr(schedule, "prove", lambda _: proved.set())
    made, right = Schedule(services), clock.now
    clock.tick(days=400)
    made.run_due()
    clock.now = right
    made.run_due()
    assert ran[1:] == [right]
    assert proved.wait(10)
    made.run_due()
    assert len(ran) == 2


def test_each_minute_promises_are_renewed_and_leases_that_are_too_long_end(
    services: Services, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    assert schedule.JOBS[renew_promises] == dt.timedelta(minutes=1)
    made = Schedule(services)
    made.run_due()
    with services.unit_of_work() as uow:
        work.enqueue(uow.session, handler="h", key="a", payload={}, now=uow.now)
        work.claim_due(uow.session, now=uow.now + dt.timedelta(days=1), limit=1)
        uow.commit()
    made.run_due()
    assert caplog.text == ""
    clock.tick(minutes=1)
    made.run_due()
    assert "leases of a clock that was ahead are over: a" in caplog.text
    with services.reading() as uow:
        assert work.oldest_due(uow.session, now=uow.now, lane=work.Lane.JOURNEY) == clock.now


def test_once_an_hour_the_invariants_are_checked_and_the_log_says_so(
    services: Services, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="quittance.schedule")
    made = Schedule(services)
    made.run_due()
    assert "invariants=" not in caplog.text
    clock.tick(hours=1)
    made.run_due()
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(10)
    assert "broken=0" in caplog.text
    with services.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO ledger_balance (account, currency, balance_minor) VALUES ('due:x', 'EUR', 5)")
        )
    schedule.prove(services)
    assert "invariant broken: F4" in caplog.text
