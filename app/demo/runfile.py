"""What a running demo says about itself in its data folder: who it is, where it answers, how to look inside.

The lock tells whether one is running; a file alone could be left over from one that was killed.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.demo import files
from app.demo.errors import DemoError


@dataclass(frozen=True, kw_only=True)
class Running:
    """``environment`` is what another process needs in its own to see the same installation."""

    supervisor: int
    ready: bool
    base_url: str
    bank_url: str
    biller_url: str
    environment: dict[str, str]
    children: dict[str, int]  #: name → process id
    restarts: dict[str, int]


def lock(data: Path) -> int:
    """Be the one supervisor of this data folder while the returned descriptor is open. Raises DemoError."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(data / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        there = _read(data)
        where = f" at {there.base_url} (process {there.supervisor})" if there else ""
        raise DemoError(f"Quittance already runs on the data folder {data}{where}.") from None
    return handle


def find(data: Path) -> Running | None:
    """The demo that runs on this data folder now, if one does."""
    try:
        handle = os.open(data / "run.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return _read(data)  # somebody holds it
    finally:
        os.close(handle)
    return None


def write(data: Path, running: Running) -> None:
    files.write_json(data / "run.json", asdict(running))


def remove(data: Path) -> None:
    (data / "run.json").unlink(missing_ok=True)


def _read(data: Path) -> Running | None:
    found: dict[str, Any] | None = files.read_json(data / "run.json")
    return Running(**found) if found else None
