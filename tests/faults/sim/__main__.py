"""``python -m tests.faults.sim --start 1 --seeds 2000``: so many histories; exit 1 with the first that breaks."""
# ruff: noqa: T201  # its output is for a person

from __future__ import annotations

import argparse
import collections
import gc
import multiprocessing
import sys
import time
from collections.abc import Iterable

from tests.faults.sim.bugs import BUGS, planted
from tests.faults.sim.runner import STEPS, Outcome, run, the_house
from tests.faults.sim.sometimes import GATE, missing

#: after so many seeds what is garbage is collected, and the outcome is told
SEEDS_A_TASK = 10


def _some(task: tuple[range, int, str | None, frozenset[str]]) -> list[Outcome]:
    """A few seeds, up to the first that breaks."""
    seeds, steps, bug, known = task
    gc.disable()
    outcomes = []
    with planted(bug):
        the_house()
        gc.freeze()  # what lives as long as the process is not looked through again for what may go
        for seed in seeds:
            outcome = run(seed, steps=steps, known=known)
            if outcome.broken is None:
                outcome.trace = []
            outcomes.append(outcome)
            if outcome.broken is not None:
                break
    gc.collect()
    return outcomes


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.sim", description=__doc__)
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--steps", type=int, default=STEPS, help="of the troubled part of each history")
    parser.add_argument("--bug", choices=sorted(BUGS), help="plant this mistake in the services")
    parser.add_argument("--known", default="", help="invariants to leave out, like C5,L2")
    parser.add_argument("--trace", action="store_true", help="the whole history of a seed that breaks")
    parser.add_argument("--counts", action="store_true", help="how often everything happened")
    wanted = parser.parse_args(arguments)
    known = frozenset(filter(None, wanted.known.split(",")))
    seeds = range(wanted.start, wanted.start + wanted.seeds)
    tasks = [
        (seeds[at : at + SEEDS_A_TASK], wanted.steps, wanted.bug, known) for at in range(0, len(seeds), SEEDS_A_TASK)
    ]
    begun = time.monotonic()
    if wanted.processes > 1:
        with multiprocessing.get_context("fork").Pool(wanted.processes) as pool:
            whole, broken = _gathered(pool.imap(_some, tasks))
            pool.terminate()
    else:
        whole, broken = _gathered(map(_some, tasks))
    return _report(whole, broken, took_s=time.monotonic() - begun, trace=wanted.trace, counts=wanted.counts)


def _gathered(results: Iterable[list[Outcome]]) -> tuple[Outcome, Outcome | None]:
    """All of them together, and the first that broke."""
    whole = Outcome(seed=0, counts=collections.Counter())
    for outcomes in results:
        for outcome in outcomes:
            whole.seed += 1
            whole.payments += outcome.payments
            whole.executed += outcome.executed
            whole.counts.update(outcome.counts)
            if outcome.broken is not None:
                return whole, outcome
    return whole, None


def _report(whole: Outcome, broken: Outcome | None, *, took_s: float, trace: bool, counts: bool) -> int:
    seeds = whole.seed
    kinds = collections.Counter(name.split()[0] for name, times in whole.counts.items() if times)
    if counts:
        for name, times in sorted(whole.counts.items()):
            print(f"{times:8} {name}")
    print(
        f"{seeds / took_s:.1f} seeds/s, {whole.payments / took_s:.1f} payments/s, {whole.executed} executed; "
        + ", ".join(f"{kinds[kind]} kinds of {kind}" for kind in ("fault", "point", "step", "path", "some"))
    )
    if broken is not None:
        print("\n".join(broken.trace if trace else broken.trace[-40:]))
        print(f"seed {broken.seed}: {broken.detail}")
        return 1
    absent = missing(whole.counts)
    if absent:
        print(f"never seen: {', '.join(absent)}")
        if seeds >= GATE:
            return 1
    print(f"{seeds} seeds clean, {whole.payments} payments")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
