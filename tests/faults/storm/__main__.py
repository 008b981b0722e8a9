"""`python -m tests.faults.storm --minutes M [--seed S]`: exit status 1 when anything is double, lost or mis-told."""

from __future__ import annotations

import argparse
import secrets
import sys

from tests.faults.storm.storm import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="storm", description=__doc__)
    parser.add_argument("--minutes", type=float, required=True, help="how long things break, at least")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="loads the dice")
    parser.add_argument("--heal", type=float, default=150.0, help="seconds that everything may take to come to its end")
    parser.add_argument("--customers", type=int, default=8, help="how many pay at once")
    parser.add_argument("--keep", action="store_true", help="keep logs and history also when nothing is wrong")
    chosen = parser.parse_args()
    return run(
        minutes=chosen.minutes, seed=chosen.seed, heal_s=chosen.heal, customers=chosen.customers, keep=chosen.keep
    )


if __name__ == "__main__":
    sys.exit(main())
