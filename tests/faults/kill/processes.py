"""Processes of a cell: forked from a warm runner, so that a kill costs no start. They end with their runner."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.demo.processes import die_with_parent

#: an order to a process is done within this time, or something is wrong
ANSWER_S = 40.0
#: a process whose connection broke may need a moment to be gone
GONE_S = 5.0


class Died(Exception):
    """It ended before it answered."""


@dataclass
class Process:
    """A child, and the line to it: JSON in, JSON out."""

    pid: int
    line: socket.socket
    #: how it ended, as wait(2) tells it; None while it lives
    status: int | None = None
    _rest: bytes = field(default=b"", repr=False)

    def ask(self, order: Any) -> Any:
        """One order, one answer. Raises Died."""
        self.tell(order)
        return self.answer()

    def tell(self, order: Any) -> None:
        """One order. That it cannot hear any more is seen at the answer."""
        with contextlib.suppress(ConnectionError):
            self.line.sendall(json.dumps(order).encode() + b"\n")

    def answer(self) -> Any:
        """The answer to an order. Raises Died."""
        try:
            while b"\n" not in self._rest:
                some = self.line.recv(65536)
                if not some:
                    raise ConnectionResetError
                self._rest += some
        except ConnectionError:
            self.wait()
            raise Died from None
        answer, _, self._rest = self._rest.partition(b"\n")
        return json.loads(answer)

    def is_gone(self, *, within_s: float = 0.0) -> bool:
        """Whether it has ended, or does so within this time."""
        deadline = time.monotonic() + within_s
        while self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
            elif time.monotonic() >= deadline:
                return False
            else:
                time.sleep(0.001)
        return True

    def wait(self) -> None:
        if self.status is None:
            self.status = os.waitpid(self.pid, 0)[1]

    @property
    def was_killed(self) -> bool:
        """kill -9, by whom ever."""
        return self.status is not None and os.WIFSIGNALED(self.status) and os.WTERMSIG(self.status) == signal.SIGKILL

    def end(self) -> None:
        """Nothing of it is needed any more."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        self.line.close()


def forked(do: Callable[[socket.socket], None]) -> Process:
    """A child that does this with its end of the line and ends. The caller must have no threads."""
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        theirs.close()
        ours.settimeout(ANSWER_S)
        return Process(pid, ours)
    status = 1
    try:
        die_with_parent(parent)
        gc.disable()  # it lives for a second, and to look through all that it inherits is to copy it
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        ours.close()
        do(theirs)
        status = 0
    except BaseException:  # noqa: BLE001  (the end of a child: nothing may go on as a second runner)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)
