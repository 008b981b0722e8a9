"""The kill matrix in small: what its cells are, a slice of them on both databases, and planted mistakes that it finds.

`python -m tests.faults.kill` runs all of them.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from config.settings import ROOT
from tests.faults.kill import plan
from tests.faults.kill.__main__ import report
from tests.faults.kill.plan import ENGINES, STORIES, cells
from tests.faults.kill.runner import Result
from tests.faults.kill.standing_stories import RENEWAL_FAULTS, STANDING_FAULTS, StandingStory
from tests.faults.kill.stories import EXCHANGED, FAULTS, HORIZON, SUBMITTED, UNANSWERED, WEB, WORKER
from tests.faults.kill.uk_stories import FAPI_1, FAPI_2, UK_FAULTS
from tests.faults.storm.world import names_of_failpoints

pytestmark = pytest.mark.faults

#: every so many-th cell: about ten, of both databases by turns
EVERY = 233


def kill(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.faults.kill", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def results(*, killed: bool = True, without: str = "", wrong: str = "") -> list[Result]:
    """As of a whole matrix that went well, but for this."""
    return [
        Result(cell=cell, killed=killed and cell.point != without, wrong=[wrong] if wrong else [], took_s=0.1)
        for cell in cells()
    ]


# ---------------------------------------------------------------------------------------------------------- the cells


def test_no_two_cells_are_the_same_and_there_are_many() -> None:
    names = [cell.name for cell in cells()]
    assert len(names) == len(set(names)) > 500


@pytest.mark.parametrize("engine", ENGINES)
def test_every_point_and_every_fault_is_there_on_both_databases(engine: str) -> None:
    of_engine = [cell for cell in cells() if cell.engine == engine]
    assert {cell.point for cell in of_engine} == set(names_of_failpoints())
    for bank, is_standing, all_faults in (
        (HORIZON, False, FAULTS),
        (FAPI_1, False, UK_FAULTS),
        (FAPI_1, True, STANDING_FAULTS),
        (FAPI_2, True, RENEWAL_FAULTS),
    ):
        stories = [cell.story for cell in of_engine if isinstance(cell.story, StandingStory) is is_standing]
        assert {story.fault for story in stories if story.fault and story.bank == bank} == {
            (verb, fault) for verb, faults in all_faults.items() for fault in faults
        }


@pytest.mark.parametrize("bank", [FAPI_1, FAPI_2])
def test_whoever_submits_dies_at_every_point_of_it(bank: str) -> None:
    for who in (WEB, WORKER):
        points = {cell.point for cell in cells() if cell.who == who and cell.story.bank == bank}
        asks = set(UNANSWERED) - {"submit.asked"} if who == WEB else set(UNANSWERED)  # a page submits once
        assert points >= {*SUBMITTED, *EXCHANGED, *asks}


def test_a_new_point_is_tried_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "names_of_failpoints", lambda: ["refund.sent"])
    assert {(cell.who, cell.story.name) for cell in cells()} == {
        (who, story.name) for who in (WEB, WORKER) for story in STORIES
    }


def test_a_matrix_that_misses_a_point_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(results(), whole=True, took_s=1) == 0
    count = len(cells())
    assert capsys.readouterr().out.splitlines()[-1] == f"{count} cells clean, {count} died, 0 not reached"
    assert report(results(without="cancel.sent"), whole=True, took_s=1) == 1
    assert "NEVER REACHED in any cell: cancel.sent" in capsys.readouterr().out
    assert report(results(killed=False), whole=False, took_s=1) == 1
    assert report(results(wrong="double: one"), whole=True, took_s=1) == 1
    assert f"{count} of {count} cells are not clean" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------------- the real thing


@pytest.mark.long  # the promises have a slice of their own
@pytest.mark.timeout(330)  # two runners with keys, banks and databases of their own, on a machine that may be busy
def test_nothing_is_lost_or_done_twice_in_a_slice_of_the_matrix() -> None:
    done = kill("--every", str(EVERY), "--processes", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    count = len(cells()[::EVERY])
    assert {cell.engine for cell in cells()[::EVERY]} == set(ENGINES)
    assert done.stdout.splitlines()[-1] == f"{count} cells clean, {count} died, 0 not reached"


@pytest.mark.slow
@pytest.mark.timeout(330)
@pytest.mark.parametrize(
    ("bug", "cell", "says"),
    [
        pytest.param(
            "unknown-frees",
            "worker status.asked:1 / status: answer lost / sqlite",
            "mis-told: bill page offered to pay",
            marks=pytest.mark.long,
        ),
        pytest.param("code-sent-twice", "web exchange.sent:1 / pays / sqlite", "invariant D4", marks=pytest.mark.long),
        pytest.param(
            "silent-submission-is-no",
            "worker submit.kept:1 / albion: executed and silent / sqlite",
            "was called rejected",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "taken-back-and-not-told",
            "web consents.revoked:1 / albion: takes a consent back / sqlite",
            "there is still work",
            marks=pytest.mark.long,
        ),
        (
            "sent-after-it-was-taken-back",
            "worker work.claimed:4 / albion: takes it back before a payment is sent / sqlite",
            "after that was taken back",
        ),
        pytest.param(
            "no-alone-is-no",
            "worker submit.written:1 / albion: submit: 403 after / sqlite",
            "was called rejected",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_planted_mistake_is_found(bug: str, cell: str, says: str) -> None:
    done = kill("--bug", bug, "--only", cell)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"NOT CLEAN {cell}" in done.stdout
    assert says in done.stdout
