"""``python -m tests.bench.plan_bills``: how long it takes to find on which day each of many bills is best paid.

Bills whose amounts, days, discounts and fees are random, and cash for half of them: what a search finds hardest. The
time is that of our own processor, so that what else the machine does counts for little; of each size the worst case is
told. Writes build/bench.json, and ends with 1 where a target is missed.
"""
# ruff: noqa: T201  # its output is for a person

from __future__ import annotations

import argparse
import datetime as dt
import random
import sys
import time

from app.journey.intake.bill import LateFee
from app.journey.invoices.rules import Discount
from app.journey.outlook.best import HORIZON, Bill, plan
from connectors.money import Money
from tests.bench.read_bills import write

TODAY = dt.date(2026, 3, 1)
#: bills and days on which to pay; the first is what a page may well have
SIZES = ((9, 4), (12, 3), (40, 2), (40, 4), (40, 9), (40, 20), (40, 60), (100, 9))
CASES = 10
#: for forty bills
MS_MOST = 300


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.plan_bills", description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES)
    cases = parser.parse_args(arguments).cases
    found: dict[str, dict[str, float]] = {}
    for count, days in SIZES:
        took, known = [], 0
        for seed in range(cases):
            bills, cash = drawn(random.Random(seed * 7919 + count * 61 + days), count, days, fees=seed % 2 == 1)  # noqa: S311 (nothing secret)
            begun = time.process_time()
            made = plan(bills, today=TODAY, cash=cash)
            took.append((time.process_time() - begun) * 1e3)
            known += made.is_best
        found[f"{count}x{days}"] = {"ms": round(max(took), 1), "best": known / cases}
        print(
            f"{count:>3} bills, {days:>2} days: at most {max(took):.0f} ms, {sum(took) / cases:.0f} ms in the middle;"
            f" known to be the best in {known} of {cases}"
        )
    worst = max(one["ms"] for size, one in found.items() if size.startswith("40x"))
    print(f"plan_bills: {worst:.0f} ms for 40 bills (at most {MS_MOST})")
    write({"plan_bills": {"by_size": found, "ms": worst, "target": MS_MOST}})
    return 1 if worst > MS_MOST else 0


def drawn(rng: random.Random, count: int, days: int, *, fees: bool) -> tuple[list[Bill], list[tuple[dt.date, int]]]:
    def at(first: int, last: int) -> dt.date:
        return TODAY + dt.timedelta(days=rng.randint(first, last))

    bills = []
    for _ in range(count):
        left, first = rng.randint(500, 50_000), at(0, 40)
        saves = Discount(first, Money(rng.randint(2, max(2, left // 10)), "EUR"))
        later = Discount(
            first + dt.timedelta(days=rng.randint(1, 20)), Money(rng.randint(1, saves.saves.minor - 1), "EUR")
        )
        due = at(-5, 70) if rng.random() < 0.85 else None
        tiers = rng.choice(((), (saves,), (saves, later)))
        minor = rng.choice((0, rng.randint(100, 4000))) if fees and due else 0
        bills.append(Bill(left, due, tiers, _fee(rng, due, minor) if due and minor else None))
    half = sum(bill.left_minor for bill in bills) // 2
    shares = [*sorted(rng.random() for _ in range(days - 1)), 1.0]
    when = [TODAY, *(TODAY + dt.timedelta(days=day) for day in sorted(rng.sample(range(1, HORIZON), days - 1)))]
    return bills, [(day, int(half * share)) for day, share in zip(when, shares, strict=True)]


def _fee(rng: random.Random, due: dt.date, minor: int) -> LateFee:
    """Two of three from the day after the due day, the others from a later one."""
    return LateFee(starts_on=due + dt.timedelta(days=rng.choice((1, 1, 15))), amount=Money(minor, "EUR"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
