"""Programs of the storm: started, killed, frozen, and started again as a supervisor would."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.demo.processes import die_with_parent

#: a supervisor needs a moment to notice
RESTART_S = 0.3


@dataclass
class Program:
    """One program and its present process. The storm has no threads, so that starting it after a fork is safe."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    #: further arguments of Popen: as whom and where it runs
    how: Mapping[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    start_again_at: float = 0.0
    #: ids that were frozen and not thawed yet
    frozen: set[int] = field(default_factory=set)

    def start(self, *, failpoint: str | None = None) -> None:
        """Start it now. With ``failpoint`` (name:n) it dies at that very point of the money path."""
        parent = os.getpid()
        more = {} if failpoint is None else {"FAILPOINT": failpoint}
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                env={**self.environment, **more},
                stdin=subprocess.PIPE if self.how.get("listens") else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=lambda: die_with_parent(parent),
                **{name: value for name, value in self.how.items() if name != "listens"},
            )

    def say(self, line: str) -> None:
        """One line to its standard input, for a program that listens there."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.write(f"{line}\n".encode())
            self.process.stdin.flush()

    @property
    def pid(self) -> int:
        return self.process.pid if self.process else 0

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def is_working(self) -> bool:
        """Running, and nobody froze it as a whole."""
        return self.is_running and self.pid not in self.frozen

    def signal(self, number: signal.Signals, *, pid: int | None = None) -> bool:
        """To it or to one of its children. False when that one was gone."""
        wanted = pid or self.pid
        if not wanted or (wanted == self.pid and not self.is_running):
            return False
        try:
            os.kill(wanted, number)
        except ProcessLookupError:
            return False
        if number is signal.SIGSTOP:
            self.frozen.add(wanted)
        elif number in (signal.SIGCONT, signal.SIGKILL):
            self.frozen.discard(wanted)
        return True

    def end(self, *, wait_s: float = 10.0) -> None:
        """Ask it to end, then kill it."""
        if self.process is None:
            return
        for pid in list(self.frozen):
            self.signal(signal.SIGCONT, pid=pid)
        if self.is_running:
            self.process.terminate()
            try:
                self.process.wait(wait_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
