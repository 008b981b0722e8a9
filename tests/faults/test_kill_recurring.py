"""kill -9 at every step of a walk with a standing consent, on real processes.

For each step the seed chooses who is killed, and when. The walk itself checks all sides, and in the end the bank's
books of its consent: nothing but what was decided, each payment once. FAULTS_SEED=7 chooses others.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator

import pytest

from app.demo.recurring_walk import RECURRING_STEPS
from app.demo.walks import walk_recurring
from tests.support.demo import Demo, running_demo
from tests.support.thorough import spread

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(400)]

VICTIMS = ("web workers", "worker", "uk-sandbox-bank")
DELAY_MOST_MS = 250

dice = random.Random(os.environ.get("FAULTS_SEED", "1"))  # noqa: S311  (the same choice for the same seed is the point)
PLANNED = [(step, dice.choice(VICTIMS), dice.randrange(DELAY_MOST_MS)) for step in RECURRING_STEPS]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("kill-recurring") / "var") as demo:
        yield demo


@pytest.mark.parametrize(
    ("step", "victim", "after_ms"),
    spread(PLANNED, every=18, first=9),
)
def test_a_kill_changes_nothing_of_what_is_true(demo: Demo, step: str, victim: str, after_ms: int) -> None:
    timer = threading.Timer(after_ms / 1000, demo.kill, (victim,))

    def on_step(name: str) -> None:
        if name == step:
            timer.start()

    try:
        walk = walk_recurring(demo.running, demo.data, on_step=on_step, say=lambda _: None)
    finally:
        if timer.ident is not None:
            timer.join()
    assert len(walk.paid) == 2
