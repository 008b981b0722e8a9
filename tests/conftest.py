"""A whole installation for each test: both kinds of database, the sandbox bank in process, a clock of its own."""

from __future__ import annotations

import datetime as dt
import gc
import socket
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from shutil import disk_usage
from types import CodeType
from typing import Any

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import Engine, create_engine, make_url, text
from xdist.scheduler import LoadFileScheduling

from app.db.engine import make_engine
from app.db.migrate import upgrade
from app.factory import create_app
from app.keys.installation import Keys
from app.schedule import Schedule
from app.services import Services
from app.worker import Worker
from config.settings import Settings
from connectors.sandbox_bank.context import EXTENSION as BANK
from tests.support.books import prepared_engine
from tests.support.chromium import find_chromium, launch_flags
from tests.support.engines import empty, engine_for, let_go
from tests.support.installation import make_bank, make_services, make_settings
from tests.support.once import make_once
from tests.support.postgres import running_postgres
from tests.support.thorough import OPTION, be_thorough
from tests.support.wsgi_adapter import WSGIAdapter

# no test asserts how long something takes, on a machine that does other things as well
hypothesis.settings.register_profile("quittance", deadline=None)
hypothesis.settings.load_profile("quittance")


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 11, 23, 10, 0, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now

    def tick(self, **how: float) -> None:
        self.now += dt.timedelta(**how)


#: whoever starts a whole demo, eight programs and a browser: one after the other, since two at once only wait
_WITH_A_DEMO = (
    "tests/browser/",
    "tests/functional/test_demo.py",
    "tests/faults/test_kill.py",
    "tests/faults/test_kill_recurring.py",
    "tests/faults/test_promises.py",
)


