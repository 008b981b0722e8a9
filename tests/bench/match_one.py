"""``python -m tests.bench.match_one``: what it costs to match one bill with what its customer allows, as they grow.

One PostgreSQL with a database of each size: each customer has two standing consents with a period under way, two open
bills, a preference and a bank; one in a hundred has stopped everything. The server itself makes the rows
(match_one.sql), in the tables and with the indexes of the migrations. One match is all that a page does for it beside
reading the bill: the customer's statement, the verdicts of the consents, and their order; the bill's own row is read
besides in a second figure. Own CPU is the time of this process, the median of all matches; what PostgreSQL takes is in
the wall time. Writes build/bench.json, and ends with 1 where a target is missed or a plan reads a whole table.
"""
# ruff: noqa: T201  # its output is for a person

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import gc
import logging
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, bindparam, select, text

from app.db.engine import make_engine
from app.db.migrate import upgrade
from app.db.unit_of_work import UnitOfWork
from app.journey.invoices.models import Invoice
from app.journey.matching import read
from app.journey.matching.read import Banks, match
from app.journey.route import ROUTE
from app.keys.installation import Keys
from app.services import open_banks, utc_now
from connectors.money import Money
from consent.rules import Order
from consent.verdicts import Bill
from tests.bench.read_bills import write
from tests.support.installation import make_settings
from tests.support.postgres import running_postgres

SIZES = (1_000, 10_000, 100_000, 1_000_000)
MATCHES, ROUNDS = 400, 7
#: milliseconds of our own processor for one bill, and p50 at the largest size ÷ p50 at the smallest
CPU_MS_MOST, GROWTH_MOST = 1.0, 2.0
#: each must find its rows by one of these: table → indexes
BY_INDEX = {
    "standing": ("ix_standing_open",),
    "consent": ("pk_consent",),
    "consent_usage": ("ix_consent_usage_current", "pk_consent_usage"),
    "pay_first": ("pk_pay_first",),
    "customer_bank": ("pk_customer_bank",),
    "stop": ("uq_stop_standing", "ix_stop_customer_id"),
    "invoice": ("pk_invoice",),
}
ROWS = Path(__file__).with_suffix(".sql")


#: the bill's own row, as a page has read it before it asks for its ways
BILL = select(
    Invoice.id, Invoice.currency, Invoice.amount_minor, Invoice.biller_id, Invoice.due_on, Invoice.payee_name,
    Invoice.payee_iban,
).where(Invoice.id == bindparam("bill"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """In milliseconds, of one bill: matched, and read from its row before that."""

    cpu: float
    p50: float
    p99: float
    cpu_with_bill: float
    p50_with_bill: float


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.match_one", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--matches", type=int, default=MATCHES)
    wanted = parser.parse_args(arguments)
    logging.disable(logging.WARNING)
    sizes = sorted(wanted.sizes)
    with _databases(sizes) as (engines, folder):
        banks = _banks(folder)
        found = _measure(engines, banks, wanted.matches)
        plans = _plans(engines[sizes[-1]], size=sizes[-1])
    for size, one in found.items():
        print(
            f"{size:>9,} customers: one bill {one.cpu:.3f} ms of our CPU, p50 {one.p50:.3f} ms, p99 {one.p99:.3f} ms;"
            f" read before that {one.cpu_with_bill:.3f} ms, p50 {one.p50_with_bill:.3f} ms"
        )
    for plan in plans:
        print(*(f"  {line}" for line in plan), sep="\n")
    whole = _read_whole(plans)
    least, most = found[sizes[0]], found[sizes[-1]]
    growth = max(most.p50 / least.p50, most.p50_with_bill / least.p50_with_bill)
    cpu_ms = max(one.cpu for one in found.values())
    print(f"match_one: {cpu_ms:.3f} ms (at most {CPU_MS_MOST}), growth {growth:.2f} (at most {GROWTH_MOST})")
    if whole:
        print(f"not by their indexes: {', '.join(sorted(whole))}")
    write(
        {
            "match_one": {
                "ms_by_customers": {
                    size: {k: round(v, 3) for k, v in asdict(one).items()} for size, one in found.items()
                },
                "cpu_ms": round(cpu_ms, 3),
                "growth": round(growth, 2),
                "targets": {"cpu_ms": CPU_MS_MOST, "growth": GROWTH_MOST},
                "banks": len(banks.by_id),
                "plan": [line for plan in plans for line in plan],
            }
        }
    )
    return 1 if cpu_ms > CPU_MS_MOST or growth > GROWTH_MOST or whole else 0


@contextlib.contextmanager
def _databases(sizes: Sequence[int]) -> Iterator[tuple[dict[int, Engine], Path]]:
    """One of each size, in one server."""
    with (
        tempfile.TemporaryDirectory(prefix="quittance-bench-") as folder,
        running_postgres(settings=("shared_buffers=512MB", "max_wal_size=4GB")) as url,
        contextlib.ExitStack() as stack,
    ):
        engines = {}
        for size in sizes:
            began = time.perf_counter()
            _by_itself(url, f"CREATE DATABASE customers_{size}")
            engine = engines[size] = make_engine(f"{url.rpartition('/')[0]}/customers_{size}")
            stack.callback(engine.dispose)
            upgrade(engine)
            _fill(engine, last=size - 1)
            print(f"{size:,} customers made in {time.perf_counter() - began:.0f} s", flush=True)
        _by_itself(url, "CHECKPOINT")  # else the disk is still writing while it is measured
        yield engines, Path(folder)


def _by_itself(url: str, statement: str) -> None:
    """In no transaction, however long it takes."""
    engine = make_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text(statement))
    engine.dispose()


