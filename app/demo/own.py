"""A demo for one walk: on free ports, in a temporary folder that goes with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.demo import runfile
from app.demo.errors import DemoError
from app.demo.processes import free_ports, spawn
from app.demo.runfile import Running
from config.settings import ROOT

START_S = 90
STOP_S = 60


@contextmanager
def own_demo() -> Iterator[tuple[Running, Path]]:
    """Start a supervisor of our own, and stop it. Other settings, such as the database's address, are kept."""
    with tempfile.TemporaryDirectory(prefix="quittance-walk-") as folder:
        data = Path(folder)
        process = spawn(
            [sys.executable, "-P", "-m", "app.cli", "demo"], environment=_environment(data), log=data / "demo.log"
        )
        try:
            yield _ready(process, data), data
        finally:
            _stop(process)


def _environment(data: Path) -> dict[str, str]:
    """Ours, but with a folder, ports and keys that nobody else has."""
    mine = ("QUITTANCE_DATA", "QUITTANCE_KEYS", "QUITTANCE_BASE_URL")
    kept = {name: value for name, value in os.environ.items() if name not in mine}
    of = ("PORT", "BANK_PORT", "UK_BANK_PORT", "STET_BANK_PORT", "NEXTGEN_BANK_PORT", "BILLER_PORT")
    names = [f"QUITTANCE_{name}" for name in of]
    ports = zip(names, free_ports(len(names)), strict=True)
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**kept, "QUITTANCE_DATA": str(data), "PYTHONPATH": path, **{name: str(port) for name, port in ports}}


def _ready(process: subprocess.Popen[bytes], data: Path) -> Running:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DemoError(f"The demo did not start: {(data / 'demo.log').read_text('utf-8').strip()}")
        running = runfile.find(data)
        if running is not None and running.ready:
            return running
        time.sleep(0.05)
    raise DemoError(f"The demo did not start within {START_S} s.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
