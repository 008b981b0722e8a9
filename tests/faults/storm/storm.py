"""One storm from the first sign-up to the last comparison, and its report."""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NoReturn

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from connectors.sandbox_bank.openbanking_uk.scenarios import UkScenario
from tests.faults.storm import books, history
from tests.faults.storm.clocks import counted, fair_weather, histogram, percentile, unknown_spans
from tests.faults.storm.compare import Books, Order, OurPayment, Verdict, compare
from tests.faults.storm.nemesis import Nemesis
from tests.faults.storm.world import NOT_NEEDED, World

TICK_S = 0.05
#: times of what was wanted, on a machine so slow that nothing was settled by then
LONGER_MOST = 3
#: pause between two looks at the books while it heals
LOOK_S = 2.0
#: messages to billers wait up to a day for their next try; an operator's "try again now" shortens the test
TRY_AGAIN_S = 10.0
#: what the observers' last look takes at the most
LAST_LOOK_S = 45.0
LINES_MOST = 200


@dataclass(kw_only=True)
class Result:
    """What a storm found out."""

    seed: int
    minutes: float
    verdict: Verdict
    payments: int
    settled: int
    orders: int
    submitted: int  #: of the payments, those at banks that are submitted to; and of these the settled ones
    submitted_settled: int
    did: Counter[str]
    deaths: Counter[str]
    known_s: list[float]
    #: the same of amounts for which the sandbox bank itself gives no answer several times
    special_s: list[float]
    still_unknown: int
    converged_s: float | None
    loose: list[str]
    outcomes: dict[str, int] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=dict)
    trouble: dict[str, int] = field(default_factory=dict)
    said: Counter[str] = field(default_factory=Counter)

    def report(self) -> str:
        verdict = self.verdict
        converged = "not within the time" if self.converged_s is None else f"{self.converged_s:.0f} s"
        lines = [
            *(() if self.settled else ("NOTHING WAS SETTLED: this storm proves nothing",)),
            *(() if self.submitted_settled else ("NOTHING WAS SUBMITTED AND SETTLED: of that it proves nothing",)),
            f"storm of {self.minutes:g} min, seed {self.seed}",
            f"payments {self.payments}, settled {self.settled}, orders at the banks {self.orders},"
            f" reversed by the bank later {verdict.reversed_later}",
            f"of these at banks that are submitted to {self.submitted}, settled {self.submitted_settled}",
            f"still waiting, honestly: {_counts(verdict.waiting)}",
            f"done to it: {_counts(self.did)}",
            f"programs that ended: {_counts(self.deaths)}",
            f"unknown outcomes {_spread(self.known_s)}",
            f"unknown outcomes where the bank plays dead {_spread(self.special_s)}",
            f"still unknown {self.still_unknown}",
            f"converged in {converged}; loose ends: {', '.join(self.loose[:12]) or 'none'}",
            f"HTTP to customers: {_counts(self.outcomes)}",
            f"observers: {_counts(self.samples)}; said {_counts(self.said)}; trouble {_counts(self.trouble)}",
        ]
        for kind, found in (("double", verdict.double), ("lost", verdict.lost), ("mis-told", verdict.mis_told)):
            lines += [f"{kind.upper()}: {sentence}" for sentence in found[:LINES_MOST]]
        return "\n".join([*lines, str(verdict)])


def _spread(seconds: Sequence[float]) -> str:
    """How many, and how long they took."""
    percentiles = f"p50 {percentile(seconds, 0.5):.1f} s p99 {percentile(seconds, 0.99):.1f} s"
    return f"{len(seconds)}: {percentiles} max {max(seconds, default=0.0):.1f} s ({histogram(seconds)})"


