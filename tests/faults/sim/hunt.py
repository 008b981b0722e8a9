"""Looking for planted mistakes, in those histories alone that come by where they are planted."""

from __future__ import annotations

import contextlib
import functools
import gc
import inspect
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.faults.sim.bugs import planted
from tests.faults.sim.planting import BUGS, put, there
from tests.faults.sim.runner import Outcome, run


@dataclass
class Histories:
    """What they come by as long as nothing is planted. Where one calls none of the functions that a mistake stands in
    for, the mistake changes nothing of it: it need not be run again, and rare mistakes are looked for where they may
    show. One that changes a table or a number may show anywhere."""

    called: dict[int, frozenset[str]] = field(default_factory=dict)  #: seed: the mistakes whose functions it calls

    def comes_by(self, name: str, seed: int) -> bool:
        if not all(_is_function(of, what) for of, what, _ in BUGS[name].changes()):
            return True
        if seed not in self.called:
            with _listening() as called:
                run(seed)
            self.called[seed] = frozenset(called)
        return name in self.called[seed]


def hunt(
    name: str, *, seeds: Iterable[int], histories: Histories | None = None, known: frozenset[str] = frozenset()
) -> Outcome | None:
    """The first history in which something breaks; None when nothing did."""
    histories = histories or Histories()
    gc.disable()
    try:
        for number, seed in enumerate(seeds):
            if number % 20 == 19:
                gc.collect()
            if not histories.comes_by(name, seed):
                continue
            with planted(name):
                outcome = run(seed, known=known)
            if outcome.broken is not None:
                return outcome
    finally:
        gc.enable()
    return None


@contextlib.contextmanager
def _listening() -> Iterator[set[str]]:
    """Each mistake whose place is called meanwhile."""
    called = set[str]()
    places: dict[tuple[int, Any], tuple[Any, set[str]]] = {}
    for name, bug in BUGS.items():
        for of, what, _ in bug.changes():
            if _is_function(of, what):
                places.setdefault((id(of), what), (of, set()))[1].add(name)
    before = [(of, what, there(of, what), names) for (_, what), (of, names) in places.items()]
    try:
        for of, what, was, names in before:
            put(of, what, _heard(was, names, called))
        yield called
    finally:
        for of, what, was, _ in before:
            put(of, what, was)


def _heard(function: Any, names: set[str], called: set[str]) -> Any:
    @functools.wraps(function)
    def hear(*args: Any, **more: Any) -> Any:
        called.update(names)
        return function(*args, **more)

    return hear


def _is_function(of: Any, what: Any) -> bool:
    if isinstance(of, type):  # one that is not given its object could not be set again as it was
        return isinstance(inspect.getattr_static(of, what), types.FunctionType)
    return isinstance(there(of, what), types.FunctionType)
