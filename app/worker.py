"""Takes due work and runs the handlers of route.py. Any number of workers may run; any may be killed at any moment."""

from __future__ import annotations

import datetime as dt
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping

from sqlalchemy import Engine, func, select

from app.db import work
from app.db.listener import listen
from app.db.work import Claim, Lane
from app.errors import AppError
from app.failpoints import failpoint
from app.schedule import Schedule
from app.services import Services, utc_now
from app.tasks import run_task

log = logging.getLogger("quittance.worker")

#: how many pieces of work each lane does at once
THREADS: Mapping[Lane, int] = {
    Lane.JOURNEY: 4,
    Lane.OUTBOUND: 2,
    Lane.PUSH: 2,
    Lane.MAIL: 1,
    Lane.BULK: 1,
    Lane.REPORTS: 1,
}
#: between two looks for work: SQLite has nobody who calls, PostgreSQL's call may be missed
LOOK_S = {"sqlite": 0.2, "postgresql": work.LOOK.total_seconds()}
#: after the database was away
WAIT_S = 1.0
#: for the work in hand when it is told to stop: longer than a call to a bank (20 s)
GRACE_S = 23.0
#: for the threads that only help: they are in the middle of something small at most
HELPERS_S = 2.0
#: between two looks at clocks and ages
MINUTE_S = 60.0
#: our clock and the database's: from here on it is said, and from here on nothing is begun
SKEW_SAID_S, SKEW_MOST_S = 1.0, 5.0
#: while it runs they are compared so often: a clock may be set at any moment
CLOCK_S = 1.0
#: work that is late by this is said every minute
LATE_S = 60.0


class ClockWrong(AppError):
    """Leases are times that all workers must agree on."""


