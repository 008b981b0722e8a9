"""``python -m tests.bench.check``: how long `quittance check` takes over many payments, invariant by invariant.

The payments are copies of those that tests/bench/stories.py lives through, in all states and with all that belongs to
them. Seconds are given as they are and as a ratio to one full scan of the payment table in the same run, which says
more about another machine. A statement that is broken ends with 1: then what was measured is not what is meant.
"""
# ruff: noqa: T201  # its output is for a person

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine, func, select

from app.db.engine import make_engine
from app.db.migrate import upgrade
from app.invariants import INVARIANTS, found, reading
from app.journey.payments.models import Payment
from tests.bench.copies import fill
from tests.bench.stories import OLD, OPEN, RECENT, Lived, live
from tests.support.postgres import running_postgres

ENGINES = ("sqlite", "postgres")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Measured:
    seconds: dict[str, float]  #: by the invariant's name
    scan_s: float  #: one plain reading of all payments
    payments: int
    broken: dict[str, tuple[str, ...]]

    @property
    def total_s(self) -> float:
        return sum(self.seconds.values())


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.check", description=__doc__)
    parser.add_argument("--payments", type=int, default=100_000, help="at least so many")
    parser.add_argument("--database", choices=(*ENGINES, "both"), default="both")
    wanted = parser.parse_args(arguments)
    engines = ENGINES if wanted.database == "both" else (wanted.database,)
    with tempfile.TemporaryDirectory(prefix="quittance-bench-") as folder:
        place = Path(folder)
        lived, took_s = _timed(lambda: live(place, old=OLD, recent=RECENT, open_=OPEN))
        print(f"{len(lived.rows['payment'])} payments lived in {took_s:.0f} s")
        measured = {name: _measure(name, place, lived, payments=wanted.payments) for name in engines}
    for name, one in measured.items():
        _say(name, one)
    times = ", ".join(f"{name} {one.total_s:.1f} s" for name, one in measured.items())
    print(f"check: {max(one.payments for one in measured.values())} payments, {times}")
    return 1 if any(one.broken for one in measured.values()) else 0


def _measure(name: str, folder: Path, lived: Lived, *, payments: int) -> Measured:
    copies = -(-payments // len(lived.rows["payment"]))
    with _empty(name, folder) as engine:
        _, took_s = _timed(lambda: fill(engine, lived.rows, copies=copies))
        print(f"{name}: filled in {took_s:.0f} s", flush=True)
        engine.dispose()  # connections that know nothing of the filling
        return _check(engine, now=lived.clock.now)


@contextlib.contextmanager
def _empty(name: str, folder: Path) -> Iterator[Engine]:
    """A migrated database of this kind."""
    with contextlib.ExitStack() as stack:
        url = f"sqlite:///{folder / 'bench.sqlite3'}" if name == "sqlite" else stack.enter_context(running_postgres())
        engine = make_engine(url)
        stack.callback(engine.dispose)
        upgrade(engine)
        yield engine


def _check(engine: Engine, *, now: dt.datetime) -> Measured:
    """As app.invariants.check does it, with a clock beside it."""
    seconds, broken = {}, {}
    # the newest of all columns that no index has: every row must be read
    scan = select(func.count(Payment.id), func.max(Payment.updated_at))
    with reading(engine) as connection:
        row, scan_s = _timed(lambda: connection.execute(scan).one())
        for one in INVARIANTS:
            ids, seconds[one.name] = _timed(lambda one=one: found(connection, one, now=now))  # type: ignore[misc]
            if ids:
                broken[one.name] = ids
    return Measured(seconds, scan_s, row[0], broken)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    begun = time.perf_counter()
    return work(), time.perf_counter() - begun


def _say(name: str, measured: Measured) -> None:
    print(f"\n{name}: one scan of {measured.payments} payments takes {measured.scan_s:.3f} s")
    for invariant, took_s in sorted(measured.seconds.items(), key=lambda item: -item[1]):
        said = f"  broken: {', '.join(measured.broken[invariant][:3])}" if invariant in measured.broken else ""
        print(f"  {invariant:4} {took_s:7.3f} s {took_s / measured.scan_s:7.1f} scans{said}")
    print(f"  all  {measured.total_s:7.3f} s {measured.total_s / measured.scan_s:7.1f} scans")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
