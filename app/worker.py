"""Takes due work and runs the handlers of route.py. Any number of workers may run; any may be killed at any moment."""

from __future__ import annotations

import functools
import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from app.db import work
from app.db.work import Claim, Lane
from app.schedule import Schedule
from app.services import Services
from app.tasks import run_task

log = logging.getLogger("quittance.worker")

#: how many pieces of work each lane does at once
THREADS = {Lane.JOURNEY: 4, Lane.OUTBOUND: 2}
IDLE_S = 0.2
#: after the database was away
WAIT_S = 1.0


class Worker:
    """A loop over due work with a few threads a lane, and a heartbeat that keeps the leases of what they do."""

    def __init__(self, services: Services, schedule: Schedule) -> None:
        self._services = services
        self._schedule = schedule
        self._stopping = threading.Event()
        self._running: dict[Lane, dict[int, Claim]] = {lane: {} for lane in Lane}
        self._guard = threading.Lock()

    def stop(self) -> None:
        """End after the work in hand."""
        self._stopping.set()

    def run(self) -> None:
        """Until stopped."""
        threading.Thread(target=self._keep_leases, daemon=True).start()
        with ThreadPoolExecutor(sum(THREADS.values())) as pool:
            while not self._stopping.is_set():
                try:
                    self._schedule.run_due()
                    found = [self._start_due(pool, lane) for lane in Lane]
                except Exception:  # the database is away: keep trying, it comes back
                    log.exception("no work could be claimed")
                    self._stopping.wait(WAIT_S)
                    continue
                if not any(found):
                    self._stopping.wait(IDLE_S)

    def run_until_idle(self) -> int:
        """All that is due now, one after the other, in this thread. Returns how many pieces; for tests and the CLI."""
        done = 0
        for lane in (Lane.JOURNEY, Lane.OUTBOUND, Lane.JOURNEY):
            while claims := self._claim(lane, limit=1):
                run_task(self._services, claims[0])
                done += 1
        return done

    def _start_due(self, pool: ThreadPoolExecutor, lane: Lane) -> bool:
        free = THREADS[lane] - len(self._running[lane])
        claims = self._claim(lane, limit=free) if free else []
        for claim in claims:
            with self._guard:
                self._running[lane][claim.work_id] = claim
            pool.submit(run_task, self._services, claim).add_done_callback(
                functools.partial(self._ended, lane, claim.work_id)
            )
        return bool(claims)

    def _ended(self, lane: Lane, work_id: int, done: Future[bool]) -> None:
        with self._guard:
            del self._running[lane][work_id]
        if done.exception() is not None:
            log.error("a handler could not even be put back: %r", done.exception())

    def _claim(self, lane: Lane, *, limit: int) -> list[Claim]:
        services = self._services
        with services.reading() as uow:  # most rounds find nothing: do not take the write lock for that
            if work.oldest_due(uow.session, now=uow.now, lane=lane) is None:
                return []
        with services.unit_of_work() as uow:
            claims = work.claim_due(uow.session, now=uow.now, limit=limit, lane=lane)
            uow.commit()
            return claims

    def _keep_leases(self) -> None:
        """The heartbeat. It outlives a database that is away for a moment."""
        while not self._stopping.wait(work.LEASE.total_seconds() / 3):
            with self._guard:
                claims = [claim for running in self._running.values() for claim in running.values()]
            if not claims:
                continue
            try:
                with self._services.unit_of_work() as uow:
                    work.extend(uow.session, claims, now=uow.now)
                    uow.commit()
            except Exception:
                log.exception("%d leases could not be extended", len(claims))
