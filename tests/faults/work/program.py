"""A process that works, for the tests beside it: ``python -m tests.faults.work.program WORD '{…}'``.

Its one handler writes down that it begins, takes its time as if it asked a bank, and records one effect in the
transaction that ends the work. The real Worker does the rest.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import text

from app.db import work
from app.db.engine import make_engine
from app.db.unit_of_work import UnitOfWork
from app.schedule import Schedule
from app.services import Services, Task, utc_now
from app.worker import Worker

HANDLER = "test.effect"


def make_services(url: str, *, nap_s: float = 0.0) -> Services:
    """Database, clock and this handler; nothing else of an installation is used."""

    def effect(task: Task) -> None:
        with task.services.unit_of_work() as uow:
            write(uow, "begun", task.claim.key)
            uow.commit()
        if task.payload.get("poison"):
            raise RuntimeError("it can never be done")
        time.sleep(nap_s)
        with task.services.unit_of_work() as uow:
            write(uow, "effect", task.claim.key)
            task.finish(uow)
            uow.commit()

    nothing = cast(Any, None)
    return Services(
        settings=cast(Any, SimpleNamespace(unseen_days=0)),
        engine=make_engine(url, pool_size=20),
        banks=nothing,
        vault=nothing,
        keys=nothing,
        customer_keys=nothing,
        clock=utc_now,
        route={},
        handlers={HANDLER: effect},
    )


def write(uow: UnitOfWork, what: str, key: str) -> None:
    put = text("INSERT INTO seen (what, key, pid) VALUES (:what, :key, :pid)")
    uow.session.execute(put, {"what": what, "key": key, "pid": os.getpid()})


def make_worker(services: Services, *, lease_s: float, threads: int = 4, grace_s: float = 20.0) -> Worker:
    return Worker(
        services,
        Schedule(services),
        lease=dt.timedelta(seconds=lease_s),
        threads={**dict.fromkeys(work.Lane, 1), work.Lane.JOURNEY: threads},
        grace_s=grace_s,
    )


def work_until_stopped(url: str, *, nap_s: float = 0.0, **how: Any) -> None:
    services = make_services(url, nap_s=nap_s)
    worker = make_worker(services, **how)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run()
    services.engine.dispose()


def fork_and_work(url: str, *, children: int, **how: Any) -> None:
    """As gunicorn does: everything is imported once, then forked; each child opens its own connections."""
    pids = []
    for _ in range(children):
        pid = os.fork()
        if pid == 0:
            work_until_stopped(url, **how)
            os._exit(0)
        pids.append(pid)

    def pass_on(*_: object) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # one that was killed
                os.kill(pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, pass_on)
    for pid in pids:
        os.waitpid(pid, 0)


def ask_and_hang(url: str, *, key: str) -> None:
    """Ask for work and never commit."""
    services = make_services(url)
    with services.unit_of_work() as uow:
        work.enqueue(uow.session, handler=HANDLER, key=key, payload={}, now=uow.now)
        print("asked", flush=True)  # noqa: T201  (the test reads it)
        time.sleep(60)


WORDS: dict[str, Callable[..., None]] = {"work": work_until_stopped, "fork": fork_and_work, "ask": ask_and_hang}

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(process)d %(levelname)s %(name)s: %(message)s")
    WORDS[sys.argv[1]](**json.loads(sys.argv[2]))
