"""One clock for all processes of a runner: it stands still until somebody moves it, so that no cell waits for time."""

from __future__ import annotations

import datetime as dt
import mmap
import struct

#: when the house is founded, when its customer agrees on standing consents, and when every cell begins: any token that
#: a bank gave us before is over then, so that none is shown to a bank whose books were put back to before it
FOUNDED = dt.datetime(2026, 10, 1, 9, 0, tzinfo=dt.UTC)
BEGIN = FOUNDED + dt.timedelta(days=30)
AGREED = BEGIN - dt.timedelta(days=1)
_MICROSECOND = dt.timedelta(microseconds=1)


class Clock:
    """In memory that forked processes share: what one of them sets is the time of all."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)

    def __call__(self) -> dt.datetime:
        [microseconds] = struct.unpack("q", self._memory[:8])
        return FOUNDED + dt.timedelta(microseconds=microseconds)

    def set(self, now: dt.datetime) -> None:
        self._memory[:8] = struct.pack("q", (now - FOUNDED) // _MICROSECOND)

    def move(self, **how: float) -> None:
        self.set(self() + dt.timedelta(**how))