def _counts(counts: Counter[str] | dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


class Ended(BaseException):
    """Ctrl-C or TERM."""


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise Ended


def run(*, minutes: float, seed: int, heal_s: float, customers: int, keep: bool) -> int:
    """Returns the exit status: 0 when nothing was double, lost or mis-told."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    world = World(seed=seed, customers=customers)
    kept = keep
    try:
        world.start()
        result = _storm(world, minutes=minutes, seed=seed, heal_s=heal_s)
        kept = keep or not result.verdict.clean
        if kept:
            _say(f"kept: {world.folder}")
        _say(result.report())
        return 0 if result.verdict.clean and result.settled else 1
    except Ended:
        _say("ended before its time")
        return 130
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        world.stop(keep=kept)


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def _storm(world: World, *, minutes: float, seed: int, heal_s: float) -> Result:
    nemesis = Nemesis(world, seed)
    started = time.monotonic()
    look_at = started + minutes * 60
    while True:
        if time.monotonic() >= look_at:
            if look_at >= started + minutes * 60 * LONGER_MOST or _proves_something(world):
                break
            look_at += LOOK_S
        world.tick()
        nemesis.tick()
        time.sleep(TICK_S)
    deaths = Counter(death for death in world.deaths)
    world.programs["crowd"].say("stop")
    world.heal()
    converged_s, loose = _heal(world, heal_s)
    world.end_crowd(wait_s=LAST_LOOK_S)
    orders, ours, now = _settled_books(world)
    pounds = [payment for payment in ours.payments.values() if payment.bank_id != "horizon"]
    lines = history.read(world.history)
    heard = books.heard_from(lines)
    verdict = compare(orders, ours, heard, now=now)
    fair = {
        bank: fair_weather((change for change in world.diary if change.part not in others), until=now)
        for bank, others in NOT_NEEDED.items()
    }
    diary = "".join(f"{change.at:.3f} {change.part} {change.works}\n" for change in world.diary)
    (world.folder / "diary.txt").write_text(diary, "utf-8")
    ended, still = unknown_spans(heard.said, until=now)
    known: dict[bool, list[float]] = {True: [], False: []}
    for name, spans in ended.items():
        payment = ours.payments.get(name)
        if payment is not None:
            known[_plays_dead(payment)] += [counted(span, fair[payment.bank_id]) for span in spans]
    last: dict[str, Any] = next((line for line in reversed(lines) if line["kind"] == "http"), {})
    return Result(
        seed=seed,
        minutes=minutes,
        verdict=verdict,
        payments=len(ours.payments),
        settled=sum(payment.state == "settled" for payment in ours.payments.values()),
        orders=len(orders),
        did=nemesis.did,
        deaths=deaths,
        submitted=len(pounds),
        submitted_settled=sum(payment.state == "settled" for payment in pounds),
        known_s=known[False],
        special_s=known[True],
        still_unknown=len(still),
        converged_s=converged_s,
        loose=loose,
        outcomes=last.get("outcomes", {}),
        samples=last.get("samples", {}),
        trouble=last.get("trouble", {"the crowd did not come to its end": 1}),
        said=Counter(f"{one.by} {one.word}" for one in heard.said),
    )


def _proves_something(world: World) -> bool:
    """Whether anything was settled, as far as the database tells just now."""
    engine = world.engine()
    try:
        with engine.connect() as connection:
            return bool(connection.scalar(text("SELECT count(*) FROM payment WHERE state = 'settled'")))
    except SQLAlchemyError:
        return False
    finally:
        engine.dispose()


def _plays_dead(payment: OurPayment) -> bool:
    scenario = books.scenario_at(payment.bank_id, payment.amount_minor)
    return bool(scenario.reads or scenario.token or (isinstance(scenario, UkScenario) and scenario.submission))


def _heal(world: World, heal_s: float) -> tuple[float | None, list[str]]:
    """Until nothing is loose, or the time is over. (seconds it took or None, what is loose still)"""
    engine = world.engine()
    started = time.monotonic()
    look_at, try_again_at = started, started
    loose = ["nobody looked"]
    while time.monotonic() < started + heal_s:
        world.tick()
        time.sleep(TICK_S)
        if time.monotonic() < look_at:
            continue
        look_at = time.monotonic() + LOOK_S
        try:
            if time.monotonic() >= try_again_at:
                try_again_at = time.monotonic() + TRY_AGAIN_S
                with engine.begin() as connection:
                    connection.execute(
                        text("UPDATE work SET run_at = now() WHERE handler = 'webhooks.deliver' AND lock_token IS NULL")
                    )
            loose = books.loose_ends(_orders(world), books.books_of(engine, check=False))
        except SQLAlchemyError:  # it is still recovering
            continue
        if not loose:
            engine.dispose()
            return time.monotonic() - started, []
    engine.dispose()
    return None, loose


def _settled_books(world: World) -> tuple[Sequence[Order], Books, float]:
    """Ours first: what happens between the two looks may be at the bank and not here, and is then looked at again."""
    engine = world.engine()
    try:
        ours = books.books_of(engine)
        books.keep_evidence(engine, world.folder / "tables")
        return _orders(world), ours, time.time()
    finally:
        engine.dispose()


def _orders(world: World) -> Sequence[Order]:
    """Of all banks."""
    now_s = time.time()
    return [*books.orders_of(world.bank_file, now_s=now_s), *books.uk_orders_of(world.uk_bank_file, now_s=now_s)]
