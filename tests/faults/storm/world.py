"""Everything that runs in a storm: the installation in a temporary folder, its banks, its database, and what is between
them."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests
from sqlalchemy import Engine

from app.db.engine import make_engine
from app.demo.biller_files import folder_of
from app.demo.loopback import new_session
from app.demo.processes import free_ports
from app.demo.supervisor import UK_BANK, migrate_and_seed, prepare
from config.settings import ROOT, Settings
from connectors.sandbox_bank import people as bank_people
from connectors.sandbox_bank.openbanking_uk import people as uk_people
from connectors.sandbox_bank.openbanking_uk import resources as uk_resources
from connectors.sandbox_bank.openbanking_uk.store import SCHEMA as UK_SCHEMA
from connectors.sandbox_bank.store import Store
from tests.faults.storm.clocks import Change
from tests.faults.storm.database import Database
from tests.faults.storm.processes import RESTART_S, Program
from tests.support.demo import children_of, environment_for

#: so that abandoned payments come to their end within a long storm
AUTHORISATION_MINUTES = 1
POLL_S = 60
#: cents on each account of the bank: nobody runs out of money
PLENTY = 10**12
READY_S = 90
LINKS = ("bank", "uk-bank", "database", "biller")
#: the banks that customers pay at → programs and links that a payment there needs nothing of
NOT_NEEDED = {"horizon": ("uk-bank", "link uk-bank"), "albion": ("bank", "link bank"), "severn": ("bank", "link bank")}
WORKERS = ("worker1", "worker2")


class World:
    """Programs by name, links by name, and a diary of what worked when."""

    def __init__(self, *, seed: int, customers: int) -> None:
        self.seed, self.customers = seed, customers
        self.folder = Path(tempfile.mkdtemp(prefix="quittance-storm-"))
        self.data = self.folder / "var"
        # nobody answers at those of the STET banks and of the further NextGenPSD2 ones: no customer pays there
        banks = ("bank", "bank-link", "uk-bank", "uk-link", "stet", "nextgen")
        names = ("web", *banks, "receiver", "biller-link", "pg", "pg-link")
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.database: Database | None = None
        self.programs: dict[str, Program] = {}
        self.modes = dict.fromkeys(LINKS, "ok")
        self.diary: list[Change] = []
        self.deaths: list[str] = []  #: programs that ended by themselves: at a failpoint, or by a fault
        self._works: dict[str, bool] = {}
        self._database_is_back_at = 0.0
        #: chosen for the next start of a program: its name → a failpoint, or None
        self.failpoint_for: Callable[[str], str | None] = lambda name: None

    # --------------------------------------------------------------------------------------------------- building up

    def start(self) -> None:
        """All programs, until every one answers."""
        self.data.mkdir(mode=0o700)
        banks = self.folder / "banks"
        banks.mkdir()
        pace = f"authorisation_minutes = {AUTHORISATION_MINUTES}\npoll_s = [{POLL_S}]"
        for bank in NOT_NEEDED:
            profile = (ROOT / "config" / "banks" / f"{bank}.toml").read_text("utf-8")
            profile = re.sub(r"(?m)^authorisation_minutes = \d+$", pace, profile)
            (banks / f"{bank}.toml").write_text(profile, "utf-8")
        ports = self.ports
        served = [ports[name] for name in ("web", "bank-link", "uk-link", "stet", "nextgen", "biller-link")]
        environment = environment_for(self.data, served)
        environment |= {"QUITTANCE_BANKS": str(banks), "QUITTANCE_DEMO": "true", "QUITTANCE_WEB_WORKERS": "2"}
        os.environ.update({name: value for name, value in environment.items() if name.startswith("QUITTANCE_")})
        self.database = Database(ports["pg"])
        self.database.program.start()
        self.database.wait()
        direct = self.database.address()
        # no register is asked: nobody is up yet who could answer
        settings = dataclasses.replace(Settings.from_environ(), database_url=direct, company_register_url="")
        environment |= prepare(settings)
        migrate_and_seed(settings)
        self._open_accounts()
        environment["QUITTANCE_DATABASE_URL"] = self.database.address(ports["pg-link"])
        self._plan_programs(environment, direct)
        for program in self.programs.values():
            if program.name not in ("crowd", "database"):
                program.start()
        self._wait(lambda: self._answers(f"http://127.0.0.1:{ports['bank']}/livez"), "the bank")
        self._wait(lambda: self._answers(f"https://127.0.0.1:{ports['uk-bank']}/livez"), "the UK banks")
        self._wait(lambda: self._answers(f"http://127.0.0.1:{ports['web']}/readyz"), "the pages")
        self.programs["crowd"].start()
        self._wait((self.folder / "ready").exists, "the crowd")

    def _plan_programs(self, environment: dict[str, str], direct: str) -> None:
        assert self.database is not None
        ports, logs = self.ports, self.data / "logs"
        logs.mkdir(exist_ok=True)
        links = (
            f"bank:{ports['bank-link']}:{ports['bank']}:http",
            f"uk-bank:{ports['uk-link']}:{ports['uk-bank']}:tcp",  # TLS passes through it
            f"database:{ports['pg-link']}:{ports['pg']}:tcp",
            f"biller:{ports['biller-link']}:{ports['receiver']}:http",
        )
        place = self.folder / "place.json"
        place.write_text(
            json.dumps(
                {
                    "base_url": f"http://localhost:{ports['web']}",
                    "bank_sites": [
                        {
                            "url": f"http://127.0.0.1:{ports['bank']}",
                            "known_as": f"http://127.0.0.1:{ports['bank-link']}",
                        },
                        {
                            "url": f"https://127.0.0.1:{ports['uk-bank']}",
                            "known_as": f"https://127.0.0.1:{ports['uk-link']}",
                            "authority": str(self.authority),
                        },
                    ],
                    "receiver_port": ports["receiver"],
                    "billers": str(folder_of(self.data)),
                    "history": str(self.history),
                    "ready": str(self.folder / "ready"),
                    "seed": self.seed,
                    "customers": self.customers,
                    "environment": {
                        **{name: value for name, value in environment.items() if name.startswith("QUITTANCE_")},
                        "QUITTANCE_DATABASE_URL": direct,
                    },
                }
            ),
            "utf-8",
        )
        bank = {
            **environment,
            "QUITTANCE_BANK_PORT": str(ports["bank"]),
            "SANDBOX_BANK_URL": f"http://127.0.0.1:{ports['bank-link']}",
        }
        uk_bank = {**environment, "UK_SANDBOX_BANK_URL": f"https://127.0.0.1:{ports['uk-link']}"}
        python, quittance = [sys.executable, "-P", "-m"], [sys.executable, "-P", "-m", "app.cli"]
        storm = "tests.faults.storm"
        planned = [
            Program("links", [*python, f"{storm}.proxy", str(self.seed), *links], environment, logs / "links.log"),
            Program("bank", [*quittance, "sandbox-bank"], bank, logs / "bank.log"),
            Program(
                "uk-bank",
                [*quittance, "sandbox-bank", "--standard", "openbanking_uk", "--port", str(ports["uk-bank"])],
                uk_bank,
                logs / "uk-bank.log",
            ),
            Program("web", [*quittance, "serve"], environment, logs / "web.log"),
            *(Program(name, [*quittance, "worker"], environment, logs / f"{name}.log") for name in WORKERS),
            Program("crowd", [*python, f"{storm}.crowd", str(place)], environment, logs / "crowd.log"),
        ]
        for program in planned:
            if program.name in ("links", "crowd"):
                program.how = {"listens": True}
        self.programs = {program.name: program for program in (self.database.program, *planned)}

    def _open_accounts(self) -> None:
        """The banks' customers, with plenty: a storm pays more than the demo's accounts hold."""
        for store, seed in (
            (Store(self.bank_file), bank_people.seed),
            (Store(self.uk_bank_file, UK_SCHEMA + uk_resources.SCHEMA), uk_people.seed),
        ):
            with store.write() as connection:
                seed(connection)
                connection.execute("UPDATE account SET opening_minor = ?", [PLENTY])
            store.close()

    @property
    def bank_file(self) -> Path:
        return self.data / "sandbox-bank" / "bank.sqlite3"

    @property
    def uk_bank_file(self) -> Path:
        return self.data / UK_BANK / "bank.sqlite3"

    @property
    def authority(self) -> Path:
        """Of the UK banks' certificates, which were made with our keys for them."""
        return self.data / "bank-keys" / UK_BANK / "ca.pem"

    @property
    def history(self) -> Path:
        return self.folder / "history.jsonl"

    def _wait(self, wanted: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + READY_S
        while not wanted():
            ended = [program.name for program in self.programs.values() if program.pid and not program.is_running]
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"{what} did not start; ended: {ended}\n{self.last_words()}")
            time.sleep(0.1)

    def _answers(self, address: str) -> bool:
        try:
            return new_session().get(address, timeout=2, verify=str(self.authority)).ok
        except requests.RequestException:
            return False

    def last_words(self) -> str:
        """The ends of all logs, for who has to find out what happened."""
        logs = sorted((self.data / "logs").glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text('utf-8', errors='replace')[-1500:]}" for log in logs)

    def engine(self) -> Engine:
        """Straight to the database."""
        assert self.database is not None
        return make_engine(self.database.address(), pool_size=2)

    # ---------------------------------------------------------------------------------------------- keeping it alive

    def tick(self) -> None:
        """What a supervisor does all the time; and the diary. Call it often."""
        now = time.monotonic()
        for program in self.programs.values():
            if program.process is None or program.is_running:
                continue
            if program.name in ("crowd", "links"):
                raise RuntimeError(f"{program.name} has ended, and nobody asked it to\n{self.last_words()}")
            if program.start_again_at == 0.0:
                program.frozen.clear()
                program.start_again_at = now + RESTART_S
                self.deaths.append(f"{program.name}: {program.process.returncode}")
            if now >= program.start_again_at:
                program.start_again_at = 0.0
                program.start(failpoint=self.failpoint_for(program.name))
        self._write_diary()

    def _write_diary(self) -> None:
        assert self.database is not None
        if not self.database.program.is_running:
            self._note("database", works=False)
        elif not self._works.get("database") and time.monotonic() > self._database_is_back_at:
            self._database_is_back_at = time.monotonic() + 0.3
            self._note("database", works=self.database.answers())
        for name in ("bank", "uk-bank", "web", *WORKERS):
            self._note(name, works=self._is_working(name))
        for link, mode in self.modes.items():
            if link != "biller":  # an outcome can be found out without the biller
                self._note(f"link {link}", works=mode == "ok")

    def _is_working(self, name: str) -> bool:
        program = self.programs[name]
        frozen_children = program.frozen - {program.pid}
        if name == "web" and frozen_children:
            return program.is_working and len(frozen_children) < 2
        return program.is_working and not frozen_children

    def _note(self, part: str, *, works: bool) -> None:
        if self._works.get(part) is not works:
            self._works[part] = works
            self.diary.append(Change(at=time.time(), part=part, works=works))

    def database_went(self) -> None:
        """It was told to crash as a whole without ending itself."""
        self._note("database", works=False)

    def set_link(self, link: str, mode: str, chance: float = 1.0) -> None:
        self.modes[link] = mode
        self.programs["links"].say(f"{link} {mode} {chance:.2f}")

    def children(self, name: str) -> list[int]:
        """Ids of a program's own processes, in order."""
        return sorted(children_of(self.programs[name].pid)) if self.programs[name].is_running else []

    def heal(self) -> None:
        """From now on nothing is broken on purpose."""
        self.failpoint_for = lambda name: None
        for link in LINKS:
            self.set_link(link, "ok")
        for program in self.programs.values():
            for pid in list(program.frozen):
                program.signal(signal.SIGCONT, pid=pid)
            program.frozen.clear()
            program.start_again_at = min(program.start_again_at, time.monotonic())
        for name in ("web", *WORKERS):  # a failpoint may still be waiting in one that runs
            self.programs[name].signal(signal.SIGKILL)

    # ------------------------------------------------------------------------------------------------ taking it down

    def end_crowd(self, *, wait_s: float) -> None:
        """Let the observers have their last look."""
        crowd = self.programs["crowd"]
        if crowd.process is not None and crowd.process.stdin is not None:
            crowd.process.stdin.close()
            deadline = time.monotonic() + wait_s
            while crowd.is_running and time.monotonic() < deadline:
                time.sleep(0.1)
                self.tick_but("crowd")

    def tick_but(self, name: str) -> None:
        """Keep all others alive."""
        aside = self.programs.pop(name)
        try:
            self.tick()
        finally:
            self.programs[name] = aside

    def stop(self, *, keep: bool) -> None:
        """End everything by its id. With ``keep`` the logs stay where they are."""
        for name in ("crowd", *WORKERS, "web", "bank", "uk-bank", "links"):
            if name in self.programs:
                self.programs[name].end()
        if self.database is not None:
            self.database.remove()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def names_of_failpoints() -> list[str]:
    """All points of the money path at which a program can be made to die, as the code names them.

    Files of many bills and messages to customers are no part of it: tests/faults/test_uploads.py kills whoever takes
    the former, and tests/functional/test_messages.py has the latter sent again.
    """
    found: set[str] = set()
    for folder in ("app", "consent", "connectors"):
        for path in _sources(ROOT / folder):
            found |= set(re.findall(r"\bfailpoint\(\"([^\"]+)\"\)", path.read_text("utf-8")))
    return sorted(point for point in found if not point.startswith(("upload.", "notice.")))


def _sources(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.rglob("*.py"))
