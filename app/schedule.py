"""Every N seconds → which function. Housekeeping only: nothing of the journey hangs on it."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from app.audit.sequencer import number_waiting
from app.db import work
from app.db.unit_of_work import UnitOfWork
from app.invariants import INVARIANTS, check
from app.journey.answers.service import report_overdue
from app.journey.connections.leaks import trace_strays
from app.journey.connections.service import lapse_offers
from app.journey.consents import service as consents
from app.journey.decisions import payee_checks
from app.journey.erasure import service as erasure
from app.journey.intake import own_bills, uploads
from app.journey.invoices.service import report_unseen
from app.journey.notices import reminders
from app.journey.notices import service as notices
from app.journey.payments.service import renew_promises
from app.journey.plans import rounds
from app.journey.plans.service import look_at_days
from app.journey.refunds import accounts as refund_accounts
from app.journey.refunds import service as refunds
from app.people import clients, passkeys, recovery, sessions
from app.services import Services
from consent import sign_ins, vault

log = logging.getLogger("quittance.schedule")


def forget_expired_secrets(uow: UnitOfWork) -> None:
    """Tokens and trips that are past their time, and the sign-ins that had them."""
    sign_ins.drop_expired(uow.session, now=uow.now)
    vault.drop_expired(uow.session, now=uow.now)


def end_wrong_leases(uow: UnitOfWork) -> None:
    """Work that somebody with a clock far ahead took, and may have vanished with."""
    if ended := work.end_wrong_leases(uow.session, now=uow.now):
        log.warning("leases of a clock that was ahead are over: %s", ", ".join(ended))


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
    recovery.look_at_waiting: dt.timedelta(minutes=5),
    recovery.drop_stale: dt.timedelta(hours=1),
    sessions.drop_stale: dt.timedelta(minutes=5),
    forget_expired_secrets: dt.timedelta(minutes=5),
    clients.forget_used_assertions: dt.timedelta(minutes=5),
    end_wrong_leases: dt.timedelta(minutes=1),
    renew_promises: dt.timedelta(minutes=1),
    uploads.drop_abandoned: dt.timedelta(hours=1),
    own_bills.drop_abandoned: dt.timedelta(hours=1),
    payee_checks.drop_stale: dt.timedelta(hours=1),
    lapse_offers: dt.timedelta(minutes=5),
    report_overdue: dt.timedelta(hours=1),
    rounds.drop_stale: dt.timedelta(hours=1),
    refunds.report_overdue: dt.timedelta(hours=1),
    refund_accounts.erase_over: dt.timedelta(minutes=5),
    consents.remind: dt.timedelta(hours=1),
    notices.drop_old: dt.timedelta(hours=1),
}
#: those that need more than one transaction, or a setting
OF_SERVICES: dict[Callable[[Services], object], dt.timedelta] = {
    number_waiting: dt.timedelta(seconds=1),
    report_unseen: dt.timedelta(hours=1),
    reminders.remind: dt.timedelta(hours=1),
    look_at_days: dt.timedelta(minutes=5),
    trace_strays: dt.timedelta(minutes=1),
    erasure.go_on: dt.timedelta(minutes=1),
    erasure.destroy_again: dt.timedelta(hours=1),
}


@dataclass
class Schedule:
    """Runs each job when its time has come. Several workers may do so; every job is safe to repeat."""

    services: Services
    _next: dict[object, dt.datetime] = field(default_factory=dict)
    _next_proof: dt.datetime | None = None

    def run_due(self) -> None:
        """One job that fails keeps neither the others nor any other work from running; it gets its next turn."""
        now = self.services.clock()
        self._prove_when_due(now)
        for job, pause in JOBS.items():
            self._run_when_due(job, pause, now, partial(self._in_one_transaction, job))
        for of_services, pause in OF_SERVICES.items():
            self._run_when_due(of_services, pause, now, partial(of_services, self.services))

    def _run_when_due(
        self, job: Callable[..., object], pause: dt.timedelta, now: dt.datetime, run: Callable[[], object]
    ) -> None:
        if _is_ahead(self._next.get(job), now, pause):
            return
        self._next[job] = now + pause
        try:
            run()
        except Exception:  # the edge of the loop
            log.exception("%s failed", job.__name__)

    def _in_one_transaction(self, job: Callable[[UnitOfWork], object]) -> None:
        with self.services.unit_of_work() as uow:
            job(uow)
            uow.commit()

    def _prove_when_due(self, now: dt.datetime) -> None:
        due = self._next_proof is not None and not _is_ahead(self._next_proof, now, PROOF_PAUSE)
        if due or self._next_proof is None:
            self._next_proof = now + PROOF_PAUSE
        if due:
            # it reads for seconds: no work may wait for it
            threading.Thread(target=prove, args=(self.services,), daemon=True).start()


def _is_ahead(turn: dt.datetime | None, now: dt.datetime, pause: dt.timedelta) -> bool:
    """Whether a turn is still to come. One beyond its pause was planned by a clock that has been set back since."""
    return turn is not None and now < turn <= now + pause
