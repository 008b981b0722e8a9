"""Running one piece of work: what fails keeps its error, what was lost writes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.db import work
from app.db.work import LEASE, Claim, WorkRow
from app.services import Handler, Services, Task
from app.tasks import run_now, run_task
from tests.conftest import Clock

Prepare = Callable[[Handler], tuple[Services, Claim]]


@pytest.fixture
def prepare(services: Services) -> Prepare:
    """Services with this one handler, and a claimed piece of work for it."""

    def made(handler: Handler) -> tuple[Services, Claim]:
        with services.unit_of_work() as uow:
            work.enqueue(uow.session, handler="stage.do", key="k", payload={"n": 1}, now=uow.now)
            (claim,) = work.claim_due(uow.session, now=uow.now, limit=1)
            uow.commit()
        return dataclasses.replace(services, handlers={"stage.do": handler}), claim

    return made


def rows(services: Services) -> dict[str, WorkRow]:
    with services.reading() as uow:
        return {row.key: row for row in uow.session.scalars(select(WorkRow))}


def test_a_handler_ends_its_work_with_its_effect(prepare: Prepare) -> None:
    def do(task: Task) -> None:
        assert task.payload == {"n": 1}
        with task.services.unit_of_work() as uow:
            work.enqueue(uow.session, handler="stage.next", key="effect", payload={}, now=uow.now)
            task.finish(uow)
            uow.commit()

    services, claim = prepare(do)
    assert run_task(services, claim) is True
    assert set(rows(services)) == {"effect"}


def test_a_handler_that_fails_keeps_its_error_and_comes_again_later(prepare: Prepare, clock: Clock) -> None:
    def do(task: Task) -> None:
        raise ZeroDivisionError("no amount")

    services, claim = prepare(do)
    assert run_task(services, claim) is False
    waiting = rows(services)["k"]
    assert waiting.last_error == "ZeroDivisionError: no amount"
    assert (waiting.lock_token, waiting.attempts) == (None, 1)
    assert waiting.run_at > clock.now


def test_work_for_a_handler_that_is_gone_is_put_back(prepare: Prepare) -> None:
    services, claim = prepare(lambda _: None)
    assert run_task(dataclasses.replace(services, handlers={}), claim) is False
    assert rows(services)["k"].last_error == "KeyError: 'stage.do'"


def test_a_worker_that_lost_its_claim_writes_nothing(prepare: Prepare, clock: Clock) -> None:
    theirs: list[Claim] = []

    def do(task: Task) -> None:
        clock.now += LEASE  # frozen for so long that another worker took over
        with task.services.unit_of_work() as uow:
            theirs.extend(work.claim_due(uow.session, now=uow.now, limit=1))
            uow.commit()
        with task.services.unit_of_work() as uow:
            work.enqueue(uow.session, handler="stage.next", key="effect", payload={}, now=uow.now)
            task.finish(uow)
            uow.commit()

    services, claim = prepare(do)
    assert run_task(services, claim) is False
    left = rows(services)
    assert set(left) == {"k"}
    assert (left["k"].lock_token, left["k"].last_error) == (theirs[0].lock_token, None)


def test_run_now_does_this_very_piece_with_the_deadline_of_who_waits(prepare: Prepare, clock: Clock) -> None:
    deadlines: list[float] = []

    def do(task: Task) -> None:
        deadlines.append(task.deadline_s)
        with task.services.unit_of_work() as uow:
            task.finish(uow)
            uow.commit()

    services, _ = prepare(do)
    assert run_now(services, "k", deadline_s=3.5) is False  # a worker has it
    assert run_now(services, "unknown", deadline_s=3.5) is False
    clock.now += LEASE
    assert run_now(services, "k", deadline_s=3.5) is True
    assert deadlines == [3.5]
    assert rows(services) == {}
