"""The simulator itself: it replays, the services stand some histories, and planted mistakes do not.

Other seeds and mistakes than those of the README's promises (test_promises.py). `python -m tests.faults.sim` runs as
many more as there is time for, `python -m tests.faults.bugs` plants all mistakes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

from tests.faults.sim.bugs import BUGS
from tests.faults.sim.hunt import hunt
from tests.faults.sim.runner import run

#: a history takes a second of a free core; cut off in its middle it would leave its house closed for the others
pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def _others_logs() -> Iterator[None]:
    """A house of the simulator says nothing, and would have the tests after it hear nothing either."""
    yield
    logging.getLogger("quittance").setLevel(logging.NOTSET)


START = int(os.environ.get("FAULTS_SEED", "1001"))


def test_a_seed_is_one_history() -> None:
    first, again = run(START), run(START)
    assert (first.hash, first.broken) == (again.hash, again.broken)
    assert first.trace


@pytest.mark.long  # the promises have ten of their own
def test_nothing_breaks_in_10_histories() -> None:
    payments = 0
    for seed in range(START, START + 10):
        outcome = run(seed)
        assert outcome.broken is None, f"seed {seed}: {outcome.detail}\n" + "\n".join(outcome.trace[-40:])
        payments += outcome.payments
    assert payments > 10  # a system that does nothing breaks nothing


@pytest.mark.parametrize(
    "name",
    [
        "unknown-frees",
        "not-here-can-be-paid",
        # it takes minutes until a history comes to them
        pytest.param("taken-back-and-not-told", marks=pytest.mark.long),
        pytest.param("set-aside-not-asked", marks=pytest.mark.long),
        pytest.param("waiting-is-no", marks=pytest.mark.long),
    ],
)
def test_a_planted_mistake_is_found(name: str) -> None:
    outcome = hunt(name, seeds=range(200))
    assert outcome is not None
    assert outcome.broken in BUGS[name].trips
