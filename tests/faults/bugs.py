"""``python -m tests.faults.bugs``: plant each mistake of tests/faults/sim/bugs.py and run seeds until it is found."""
# ruff: noqa: T201  # its output is for a person

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from dataclasses import dataclass, field

from tests.faults.sim.bugs import BUGS
from tests.faults.sim.hunt import Histories, hunt


@dataclass
class Hunter:
    """Looks for one mistake after the other, and remembers what histories come by."""

    seeds: range
    known: frozenset[str]
    histories: Histories = field(default_factory=Histories)

    def look(self, name: str) -> tuple[str, bool]:
        """A line for a person, and whether one of the invariants that were to find it did."""
        begun = time.monotonic()
        outcome = hunt(name, seeds=self.seeds, histories=self.histories, known=self.known)
        took_s = time.monotonic() - begun
        if outcome is None:
            return f"{name:28} NOT FOUND in {len(self.seeds)} seeds, {took_s:.0f} s: {BUGS[name].says}", False
        right = outcome.broken in BUGS[name].trips
        other = "" if right else f", but it should trip {'/'.join(sorted(BUGS[name].trips))}"
        return f"{name:28} seed {outcome.seed:5} {took_s:5.1f} s  {outcome.detail[:90]}{other}", right


_hunter: list[Hunter] = []


def _begin(seeds: range, known: frozenset[str]) -> None:
    _hunter.append(Hunter(seeds, known))


def _look(name: str) -> tuple[str, bool]:
    return _hunter[0].look(name)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.bugs", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3000, help="at most so many for each")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--only", default="", help="these alone, like two-tabs,one-cent")
    parser.add_argument("--known", default="", help="invariants to leave out, like C5,L2")
    wanted = parser.parse_args(arguments)
    names = list(filter(None, wanted.only.split(","))) or list(BUGS)
    hunter = (range(wanted.start, wanted.start + wanted.seeds), frozenset(filter(None, wanted.known.split(","))))
    found = 0
    with multiprocessing.get_context("fork").Pool(wanted.processes, _begin, hunter) as pool:
        for line, right in pool.imap_unordered(_look, names):
            found += right
            print(line, flush=True)
    print(f"{found} of {len(names)} found")
    return 0 if found == len(names) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
