"""What goes wrong, by dice that the seed loads: kills, freezes, crashes, and links that lie."""

from __future__ import annotations

import heapq
import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import Callable

import psycopg

from tests.faults.storm.proxy import MODES
from tests.faults.storm.world import LINKS, WORKERS, World, names_of_failpoints

#: seconds between two strikes
PAUSE_LEAST_S, PAUSE_MOST_S = 0.8, 4.0
#: the second number lies beyond the lease of work
FREEZE_LEAST_S, FREEZE_MOST_S = 1.0, 45.0
AWAY_S = 20.0
#: share of starts of a worker that are made to die at a point; and of the pages
DIES, PAGES_DIE = 0.5, 0.15
#: modes that make no sense on a link: nobody answers 502 in PostgreSQL's words, nor inside somebody else's TLS
NOT_ON = {"database": ("502", "cut"), "uk-bank": ("502",)}
#: programs
BANKS = ("bank", "uk-bank")


class Nemesis:
    """``strike`` when its time has come. ``did`` counts everything by name."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.did: Counter[str] = Counter()
        self._dice = random.Random(f"{seed}:nemesis")  # noqa: S311  (the same dice for the same seed)
        self._points = names_of_failpoints()
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._next_at = time.monotonic() + 1.0
        self._planned: dict[str, str] = {}
        world.failpoint_for = self._failpoint_for
        self._faults: list[tuple[int, str, Callable[[], None]]] = [
            (7, "kill -9 web worker", lambda: self._kill_child("web")),
            (4, "kill -9 web master", lambda: self._kill("web")),
            (8, "kill -9 worker1", lambda: self._kill("worker1")),
            (8, "kill -9 worker2", lambda: self._kill("worker2")),
            (2, "kill -9 both workers", lambda: self._kill(*WORKERS)),
            (1, "kill -9 everything", lambda: self._kill("web", *BANKS, *WORKERS)),
            *((4, f"kill -9 {bank}", lambda bank=bank: self._kill(bank)) for bank in BANKS),
            *((3, f"kill -9 {bank} worker", lambda bank=bank: self._kill_child(bank)) for bank in BANKS),
            *((2, f"{bank} away", lambda bank=bank: self._away(bank)) for bank in BANKS),
            (7, "freeze worker", lambda: self._freeze(self._dice.choice(WORKERS))),
            (3, "freeze web worker", lambda: self._freeze_child("web")),
            *((2, f"freeze {bank}", lambda bank=bank: self._freeze_child(bank)) for bank in BANKS),
            (2, "database stopped at once", lambda: self._signal_database(signal.SIGQUIT)),
            (1, "kill -9 database", lambda: self._signal_database(signal.SIGKILL)),
            (2, "kill -9 database backend", self._kill_backend),
            (4, "database ends connections", self._terminate_all),
            *((5, f"link {link}", lambda link=link: self._break_link(link)) for link in LINKS for _ in range(3)),
        ]

    def tick(self) -> None:
        """Do what is due. Call it often."""
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2]()
        if now >= self._next_at:
            self._next_at = now + self._dice.uniform(PAUSE_LEAST_S, PAUSE_MOST_S)
            _, name, fault = self._dice.choices(self._faults, [weight for weight, _, _ in self._faults])[0]
            fault()
            if not name.startswith("link "):
                self.did[name] += 1

    def _after(self, seconds: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), do))

    # ------------------------------------------------------------------------------------------------------------ kills

    def _kill(self, *names: str) -> None:
        for name in names:
            self.world.programs[name].signal(signal.SIGKILL)

    def _kill_child(self, name: str) -> None:
        children = self.world.children(name)
        if children:
            self.world.programs[name].signal(signal.SIGKILL, pid=self._dice.choice(children))

    def _failpoint_for(self, name: str) -> str | None:
        """Whether the program that starts now is to die at a point of the money path, and at which."""
        share = DIES if name in WORKERS else PAGES_DIE if name == "web" else 0.0
        if self._dice.random() >= share:
            return None
        point = f"{self._dice.choice(self._points)}:{self._dice.randint(1, 12)}"
        self.did[f"started to die at a failpoint ({'worker' if name in WORKERS else name})"] += 1
        return point

    def _away(self, name: str) -> None:
        bank = self.world.programs[name]
        bank.signal(signal.SIGKILL)
        bank.start_again_at = time.monotonic() + AWAY_S

    # ---------------------------------------------------------------------------------------------------------- freezes

    def _freeze(self, name: str, pid: int | None = None, *, most_s: float = FREEZE_MOST_S) -> None:
        program = self.world.programs[name]
        frozen = pid or program.pid
        if frozen in program.frozen or not program.signal(signal.SIGSTOP, pid=frozen):
            return

        def thaw() -> None:
            if frozen in program.frozen:
                program.signal(signal.SIGCONT, pid=frozen)
                program.frozen.discard(frozen)

        # most are short; one in three is beyond the lease
        long = self._dice.random() < 0.33 and most_s >= FREEZE_MOST_S
        self._after(self._dice.uniform(31, most_s) if long else self._dice.uniform(FREEZE_LEAST_S, 12), thaw)

    def _freeze_child(self, name: str) -> None:
        children = self.world.children(name)
        if children:
            self._freeze(name, self._dice.choice(children), most_s=15)

    # -------------------------------------------------------------------------------------------------------- database

    def _signal_database(self, number: signal.Signals) -> None:
        """SIGQUIT is PostgreSQL's immediate stop: no goodbye, recovery from its log at the next start."""
        self.world.programs["database"].signal(number)

    def _kill_backend(self) -> None:
        if self.world.database is not None:
            try:
                self.world.database.kill_backend(self._dice)
            except psycopg.Error:
                return
            self.world.database_went()

    def _terminate_all(self) -> None:
        if self.world.database is not None:
            try:
                self.world.database.terminate_all()
            except psycopg.Error:
                return

    # ------------------------------------------------------------------------------------------------------------ links

    def _break_link(self, link: str) -> None:
        modes = [mode for mode in MODES if mode != "ok" and mode not in NOT_ON.get(link, ())]
        mode = self._dice.choice(modes)
        self.world.set_link(link, mode, self._dice.choice((0.2, 0.5, 1.0)))
        self.did[f"link {link} {mode}"] += 1
        lasts_s = self._dice.uniform(1, 8) if mode != "blackhole" else self._dice.uniform(2, 14)

        def mend() -> None:
            if self.world.modes[link] == mode:
                self.world.set_link(link, "ok")

        self._after(lasts_s, mend)
