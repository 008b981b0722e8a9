"""When a program is started again, and who may be the supervisor of a folder."""

from __future__ import annotations

import dataclasses
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.demo import runfile
from app.demo.errors import DemoError
from app.demo.processes import LOG_BYTES_MAX, rotate
from app.demo.runfile import Running
from app.demo.supervisor import LONG_RUN_S, Child

RUNNING = Running(
    supervisor=4711,
    ready=True,
    base_url="http://localhost:8000",
    bank_url="http://127.0.0.1:8001",
    biller_url="http://127.0.0.1:8002",
    environment={"QUITTANCE_PORT": "8000"},
    children={"web": 4712},
    restarts={"web": 0},
)


def ended_at_once() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process


def start_times(child: Child, until: float) -> list[float]:
    """The moments, to a twentieth of a second, at which it was started."""
    return [tick / 20 for tick in range(int(until * 20)) if child.keep_alive(tick / 20)]


def test_a_program_that_keeps_ending_is_started_with_growing_pauses() -> None:
    child = Child("web", start=ended_at_once)
    pauses = [round(after - before, 2) for before, after in itertools.pairwise(start_times(child, 25))]
    # 0.1, 0.2, 0.4 … 5, the tick that noticed, and a tick more where a binary fraction falls short
    assert pauses[:4] == pytest.approx([0.15, 0.25, 0.45, 0.85], abs=0.051)
    assert max(pauses) == pytest.approx(5.05, abs=0.051)
    assert child.restarts == len(pauses)


def test_the_pause_is_short_again_after_a_long_run() -> None:
    child = Child("web", start=ended_at_once)
    child.pause_s = 5.0
    assert child.keep_alive(0.0)
    assert not child.keep_alive(LONG_RUN_S + 1)
    assert child.start_again_at == pytest.approx(LONG_RUN_S + 1.1)


def test_one_supervisor_for_one_folder(tmp_path: Path) -> None:
    handle = runfile.lock(tmp_path)
    runfile.write(tmp_path, RUNNING)
    assert runfile.find(tmp_path) == RUNNING
    with pytest.raises(
        DemoError, match=r"already runs on the data folder .* at http://localhost:8000 \(process 4711\)"
    ):
        runfile.lock(tmp_path)
    os.close(handle)
    os.close(runfile.lock(tmp_path))


def test_a_file_that_a_killed_supervisor_left_is_nobody(tmp_path: Path) -> None:
    os.close(runfile.lock(tmp_path))
    runfile.write(tmp_path, RUNNING)
    assert runfile.find(tmp_path) is None


def test_where_nothing_ever_ran_there_is_nobody(tmp_path: Path) -> None:
    assert runfile.find(tmp_path / "nowhere") is None


def test_what_a_supervisor_says_is_its_owners_alone(tmp_path: Path) -> None:
    runfile.write(tmp_path, dataclasses.replace(RUNNING, ready=False))
    assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o600


def test_a_large_log_is_put_aside_once(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "web.log"
    rotate(log)
    assert log.parent.is_dir()
    log.write_bytes(b"x" * LOG_BYTES_MAX)
    rotate(log)
    assert log.exists()
    log.write_bytes(b"x" * (LOG_BYTES_MAX + 1))
    rotate(log)
    assert not log.exists()
    assert log.with_suffix(".log.1").stat().st_size == LOG_BYTES_MAX + 1
