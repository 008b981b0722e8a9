"""``python -m tests.bench.delivery_bulk``: how fast the bills of one upload are delivered, beside a bare COPY.

The floor is what PostgreSQL itself needs for the rows that the delivery writes (bills, their sealed bytes, facts,
entries of the log, results), each table by COPY into a temporary one and INSERT … ON CONFLICT DO NOTHING, in the same
run, into tables with the same indexes. Delivering is all that a worker does until every line has its result: opening
the sealed parts, reading and judging each bill, writing. Receiving the file and opening the invoices are said beside
it. Writes build/bench.json.
"""
# ruff: noqa: T201  # its output is for a person

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from sqlalchemy import Engine, select, text

from app.audit.models import LogEntry
from app.db.engine import make_engine
from app.db.events import EventRow
from app.db.many import insert_new
from app.db.migrate import upgrade
from app.db.unit_of_work import UnitOfWork
from app.db.work import WorkRow
from app.journey.intake.models import DeliveredBill, Original, UploadLine
from app.journey.intake.taking import ClientIdentity
from app.journey.intake.uploads import DELIVER, receive, upload_of
from app.keys.installation import Keys
from app.schedule import Schedule
from app.services import Services, utc_now
from app.tasks import run_now
from app.worker import Worker
from consent.base import Base
from tests.bench.read_bills import write
from tests.support import factories
from tests.support.installation import make_services, make_settings
from tests.support.postgres import running_postgres

BILLS, CUSTOMERS, ROUNDS = 20_000, 1_000, 3
#: of the floor
TARGET = 0.3
#: table → what tells its rows apart
WRITTEN: dict[type[Base], tuple[str, ...]] = {
    Original: ("name",),
    DeliveredBill: ("biller_id", "number"),
    EventRow: ("id",),
    LogEntry: ("id",),
    UploadLine: ("upload_id", "line"),
}
T = TypeVar("T")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.delivery_bulk", description=__doc__)
    parser.add_argument("--bills", type=int, default=BILLS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    wanted = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    found = [_round(wanted.bills, number) for number in range(wanted.rounds)]
    best = max(found, key=lambda one: one["ratio"])
    for one in found:
        print(
            f"delivered {one['delivered_per_s']:,.0f} bills/s, the floor {one['floor_per_s']:,.0f},"
            f" bills alone by COPY {one['copy_of_bills_per_s']:,.0f}; received {one['received_per_s']:,.0f},"
            f" opened {one['opened_per_s']:,.0f}; ratio {one['ratio']:.2f}"
        )
    print(f"delivery_bulk: {best['ratio']:.2f} of the floor (at least {TARGET})")
    write({"delivery_bulk": {**{name: round(value, 2) for name, value in best.items()}, "target": TARGET}})
    return 0 if best["ratio"] >= TARGET else 1


def _round(bills: int, number: int) -> dict[str, float]:
    """A database of its own: no round pays for the one before."""
    with _services() as services:
        biller = factories.make_biller(services, iban=factories.IBANS[0])
        client = ClientIdentity(client_id=biller.client_id, biller_id=biller.id)
        file = io.BytesIO(_file(services, biller, bills))
        upload, received_s = _timed(
            lambda: receive(services, client=client, media_type="application/x-ndjson", lines=iter(file.readline, b""))
        )
        worker = Worker(services, Schedule(services))
        gc.freeze()  # as a worker's process does
        _, delivered_s = _timed(lambda: _work(services, worker, only=DELIVER))
        _, opened_s = _timed(lambda: _work(services, worker))
        with services.reading() as uow:
            assert upload_of(uow.session, upload_id=upload.id, biller_id=biller.id).delivered == bills
        floor_s, bills_s = _floor(services.engine)
    return {
        "ratio": floor_s / delivered_s,
        "delivered_per_s": bills / delivered_s,
        "floor_per_s": bills / floor_s,
        "copy_of_bills_per_s": bills / bills_s,
        "received_per_s": bills / received_s,
        "opened_per_s": bills / opened_s,
        "bills": bills,
    }


@contextlib.contextmanager
def _services() -> Iterator[Services]:
    with (
        tempfile.TemporaryDirectory(prefix="quittance-bench-") as folder,
        running_postgres(durable=True) as url,
        contextlib.ExitStack() as stack,
    ):
        engine = make_engine(url)
        upgrade(engine)
        engine.dispose()
        settings = make_settings(Path(folder), database_url=url)
        Keys.init(settings.keys)
        wire: Any = None  # no bank is called
        services = make_services(settings, Keys.load(settings.keys), wire, clock=utc_now)
        stack.callback(services.engine.dispose)
        yield services


def _file(services: Services, biller: factories.BillerMade, bills: int) -> bytes:
    addresses = [
        factories.connect(services, customer_id=factories.make_customer(services).id, biller_id=biller.id)
        for _ in range(CUSTOMERS)
    ]
    return b"".join(
        json.dumps(
            {
                "to": addresses[number % CUSTOMERS],
                "number": f"2026-{number:08}",
                "issued_on": "2026-11-02",
                "due_on": "2026-12-02",
                "currency": "EUR",
                "amount": f"{number % 500 + 10}.20",
                "payee": {"name": biller.name, "iban": biller.iban},
                "reference": f"2026-{number:08}",
                "lines": [{"description": "Drinking water", "quantity": "21 m³", "amount": "84.20"}],
            },
            ensure_ascii=False,
        ).encode()
        + b"\n"
        for number in range(bills)
    )


def _work(services: Services, worker: Worker, *, only: str | None = None) -> None:
    """What is due, in this thread; with ``only`` nothing but this handler's."""
    if only is None:
        worker.run_until_idle()
        return
    while True:
        with services.unit_of_work() as uow:
            key = uow.session.scalar(select(WorkRow.key).where(WorkRow.handler == only))
        if key is None:
            return
        run_now(services, key, deadline_s=60.0)


def _floor(engine: Engine) -> tuple[float, float]:
    """Seconds for all rows, and for those of the bills alone."""
    took = {}
    for table, unique in WRITTEN.items():
        made = table.__table__
        with engine.begin() as connection:
            rows = [dict(row) for row in connection.execute(select(made)).mappings()]
            connection.execute(text(f"CREATE TABLE floor (LIKE {made.name} INCLUDING ALL)"))  # type: ignore[attr-defined]
        _, took[table] = _timed(lambda rows=rows, table=table, unique=unique: _copy(engine, table, rows, unique))  # type: ignore[misc]
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE floor"))
    return sum(took.values()), took[DeliveredBill] + took[Original]


def _copy(engine: Engine, table: type[Base], rows: list[dict[str, Any]], unique: tuple[str, ...]) -> None:
    """Into a table like it, in one transaction."""
    renamed = mock.patch.object(table.__table__, "name", "floor")
    with renamed, UnitOfWork(engine, route={}, clock=utc_now) as uow:
        assert len(insert_new(uow.session, table, rows, unique=unique)) == len(rows)
        uow.commit()


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    begun = time.perf_counter()
    return work(), time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
