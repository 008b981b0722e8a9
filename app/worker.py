"""Takes due work and runs the handlers of route.py. Any number of workers may run; any may be killed at any moment."""

from __future__ import annotations

import functools
import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

from app.db import work
from app.schedule import Schedule
from app.services import Services
from app.tasks import run_task

log = logging.getLogger("quittance.worker")

THREADS = 4
IDLE_S = 0.2


class Worker:
    """A loop over due work with a few threads and a heartbeat that keeps their leases."""

    def __init__(self, services: Services, schedule: Schedule) -> None:
        self._services = services
        self._schedule = schedule
        self._stopping = threading.Event()
        self._running: dict[int, work.Claim] = {}
        self._guard = threading.Lock()

    def stop(self) -> None:
        """End after the work in hand."""
        self._stopping.set()

    def run(self) -> None:
        """Until stopped."""
        heart = threading.Thread(target=self._heartbeat, daemon=True)
        heart.start()
        with ThreadPoolExecutor(THREADS) as pool:
            while not self._stopping.is_set():
                if not self._round(pool):
                    self._stopping.wait(IDLE_S)

    def run_until_idle(self) -> int:
        """All that is due now, one after the other, in this thread. Returns how many pieces; for tests and the CLI."""
        done = 0
        while claims := self._claim(limit=1):
            run_task(self._services, claims[0])
            done += 1
        return done

    def _round(self, pool: ThreadPoolExecutor) -> bool:
        try:
            self._schedule.run_due()
            free = THREADS - len(self._running)
            claims = self._claim(limit=free) if free else []
        except Exception:
            log.exception("no work could be claimed")
            time.sleep(1)
            return False
        for claim in claims:
            with self._guard:
                self._running[claim.work_id] = claim
            future = pool.submit(run_task, self._services, claim)
            future.add_done_callback(functools.partial(self._ended, claim.work_id))
        return bool(claims)

    def _ended(self, work_id: int, done: Future[bool]) -> None:
        with self._guard:
            del self._running[work_id]
        if done.exception() is not None:
            log.error("a handler could not even be put back: %r", done.exception())

    def _claim(self, *, limit: int) -> list[work.Claim]:
        services = self._services
        with services.reading() as uow:  # most rounds find nothing: do not take the write lock for that
            if work.oldest_due(uow.session, now=uow.now) is None:
                return []
        with services.unit_of_work() as uow:
            claims = work.claim_due(uow.session, now=uow.now, limit=limit)
            uow.commit()
            return claims

    def _heartbeat(self) -> None:
        while not self._stopping.wait(work.LEASE.total_seconds() / 3):
            with self._guard:
                claims = list(self._running.values())
            if claims:
                with self._services.unit_of_work() as uow:
                    work.extend(uow.session, claims, now=uow.now)
                    uow.commit()
