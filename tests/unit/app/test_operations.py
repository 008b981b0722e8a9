"""`quittance work`: what waits, what is given up for now, and running it again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.cli import main
from app.db import work
from app.db.engine import make_engine
from app.db.work import TRIES_MOST, WorkRow
from app.services import utc_now

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def installation(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The command line's own database, with a dead letter, something that is late and something that waits."""
    monkeypatch.setenv("QUITTANCE_DATA", str(tmp_path))
    monkeypatch.setenv("QUITTANCE_DATABASE_URL", database_url)
    monkeypatch.setenv("QUITTANCE_CUSTOMER_KEYS_URL", f"sqlite:///{tmp_path}/customer-keys.sqlite3")
    monkeypatch.setenv("QUITTANCE_BASE_URL", "https://bills.example")
    engine = make_engine(database_url)
    now = utc_now()
    with Session(engine) as session:
        for key, handler, run_at in (
            ("payments.follow:pay_1", "payments.follow", now - MINUTE),
            ("payments.follow:pay_2", "payments.follow", now - 20 * MINUTE),
            ("webhooks.deliver:msg_1", "webhooks.deliver", now + 10 * MINUTE),
        ):
            work.enqueue(session, handler=handler, key=key, payload={}, now=now - 30 * MINUTE, run_at=run_at)
        row = session.scalars(select(WorkRow).where(WorkRow.key == "payments.follow:pay_1")).one()
        row.attempts = TRIES_MOST - 1
        session.flush()
        claim = work.claim_key(session, key=row.key, now=now)
        assert claim is not None
        work.put_back(session, claim, now=now, error="UnknownBank: no bank 'horizon'")
        session.commit()
    yield engine
    engine.dispose()


def test_list_counts_by_handler(installation: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["work", "list"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["handler", "ready", "leased", "waiting", "dead", "oldest", "due"]
    assert [line.split()[:5] for line in lines] == [
        ["payments.follow", "1", "0", "0", "1"],
        ["webhooks.deliver", "0", "0", "1", "0"],
    ]
    assert [line.split()[5].split(".")[0] for line in lines] in (
        ["0:20:00", "-"],
        ["0:20:01", "-"],
        ["0:20:02", "-"],
    )


def test_dead_says_what_an_operator_has_to_know(installation: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["work", "dead"]) == 0
    letter, count = capsys.readouterr().out.splitlines()
    assert letter.startswith(f"payments.follow:pay_1  {TRIES_MOST} tries  dead since {utc_now():%Y-%m-%d}")
    assert letter.endswith("  UnknownBank: no bank 'horizon'")
    assert count == "1 dead letters"


@pytest.mark.parametrize("which", ["payments.follow:pay_1", "--all"])
def test_replay_runs_it_now(installation: Engine, capsys: pytest.CaptureFixture[str], which: str) -> None:
    assert main(["work", "replay", which]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "payments.follow:pay_1 is run now.",
        "1 pieces of work are run now",
    ]
    with Session(installation) as session:
        row = session.scalars(select(WorkRow).where(WorkRow.key == "payments.follow:pay_1")).one()
        assert (row.dead_at, row.attempts, row.last_error) == (None, 0, None)
        assert row.run_at <= utc_now()
    assert main(["work", "dead"]) == 0
    assert capsys.readouterr().out == "0 dead letters\n"


def test_what_a_worker_has_is_left_to_it(installation: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    with Session(installation) as session:
        assert work.claim_key(session, key="payments.follow:pay_2", now=utc_now())
        session.commit()
    assert main(["work", "replay", "payments.follow:pay_2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "payments.follow:pay_2 is in a worker's hands already.",
        "0 pieces of work are run now",
    ]


def test_what_a_worker_took_whose_clock_was_ahead_can_be_run(
    installation: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    with Session(installation) as session:
        assert work.claim_key(session, key="payments.follow:pay_2", now=utc_now() + dt.timedelta(days=400))
        session.commit()
    assert main(["work", "replay", "payments.follow:pay_2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "payments.follow:pay_2 is run now.",
        "1 pieces of work are run now",
    ]


def test_an_unknown_key_is_one_sentence(installation: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["work", "replay", "payments.follow:pay_1", "nothing"]) == 1
    said = capsys.readouterr()
    assert said.err == "quittance: There is no work with the key nothing; nothing was changed.\n"
    assert said.out == ""
    assert main(["work", "dead"]) == 0
    assert capsys.readouterr().out.endswith("1 dead letters\n")


@pytest.mark.parametrize("arguments", [["work"], ["work", "replay"], ["work", "replay", "key", "--all"]])
def test_a_wrong_command_line_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
