"""``python -m tests.faults.bugs``: plant each mistake of tests/faults/sim/bugs.py and run seeds until it is found."""
# ruff: noqa: T201  # its output is for a person

from __future__ import annotations

import argparse
import sys
import time

from tests.faults.sim.bugs import BUGS
from tests.faults.sim.hunt import hunt


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.bugs", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3000, help="at most so many for each")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--only", default="", help="these alone, like two-tabs,one-cent")
    parser.add_argument("--known", default="", help="invariants to leave out, like C5,L2")
    wanted = parser.parse_args(arguments)
    names = list(filter(None, wanted.only.split(","))) or list(BUGS)
    known = frozenset(filter(None, wanted.known.split(",")))
    found = 0
    for name in names:
        begun = time.monotonic()
        outcome = hunt(name, seeds=range(wanted.start, wanted.start + wanted.seeds), known=known)
        took_s = time.monotonic() - begun
        if outcome is None:
            print(f"{name:28} NOT FOUND in {wanted.seeds} seeds, {took_s:.0f} s: {BUGS[name].says}", flush=True)
            continue
        right = outcome.broken in BUGS[name].trips
        found += right
        other = "" if right else f", but it should trip {'/'.join(sorted(BUGS[name].trips))}"
        print(f"{name:28} seed {outcome.seed:5} {took_s:5.1f} s  {outcome.detail[:90]}{other}", flush=True)
    print(f"{found} of {len(names)} found")
    return 0 if found == len(names) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
