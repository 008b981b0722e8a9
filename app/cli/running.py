"""`quittance serve`, `worker`, `check`: the service itself."""

from __future__ import annotations

import argparse
import time
from typing import Any

from app.cli import machinery
from app.cli.words import add_word


def add(words: Any) -> None:
    add_word(words, "serve", _serve, "serve the pages and the API (gunicorn)")
    add_word(words, "worker", _worker, "do the durable work; any number of these may run")
    check = add_word(words, "check", _check, "prove that every invariant holds; exit status 1 when one does not")
    check.add_argument("--list", action="store_true", help="say what is checked")


def _serve(_: argparse.Namespace) -> int:
    from app.operations import check_customer_keys
    from config.settings import ROOT, Settings

    settings = Settings.from_environ()
    engine = machinery.engine()
    check_customer_keys(engine, machinery.customer_keys())
    engine.dispose()
    machinery.gunicorn("wsgi:application", conf=ROOT / "config" / "gunicorn.conf.py", demo=settings.demo)
    return 0


def _worker(_: argparse.Namespace) -> int:
    import logging
    import signal

    from app.garbage import keep_what_is_loaded
    from app.operations import check_customer_keys
    from app.schedule import Schedule
    from app.worker import Worker

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    services = machinery.services()
    check_customer_keys(services.engine, services.customer_keys)
    if services.settings.mail_server is None:
        logging.getLogger("quittance.notices").warning("no e-mail is sent: QUITTANCE_SMTP_URL is not set")
    worker = Worker(services, Schedule(services))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: worker.stop())
    keep_what_is_loaded()
    worker.run()
    services.engine.dispose()
    return 0


def _check(chosen: argparse.Namespace) -> int:
    from app.invariants import INVARIANTS, check
    from app.services import utc_now

    if chosen.list:
        print("\n".join(f"{one.name:<4}{one.says}" for one in INVARIANTS))
        return 0
    engine = machinery.engine()
    started = time.monotonic()
    broken = check(engine, now=utc_now())
    engine.dispose()
    for one in broken:
        print(one)
    print(f"{len(INVARIANTS) - len(broken)} of {len(INVARIANTS)} invariants hold ({time.monotonic() - started:.1f} s)")
    return 1 if broken else 0
