"""``python -m tests.faults.kill``: kill -9 in every cell of the matrix; exit 1 when one of them is not clean."""
# ruff: noqa: T201  # its output is for a person

from __future__ import annotations

import argparse
import contextlib
import json
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tests.faults.kill.plan import Cell, cells
from tests.faults.kill.processes import forked
from tests.faults.kill.runner import Result, running, temporary_folder
from tests.faults.sim.bugs import BUGS
from tests.faults.storm.world import names_of_failpoints
from tests.support.postgres import running_postgres

#: between two lines that say how far it is
TELL_S = 30.0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kill", description=__doc__)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--only",
        action="append",
        metavar="WORDS",
        help="cells whose name has all of these words, like 'web initiate sqlite'; given again, others, too",
    )
    parser.add_argument("--every", type=int, default=1, help="every n-th of them alone")
    parser.add_argument("--list", action="store_true", help="their names, and nothing is run")
    parser.add_argument("--bug", choices=sorted(BUGS), help="plant this mistake in the services")
    parser.add_argument("--times", action="store_true", help="how long each cell took, and which was not reached")
    wanted = parser.parse_args(arguments)
    every = cells()
    chosen = [cell for cell in every if _is_wanted(cell, wanted.only or [""])][:: wanted.every]
    if wanted.list:
        print("\n".join(cell.name for cell in chosen))
        return 0
    begun = time.monotonic()
    needed = any(cell.engine == "postgresql" for cell in chosen)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    with running_postgres() if needed else contextlib.nullcontext("") as postgres, temporary_folder() as folder:
        runners = [
            _runner(chosen, Path(folder) / str(number), postgres, wanted.bug) for number in range(wanted.processes)
        ]
        with contextlib.closing(_run(chosen, runners)) as running_cells:
            results = list(_told(running_cells, len(chosen)))
    if wanted.times:
        for result in sorted(results, key=lambda result: result.took_s):
            print(f"{result.took_s:6.2f} s {'' if result.killed else 'not reached: '}{result.cell.name}")
    return report(results, whole=len(chosen) == len(every), took_s=time.monotonic() - begun)


def _is_wanted(cell: Cell, only: Sequence[str]) -> bool:
    return any(all(word in cell.name for word in words.split()) for words in only)


class _Ended(BaseException):
    """Ctrl-C or TERM: raised wherever we are, so that everything is taken down."""


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise _Ended


def _run(chosen: Sequence[Cell], lives: Sequence[Callable[[socket.socket], None]]) -> Generator[Result]:
    """Each runner is told the next cell when it is done with one."""
    runners = [forked(live) for live in lives]
    waiting = dict(enumerate(chosen))
    busy = {runner.line: runner for runner in runners}
    try:
        for runner in runners:
            runner.tell(_next(waiting))
        while busy:
            for line in select.select(list(busy), [], [])[0]:
                answer = busy[line].answer()
                if answer is None:
                    del busy[line]
                    continue
                busy[line].tell(_next(waiting))
                number = answer.pop("number")
                yield Result(cell=chosen[number], **answer)
    finally:
        for runner in runners:
            runner.end()


def _next(waiting: dict[int, Cell]) -> int | None:
    number = next(iter(waiting), None)
    if number is not None:
        del waiting[number]
    return number


def _runner(chosen: Sequence[Cell], folder: Path, postgres: str, bug: str | None) -> Callable[[socket.socket], None]:
    def live(line: socket.socket) -> None:
        with running(folder, postgres=postgres, bug=bug) as runner, line.makefile("rw") as lines:
            for order in lines:
                wanted: int | None = json.loads(order)
                answer = None
                if wanted is not None:
                    result = runner.run(chosen[wanted])
                    answer = {
                        "number": wanted,
                        "killed": result.killed,
                        "wrong": list(result.wrong),
                        "took_s": result.took_s,
                    }
                lines.write(json.dumps(answer) + "\n")
                lines.flush()
                if wanted is None:
                    break

    return live


def _told(results: Iterable[Result], count: int) -> Iterator[Result]:
    """The same, with a line for each that is not clean, and one now and then that says how far it is."""
    tell_at = time.monotonic() + TELL_S
    for number, result in enumerate(results, start=1):
        if result.wrong:
            print("\n    ".join([f"NOT CLEAN {result.cell.name}", *result.wrong]), flush=True)
        if time.monotonic() > tell_at:
            tell_at = time.monotonic() + TELL_S
            print(f"{number} of {count} cells", flush=True)
        yield result


def report(results: Sequence[Result], *, whole: bool, took_s: float) -> int:
    """The last lines, and the exit status. The whole matrix has to get to every point of the source."""
    wrong = [result for result in results if result.wrong]
    killed = sum(result.killed for result in results)
    print(f"{len(results) / took_s:.1f} cells/s, {took_s:.0f} s")
    reached = {result.cell.point for result in results if result.killed}
    missed = [point for point in names_of_failpoints() if point not in reached] if whole else []
    for point in missed:
        print(f"NEVER REACHED in any cell: {point}")
    if wrong:
        print("\n".join(f"{result.cell.name}: {result.wrong[0]}" for result in wrong))
        print(f"{len(wrong)} of {len(results)} cells are not clean")
    if wrong or missed or not killed:
        return 1
    print(f"{len(results)} cells clean, {killed} died, {len(results) - killed} not reached")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except _Ended:
        sys.exit(130)
