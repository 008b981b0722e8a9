"""Runs cells one after the other on houses of its own: one process, a bank and a biller beside it, no threads."""

from __future__ import annotations

import contextlib
import copy
import gc
import logging
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from joserfc.jwk import ECKey

from app.keys.installation import Keys
from tests.faults.kill import house, town
from tests.faults.kill.clock import AGREED, BEGIN, FOUNDED, Clock
from tests.faults.kill.consenting import StandingCourse
from tests.faults.kill.course import Broken, Course
from tests.faults.kill.house import Clone, Database, File, House, Moment, Resident
from tests.faults.kill.judge import judge, last_order_id, last_orders
from tests.faults.kill.plan import Cell
from tests.faults.kill.standing_stories import StandingStory
from tests.faults.kill.stories import BANKS, UK_BANKS, Story
from tests.faults.kill.town import NEW, Town
from tests.faults.sim.bugs import planted

#: in memory where there is such a place: the power is not cut here, processes are killed
FAST = Path("/dev/shm")  # noqa: S108
LOG_LINES = 12
#: the moments of a house: before its customer agreed on standing consents, and after
FOUNDED_ONLY, STANDING = "founded", "standing"
#: the name that the UK banks' files give our keys
UK_KEYS = "sandbox-bank-uk"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a cell."""

    cell: Cell
    killed: bool
    wrong: Sequence[str]
    took_s: float


@dataclass
class Runner:
    """Founds its houses when they are first needed."""

    folder: Path
    postgres: str  #: address of the server
    clock: Clock = field(default_factory=Clock)
    _houses: dict[str, House] = field(default_factory=dict)
    town: Town = field(init=False)

    def __post_init__(self) -> None:
        Keys.init(self.folder / "keys")
        ours = ECKey.import_key(Keys.load(self.folder / "keys").bank_client).as_dict(private=False)
        self._listener, bank, biller = (_listening() for _ in range(3))
        self.town = town.build(
            self.folder, self.clock, {"keys": [ours]}, (bank, biller), bank_keys=self.folder / "bank-keys" / UK_KEYS
        )
        for each in (bank, biller):
            each.close()
        self.log = self.folder / "log"
        logging.basicConfig(filename=self.log, level=logging.WARNING, format="%(process)d %(name)s: %(message)s")

    def run(self, cell: Cell) -> Result:
        """Never raises for what went wrong in the cell."""
        home = self._house(cell.engine)
        begun = time.monotonic()
        home.put_back(STANDING if _holds_consents(cell.story) else FOUNDED_ONLY)
        self.clock.set(BEGIN)
        self.log.write_bytes(b"")
        self.town.begin(cell.story.bank, cell.story.fault, old_order=home.old_order)
        mark = last_orders(self.town)
        course = _course_of(cell.story)(home, cell.story, cell)
        wrong = []
        try:
            course.run()
        except Broken as error:
            wrong.append(str(error))
        wrong += judge(course, after=mark)
        if wrong:
            wrong += self.log.read_text("utf-8", errors="replace").splitlines()[-LOG_LINES:]
        return Result(cell=cell, killed=course.killed, wrong=wrong, took_s=time.monotonic() - begun)

    def _house(self, engine: str) -> House:
        if engine not in self._houses:
            self._houses[engine] = self._founded(engine)
        return self._houses[engine]

    def _founded(self, engine: str) -> House:
        """With a customer, and a bill at each bank that was paid long ago; and later with standing consents."""
        self.clock.set(FOUNDED)
        self.town.british.put_back(NEW)
        database: Database = File(self.folder / "quittance.sqlite3")
        if engine != "sqlite":
            database = Clone(self.postgres, f"house_{self.folder.name}")
        founded = house.make(
            folder=self.folder,
            database=database,
            engine_name=engine,
            clock=self.clock,
            town=self.town,
            listener=self._listener,
            keys=self.folder / "keys",
        )
        self.town.begin()
        resident = Resident(founded)
        first = Course(founded, Story(name="signs up"), resident=resident)
        try:
            first.customer.sign_up()
            founded.connect()
            founded.cookies = first.customer.cookies
            for number, bank in enumerate(BANKS, start=1):
                course = Course(founded, Story(name="long ago", bank=bank), resident=resident)
                course.run(number=f"F-{number}")
                founded.old_payments += course.payments
            self._keep(founded, first, FOUNDED_ONLY)
            self.clock.set(AGREED)
            for bank in UK_BANKS:
                agreeing = StandingCourse(founded, StandingStory(name="agrees", bank=bank), resident=resident)
                founded.consents = {**founded.consents, bank: agreeing.set_up()}
            self._keep(founded, first, STANDING)
        finally:
            resident.end()
            founded.leave_database()
        founded.old_order = last_order_id(self.town.bank_file)
        gc.freeze()
        return founded

    def _keep(self, founded: House, first: Course, name: str) -> None:
        """At the begin of a cell, when its customer is signed in."""
        self.clock.set(BEGIN)
        first.customer.open("/bills")
        founded.cookies = first.customer.cookies
        founded.keep(name, Moment(cookies=copy.copy(first.customer.cookies), consents=founded.consents))

    def end(self) -> None:
        self.town.end()
        self._listener.close()


def _holds_consents(story: Story) -> bool:
    return isinstance(story, StandingStory) and story.holds


def _course_of(story: Story) -> type[Course]:
    return StandingCourse if isinstance(story, StandingStory) else Course


@contextlib.contextmanager
def running(folder: Path, *, postgres: str, bug: str | None) -> Iterator[Runner]:
    """A runner with ``bug``, one of sim/bugs.py, in all that it forks. The folder is its own."""
    folder.mkdir()
    with planted(bug):
        runner = Runner(folder, postgres)
        try:
            yield runner
        finally:
            runner.end()


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """For the folders of all runners."""
    fast = FAST if FAST.is_dir() and os.access(FAST, os.W_OK) else None
    return tempfile.TemporaryDirectory(prefix="quittance-kill-", dir=fast, ignore_cleanup_errors=True)


def _listening() -> socket.socket:
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen(64)
    return made
