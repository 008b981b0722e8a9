"""The loop over due work."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from app import failpoints
from app.db import listener, work
from app.db.work import Claim, Lane, WorkRow
from app.schedule import Schedule
from app.services import Handler, Services, Task, utc_now
from app.worker import THREADS, ClockWrong, Worker, skew
from tests.conftest import Clock

Start = Callable[..., Worker]
OUTBOUND, *_ = work.OUTBOUND_HANDLERS
ONE_EACH: Mapping[Lane, int] = dict.fromkeys(Lane, 1)
only_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
#: long enough for any machine; a test that waits for it fails
SOON_S = 10


@pytest.fixture
def start(services: Services) -> Start:
    """A worker with this one handler."""

    def made(handler: Handler, **how: Any) -> Worker:
        own = dataclasses.replace(services, handlers={"stage.do": handler, OUTBOUND: handler})
        return Worker(own, Schedule(own), **how)

    return made


def put(services: Services, *keys: str, handler: str = "stage.do") -> None:
    with services.unit_of_work() as uow:
        for key in keys:
            work.enqueue(uow.session, handler=handler, key=key, payload={}, now=uow.now)
        uow.commit()


def rows(services: Services) -> dict[str, WorkRow]:
    with services.reading() as uow:
        return {row.key: row for row in uow.session.scalars(select(WorkRow))}


def until(what: Callable[[], bool]) -> None:
    """Wait for it, and fail when it takes too long."""
    deadline = time.monotonic() + SOON_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


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


@pytest.mark.each_database
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

    def extend(session: Session, claims: Sequence[Claim], *, now: dt.datetime) -> None:
        calls.append([claim.key for claim in claims])
        if len(calls) == 1:
            raise TimeoutError("the database was busy for too long; nothing was written")
        extended.set()

    monkeypatch.setattr(work, "extend", extend)

    def do(task: Task) -> None:
        assert extended.wait(SOON_S)
        finish(task)

    put(services, "a")
    with running(start(do, lease=dt.timedelta(seconds=0.15))):
        assert extended.wait(SOON_S)
    assert calls[:2] == [["a"], ["a"]]
    assert waiting(services) == 0


def test_the_loop_outlives_a_database_that_is_away(
    services: Services, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()
    real, calls = work.claim_due, []

    def claim_due(session: Session, **how: Any) -> list[Claim]:
        calls.append(how["lane"])
        if len(calls) == 1:
            raise TimeoutError("the database was busy for too long; nothing was written")
        return real(session, **how)

    monkeypatch.setattr(work, "claim_due", claim_due)
    monkeypatch.setattr("app.worker.WAIT_S", 0.01)

    def do(task: Task) -> None:
        finish(task)
        done.set()

    put(services, "a")
    with running(start(do)):
        assert done.wait(SOON_S)
    assert waiting(services) == 0


def test_one_thread_that_is_done_takes_the_next_piece_at_once(services: Services, start: Start) -> None:
    """More is due than there are threads, and the next look would be far away."""
    done = threading.Semaphore(0)

    def do(task: Task) -> None:
        finish(task)
        done.release()

    keys = [f"k{number}" for number in range(10)]
    put(services, *keys)
    with running(start(do, look_s=600.0, threads=ONE_EACH)):
        for _ in keys:
            assert done.acquire(timeout=SOON_S)
    assert waiting(services) == 0


def test_what_comes_due_before_the_next_look_is_not_late(services: Services, start: Start) -> None:
    done = threading.Event()

    def do(task: Task) -> None:
        finish(task)
        done.set()

    moving = dataclasses.replace(services, clock=utc_now)
    now = utc_now()
    with moving.unit_of_work() as uow:
        soon = now + dt.timedelta(seconds=0.5)
        work.enqueue(uow.session, handler="stage.do", key="soon", payload={}, now=now, run_at=soon)
        uow.commit()
    own = dataclasses.replace(moving, handlers={"stage.do": do})
    with running(Worker(own, Schedule(own), look_s=600.0)):
        assert done.wait(SOON_S)


def test_what_no_thread_has_begun_with_is_given_back_at_once(services: Services, start: Start) -> None:
    """Told to stop in the very moment in which it claims."""
    made = start(lambda _: None)
    put(services, "a")

    def told(name: str) -> None:
        if name == "work.claimed":
            made.stop()

    failpoints.hook = told
    try:
        made.run()
    finally:
        failpoints.hook = None
    row = rows(services)["a"]
    assert (row.lock_token, row.attempts, row.run_at) == (None, 0, services.clock())


def test_what_waits_for_a_thread_is_given_back_when_it_stops(services: Services, start: Start) -> None:
    made = start(lambda _: None)
    put(services, "a", "b")
    for lane in Lane:
        made._start_due(lane)  # no thread runs that could begin with them
    assert all(row.lock_token for row in rows(services).values())
    made._drain()
    assert [(row.lock_token, row.attempts) for row in rows(services).values()] == [(None, 0)] * 2
    assert made._in_hand() == []


def test_what_cannot_be_given_back_is_left_to_its_lease(
    services: Services, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def give_back(*_: object, **__: object) -> None:
        raise TimeoutError("the database was busy for too long; nothing was written")

    monkeypatch.setattr(work, "give_back", give_back)
    made = start(lambda _: None)
    put(services, "a")
    made._start_due(Lane.JOURNEY)
    made._drain()
    assert rows(services)["a"].lock_token


def test_the_time_of_grace_is_bounded(
    services: Services, start: Start, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    begun, over = threading.Event(), threading.Event()

    def do(task: Task) -> None:
        begun.set()
        assert over.wait(SOON_S)
        finish(task)

    put(services, "slow")
    made = start(do, grace_s=0.1)
    with running(made):
        assert begun.wait(SOON_S)
    assert "stopped with work in hand, which is taken over when its lease ends: slow" in caplog.text
    assert rows(services)["slow"].run_at == clock.now + work.LEASE
    over.set()
    until(lambda: made._in_hand() == [])


def test_a_worker_that_takes_its_own_lost_row_again_knows_the_two_apart(services: Services, clock: Clock) -> None:
    """It was frozen: its old thread goes on with the first claim, and ends it, while the second is kept alive."""
    over = {1: threading.Event(), 2: threading.Event()}
    begun: list[Claim] = []

    def do(task: Task) -> None:
        begun.append(task.claim)
        assert over[task.claim.attempts].wait(SOON_S)
        finish(task)

    own = dataclasses.replace(services, handlers={"stage.do": do})
    made = Worker(own, Schedule(own))
    put(services, "a")
    with running(made):
        until(lambda: len(begun) == 1)
        clock.now += work.LEASE
        until(lambda: len(begun) == 2)
        over[1].set()
        until(lambda: made._in_hand() == [begun[1]])
        over[2].set()
    assert waiting(services) == 0


def test_a_piece_that_cannot_even_be_put_back_takes_no_thread_away(
    services: Services, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()

    def do(task: Task) -> None:
        if task.claim.key == "a":
            raise RuntimeError("broken")
        finish(task)
        done.set()

    def put_back(*_: object, **__: object) -> bool:
        raise TimeoutError("the database was busy for too long; nothing was written")

    monkeypatch.setattr(work, "put_back", put_back)
    put(services, "a")
    with running(start(do, threads=ONE_EACH)):
        until(lambda: rows(services)["a"].attempts == 1)
        put(services, "b")
        assert done.wait(SOON_S)
    assert waiting(services) == 1


def test_housekeeping_that_hangs_holds_up_no_work(
    services: Services, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, over, done = threading.Event(), threading.Event(), threading.Event()

    def run_due(_: Schedule) -> None:
        hanging.set()
        assert over.wait(SOON_S)

    def do(task: Task) -> None:
        finish(task)
        done.set()

    monkeypatch.setattr(Schedule, "run_due", run_due)
    with running(start(do)):
        assert hanging.wait(SOON_S)
        put(services, "a")
        assert done.wait(SOON_S)
        over.set()


def test_every_minute_it_says_what_is_late(
    services: Services, start: Start, clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(services, "a")
    put(services, "m", handler=OUTBOUND)
    made = start(finish)
    clock.tick(seconds=60)
    made._say_what_is_late()
    assert caplog.text == ""
    clock.tick(seconds=1)
    with services.unit_of_work() as uow:
        work.claim_due(uow.session, now=uow.now, limit=1, lane=Lane.OUTBOUND)
        uow.commit()
    made._say_what_is_late()
    assert caplog.messages == ["work_oldest_due_seconds=61 handler=stage.do dead_letters=0"]
    caplog.clear()
    monkeypatch.setattr("app.worker.MINUTE_S", 0.0)
    monkeypatch.setattr(Schedule, "run_due", lambda _: None)
    monkeypatch.setattr(Worker, "_start_due", lambda *_: False)
    with running(made):
        until(lambda: "work_oldest_due_seconds=61" in caplog.text)


# ----------------------------------------------------------------------------------------------------------- the clocks


def ahead_by(seconds: float) -> Callable[[], dt.datetime]:
    return lambda: utc_now() + dt.timedelta(seconds=seconds)


@pytest.mark.postgres
@only_postgres
@pytest.mark.parametrize(("seconds", "said"), [(7200, "7200.0 s ahead of"), (-5.5, "5.5 s behind")])
def test_a_machine_with_a_wrong_clock_begins_nothing(
    services: Services, start: Start, seconds: float, said: str
) -> None:
    put(services, "a")
    with pytest.raises(ClockWrong, match=said) as refused:
        start(finish, machine_clock=ahead_by(seconds)).run()
    assert refused.value.detail.count(". ") == 0
    assert waiting(services) == 1


@pytest.mark.postgres
@only_postgres
@pytest.mark.parametrize("seconds", [2, -2])
def test_a_clock_that_is_somewhat_off_is_said(
    services: Services, start: Start, seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    with running(start(finish, machine_clock=ahead_by(seconds))):
        until(lambda: f"clock_skew_seconds={seconds}.0 between" in caplog.text)


@pytest.mark.postgres
@only_postgres
def test_a_right_clock_is_not_worth_a_word(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    assert abs(skew(services.engine, utc_now)) < 0.5
    assert caplog.text == ""


@pytest.mark.postgres
@only_postgres
def test_a_clock_that_cannot_be_read_is_waited_for(
    services: Services, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The database is away when the worker starts."""
    real, calls = skew, []

    def away(engine: Engine, machine_clock: Callable[[], dt.datetime]) -> float:
        calls.append(engine)
        if len(calls) == 1:
            raise TimeoutError
        return real(engine, machine_clock)

    monkeypatch.setattr("app.worker.skew", away)
    monkeypatch.setattr("app.worker.WAIT_S", 0.01)
    put(services, "a")
    with running(start(finish)):
        until(lambda: waiting(services) == 0)
    assert "the database's clock could not be read" in caplog.text


