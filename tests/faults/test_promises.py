"""What the README promises under "Promised, and proven" is run here, word for word, with the ending that it shows.

In `make test-long`. `make test` runs the same commands with less to do, and those about an installation at the demo of
tests/functional/test_demo.py.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.settings import ROOT
from tests.faults.storm import __main__ as storm
from tests.support.demo import quittance, running_demo

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.timeout(400)]

SECTION = re.compile(r"^## Promised, and proven\n(.*?)^## ", re.MULTILINE | re.DOTALL)
LINES_MOST = 40
#: what a module is to do in the README → what it is to do in `make test`, with the same ending but for its figures
SMALLER = {
    "sim": ("--seeds 6", "--seeds 1"),
    "bugs": ("--only two-tabs,not-found-is-no,code-sent-twice", "--only not-found-is-no"),
    "kill": ("--every 401", "--only 'status.asked:1 worker sqlite pays'"),
}


@dataclass(frozen=True)
class Promise:
    """A command of the README, and its last line with figures for which others may stand."""

    command: str
    ending: str

    def __str__(self) -> str:
        return self.command.removeprefix(".venv/bin/")

    @property
    def is_of_an_installation(self) -> bool:
        return Path(shlex.split(self.command)[0]).name == "quittance"

    def run(self, environment: Mapping[str, str]) -> None:
        """It ends well, and with that line."""
        program, *arguments = shlex.split(self.command)
        command = [str(Path(sys.executable).parent / Path(program).name), *arguments]
        environment = {**os.environ, **environment, **settings()}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=390
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert self.is_kept_by(done.stdout.splitlines()[-1]), done.stdout

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


@pytest.mark.long
@pytest.mark.parametrize("promise", promises(), ids=str)
def test_a_promise_is_kept(promise: Promise, installation: dict[str, str]) -> None:
    promise.run(installation)


@pytest.mark.parametrize("module", SMALLER)
def test_a_promise_is_kept_in_small(module: str) -> None:
    [promise] = [each for each in promises() if f"-m tests.faults.{module} " in each.command]
    whole, smaller = SMALLER[module]
    assert whole in promise.command
    dataclasses.replace(promise, command=promise.command.replace(whole, smaller)).run({})


def test_the_storm_is_asked_for_as_it_wants_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even the shortest one takes minutes: here it does not break loose."""
    [promise] = [each for each in promises() if "-m tests.faults.storm " in each.command]
    asked: list[dict[str, object]] = []

    def run(**how: object) -> int:
        asked.append(how)
        return 0

    monkeypatch.setattr(storm, "run", run)
    monkeypatch.setattr(sys, "argv", shlex.split(promise.command)[2:])
    assert storm.main() == 0
    [how] = asked
    assert (how["minutes"], how["heal_s"]) == (1, 60)