class Worker:
    """A loop over due work with a few threads a lane, and a heartbeat that keeps the leases of what they do.

    ``lease``, ``look_s``, ``grace_s`` and ``threads`` are for tests; ``machine_clock`` is this machine's clock.
    """

    def __init__(
        self,
        services: Services,
        schedule: Schedule,
        *,
        lease: dt.timedelta = work.LEASE,
        look_s: float | None = None,
        grace_s: float = GRACE_S,
        threads: Mapping[Lane, int] = THREADS,
        machine_clock: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        self._services = services
        self._schedule = schedule
        self._lease = lease
        self._dialect = services.engine.dialect.name
        self._look_s = LOOK_S[self._dialect] if look_s is None else look_s
        self._grace_s = grace_s
        self._threads = threads
        self._machine_clock = machine_clock
        self._stopping = False
        self._ended = threading.Event()
        # a queue and no Event: a signal's handler may ring it in the very thread that waits for it
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._begun: queue.SimpleQueue[tuple[Lane, Claim] | None] = queue.SimpleQueue()
        # by token as well: a worker that was frozen may take the same row again while its old thread goes on
        self._running: dict[Lane, dict[tuple[int, str], Claim]] = {lane: {} for lane in Lane}
        self._guard = threading.Lock()
        self._clock_is_right = True
        self._clock_again = time.monotonic()

    def stop(self) -> None:
        """Claim nothing more; end after the work in hand, or after the time of grace. May be called by a signal."""
        self._stopping = True
        self._bell.put(None)

    def run(self) -> None:
        """Until stopped. Raises ClockWrong when this machine's clock is too far from the database's at the start.

        When it gets there later, nothing is begun until it is right again: what is in hand goes on, and with several
        workers the others take over.
        """
        self._agree_on_the_time()
        helpers = [self._thread("heartbeat", self._keep_leases), self._thread("housekeeping", self._keep_house)]
        if self._dialect == "postgresql":
            helpers.append(self._thread("listener", self._listen))
        hands = [self._thread(f"work-{number}", self._work) for number in range(sum(self._threads.values()))]
        try:
            while not self._stopping:
                self._look()
            self._drain()
        finally:
            self._ended.set()
            for _ in hands:
                self._begun.put(None)
            for helper in helpers:
                helper.join(HELPERS_S)

    def run_until_idle(self) -> int:
        """All that is due now, one after the other, in this thread. Returns how many pieces; for tests and the CLI."""
        done = 0
        for lane in (Lane.BULK, Lane.JOURNEY, Lane.OUTBOUND, Lane.PUSH, Lane.MAIL, Lane.REPORTS, Lane.JOURNEY):
            while claims := self._claim(lane, limit=1):
                run_task(self._services, claims[0])
                done += 1
        return done

    # ------------------------------------------------------------------------------------------------------- the loop

    def _look(self) -> None:
        """Start what is due; when there is nothing, sleep until there may be."""
        self._hush()
        try:
            if not self._may_begin():
                pause_s = CLOCK_S
            else:
                found = [self._start_due(lane) for lane in Lane]
                pause_s = 0.0 if any(found) else self._pause_s()
        except Exception:  # the database is away: keep trying, it comes back
            log.exception("no work could be claimed")
            pause_s = WAIT_S
        if pause_s:
            self._sleep(pause_s)

    def _start_due(self, lane: Lane) -> bool:
        with self._guard:
            free = self._threads[lane] - len(self._running[lane])
        claims = self._claim(lane, limit=free) if free > 0 else []
        if claims and self._stopping:  # told so in this very moment
            self._give_back(claims)
            return False
        with self._guard:
            self._running[lane].update({_name(claim): claim for claim in claims})
        for claim in claims:
            self._begun.put((lane, claim))
        return bool(claims)

    def _claim(self, lane: Lane, *, limit: int) -> list[Claim]:
        services = self._services
        with services.reading() as uow:  # most rounds find nothing: do not take the write lock for that
            if work.oldest_due(uow.session, now=uow.now, lane=lane) is None:
                return []
        with services.unit_of_work() as uow:
            claims = work.claim_due(uow.session, now=uow.now, limit=limit, lane=lane, lease=self._lease)
            uow.commit()
        if claims:
            failpoint("work.claimed")
        return claims

    def _pause_s(self) -> float:
        """Until the next row comes due or somebody's lease ends, but no longer than the usual pause."""
        if self._look_s <= LOOK_S["sqlite"]:
            return self._look_s
        with self._services.reading() as uow:
            before = uow.now + dt.timedelta(seconds=self._look_s)
            due = work.next_due(uow.session, now=uow.now, before=before)
            return max(0.01, (due - uow.now).total_seconds()) if due else self._look_s

    def _hush(self) -> None:
        """Forget the rings so far: what they were about is seen by the look that follows."""
        while not self._bell.empty():
            self._bell.get()

    def _sleep(self, seconds: float) -> None:
        """Until the bell rings."""
        try:
            self._bell.get(timeout=seconds)
        except queue.Empty:
            return

    def _listen(self) -> None:
        listen(self._services.engine, lambda: self._bell.put(None), until=self._ended)

    # -------------------------------------------------------------------------------------------------- the work itself

    def _work(self) -> None:
        """One thread: a piece of work after the other."""
        while (begun := self._begun.get()) is not None:
            lane, claim = begun
            try:
                run_task(self._services, claim)
            except Exception:  # the edge of the thread: its lease ends by itself, and it is taken over
                log.exception("%s could not even be put back", claim.key)
            finally:
                with self._guard:
                    del self._running[lane][_name(claim)]
                self._bell.put(None)  # there may be more than there were threads

    def _keep_leases(self) -> None:
        """The heartbeat. It outlives a database that is away for a moment."""
        pause_s = usual_s = self._lease.total_seconds() / 3
        while not self._ended.wait(pause_s):
            claims = self._in_hand()
            pause_s = usual_s
            if not claims:
                continue
            try:
                with self._services.unit_of_work() as uow:
                    work.extend(uow.session, claims, now=uow.now)
                    uow.commit()
            except Exception:
                log.exception("%d leases could not be extended", len(claims))
                pause_s = min(WAIT_S, usual_s)

    def _drain(self) -> None:
        """Give back what no thread has begun with, then wait for the others."""
        unstarted: list[Claim] = []
        while not self._begun.empty():
            try:
                begun = self._begun.get_nowait()
            except queue.Empty:  # a thread was quicker
                break
            if begun is not None:
                unstarted.append(begun[1])
                with self._guard:
                    del self._running[begun[0]][_name(begun[1])]
        if unstarted:
            self._give_back(unstarted)
        until = time.monotonic() + self._grace_s
        while self._in_hand() and (left := until - time.monotonic()) > 0:
            self._sleep(left)
        if claims := self._in_hand():
            keys = ", ".join(claim.key for claim in claims)
            log.warning("stopped with work in hand, which is taken over when its lease ends: %s", keys)

    def _give_back(self, claims: list[Claim]) -> None:
        try:
            with self._services.unit_of_work() as uow:
                work.give_back(uow.session, claims, now=uow.now)
                uow.commit()
        except Exception:
            log.exception("%d pieces of work could not be given back; their leases end by themselves", len(claims))

    def _in_hand(self) -> list[Claim]:
        with self._guard:
            return [claim for running in self._running.values() for claim in running.values()]

    # ----------------------------------------------------------------------------------------------------- housekeeping

    def _keep_house(self) -> None:
        """The schedule, and once a minute what an operator should know. Nothing of it may hold up the work."""
        minute_at = time.monotonic() + MINUTE_S
        while not self._ended.is_set():
            try:
                if self._clock_is_right:  # what a wrong clock forgets does not come back
                    self._schedule.run_due()
                if time.monotonic() >= minute_at:
                    minute_at = time.monotonic() + MINUTE_S
                    self._say_what_is_late()
                    self._skew_s()
            except Exception:
                log.exception("the housekeeping failed")
            self._ended.wait(WAIT_S)

    def _say_what_is_late(self) -> None:
        with self._services.reading() as uow:
            found = work.ages(uow.session, uow.now)
        for age in found:
            if age.oldest_s > LATE_S:
                log.warning(
                    "work_oldest_due_seconds=%d handler=%s dead_letters=%d", age.oldest_s, age.handler, age.dead
                )

    def _agree_on_the_time(self) -> None:
        """Before anything is claimed. Waits for a database that is away."""
        while not self._stopping:
            try:
                skew_s = self._skew_s()
            except Exception:
                log.exception("the database's clock could not be read")
                self._sleep(WAIT_S)
                continue
            if abs(skew_s) > SKEW_MOST_S:
                raise ClockWrong(
                    "clock-wrong",
                    f"This machine's clock is {abs(skew_s):.1f} s {'ahead of' if skew_s > 0 else 'behind'} the"
                    " database's, and workers that share work must agree on the time: set it, then start again.",
                )
            return

    def _may_begin(self) -> bool:
        """Whether this machine's clock may be trusted with leases now. What changes is said."""
        if self._dialect != "postgresql":
            return True
        if time.monotonic() >= self._clock_again:
            skew_s = skew(self._services.engine, self._machine_clock)
            self._clock_again = time.monotonic() + CLOCK_S
            was_right, self._clock_is_right = self._clock_is_right, abs(skew_s) <= SKEW_MOST_S
            if was_right and not self._clock_is_right:
                log.error("clock_skew_seconds=%.1f: nothing is begun until this machine's clock is right", skew_s)
            elif self._clock_is_right and not was_right:
                log.warning("this machine's clock is right again: work goes on")
        return self._clock_is_right

    def _skew_s(self) -> float:
        """By how many seconds this machine is ahead of the database at least; above one second it is said."""
        skew_s = skew(self._services.engine, self._machine_clock) if self._dialect == "postgresql" else 0.0
        if abs(skew_s) > SKEW_SAID_S:
            log.warning("clock_skew_seconds=%.1f between this machine and the database", skew_s)
        return skew_s

    def _thread(self, name: str, target: Callable[[], None]) -> threading.Thread:
        # none of them may keep the process when its time of grace is over
        made = threading.Thread(target=target, name=name, daemon=True)
        made.start()
        return made


def skew(engine: Engine, machine_clock: Callable[[], dt.datetime]) -> float:
    """Seconds by which the machine is ahead of PostgreSQL, negative when behind; 0 within the time that asking took."""
    with engine.execution_options(read_only=True).connect() as connection:
        before = machine_clock()
        theirs: dt.datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        after = machine_clock()
    if theirs < before:
        return (before - theirs).total_seconds()
    return (after - theirs).total_seconds() if theirs > after else 0.0


def _name(claim: Claim) -> tuple[int, str]:
    return (claim.work_id, claim.lock_token)