def _banks(folder: Path) -> Banks:
    """Every bank that has a file here, as if our keys for it were here, too."""
    settings = make_settings(folder, database_url="postgresql://unused")
    Keys.init(settings.keys)
    banks = Banks.now(open_banks(settings, Keys.load(settings.keys), utc_now))
    return replace(banks, by_id={bank.id: replace(bank, is_usable=True) for bank in banks.by_id.values()})


def _fill(engine: Engine, *, last: int) -> None:
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        for statement in ROWS.read_text("utf-8").split(";\n"):
            if "INSERT" in statement:
                connection.execute(text(statement), {"first": 0, "last": last} if ":first" in statement else {})
    _by_itself(engine.url.render_as_string(hide_password=False), "VACUUM ANALYZE")


def _measure(engines: Mapping[int, Engine], banks: Banks, matches: int) -> dict[int, Measured]:
    """The sizes take turns in each round: what else the machine does then falls on all of them. Of each the best round
    counts, and the first, which reads from the disk, does not."""
    gc.collect()
    gc.freeze()  # as a worker's process does
    rounds: dict[int, list[Measured]] = {size: [] for size in engines}
    for _ in range(ROUNDS + 1):
        for size, engine in engines.items():
            drawn = random.Random(size).sample(range(size), k=min(matches, size))  # noqa: S311 (nothing secret)
            with UnitOfWork(engine.execution_options(read_only=True), route=ROUTE, clock=utc_now) as uow:
                rounds[size].append(_round(uow, banks, drawn))
    return {size: _best(measured[1:]) for size, measured in rounds.items()}


def _best(rounds: Sequence[Measured]) -> Measured:
    quickest = min(rounds, key=lambda one: one.p50)
    return replace(
        quickest,
        cpu=min(one.cpu for one in rounds),
        cpu_with_bill=min(one.cpu_with_bill for one in rounds),
        p50_with_bill=min(one.p50_with_bill for one in rounds),
    )


def _round(uow: UnitOfWork, banks: Banks, drawn: Sequence[int]) -> Measured:
    bills = {number: _bill(uow, number) for number in drawn}
    cpu, took = _timed(lambda number: _match(uow, banks, bills[number], number), drawn)
    cpu_with_bill, with_bill = _timed(lambda number: _match(uow, banks, _bill(uow, number), number), drawn)
    p99 = took[len(took) * 99 // 100]
    return Measured(cpu, statistics.median(took), p99, cpu_with_bill, statistics.median(with_bill))


def _timed(work: Callable[[int], None], drawn: Sequence[int]) -> tuple[float, list[float]]:
    """The median of our own processor's time for one, and how long each took, the shortest first: in milliseconds."""
    took, cpu = [], []
    for number in drawn:
        begun, cpu_begun = time.perf_counter(), time.process_time()
        work(number)
        cpu.append((time.process_time() - cpu_begun) * 1e3)
        took.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(cpu), sorted(took)


def _bill(uow: UnitOfWork, number: int) -> Bill:
    row = uow.session.connection().execute(BILL, {"bill": f"inv_{number * 2:032x}"}).one()
    order = Order(payee_name=row.payee_name, payee_iban=row.payee_iban, amount=Money(row.amount_minor, row.currency))
    return Bill(order=order, biller_id=row.biller_id, due_on=row.due_on)


def _match(uow: UnitOfWork, banks: Banks, bill: Bill, number: int) -> None:
    customer_id = f"cus_{number:032x}"
    ways = match(uow.session, customer_id=customer_id, bills={"inv_1": bill}, banks=banks, now=uow.now).ways["inv_1"]
    assert len(ways.standing) == 2
    assert (ways.covering is None) is (number % 100 == 0)


def _plans(engine: Engine, *, size: int) -> list[list[str]]:
    """Of both statements, for one customer in the middle."""
    number = size // 2 + 1
    given: dict[str, Any] = {
        "customer": f"cus_{number:032x}",
        "since": utc_now().date() - dt.timedelta(days=1),
        "bill": f"inv_{number * 2:032x}",
    }
    statements = (read._OF_CUSTOMER, BILL)
    with engine.connect() as connection:
        found = []
        for statement in statements:
            made = statement.params({name: given[name] for name in statement.compile().params if name in given})
            sql = made.compile(engine, compile_kwargs={"literal_binds": True})
            found.append([str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN (COSTS OFF) {sql}")])
    return found


def _read_whole(plans: list[list[str]]) -> set[str]:
    """The tables of which rows are not found by one of their indexes."""
    plan = "\n".join(line for one in plans for line in one)
    return {table for table, indexes in BY_INDEX.items() if not any(index in plan for index in indexes)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
