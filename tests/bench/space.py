"""``python -m tests.bench.space``: how long the lists take that a customer sees who has been here for ten years, and a
search.

Thirty companies send a bill a month each (tests/support/ten_years.py). What is measured is the whole page, from the
request to the last byte, in this process: with PostgreSQL its server's time is in it. Of each page the median, and that
of our processor's time alone, which says more where others are at work; beside them a page that reads nearly nothing,
as a measure of the machine. All in milliseconds. Writes build/bench.json, and judges nothing.
"""
# ruff: noqa: T201  # its output is for a person

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from flask.testing import FlaskClient

from app.db.migrate import upgrade
from app.factory import create_app
from app.garbage import keep_what_is_loaded
from app.journey.route import HANDLERS, ROUTE
from app.keys.installation import Keys
from app.people.models import Customer
from app.services import Services, build_services, open_banks, utc_now
from tests.bench.read_bills import write
from tests.support import factories
from tests.support.installation import BASE_URL, make_settings
from tests.support.postgres import running_postgres
from tests.support.ten_years import COMPANIES, LISTS, YEARS, fill

#: more would be more searches than a customer has in an hour
ROUNDS = 5
#: what the query is like → the query
QUERIES = {
    "a company": "lumen",
    "a letter": "e",
    "an accented word of lines": "énergie",
    "an amount": "84,20",
    "a month": "mars 2026",
    "a company, a month and an amount": "compagnie mars 84",
    "a reference in groups": "RF18 5390 0754 0042",
    "nothing": "zzz",
    "as bad as it can be": " ".join(["1"] * 20),
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.space", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args(arguments).rounds
    logging.disable(logging.WARNING)
    results: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory(prefix="quittance-bench-") as folder, running_postgres() as url:
        for name, database_url in (("sqlite", f"sqlite:///{folder}/bench.sqlite3"), ("postgresql", url)):
            with _installation(Path(folder) / name, database_url) as services:
                customer = fill(services)
                results[name] = _measure(services, customer, rounds=rounds)
    for name, found in results.items():
        print(f"space: {name}, {YEARS * 12 * COMPANIES:,} bills")
        for what, (median, cpu) in found.items():
            print(f"  {what:<34} {median:7.1f} ms, {cpu:7.1f} ms of our CPU")
    write({"space": results})
    return 0


@contextlib.contextmanager
def _installation(folder: Path, database_url: str) -> Iterator[Services]:
    settings = make_settings(folder, database_url=database_url)
    Keys.init(settings.keys)
    banks = open_banks(settings, Keys.load(settings.keys), utc_now)
    services = build_services(settings, route=ROUTE, handlers=HANDLERS, clock=utc_now, banks=banks)
    upgrade(services.engine)
    yield services
    services.engine.dispose()


def _measure(services: Services, customer: Customer, *, rounds: int) -> dict[str, list[float]]:
    client = create_app(services).test_client()
    token = factories.sign_in(services, customer)
    gc.collect()
    keep_what_is_loaded()  # as the server's process does
    client.set_cookie("__Host-session-8000", token, domain="localhost", secure=True)
    searches = {f"search: {what}": f"/search?q={quote(query)}" for what, query in QUERIES.items()}
    pages = {**{path: path for path in LISTS}, **searches, "a bare page": "/help"}
    return {what: _times(client, path, rounds) for what, path in pages.items()}


def _times(client: FlaskClient, path: str, rounds: int) -> list[float]:
    took, cpu = [], []
    for _ in range(rounds + 1):  # the first one fills caches
        begun, cpu_begun = time.perf_counter(), time.process_time()
        answer = client.get(path, base_url=BASE_URL)
        cpu.append((time.process_time() - cpu_begun) * 1e3)
        took.append((time.perf_counter() - begun) * 1e3)
        assert answer.status_code == 200, (path, answer.status_code)
    return [round(statistics.median(each[1:]), 1) for each in (took, cpu)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
