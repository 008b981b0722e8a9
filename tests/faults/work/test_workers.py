"""Several worker processes on one database: killed, frozen, forked, stopped. Every effect is recorded exactly once."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from app.cli import main
from app.db import work
from app.db.engine import make_engine
from app.db.work import TRIES_MOST, WorkRow
from app.services import utc_now
from config.settings import ROOT
from tests.faults.work.program import HANDLER, make_services, make_worker

pytestmark = [pytest.mark.faults, pytest.mark.slow]

LEASE_S = 3.0
#: nothing here takes that long on any machine; a test that waits for it fails
SOON_S = 30.0


@dataclass
class House:
    """One database and the processes that work on it."""

    url: str
    folder: Path
    engine: Engine
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, word: str = "work", **how: Any) -> subprocess.Popen[bytes]:
        log = self.folder / f"{len(self.processes)}.log"
        command = [sys.executable, "-m", "tests.faults.work.program", word, json.dumps({"url": self.url, **how})]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with log.open("wb") as out:
            made = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.processes.append(made)
        return made

    def said(self) -> str:
        return "".join(log.read_text("utf-8") for log in sorted(self.folder.glob("*.log")))

    def ask(self, *keys: str, **payload: Any) -> None:
        with Session(self.engine) as session:
            for key in keys:
                work.enqueue(session, handler=HANDLER, key=key, payload=payload, now=utc_now())
            session.commit()

    def seen(self, what: str) -> list[tuple[str, int]]:
        """What the handlers wrote down: key and process, in order."""
        with Session(self.engine.execution_options(read_only=True)) as session:
            rows = session.execute(text("SELECT key, pid FROM seen WHERE what = :what ORDER BY id"), {"what": what})
            return [(row.key, row.pid) for row in rows]

    def rows(self) -> dict[str, WorkRow]:
        with Session(self.engine.execution_options(read_only=True), expire_on_commit=False) as session:
            return {row.key: row for row in session.scalars(select(WorkRow))}

    def until(self, what: Callable[[], bool], *, seconds: float = SOON_S) -> float:
        """Wait for it, and say how long that took; fail when it takes too long."""
        started = time.monotonic()
        while not what():
            assert time.monotonic() < started + seconds, self.said()
            time.sleep(0.05)
        return time.monotonic() - started

    def after_a_heartbeat(self, key: str) -> None:
        """Right after it no helper of the worker is inside a transaction."""
        before = self.rows()[key].run_at
        self.until(lambda: self.rows()[key].run_at != before)
        time.sleep(0.1)


def names(count: int) -> list[str]:
    return [f"k{number:03}" for number in range(count)]


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    engine = make_engine(database_url)
    number = "INTEGER PRIMARY KEY" if engine.dialect.name == "sqlite" else "BIGSERIAL PRIMARY KEY"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE seen (id {number}, what TEXT, key TEXT, pid BIGINT)"))
    folder = tmp_path / "logs"
    folder.mkdir()
    made = House(database_url, folder, engine)
    yield made
    for process in made.processes:  # each is the head of a group of its own
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE seen"))
    engine.dispose()


def test_what_a_killed_worker_had_in_its_hands_is_done_by_another(house: House) -> None:
    victim = house.start(nap_s=600, lease_s=LEASE_S, threads=8)
    house.ask(*names(12))
    house.until(lambda: len(house.seen("begun")) == 8)
    survivor = house.start(lease_s=LEASE_S)
    house.until(lambda: len(house.seen("effect")) == 4)
    house.after_a_heartbeat(house.seen("begun")[0][0])
    victim.kill()
    house.until(lambda: not house.rows(), seconds=LEASE_S + 8)
    assert sorted(house.seen("effect")) == [(key, survivor.pid) for key in names(12)]
    assert Counter(key for key, _ in house.seen("begun")) == Counter([*names(12), *names(8)])


def test_a_frozen_worker_that_thaws_records_nothing(house: House) -> None:
    """Another one has taken over and is in the middle of it: neither the old end nor the old heartbeat may count."""
    frozen = house.start(nap_s=LEASE_S, lease_s=LEASE_S)
    house.ask(*names(4))
    house.until(lambda: len(house.seen("begun")) == 4)
    house.after_a_heartbeat("k000")
    os.kill(frozen.pid, signal.SIGSTOP)
    assert house.seen("effect") == []
    survivor = house.start(nap_s=2 * LEASE_S, lease_s=LEASE_S)
    house.until(lambda: len(house.seen("begun")) == 8)
    tokens = {key: row.lock_token for key, row in house.rows().items()}
    os.kill(frozen.pid, signal.SIGCONT)
    house.until(lambda: house.said().count("was taken over by another worker") == 4)
    assert {key: row.lock_token for key, row in house.rows().items()} == tokens
    assert house.seen("effect") == []
    house.until(lambda: not house.rows())
    assert sorted(house.seen("effect")) == [(key, survivor.pid) for key in names(4)]
    assert frozen.poll() is None  # it goes on as one of the workers
    house.ask("more")
    house.until(lambda: not house.rows())


def test_what_was_never_committed_is_never_done(house: House) -> None:
    asking = house.start("ask", key="never")
    house.until(lambda: "asked" in house.said())
    asking.kill()
    asking.wait()
    house.start(lease_s=LEASE_S)
    house.ask("asked")
    house.until(lambda: len(house.seen("effect")) == 1)
    time.sleep(1)
    assert [key for key, _ in house.seen("begun")] == ["asked"]
    assert house.rows() == {}


def test_forked_workers_share_the_work_and_outlive_one_that_is_killed(house: House) -> None:
    parent = house.start("fork", children=3, nap_s=0.2, lease_s=LEASE_S)
    house.ask(*names(60))
    house.until(lambda: len({pid for _, pid in house.seen("begun")}) == 3)
    [victim, *_] = {pid for _, pid in house.seen("begun")}
    if house.engine.dialect.name == "sqlite":
        house.until(lambda: len(house.seen("effect")) > 6)
    os.kill(victim, signal.SIGKILL)
    house.until(lambda: not house.rows())
    effects = house.seen("effect")
    assert sorted(key for key, _ in effects) == names(60)
    twice = [key for key, times in Counter(key for key, _ in house.seen("begun")).items() if times > 1]
    assert len(twice) <= 4  # what the killed one had in its hands, and nothing else
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(SOON_S) == 0


def test_told_to_stop_it_ends_the_work_in_hand_and_takes_no_more(house: House) -> None:
    stopped = house.start(nap_s=1.5, lease_s=60)
    house.ask(*names(10))
    house.until(lambda: len(house.seen("begun")) == 4)
    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait(SOON_S) == 0
    assert sorted(house.seen("effect")) == sorted(house.seen("begun"))
    assert len(house.seen("effect")) == 4
    left = house.rows()
    assert len(left) == 6
    assert all(row.lock_token is None and row.run_at <= utc_now() and row.attempts == 0 for row in left.values())


def test_what_does_not_end_in_time_is_left_to_its_lease(house: House) -> None:
    stopped = house.start(nap_s=600, lease_s=LEASE_S, grace_s=1)
    house.ask(*names(2))
    house.until(lambda: len(house.seen("begun")) == 2)
    stopped.send_signal(signal.SIGTERM)
    assert stopped.wait(SOON_S) == 0
    assert "stopped with work in hand" in house.said()
    assert all(row.lock_token for row in house.rows().values())
    house.start(lease_s=LEASE_S)
    house.until(lambda: not house.rows(), seconds=LEASE_S + 8)
    assert sorted(key for key, _ in house.seen("effect")) == names(2)


def test_a_poisoned_piece_becomes_a_dead_letter_while_the_others_pass(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    house.ask("poison", poison=True)
    with Session(house.engine) as session:
        session.scalars(select(WorkRow)).one().attempts = TRIES_MOST - 1  # a day later
        session.commit()
    house.ask(*names(20))
    house.start(lease_s=LEASE_S)
    house.until(lambda: set(house.rows()) == {"poison"} and house.rows()["poison"].dead_at is not None)
    assert sorted(key for key, _ in house.seen("effect")) == names(20)
    monkeypatch.setenv("QUITTANCE_DATA", str(tmp_path))
    monkeypatch.setenv("QUITTANCE_DATABASE_URL", house.url)
    monkeypatch.setenv("QUITTANCE_CUSTOMER_KEYS_URL", f"sqlite:///{tmp_path}/customer-keys.sqlite3")
    monkeypatch.setenv("QUITTANCE_BASE_URL", "https://bills.example")
    assert main(["work", "dead"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"poison  {TRIES_MOST} tries  dead since ")
    assert "RuntimeError: it can never be done" in said
    with Session(house.engine) as session:  # somebody mends it
        session.scalars(select(WorkRow)).one().payload = {}
        session.commit()
    assert main(["work", "replay", "poison"]) == 0
    house.until(lambda: not house.rows())
    assert house.seen("effect")[-1][0] == "poison"


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_work_goes_on_when_every_connection_was_ended(house: House) -> None:
    """As a restart of the database does it: pool, listener and heartbeat come back by themselves."""
    services = make_services(house.url)
    house.start(nap_s=0.05, lease_s=LEASE_S)
    for round_ in range(3):
        house.ask(*(f"{round_}-{key}" for key in names(20)))
        house.until(lambda done=5 + 20 * round_: len(house.seen("effect")) >= done)  # type: ignore[misc]
        with services.unit_of_work() as uow:
            uow.session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        house.engine.dispose()
    house.until(lambda: not house.rows())
    assert sorted(key for key, _ in house.seen("effect")) == sorted(f"{n}-{key}" for n in range(3) for key in names(20))
    services.engine.dispose()


def test_a_killed_web_request_is_followed_by_a_worker_when_its_lease_ends(house: House) -> None:
    """What `run_now` had claimed: its lease is that of its deadline, not a worker's."""
    house.ask("payment")
    with Session(house.engine) as session:
        claimed = work.claim_key(session, key="payment", now=utc_now(), lease=dt.timedelta(seconds=2))
        session.commit()
    assert claimed is not None
    services = make_services(house.url)
    worker = make_worker(services, lease_s=30)
    assert worker.run_until_idle() == 0
    house.start(lease_s=30)
    house.until(lambda: not house.rows(), seconds=15)
    assert [key for key, _ in house.seen("effect")] == ["payment"]
    services.engine.dispose()
