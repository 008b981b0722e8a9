"""`quittance demo`: everything at once on one machine. It starts the programs and keeps them alive until Ctrl-C.

What each of them does is its own business; here is only who runs, in which order, and what to say about it.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from app.demo import files, runfile
from app.demo.errors import DemoError
from app.demo.processes import must_be_free, rotate, spawn
from app.demo.runfile import Running
from app.keys.installation import Keys
from config.settings import ROOT, Settings

if TYPE_CHECKING:
    from requests import Session

#: pause before a program that ended is started again: doubled each time, forgotten when it ran for a while
PAUSE_FIRST_S, PAUSE_MOST_S, LONG_RUN_S = 0.1, 5.0, 10.0
TICK_S = 0.05
#: longer than the longest request; then a program that has not ended is killed
DRAIN_S = 25
#: what a second start needs is under one second; a first one on a slow machine may take long
READY_S = 90

#: program → arguments of `quittance`
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "sandbox-bank": ("sandbox-bank",),
    "uk-sandbox-bank": ("sandbox-bank", "--standard", "openbanking_uk"),
    "stet-sandbox-bank": ("sandbox-bank", "--standard", "stet"),
    "nextgen-sandbox-bank": ("sandbox-bank", "--standard", "nextgen"),
    "web": ("serve",),
    "worker": ("worker",),
    "demo-biller": ("demo-biller",),
}
#: of the sandbox banks that are served over TLS, below the data folder and below that of our keys for banks
UK_BANK, STET_BANK, NEXTGEN_BANK = "sandbox-bank-uk", "sandbox-bank-stet", "sandbox-bank-nextgen"
#: our number at the banks that know us by it, as their files have it
NUMBER = "PSDFR-ACPR-000000"
#: its certificates live a year and are made anew long before
CERTIFICATES_S = 180 * 24 * 3600
#: a start is spent on imports: the pages come first, and the bank, whose register is asked about the cast; the others
#: when the tables and the cast are there
FIRST = ("sandbox-bank", "web")
BANKS = ("sandbox-bank", "uk-sandbox-bank", "stet-sandbox-bank", "nextgen-sandbox-bank")
#: once, when all of them answer: the sandbox banks tell us of changes. Whether it works or not, we ask at our own pace
EVENTS = ("bank", "subscribe", "--all")


class _Stop(BaseException):
    """Ctrl-C or TERM: raised wherever the supervisor is, so that it stops in the middle of anything."""


@dataclass
class Child:
    """One program and its present process."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None = None
    restarts: int = -1
    started_at: float = 0.0
    start_again_at: float = 0.0
    pause_s: float = PAUSE_FIRST_S

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    def keep_alive(self, now: float) -> bool:
        """Start it when it is not running and its pause is over. True when it was started now."""
        if self.process is not None and self.process.poll() is None:
            return False
        if self.process is not None:
            self._plan_restart(now)
        if now < self.start_again_at:
            return False
        self.process = self.start()
        self.restarts += 1
        self.started_at = now
        return True

    def _plan_restart(self, now: float) -> None:
        self.process = None
        if now - self.started_at > LONG_RUN_S:
            self.pause_s = PAUSE_FIRST_S
        self.start_again_at = now + self.pause_s
        self.pause_s = min(self.pause_s * 2, PAUSE_MOST_S)

    def end(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None


@dataclass
class Supervisor:
    settings: Settings
    children: dict[str, Child] = field(default_factory=dict)
    ready: bool = False
    events: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Until Ctrl-C or TERM. Returns the exit status. Raises DemoError before anything was started."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop)
        try:
            self._prepare_and_watch()
        except _Stop:
            self._drain()
            print("Stopped.", flush=True)
        finally:
            self._kill()
            runfile.remove(self.settings.data)
        return 0

    def _prepare_and_watch(self) -> NoReturn:
        environment = prepare(self.settings)
        for name, arguments in PROGRAMS.items():
            self.children[name] = self._child(name, arguments, environment)
        self._keep_alive(FIRST)
        migrate_and_seed(self.settings)
        self._keep_alive(PROGRAMS)
        self._wait_until_ready()
        print(_welcome(self.settings), flush=True)
        self.events = self._start("events", EVENTS, environment)()
        while True:
            time.sleep(TICK_S)
            self._keep_alive(PROGRAMS)

    def _child(self, name: str, arguments: tuple[str, ...], environment: Mapping[str, str]) -> Child:
        return Child(name, start=self._start(name, arguments, environment))

    def _start(
        self, name: str, arguments: tuple[str, ...], environment: Mapping[str, str]
    ) -> Callable[[], subprocess.Popen[bytes]]:
        log = self.settings.data / "logs" / f"{name}.log"
        rotate(log)
        command = [sys.executable, "-P", "-m", "app.cli", *arguments]
        return lambda: spawn(command, environment=environment, log=log)

    def _keep_alive(self, names: Iterable[str]) -> None:
        started = [name for name in names if self.children[name].keep_alive(time.monotonic())]
        if started:
            self._tell()

    def _tell(self) -> None:
        settings = self.settings
        running = Running(
            supervisor=os.getpid(),
            ready=self.ready,
            base_url=settings.base_url,
            bank_url=settings.sandbox_bank_url or "",
            biller_url=f"http://127.0.0.1:{settings.biller_port}",
            environment={**_own_settings(), "QUITTANCE_DATA": str(settings.data), "QUITTANCE_DEMO": "true"},
            children={name: child.pid for name, child in self.children.items() if child.process},
            restarts={name: max(child.restarts, 0) for name, child in self.children.items()},
        )
        runfile.write(settings.data, running)

    def _wait_until_ready(self) -> None:
        from app.demo.loopback import new_session  # not before the pages are being started: it takes a while

        settings, sessions = self.settings, {name: new_session() for name in (UK_BANK, STET_BANK, NEXTGEN_BANK)}
        for name, session in sessions.items():
            session.verify = str(settings.bank_keys / name / "ca.pem")
        addresses = {
            f"http://127.0.0.1:{settings.port}/readyz": UK_BANK,
            f"http://127.0.0.1:{settings.biller_port}/livez": UK_BANK,
            f"{settings.sandbox_bank_url}/livez": UK_BANK,
            f"{settings.sandbox_bank_uk_url}/livez": UK_BANK,
            f"{settings.sandbox_bank_stet_url}/livez": STET_BANK,
            f"{settings.sandbox_bank_nextgen_url}/livez": NEXTGEN_BANK,
        }
        deadline = time.monotonic() + READY_S
        while (
            not all(_answers(sessions[name], address) for address, name in addresses.items())
            or self.children["worker"].ended()
        ):
            if time.monotonic() > deadline:
                raise DemoError(
                    f"Quittance did not start within {READY_S} s; the reason is in {settings.data / 'logs'}."
                )
            time.sleep(TICK_S)
            self._keep_alive(PROGRAMS)
        self.ready = True
        self._tell()

    def _drain(self) -> None:
        """Let everybody end what is in hand. The banks go last: a payment may be on its way to one."""
        print("Stopping …", flush=True)
        for names in ([name for name in self.children if name not in BANKS], BANKS):
            children = [self.children[name] for name in names if name in self.children]
            for child in children:
                child.end(signal.SIGTERM)
            deadline = time.monotonic() + DRAIN_S
            while not all(child.ended() for child in children) and time.monotonic() < deadline:
                time.sleep(TICK_S)

    def _kill(self) -> None:
        if self.events is not None:
            self.events.kill()
            self.events.wait()
        for child in self.children.values():
            child.end(signal.SIGKILL)
            if child.process is not None:
                child.process.wait()


def run(settings: Settings) -> int:
    """The whole demo on this data folder. Raises DemoError with one sentence."""
    handle = _locked(settings.data)
    try:
        return Supervisor(settings).run()
    finally:
        os.close(handle)


def prepare(settings: Settings) -> dict[str, str]:
    """Keys and the bank's files, made the first time; free ports. Returns the environment of the programs."""
    must_be_free(
        {
            "QUITTANCE_PORT": settings.port,
            "QUITTANCE_BANK_PORT": settings.bank_port,
            "QUITTANCE_UK_BANK_PORT": settings.uk_bank_port,
            "QUITTANCE_STET_BANK_PORT": settings.stet_bank_port,
            "QUITTANCE_NEXTGEN_BANK_PORT": settings.nextgen_bank_port,
            "QUITTANCE_BILLER_PORT": settings.biller_port,
        }
    )
    Keys.init(settings.keys)
    bank = settings.data / "sandbox-bank"
    for folder in (bank, *(settings.data / name for name in (UK_BANK, STET_BANK, NEXTGEN_BANK))):
        files.read_or_make(folder / "ledger-token", lambda: secrets.token_urlsafe(32))
    files.write_json(bank / "tpps.json", _tpps(settings))
    _make_certificates(settings.bank_keys / UK_BANK)
    for name in (STET_BANK, NEXTGEN_BANK):
        _make_certificates(settings.bank_keys / name, NUMBER)
    strangers = ("SANDBOX_BANK_", "UK_SANDBOX_BANK_", "STET_SANDBOX_BANK_", "NEXTGEN_SANDBOX_BANK_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(strangers)}
    # children do not start in this folder's parent by chance: -P keeps it off their path, so we name it
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**inherited, "QUITTANCE_DATA": str(settings.data), "QUITTANCE_DEMO": "true", "PYTHONPATH": path}


def migrate_and_seed(settings: Settings) -> None:
    """Bring the database to our tables and put the cast in. Slow to import, so only here."""
    from app.db.migrate import upgrade
    from app.demo.biller_files import folder_of
    from app.demo.seed import seed
    from app.journey.route import HANDLERS, ROUTE
    from app.services import build_services

    services = build_services(settings, route=ROUTE, handlers=HANDLERS)
    try:
        upgrade(services.engine)
        seed(services, folder_of(settings.data))
    finally:
        services.engine.dispose()


def _locked(data: Path) -> int:
    try:
        return runfile.lock(data)
    except OSError as error:
        raise DemoError(f"The data folder {data} cannot be used: {error.strerror or error}.") from error


def _tpps(settings: Settings) -> dict[str, object]:
    """Under which name each sandbox bank knows us → our public key."""
    key = Keys.load(settings.keys).bank_client
    public = {name: value for name, value in key.items() if name != "d"}
    profiles = [tomllib.loads(path.read_text("utf-8")) for path in sorted(settings.banks.glob("*.toml"))]
    return {
        profile["client_id"]: {"keys": [public]}
        for profile in profiles
        if profile.get("sandbox") and "{sandbox_bank_url}" in profile["issuer"]
    }


def _make_certificates(folder: Path, *number: str) -> None:
    """Our keys for a sandbox bank over TLS, and its own. Its program makes them: we share nothing with it."""
    made = folder / "ca.pem"
    if made.exists() and time.time() - made.stat().st_mtime < CERTIFICATES_S:
        return
    command = [sys.executable, "-P", "-m", "connectors.sandbox_bank.authority", str(folder), *number]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    if done.returncode or not made.exists():
        raise DemoError(f"The certificates for {folder.name} could not be made: {done.stderr.strip()[-300:]}")


def _own_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("QUITTANCE_")}


def _answers(session: Session, address: str) -> bool:
    try:
        return session.get(address, timeout=2, headers={"Accept": "application/json"}).ok
    except OSError:  # every exception of requests is one
        return False


def _stop(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    # the second time we do not wait for anybody
    for again in (signal.SIGINT, signal.SIGTERM):
        signal.signal(again, _stop_now)
    raise _Stop


def _stop_now(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    os._exit(1)  # the children die with us


def _welcome(settings: Settings) -> str:
    return f"""
Quittance is running at {settings.base_url}

  Open that address. One click lets you look around as Camille or Jonas, two made-up customers with bills.
  To pay one, make a passkey on its page when asked; at the bank, sign in as either with the PIN 1234.

  Sandbox bank   {settings.sandbox_bank_url}
  UK banks       {settings.sandbox_bank_uk_url}
  STET banks     {settings.sandbox_bank_stet_url}
  More banks     {settings.sandbox_bank_nextgen_url}
  Demo biller    http://127.0.0.1:{settings.biller_port}
  Data and logs  {settings.data}
  One payment from end to end, in another terminal:  quittance demo --walk

Stop with Ctrl-C; everything is kept for the next time.
"""
