"""Child processes that cannot outlive their parent, and what a port and a log file need."""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from app.demo.errors import DemoError

LOG_BYTES_MAX = 5 * 1024 * 1024
#: a supervisor that was killed leaves its ports a moment later
PORT_WAIT_S = 2.5
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel end this process when its parent ends, even by kill -9. Linux only; elsewhere nothing happens.

    SIGKILL on purpose: everything here survives it, and nothing else is certain.
    """
    if not sys.platform.startswith("linux"):
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os._exit(1)  # it ended before the kernel was asked


def spawn(arguments: Sequence[str], *, environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start one of our own programs in its own process group (Ctrl-C is the supervisor's), its output into ``log``."""
    parent = os.getpid()
    with log.open("ab") as output:
        return subprocess.Popen(
            arguments,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=lambda: die_with_parent(parent),  # safe: the supervisor has no threads
        )


def rotate(log: Path) -> None:
    """Keep one older log file when this one has grown large."""
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".log.1"))


def must_be_free(ports: Mapping[str, int]) -> None:
    """Raise DemoError when one of the ports (setting → number) is taken and stays so."""
    deadline = time.monotonic() + PORT_WAIT_S
    for name, port in ports.items():
        while _is_taken(port):
            if time.monotonic() > deadline:
                raise DemoError(f"Port {port} is in use by another program; choose another one with {name}.")
            time.sleep(0.1)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now, below those that systems lend to connections (from 32768 on in Linux).

    A port from among those may be lent to anybody's connection while the program that serves there starts anew.
    """
    probes: list[socket.socket] = []
    try:
        while len(probes) < count:
            probe = socket.socket()
            try:
                probe.bind(("127.0.0.1", 10_000 + secrets.randbelow(22_000)))
            except OSError:
                probe.close()
            else:
                probes.append(probe)
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
