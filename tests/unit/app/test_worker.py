"""The loop over due work."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from app.db import work
from app.db.work import WorkRow
from app.schedule import Schedule
from app.services import Handler, Services, Task
from app.worker import Worker
from tests.conftest import Clock

Start = Callable[[Handler], Worker]


@pytest.fixture
def start(services: Services) -> Start:
    """A worker with this one handler."""

    def made(handler: Handler) -> Worker:
        own = dataclasses.replace(services, handlers={"stage.do": handler})
        return Worker(own, Schedule(own))

    return made


def put(services: Services, *keys: str) -> None:
    with services.unit_of_work() as uow:
        for key in keys:
            work.enqueue(uow.session, handler="stage.do", key=key, payload={}, now=uow.now)
        uow.commit()


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
