"""Running one piece of claimed work: by a worker when it is due, or by a web request whose customer waits for it."""

from __future__ import annotations

import logging

from app.db import work
from app.services import WORKER_DEADLINE_S, Services, Task

log = logging.getLogger("quittance.tasks")


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
        with services.unit_of_work() as uow:
            work.put_back(uow.session, claim, now=uow.now, error=f"{type(error).__name__}: {error}")
            uow.commit()
        return False
    return True


def run_now(services: Services, key: str, *, deadline_s: float) -> bool:
    """Do this very piece of work here and now. False when a worker has it, or when it failed and was put back."""
    with services.unit_of_work() as uow:
        claim = work.claim_key(uow.session, key=key, now=uow.now)
        uow.commit()
    return claim is not None and run_task(services, claim, deadline_s=deadline_s)
