"""Running one piece of work: what fails keeps its error, what was lost writes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app import failpoints
from app.db import work
from app.db.engine import SQLITE_PRAGMAS, WRITER_WAIT_S
from app.db.work import LEASE, LEASE_MOST, TRIES_MOST, Claim, WorkRow
from app.services import Handler, Services, Task
from app.tasks import ERROR_MOST, RECORDING_S, one_line, run_now, run_task
from app.worker import SKEW_MOST_S
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


@pytest.fixture
def points() -> Iterator[list[str]]:
    """The failpoints that were passed."""
    passed: list[str] = []
    failpoints.hook = passed.append
    yield passed
    failpoints.hook = None


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


def test_the_lease_of_a_web_request_lasts_for_the_call_and_for_recording_it_at_its_slowest(
    prepare: Prepare, clock: Clock
) -> None:
    """Nothing extends it. Where it ends too early, a worker does the same beside a request that is still waiting."""
    leases: list[work.Claim] = []

    def do(task: Task) -> None:
        leases.append(task.claim)
        assert rows(task.services)["k"].run_at == clock.now + task.claim.lease

    services, claim = prepare(do)
    with services.unit_of_work() as uow:
        work.run_again(uow.session, claim, run_at=uow.now)
        uow.commit()
    assert run_now(services, "k", deadline_s=10) is True
    lease_s = leases[0].lease.total_seconds()
    assert lease_s == 10 + RECORDING_S
    busy_s = next(int(pragma.split("=")[1]) for pragma in SQLITE_PRAGMAS if pragma.startswith("busy_timeout")) / 1000
    assert lease_s >= 10 + WRITER_WAIT_S + busy_s + 5
    assert LEASE_MOST.total_seconds() > max(lease_s, LEASE.total_seconds()) + 2 * SKEW_MOST_S


def test_to_hold_counts_from_now_and_not_from_when_the_transaction_began(prepare: Prepare, clock: Clock) -> None:
    def do(task: Task) -> None:
        with task.services.unit_of_work() as uow:
            clock.tick(seconds=8)  # it waited for the row of the payment
            task.hold(uow)
            uow.commit()
        assert rows(task.services)["k"].run_at == clock.now + task.claim.lease

    services, claim = prepare(do)
    assert run_task(services, claim) is True


def test_the_last_try_of_the_day_is_said(prepare: Prepare, caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    def do(task: Task) -> None:
        raise ZeroDivisionError("no amount")

    services, claim = prepare(do)
    with services.unit_of_work() as uow:
        uow.session.scalars(select(WorkRow)).one().attempts = TRIES_MOST - 1
        uow.commit()
    clock.now += LEASE
    with services.unit_of_work() as uow:
        (claim,) = work.claim_due(uow.session, now=uow.now, limit=1)
        uow.commit()
    assert run_task(services, claim) is False
    assert caplog.messages[-1] == f"k is a dead letter after {TRIES_MOST} tries: quittance work dead lists it"
    assert rows(services)["k"].dead_at == clock.now


def test_the_points_at_which_a_process_may_die(prepare: Prepare, points: list[str], clock: Clock) -> None:
    def do(task: Task) -> None:
        points.append("begun")
        raise ZeroDivisionError

    services, claim = prepare(do)
    assert run_task(services, claim) is False
    clock.now += 2 * LEASE
    assert run_now(services, "k", deadline_s=1) is False
    assert run_now(services, "unknown", deadline_s=1) is False
    assert points == ["begun", "work.failed", "work.taken", "begun", "work.failed"]


# ------------------------------------------------------------------------------------------- what is kept of an error


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (ValueError("first\nsecond"), "ValueError: first"),
        (ValueError(), "ValueError: "),
        (KeyError("stage.do"), "KeyError: 'stage.do'"),
        (OSError(2, "No such file", "/etc/quittance/banks/horizon/profile.toml"), None),
        (RuntimeError("GET http://bank/token?code=abc&state=x'"), "RuntimeError: GET http://bank/token?…'"),
        (RuntimeError("payee FR14 2041 0100 5050 0013 M026 06 is not known"), "RuntimeError: payee … is not known"),
        (RuntimeError("payee FR1420041010050500013M02606"), "RuntimeError: payee …"),
        (RuntimeError("Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9 refused"), "RuntimeError: Bearer … refused"),
        (
            RuntimeError("no payment pay_0197f0c2aaaabbbbccccddddeeeeffff here"),
            "RuntimeError: no payment pay_0197f0c2aaaabbbbccccddddeeeeffff here",
        ),
    ],
    ids=str,
)
def test_an_error_is_kept_without_secrets(error: Exception, kept: str | None) -> None:
    assert one_line(error) == (kept or f"{type(error).__name__}: {error}")


def test_a_long_error_is_cut() -> None:
    assert len(one_line(ValueError("word " * 1000))) == ERROR_MOST


@pytest.mark.parametrize("number", [1, 2])
def test_an_error_of_the_database_quotes_no_row(services: Services, number: int) -> None:
    put = (
        "INSERT INTO work (handler, key, payload, run_at, attempts, created_at)"
        " VALUES ('h', 'secret', '{}', :at, 0, :at)"
    )
    wrong = "UPDATE work SET handler = NULL WHERE key = 'secret'"
    with services.unit_of_work() as uow:
        uow.session.execute(text(put), {"at": "2026-11-23 10:00:00+00"})
        with pytest.raises(DBAPIError) as raised:
            uow.session.execute(text(put if number == 1 else wrong), {"at": "2026-11-23 10:00:00+00"})
    kept = {
        ("sqlite", 1): "IntegrityError: UNIQUE constraint failed: work.key",
        ("sqlite", 2): "IntegrityError: NOT NULL constraint failed: work.handler",
        ("postgresql", 1): "IntegrityError: UniqueViolation 23505 uq_work_key",
        ("postgresql", 2): "IntegrityError: NotNullViolation 23502",
    }
    assert one_line(raised.value) == kept[services.engine.dialect.name, number]


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.postgres
def test_an_error_of_postgresql_quotes_no_value(services: Services) -> None:
    with services.reading() as uow, pytest.raises(DBAPIError) as raised:
        uow.session.execute(text("SELECT CAST(CAST('secret' AS text) AS integer)"))
    assert one_line(raised.value) == "DataError: InvalidTextRepresentation 22P02"
