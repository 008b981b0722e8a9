"""The loop over due work."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import work
from app.db.work import Claim, Lane, WorkRow
from app.schedule import Schedule
from app.services import Handler, Services, Task
from app.worker import THREADS, Worker
from tests.conftest import Clock

Start = Callable[[Handler], Worker]
[OUTBOUND] = work.OUTBOUND_HANDLERS
#: long enough for any machine; a test that waits for it fails
SOON_S = 10


@pytest.fixture
def start(services: Services) -> Start:
    """A worker with this one handler."""

    def made(handler: Handler) -> Worker:
        own = dataclasses.replace(services, handlers={"stage.do": handler, OUTBOUND: handler})
        return Worker(own, Schedule(own))

    return made


def put(services: Services, *keys: str, handler: str = "stage.do") -> None:
    with services.unit_of_work() as uow:
        for key in keys:
            work.enqueue(uow.session, handler=handler, key=key, payload={}, now=uow.now)
        uow.commit()


@contextlib.contextmanager
def running(worker: Worker) -> Iterator[None]:
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(SOON_S)
        assert not thread.is_alive()


def waiting(services: Services) -> int:
    with services.reading() as uow:
        return uow.session.scalar(select(func.count()).select_from(WorkRow)) or 0


def finish(task: Task) -> None:
    with task.services.unit_of_work() as uow:
        task.finish(uow)
        uow.commit()


def test_until_idle_does_what_is_due_and_what_follows_from_it(services: Services, start: Start, clock: Clock) -> None:
    done: list[str] = []

    def do(task: Task) -> None:
        done.append(task.claim.key)
        if task.claim.key == "a":
            put(task.services, "follows")
        finish(task)

    put(services, "a", "b")
    with services.unit_of_work() as uow:
        tomorrow = clock.now.replace(day=24)
        work.enqueue(uow.session, handler="stage.do", key="tomorrow", payload={}, now=uow.now, run_at=tomorrow)
        uow.commit()
    worker = start(do)
    assert worker.run_until_idle() == 3
    assert done == ["a", "b", "follows"]
    assert worker.run_until_idle() == 0
    clock.tick(days=1)
    assert worker.run_until_idle() == 1
    assert waiting(services) == 0


def test_one_that_fails_does_not_hold_up_the_others(services: Services, start: Start, clock: Clock) -> None:
    done: list[str] = []

    def do(task: Task) -> None:
        if task.claim.key == "a":
            raise RuntimeError("broken")
        done.append(task.claim.key)
        finish(task)

    put(services, "a", "b")
    assert start(do).run_until_idle() == 2
    assert done == ["b"]
    assert waiting(services) == 1


def test_two_workers_never_do_the_same_piece(services: Services, start: Start) -> None:
    done: list[str] = []

    def do(task: Task) -> None:
        done.append(task.claim.key)
        finish(task)

    put(services, *(f"k{number}" for number in range(20)))
    workers = [threading.Thread(target=start(do).run_until_idle) for _ in range(3)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    assert sorted(done) == sorted(f"k{number}" for number in range(20))
    assert waiting(services) == 0


def test_run_ends_after_the_work_in_hand(services: Services, start: Start) -> None:
    box: list[Worker] = []

    def do(task: Task) -> None:
        box[0].stop()
        finish(task)

    put(services, "a")
    box.append(start(do))
    box[0].run()
    assert waiting(services) == 0


def test_slow_billers_do_not_hold_up_the_journey(services: Services, start: Start) -> None:
    """More messages than there are threads wait for billers that do not answer; a payment goes on all the same."""
    over, paid = threading.Event(), threading.Event()
    at_billers: list[str] = []

    def do(task: Task) -> None:
        if task.claim.handler == OUTBOUND:
            at_billers.append(task.claim.key)
            assert over.wait(SOON_S)
        else:
            paid.set()
        finish(task)

    put(services, *(f"message-{number}" for number in range(sum(THREADS.values()) + 2)), handler=OUTBOUND)
    with running(start(do)):
        while len(at_billers) < THREADS[Lane.OUTBOUND]:
            over.wait(0.01)
        put(services, "payment")
        assert paid.wait(SOON_S)
        assert len(at_billers) == THREADS[Lane.OUTBOUND]
        over.set()


def test_a_full_lane_takes_nothing_that_it_cannot_do(services: Services, start: Start) -> None:
    """What is claimed and only waits for a thread could not be done by another worker either."""
    over = threading.Event()

    def do(task: Task) -> None:
        assert over.wait(SOON_S)
        finish(task)

    put(services, *(f"k{number}" for number in range(THREADS[Lane.JOURNEY] + 3)))
    with running(start(do)):
        taken = 0
        while taken < THREADS[Lane.JOURNEY]:
            over.wait(0.05)
            with services.reading() as uow:
                taken = uow.session.scalar(select(func.count(WorkRow.lock_token))) or 0
        assert taken == THREADS[Lane.JOURNEY]
        over.set()


def test_the_heartbeat_outlives_a_database_that_is_away(
    services: Services, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    extended = threading.Event()
    calls: list[list[str]] = []

    def extend(session: Session, claims: list[Claim], *, now: dt.datetime) -> None:
        calls.append([claim.key for claim in claims])
        if len(calls) == 1:
            raise TimeoutError("the database was busy for too long; nothing was written")
        extended.set()

    monkeypatch.setattr(work, "LEASE", dt.timedelta(seconds=0.15))
    monkeypatch.setattr(work, "extend", extend)

    def do(task: Task) -> None:
        assert extended.wait(SOON_S)
        finish(task)

    put(services, "a")
    with running(start(do)):
        assert extended.wait(SOON_S)
    assert calls[:2] == [["a"], ["a"]]
    assert waiting(services) == 0


def test_the_loop_outlives_a_database_that_is_away(
    services: Services, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()
    real, calls = work.claim_due, []

    def claim_due(session: Session, *, now: dt.datetime, limit: int, lane: Lane) -> list[Claim]:
        calls.append(lane)
        if len(calls) == 1:
            raise TimeoutError("the database was busy for too long; nothing was written")
        return real(session, now=now, limit=limit, lane=lane)

    monkeypatch.setattr(work, "claim_due", claim_due)
    monkeypatch.setattr("app.worker.WAIT_S", 0.01)

    def do(task: Task) -> None:
        finish(task)
        done.set()

    put(services, "a")
    with running(start(do)):
        assert done.wait(SOON_S)
    assert waiting(services) == 0
