"""Looking for one planted mistake."""

from __future__ import annotations

import gc
from collections.abc import Iterable

from tests.faults.sim.bugs import planted
from tests.faults.sim.runner import Outcome, run


def hunt(name: str, *, seeds: Iterable[int], known: frozenset[str] = frozenset()) -> Outcome | None:
    """The first history in which something breaks; None when nothing did."""
    gc.disable()
    try:
        with planted(name):
            for number, seed in enumerate(seeds):
                outcome = run(seed, known=known)
                if outcome.broken is not None:
                    return outcome
                if number % 20 == 19:
                    gc.collect()
    finally:
        gc.enable()
    return None
