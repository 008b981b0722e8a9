"""Every N seconds → which function. Housekeeping only: nothing of the journey hangs on it."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from app.db.unit_of_work import UnitOfWork
from app.invariants import INVARIANTS, check
from app.people import clients, passkeys, sessions
from app.services import Services
from consent import vault

log = logging.getLogger("quittance.schedule")


def forget_expired_secrets(uow: UnitOfWork) -> None:
    """Tokens and trips that are past their time."""
    vault.drop_expired(uow.session, now=uow.now)


def prove(services: Services) -> None:
    """`quittance check`, for the log: a line that a monitor can count, and one for each invariant that is broken."""
    started = services.clock()
    try:
        broken = check(services.engine, now=started)
    except Exception:  # the edge of a thread
        log.exception("the invariants could not be checked")
        return
    for one in broken:
        log.error("invariant broken: %s", one)
    seconds = (services.clock() - started).total_seconds()
    log.info("check invariants=%d broken=%d seconds=%.1f", len(INVARIANTS), len(broken), seconds)


#: not at the start: many starts in a row must not be many proofs
PROOF_PAUSE = dt.timedelta(hours=1)

JOBS: dict[Callable[[UnitOfWork], object], dt.timedelta] = {
    passkeys.drop_stale: dt.timedelta(minutes=5),
    sessions.drop_stale: dt.timedelta(minutes=5),
    forget_expired_secrets: dt.timedelta(minutes=5),
    clients.forget_used_assertions: dt.timedelta(minutes=5),
}


@dataclass
class Schedule:
    """Runs each job when its time has come. Several workers may do so; every job is safe to repeat."""

    services: Services
    _next: dict[Callable[[UnitOfWork], object], dt.datetime] = field(default_factory=dict)
    _next_proof: dt.datetime | None = None

    def run_due(self) -> None:
        """One job that fails keeps neither the others nor any other work from running; it gets its next turn."""
        now = self.services.clock()
        self._prove_when_due(now)
        for job, pause in JOBS.items():
            if self._next.get(job, now) > now:
                continue
            self._next[job] = now + pause
            try:
                with self.services.unit_of_work() as uow:
                    job(uow)
                    uow.commit()
            except Exception:  # the edge of the loop
                log.exception("%s failed", job.__name__)

    def _prove_when_due(self, now: dt.datetime) -> None:
        due = self._next_proof is not None and self._next_proof <= now
        if due or self._next_proof is None:
            self._next_proof = now + PROOF_PAUSE
        if due:
            # it reads for seconds: no work may wait for it
            threading.Thread(target=prove, args=(self.services,), daemon=True).start()
