"""A customer's browser and a biller's program, as far as the doors are concerned."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from flask import Flask

from app.demo.processes import free_ports
from app.services import Services
from app.worker import Worker
from config.settings import ROOT
from tests.conftest import Clock
from tests.support.books import broken_now
from tests.support.engines import engine_for
from tests.support.journey import Journey
from tests.support.wsgi_adapter import WSGIAdapter

START_S_MAX = 30


@pytest.fixture(autouse=True)
def books_in_order(request: pytest.FixtureRequest, clock: Clock) -> Iterator[None]:
    """Whatever a test does through the doors, what must always be true is true after it.

    A test without services of its own, as that of a demo in its own folder, has none because of this, and runs once.
    """
    services: Services | None = request.getfixturevalue("services") if "services" in request.fixturenames else None
    yield
    if services is not None and request.node.get_closest_marker("tampers") is None:
        engine = services.engine
        if engine.dialect.name == "postgresql" and engine is engine_for(request.getfixturevalue("postgres_database")):
            engine = request.getfixturevalue("postgres_reader")
        assert not [str(broken) for broken in broken_now(engine, now=clock())]


@pytest.fixture
def journey(
    app: Flask, services: Services, worker: Worker, bank: Flask, clock: Clock, bank_wire: WSGIAdapter
) -> Journey:
    """One customer with a passkey, one biller, the bank: ready to pay."""
    return Journey.begin(app=app, services=services, worker=worker, bank=bank, clock=clock, bank_wire=bank_wire)


@pytest.fixture
def journeys(
    app: Flask, services: Services, worker: Worker, bank: Flask, clock: Clock, bank_wire: WSGIAdapter
) -> Callable[[], Journey]:
    """As many of them as a test needs, in one installation."""
    return lambda: Journey.begin(app=app, services=services, worker=worker, bank=bank, clock=clock, bank_wire=bank_wire)


@pytest.fixture(scope="module")
def sandbox_bank_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a sandbox bank that is served as the demo serves it: with its name check, and the register beside it."""
    folder = tmp_path_factory.mktemp("bank")
    (port,) = free_ports(1)
    (folder / "tpps.json").write_text("{}")
    url = f"http://127.0.0.1:{port}"
    settings = {"URL": url, "DATABASE": str(folder / "bank.db"), "LEDGER_TOKEN": "l", "TPPS": str(folder / "tpps.json")}
    with (folder / "bank.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", "16", "--no-control-socket"),
                *("-b", f"127.0.0.1:{port}", "connectors.sandbox_bank.wsgi:application"),
            ],
            env={**os.environ, **{f"SANDBOX_BANK_{name}": value for name, value in settings.items()}},
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _await(url, folder / "bank.log")
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await(url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S_MAX
    while True:
        try:
            if requests.get(f"{url}/livez", timeout=1).ok:
                return
        except requests.RequestException:
            pass
        assert time.monotonic() < deadline, log.read_text("utf-8")
        time.sleep(0.1)
