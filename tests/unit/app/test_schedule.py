"""Housekeeping: each job in its time, and none that fails keeps anything else from running."""

from __future__ import annotations

import datetime as dt
import logging
import threading

import pytest
from sqlalchemy import text

from app import schedule
from app.db.unit_of_work import UnitOfWork
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
