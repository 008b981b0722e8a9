"""Simulated time and processes: greenlets in one thread that take turns at named points, are killed, and freeze.

They take turns between transactions only. What happens inside of one is the database's business, and has tests of its
own on PostgreSQL.
"""

from __future__ import annotations

import collections
import datetime as dt
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import greenlet  # type: ignore[import-untyped]  # it ships none

from app.db.work import Claim


class Crash(BaseException):
    """kill -9: no handler of the services catches it."""


class Violation(BaseException):
    """An invariant does not hold. No handler of the services catches this one either."""

    def __init__(self, name: str, detail: object) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name


@dataclass(eq=False)
class Fiber:
    """One thread of a process: a request of a browser, or a piece of work."""

    process: Process
    label: str
    glet: greenlet.greenlet
    wake_at: dt.datetime
    subject: str | None = None  #: the payment it is about
    claim: Claim | None = None
    at: str = "start"  #: the point where it stands
    on_death: Callable[[], None] | None = None
    told_hold: tuple[Any, dt.datetime] | None = None


@dataclass(eq=False)
class Process:
    name: str
    worker: bool
    fibers: list[Fiber] = field(default_factory=list)
    frozen_until: dt.datetime | None = None
    beat_at: dt.datetime | None = None  #: last heartbeat of its leases


class Floor:
    """Who runs now, what time it is, and what happened."""

    def __init__(self, seed: int, *, start: dt.datetime, raw: Any, known: frozenset[str]) -> None:
        self.seed = seed
        self.known = known  #: names of invariants that are left out
        self.dice = random.Random(seed)  # noqa: S311
        self.now = start
        self.raw = raw  #: the database's own connection, for questions that no service is asked
        self.processes = [Process("web-1", False), Process("web-2", False), Process("work-1", True)]
        self.processes.append(Process("work-2", True))
        self.current: Fiber | None = None
        self.counts: collections.Counter[str] = collections.Counter()
        self.trace: list[str] = []
        self.switching = 1.0  #: how often a point hands over
        self._main = greenlet.getcurrent()
        self.ended: list[tuple[Fiber, BaseException | None]] = []

    def clock(self) -> dt.datetime:
        return self.now

    def broken(self, name: str, detail: object) -> None:
        """Raises Violation, unless this one is left out."""
        if name not in self.known:
            raise Violation(name, detail)

    def note(self, what: str) -> None:
        who = f"{self.current.process.name} {self.current.label}" if self.current else "-"
        self.trace.append(f"{self.now:%d %H:%M:%S} {who}: {what}")

    def history_hash(self) -> str:
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    # ------------------------------------------------------------------------------------------------ inside a fiber

    def point(self, name: str) -> None:
        """A place between two steps of a process: it may lose its turn here, for ever."""
        self.counts[f"point {name}"] += 1
        if self.raw.in_transaction:
            self.broken("K1", f"a transaction is open at {name}")
        fiber = self.current
        if fiber is None:
            return
        fiber.at = name
        self.note(name)
        if self.dice.random() < self.switching:
            self._main.switch()

    def sleep(self, seconds: float) -> None:
        """Wait in simulated time (longer when nobody gives the turn back)."""
        fiber = self.current
        if fiber is None:
            return
        fiber.wake_at = self.now + dt.timedelta(seconds=seconds)
        self._main.switch()

    # ----------------------------------------------------------------------------------------------- from the outside

    def spawn(
        self,
        process: Process,
        label: str,
        body: Callable[[], None],
        *,
        subject: str | None = None,
        claim: Claim | None = None,
    ) -> Fiber:
        fiber = Fiber(process, label, None, self.now, subject, claim)

        def run() -> None:
            error: BaseException | None = None
            try:
                body()
            except Violation:
                raise
            except Crash:
                return
            except Exception as raised:  # noqa: BLE001  # whatever it is, it is looked at when the fiber has ended
                error = raised
            self.ended.append((fiber, error))

        fiber.glet = greenlet.greenlet(run, self._main)
        process.fibers.append(fiber)
        return fiber

    def ready(self) -> list[Fiber]:
        return [
            fiber
            for process in self.processes
            if process.frozen_until is None or process.frozen_until <= self.now
            for fiber in process.fibers
            if fiber.wake_at <= self.now
        ]

    def resume(self, fiber: Fiber) -> None:
        """Until it loses its turn or ends."""
        process = fiber.process
        if process.frozen_until is not None:
            process.frozen_until = None
            self.counts["fault thawed"] += 1
        self.current = fiber
        try:
            fiber.glet.switch()
        finally:
            self.current = None
        if fiber.glet.dead:
            process.fibers.remove(fiber)

    def crash(self, process: Process) -> None:
        """All that it was doing is gone; what it had claimed runs out by time."""
        self.note(f"{process.name} dies at {', '.join(f'{each.label}@{each.at}' for each in process.fibers)}")
        for fiber in process.fibers:
            self.counts[f"died at {fiber.at}"] += 1
            if fiber.glet:  # started
                self.current = fiber
                try:
                    fiber.glet.throw(Crash)
                finally:
                    self.current = None
        process.fibers.clear()
        process.frozen_until = None

    def abandon(self) -> None:
        """The history is over, perhaps in the middle of something."""
        for process in self.processes:
            for fiber in process.fibers:
                if fiber.glet:
                    fiber.glet.throw(Crash)
            process.fibers.clear()

    def freeze(self, process: Process, seconds: float) -> None:
        """Nothing of it runs for so long, then it goes on as if nothing had been."""
        self.note(f"{process.name} freezes for {seconds:.0f} s")
        process.frozen_until = self.now + dt.timedelta(seconds=seconds)

    def next_wake(self) -> dt.datetime | None:
        """When the next sleeping or frozen fiber goes on."""
        times = [
            max(fiber.wake_at, process.frozen_until or fiber.wake_at)
            for process in self.processes
            for fiber in process.fibers
        ]
        return min(times, default=None)