class _Together(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """A file's tests stay together, and all that start a demo."""

    def _split_scope(self, nodeid: str) -> str:
        return "with a demo" if nodeid.startswith(_WITH_A_DEMO) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return _Together(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(OPTION, action="store_true", help="as often as `make test-long` asks: tests/support/thorough.py")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption(OPTION):
        be_thorough()
    gc.set_threshold(200_000, 20, 20)  # nine thousand tests are made while they are collected, and none is garbage


def pytest_collection_finish() -> None:
    """What lives as long as the process, and that is most of it, is not looked through again and again for garbage."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)  # before -m chooses among them
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test of both kinds of database runs on both in `make test-long`, and in `make test` on one of them by turns.

    Its name says on which one, always the same: about a third of a file's tests on PostgreSQL, where they take twice as
    long. What is about the database itself (``each_database``) runs on both all the time; what is about a bank or a
    process is long on PostgreSQL.
    """
    twins: dict[str, dict[str, pytest.Item]] = {}
    for item in items:
        if kind := _kind_of_database(item):
            twins.setdefault(item.nodeid.replace(kind, ""), {})[kind] = item
    for name, kinds in twins.items():
        if len(kinds) == 1:
            continue
        for kind, item in kinds.items():
            if item.get_closest_marker("long_on_postgres"):
                waits = kind == "postgres"
            elif item.get_closest_marker("each_database"):
                waits = False
            else:
                waits = kind != ("sqlite", "sqlite", "postgres")[zlib.crc32(name.encode()) % 3]
            if waits:
                item.add_marker(pytest.mark.long)


def _kind_of_database(item: pytest.Item) -> str | None:
    """Also of a fixture that makes one of its own."""
    given = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return next((each for each in given if each in ("sqlite", "postgres")), None)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches for another host is a bug."""
    real = socket.socket.connect

    def only_here(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test wants to talk to {address[0]}")
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_here)


class _Templates(BytecodeCache):
    """Templates as they were compiled for an earlier test: every app would compile all that it shows anew."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._compiled.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key, bucket.checksum] = bucket.code


_TEMPLATES = _Templates()
Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": _TEMPLATES}

#: whoever is still in a transaction would have the next test wait
_LEFT_OPEN = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND state <> 'idle'"
)

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # folders of our own are made there
_ROOM = 1 << 30
#: where the files of a test lie: in memory, as far as the machine has room there, since no test is about the power
_IN_MEMORY = _SHARED_MEMORY if _SHARED_MEMORY.is_dir() and disk_usage(_SHARED_MEMORY).free > _ROOM else None


@pytest.fixture
def clock() -> Clock:
    return Clock()


class _Folders:
    """Pytest's own lie on the disk, where each commit of a sandbox bank waits for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def mktemp(self, name: str) -> Path:
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._folder))


@pytest.fixture(scope="session")
def tmp_path_factory() -> Iterator[_Folders]:
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY, ignore_cleanup_errors=True) as folder:
        yield _Folders(Path(folder))


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[str]:
    """A running PostgreSQL with one migrated database to copy; its URL."""
    with running_postgres() as url:
        admin = create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text("CREATE DATABASE template_quittance"))
        admin.dispose()
        engine = make_engine(str(make_url(url).set(database="template_quittance")))
        upgrade(engine)
        engine.dispose()
        yield url


@pytest.fixture(scope="session")
def postgres_database(postgres_template: str) -> str:
    """One database that the tests empty after each other: quicker than a new one for each. Its URL."""
    admin = create_engine(postgres_template, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE tests TEMPLATE template_quittance"))
    admin.dispose()
    return str(make_url(postgres_template).set(database="tests"))


@pytest.fixture(scope="session")
def postgres_cleaner(postgres_database: str) -> Iterator[Engine]:
    """It keeps its connection: to make one for each test takes longer than to empty all tables."""
    engine = create_engine(postgres_database, pool_pre_ping=True)  # tests may end every connection
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_reader(postgres_database: str) -> Iterator[Engine]:
    """For what is asked after every test."""
    engine = prepared_engine(postgres_database)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "quittance.sqlite3"
    engine = make_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def sqlite_database() -> Iterator[Path]:
    """Where the SQLite database of each test lies, one after the other."""
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY) as folder:
        yield Path(folder) / "quittance.sqlite3"


@pytest.fixture(scope="session", autouse=True)
def made_once() -> Iterator[None]:
    """The services of a test have the engine that those of the test before had, and more that stays the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.services.make_engine", engine_for)
        make_once(patch)
        yield


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty, migrated database of each kind."""
    if request.param == "sqlite":
        path: Path = request.getfixturevalue("sqlite_database")
        for left in path.parent.iterdir():  # whoever has the last test's still open keeps its file, not this one
            left.unlink()
        path.write_bytes(request.getfixturevalue("sqlite_template").read_bytes())
        yield f"sqlite:///{path}"
        return
    cleaner: Engine = request.getfixturevalue("postgres_cleaner")
    yield request.getfixturevalue("postgres_database")
    with cleaner.begin() as connection:
        connection.execute(text(_LEFT_OPEN))
        empty(connection)


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return make_settings(tmp_path, database_url=database_url)


@pytest.fixture
def keys(settings: Settings) -> Keys:
    Keys.init(settings.keys)
    return Keys.load(settings.keys)


@pytest.fixture
def naps() -> list[float]:
    """How long the bank made somebody wait."""
    return []


@pytest.fixture
def bank(tmp_path: Path, clock: Clock, keys: Keys, naps: list[float]) -> Iterator[Flask]:
    """The sandbox bank in this process, on the test's clock. An answer that hangs is an answer that never comes."""

    def hang(seconds: float) -> None:
        naps.append(seconds)
        raise TimeoutError

    app = make_bank(tmp_path / "bank.db", keys, clock=clock, sleep=hang)
    yield app
    app.extensions[BANK].store.close()


@pytest.fixture
def bank_wire(bank: Flask) -> WSGIAdapter:
    """What stands between us and the bank: it keeps what was sent."""
    return WSGIAdapter(bank)


@pytest.fixture
def services(settings: Settings, keys: Keys, bank_wire: WSGIAdapter, clock: Clock) -> Iterator[Services]:
    made = make_services(settings, keys, bank_wire, clock=clock)
    yield made
    let_go(made.engine)


@pytest.fixture
def worker(services: Services) -> Worker:
    """`run_until_idle()` does what is due, in this thread."""
    return Worker(services, Schedule(services))


@pytest.fixture
def app(services: Services) -> Flask:
    made = create_app(services)
    made.testing = True
    return made


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One for a process: a second playwright beside the first one refuses to start."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=launch_flags())
        yield browser
        browser.close()
