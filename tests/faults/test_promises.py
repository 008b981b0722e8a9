"""What the README promises under "Promised, and proven" is run here, word for word, with the ending that it shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.settings import ROOT
from tests.support.demo import quittance, running_demo

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(400)]

SECTION = re.compile(r"^## Promised, and proven\n(.*?)^## ", re.MULTILINE | re.DOTALL)
LINES_MOST = 40


@dataclass(frozen=True)
class Promise:
    """A command of the README, and its last line with figures for which others may stand."""

    command: str
    ending: str

    def __str__(self) -> str:
        return self.command.removeprefix(".venv/bin/")

    def is_kept_by(self, line: str) -> bool:
        return re.fullmatch(re.sub(r"\d+", r"\\d+", re.escape(self.ending)), line) is not None


def section() -> str:
    found = SECTION.search((ROOT / "README.md").read_text("utf-8"))
    assert found is not None
    return found[1]


def promises() -> list[Promise]:
    lines = [line for block in re.findall(r"```sh\n(.*?)```", section(), re.DOTALL) for line in block.splitlines()]
    return [
        Promise(command.partition("#")[0].strip(), ending.strip())
        for command, arrow, ending in (line.partition("→") for line in lines)
        if arrow
    ]


def settings() -> dict[str, str]:
    """What the section has its reader set."""
    return dict(re.findall(r"^export (\w+)=(\S+)", section(), re.MULTILINE))


def test_it_is_short_and_every_command_has_its_ending() -> None:
    assert len(section().splitlines()) <= LINES_MOST
    commands = re.findall(r"^\.venv/.*$", section(), re.MULTILINE)
    assert len(commands) == len(promises()) > 0
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for module in ("sim", "kill", "storm", "bugs"):
        assert any(f"-m tests.faults.{module} " in command for command in commands)
        assert f"-m tests.faults.{module}" in makefile


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of an installation in which a bill was paid."""
    with running_demo(tmp_path_factory.mktemp("promises") / "var") as demo:
        walked = quittance("demo", "--walk", environment=demo.environment)
        assert walked.returncode == 0, walked.stdout + walked.stderr
        yield demo.environment


@pytest.mark.parametrize("promise", promises(), ids=str)
def test_a_promise_is_kept(promise: Promise, installation: dict[str, str]) -> None:
    program, *arguments = shlex.split(promise.command)
    beside_us = Path(sys.executable).parent / Path(program).name
    environment = {**os.environ, **installation, **settings()}
    done = subprocess.run(
        [beside_us, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=390
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert promise.is_kept_by(done.stdout.splitlines()[-1]), done.stdout
