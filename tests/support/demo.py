"""The whole demo as real processes on free ports, for tests that start, stop and kill it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.demo import runfile
from app.demo.processes import free_ports, spawn
from app.demo.runfile import Running
from config.settings import ROOT

PORT_NAMES = tuple(
    f"QUITTANCE_{name}"
    for name in ("PORT", "BANK_PORT", "UK_BANK_PORT", "STET_BANK_PORT", "NEXTGEN_BANK_PORT", "BILLER_PORT")
)
START_S = 90
STOP_S = 60


def environment_for(data: Path, ports: list[int]) -> dict[str, str]:
    """Of an installation that has nothing to do with the one whose settings this process may have."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("QUITTANCE_", "SANDBOX_"))}
    numbers = {name: str(port) for name, port in zip(PORT_NAMES, ports, strict=True)}
    return {**others, **numbers, "QUITTANCE_DATA": str(data), "PYTHONPATH": str(ROOT)}


def quittance(*arguments: str, environment: dict[str, str], patience_s: int = 110) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    command = [sys.executable, "-P", "-m", "app.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=patience_s)


@dataclass
class Demo:
    """One supervisor."""

    data: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes]

    @property
    def said(self) -> str:
        return (self.data.parent / f"{self.data.name}.out").read_text("utf-8")

    @property
    def logs(self) -> str:
        return "".join(log.read_text("utf-8") for log in sorted((self.data / "logs").glob("*.log")))

    @property
    def running(self) -> Running:
        found = runfile.find(self.data)
        assert found is not None, self.said
        return found

    def wait_until_ready(self) -> None:
        self.wait_for(lambda: self._is_ready(), "the demo is not ready")

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.said
        found = runfile.find(self.data)
        return found is not None and found.ready

    def wait_for(self, wanted: object, what: str, *, seconds: float = START_S) -> None:
        assert callable(wanted)
        deadline = time.monotonic() + seconds
        while not wanted():
            assert time.monotonic() < deadline, f"{what}: {self.said}"
            time.sleep(0.05)

    def kill(self, name: str) -> None:
        """SIGKILL a program, or all ``web workers``: their own program starts others."""
        children = self.running.children
        for pid in children_of(children["web"]) if name == "web workers" else [children[name]]:
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to stop, as Ctrl-C does. Returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_S)


@contextmanager
def running_demo(data: Path, *, ports: list[int] | None = None) -> Iterator[Demo]:
    """Start it, wait until it is ready; stop it at the end, if a test has not done so."""
    environment = environment_for(data, ports or free_ports(len(PORT_NAMES)))
    command = [sys.executable, "-P", "-m", "app.cli", "demo"]
    process = spawn(command, environment=environment, log=data.parent / f"{data.name}.out")
    demo = Demo(data, environment, process)
    try:
        demo.wait_until_ready()
        yield demo
    finally:
        demo.stop()


def process_exists(pid: int) -> bool:
    """Whether a process with this id runs; a dead one that nobody has asked about does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def children_of(pid: int) -> list[int]:
    """Ids of the processes whose parent this is."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = (entry / "stat").read_text("ascii", errors="replace").rpartition(")")[2].split()[1]
            except OSError:
                continue
            if int(parent) == pid:
                found.append(int(entry.name))
    return found
