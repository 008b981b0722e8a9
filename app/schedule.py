"""Every N seconds → which function. Housekeeping only: nothing of the journey hangs on it."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from app.db.unit_of_work import UnitOfWork
from app.people import clients, passkeys, sessions
from app.services import Services
from consent import vault

log = logging.getLogger("quittance.schedule")


def forget_expired_secrets(uow: UnitOfWork) -> None:
    """Tokens and trips that are past their time."""
    vault.drop_expired(uow.session, now=uow.now)


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

    def run_due(self) -> None:
        """One job that fails keeps neither the others nor any other work from running; it gets its next turn."""
        now = self.services.clock()
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
