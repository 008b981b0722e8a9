"""``python -m tests.faults.limits --tries 1000 [--naive]``: the race of payments near a limit, with its figures."""

from __future__ import annotations

import argparse

from app.db.engine import make_engine
from app.db.migrate import upgrade
from tests.faults.limits.race import race
from tests.support.postgres import running_postgres


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.limits", description=__doc__)
    parser.add_argument("--tries", type=int, default=1000)
    parser.add_argument("--naive", action="store_true", help="read whether it fits, and then write it")
    asked = parser.parse_args()
    with running_postgres() as url:
        engine = make_engine(url)
        upgrade(engine)
        engine.dispose()
        print(race(url, tries=asked.tries, naive=asked.naive))  # noqa: T201


if __name__ == "__main__":
    main()
