"""Both databases under several threads: no lost update, and a reader waits for no writer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from app.db.engine import SQLITE_PRAGMAS, make_engine
from app.db.work import WorkRow, enqueue
from tests.conftest import Clock
from tests.unit.conftest import Begin

pytestmark = pytest.mark.each_database

THREADS, ROUNDS = 8, 10


@pytest.fixture
def row_id(begin: Begin) -> int:
    """One row to count in."""
    with begin() as uow:
        enqueue(uow.session, handler="h", key="counter", payload={}, now=uow.now)
        uow.commit()
        return uow.session.query(WorkRow).one().id


def test_eight_threads_lose_no_update(begin: Begin, row_id: int) -> None:
    def count_up(_: int) -> None:
        for _ in range(ROUNDS):
            with begin() as uow:
                uow.session.get_one(WorkRow, row_id, with_for_update=True).attempts += 1
                uow.commit()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(count_up, range(THREADS)))
    with begin() as uow:
        assert uow.session.get_one(WorkRow, row_id).attempts == THREADS * ROUNDS


def test_a_reader_waits_for_no_writer_and_sees_only_what_is_committed(engine: Engine, row_id: int) -> None:
    reader = engine.execution_options(read_only=True)
    with engine.begin() as writing:
        writing.execute(text("UPDATE work SET attempts = 7"))
        with reader.connect() as reading:
            assert reading.scalar(text("SELECT attempts FROM work")) == 0
    with reader.connect() as reading:
        assert reading.scalar(text("SELECT attempts FROM work")) == 7


def test_a_writer_that_fails_lets_the_next_one_in(begin: Begin, row_id: int) -> None:
    def fail() -> None:
        with begin() as uow:
            uow.session.get_one(WorkRow, row_id).attempts = 1
            uow.session.flush()
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        fail()
    with begin() as uow:
        row = uow.session.get_one(WorkRow, row_id)
        assert row.attempts == 0
        row.attempts = 2
        uow.commit()


def test_a_naive_time_is_refused_and_an_aware_one_comes_back_in_utc(begin: Begin, clock: Clock) -> None:
    with begin() as uow:
        enqueue(uow.session, handler="h", key="k", payload={}, now=clock.now)
        uow.commit()
        row = uow.session.query(WorkRow).one()
        assert row.run_at == clock.now
        assert row.run_at.utcoffset() is not None
        row.run_at = clock.now.replace(tzinfo=None)
        with pytest.raises(Exception, match="a naive time may not be stored"):
            uow.session.flush()


def test_an_error_shows_nothing_of_what_was_written(begin: Begin) -> None:
    """It goes into logs and into the row of failed work."""
    with begin() as uow:
        for _ in range(2):
            uow.session.add(
                WorkRow(
                    handler="h",
                    key="same",
                    payload={"iban": "DE02100100109307118603"},
                    run_at=uow.now,
                    created_at=uow.now,
                )
            )
        with pytest.raises(IntegrityError) as caught:
            uow.session.flush()
    assert "INSERT INTO work" in str(caught.value)
    assert "DE02100100109307118603" not in str(caught.value)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_is_new_enough_and_set_up_for_money(engine: Engine) -> None:
    with engine.connect() as connection:
        said = {
            name: connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
        version = str(connection.scalar(text("SELECT sqlite_version()")))
    assert said == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10000}
    assert tuple(int(part) for part in version.split(".")) >= (3, 51, 3)  # before: the WAL-reset bug
    assert len(SQLITE_PRAGMAS) == 5


def test_another_database_is_refused_by_the_name_of_the_setting() -> None:
    with pytest.raises(ValueError, match="QUITTANCE_DATABASE_URL: mysql is neither sqlite nor postgresql"):
        make_engine("mysql+pymysql://root@localhost/quittance")