@pytest.mark.postgres
@only_postgres
@pytest.mark.parametrize("wrong_s", [7200.0, -7200.0])
def test_while_its_clock_is_wrong_a_worker_begins_nothing_and_forgets_nothing(
    services: Services,
    start: Start,
    wrong_s: float,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    off, kept_house = [0.0], threading.Event()
    monkeypatch.setattr("app.worker.CLOCK_S", 0.02)
    monkeypatch.setattr("app.worker.WAIT_S", 0.02)
    monkeypatch.setattr(Schedule, "run_due", lambda _: kept_house.set())
    made = start(finish, look_s=0.02, machine_clock=lambda: utc_now() + dt.timedelta(seconds=off[0]))
    with running(made):
        put(services, "a")
        until(lambda: waiting(services) == 0)
        off[0] = wrong_s
        until(lambda: "nothing is begun until this machine's clock is right" in caplog.text)
        put(services, "b")
        time.sleep(0.1)  # what was already on its way
        kept_house.clear()
        time.sleep(0.3)
        assert rows(services)["b"].lock_token is None
        assert not kept_house.is_set()
        assert caplog.text.count("nothing is begun") == 1
        off[0] = 0.0
        until(lambda: waiting(services) == 0)
        until(kept_house.is_set)
    assert caplog.text.count("this machine's clock is right again: work goes on") == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_has_no_clock(services: Services, start: Start) -> None:
    put(services, "a")
    with running(start(finish, machine_clock=ahead_by(7200))):
        until(lambda: waiting(services) == 0)


# ------------------------------------------------------------------------------------------------- PostgreSQL calls us


def listeners(services: Services) -> list[int]:
    """Process ids of the server's ends of the connections that listen."""
    with services.reading() as uow:
        found = text(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'quittance listener' AND query LIKE 'LISTEN%'"
        )
        return list(uow.session.scalars(found))


def asked_for(services: Services, key: str) -> None:
    put(services, key)


def brought_forward(services: Services, key: str) -> None:
    with services.unit_of_work() as uow:
        later = uow.now + dt.timedelta(days=1)
        work.enqueue(uow.session, handler="stage.do", key=key, payload={}, now=uow.now, run_at=later)
        uow.commit()
    with services.unit_of_work() as uow:
        work.bring_forward(uow.session, key=key, run_at=uow.now)
        uow.commit()


def replayed(services: Services, key: str) -> None:
    with services.unit_of_work() as uow:
        later = uow.now + dt.timedelta(days=1)
        work.enqueue(uow.session, handler="stage.do", key=key, payload={}, now=uow.now, run_at=later)
        uow.commit()
    with services.unit_of_work() as uow:
        work.replay(uow.session, keys=[key], now=uow.now)
        uow.commit()


@pytest.mark.postgres
@only_postgres
@pytest.mark.parametrize("how", [asked_for, brought_forward, replayed])
def test_due_work_wakes_the_worker(services: Services, start: Start, how: Callable[[Services, str], None]) -> None:
    """The next look by itself would be in ten minutes."""
    with running(start(finish, look_s=600.0)):
        until(lambda: bool(listeners(services)))
        put(services, "first")  # after this one it sleeps
        until(lambda: waiting(services) == 0)
        how(services, "a")
        until(lambda: waiting(services) == 0)


@pytest.mark.postgres
@only_postgres
def test_the_listener_comes_back_after_its_connection_was_ended(
    services: Services, start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.db.listener.AGAIN_S", 0.05)
    with running(start(finish, look_s=600.0)):
        until(lambda: bool(listeners(services)))
        [first] = listeners(services)
        with services.unit_of_work() as uow:
            uow.session.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": first})
        until(lambda: bool(listeners(services)) and listeners(services) != [first])
        put(services, "a")
        until(lambda: waiting(services) == 0)
    assert "not listening for work" in caplog.text
    until(lambda: not listeners(services))


@pytest.mark.postgres
@only_postgres
def test_what_was_asked_for_while_nobody_listened_is_done_when_somebody_does_again(
    services: Services, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, away = listener._connect, threading.Event()
    away.set()

    def connect(engine: Engine) -> Any:
        if away.is_set():
            raise ConnectionError("the database is away")
        return real(engine)

    monkeypatch.setattr(listener, "_connect", connect)
    monkeypatch.setattr(listener, "AGAIN_S", 0.05)
    made = start(finish, look_s=600.0)
    with running(made):
        until(lambda: made._bell.empty() and len(threading.enumerate()) > 3)
        time.sleep(0.3)  # it has looked, and sleeps
        put(services, "a")
        time.sleep(0.3)
        assert waiting(services) == 1
        away.clear()
        until(lambda: waiting(services) == 0)
