"""Running one piece of claimed work: by a worker when it is due, or by a web request whose customer waits for it."""

from __future__ import annotations

import datetime as dt
import logging
import re

from sqlalchemy.exc import DBAPIError

from app.db import work
from app.failpoints import failpoint
from app.services import WORKER_DEADLINE_S, Services, Task

log = logging.getLogger("quittance.tasks")

#: what a web request may need beyond its deadline to record the effect, for nothing extends its lease meanwhile: to get
#: into the database, 10 s in the queue of its process and 10 s before the file, or 10 s for a connection of the pool,
#: 5 s to connect and 5 s for a lock; and 5 s for all the rest. When it is killed, a worker goes on after that
RECORDING_S = 25.0

ERROR_MOST = 300
#: in the text of an error: queries of addresses, accounts, and long runs that may be tokens; our own ids may stay
_SECRETS = re.compile(
    r"(?P<query>\?)[^\s'\")]+"
    r"|\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"
    r"|\b(?![a-z]{3,5}_[0-9a-f]{32}\b)[A-Za-z0-9_+=-]{32,}"
)


def run_task(services: Services, claim: work.Claim, *, deadline_s: float = WORKER_DEADLINE_S) -> bool:
    """Run one handler. A failure puts the row back with its error; a lost claim leaves it to who has it now."""
    task = Task(services=services, claim=claim, deadline_s=deadline_s)
    try:
        services.handlers[claim.handler](task)
    except work.LostClaim:
        log.warning("%s was taken over by another worker", claim.key)
        return False
    except Exception as error:
        log.exception("%s failed, try %d", claim.key, claim.attempts)
        failpoint("work.failed")
        with services.unit_of_work() as uow:
            dead = work.put_back(uow.session, claim, now=uow.now, error=one_line(error))
            uow.commit()
        if dead:
            log.error("%s is a dead letter after %d tries: quittance work dead lists it", claim.key, claim.attempts)
        return False
    return True


def run_now(services: Services, key: str, *, deadline_s: float) -> bool:
    """Do this very piece of work here and now. False when a worker has it, or when it failed and was put back."""
    lease = dt.timedelta(seconds=deadline_s + RECORDING_S)
    with services.unit_of_work() as uow:
        claim = work.claim_key(uow.session, key=key, now=uow.now, lease=lease)
        uow.commit()
    if claim is None:
        return False
    failpoint("work.taken")
    return run_task(services, claim, deadline_s=deadline_s)


def one_line(error: BaseException) -> str:
    """What is kept of an error: its type and first line, without what it may quote of our rows and secrets."""
    name = type(error).__name__
    if isinstance(error, DBAPIError):
        return f"{name}: {_of_database(error.orig)}"
    first = (str(error).splitlines() or [""])[0]
    return f"{name}: {_SECRETS.sub(_hidden, first)}"[:ERROR_MOST]


def _hidden(found: re.Match[str]) -> str:
    return f"{found['query'] or ''}…"


def _of_database(error: BaseException | None) -> str:
    """PostgreSQL quotes values in its messages: only the names of what went wrong. SQLite names tables and columns."""
    state = getattr(error, "sqlstate", None)
    if state is None and not type(error).__module__.startswith("psycopg"):
        return (str(error).splitlines() or [""])[0][:ERROR_MOST]
    constraint = getattr(getattr(error, "diag", None), "constraint_name", None)
    return " ".join(word for word in (type(error).__name__, state, constraint) if word)
