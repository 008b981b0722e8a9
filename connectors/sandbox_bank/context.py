"""The bank as one object: settings, file, clock in milliseconds. Without it each view would build its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore
from typing import Protocol, cast

from flask import current_app

from connectors.sandbox_bank.settings import BankSettings
from connectors.sandbox_bank.store import Store

EXTENSION = "sandbox_bank"
HANG_S = 30
#: a hanging answer keeps a thread: half of the 16 stay free for everybody else
HANGS_AT_ONCE_MAX = 8

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Timing(Protocol):
    """What the settings of every sandbox bank say of time."""

    @property
    def clock(self) -> Callable[[], datetime]: ...
    @property
    def sleep(self) -> Callable[[float], None]: ...
    @property
    def settle_after_s(self) -> float: ...


@dataclass(frozen=True, kw_only=True)
class Timed:
    """The time of a bank, whatever its standard."""

    settings: Timing
    _hangs: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(HANGS_AT_ONCE_MAX))

    def now_ms(self) -> int:
        return (self.settings.clock() - _EPOCH) // _MILLISECOND

    @property
    def settle_ms(self) -> int:
        return timedelta(seconds=self.settings.settle_after_s) // _MILLISECOND

    def hang(self) -> None:
        """Keeps the caller waiting, unless too many wait already. Never call it inside a transaction."""
        if not self._hangs.acquire(blocking=False):
            return
        try:
            self.settings.sleep(HANG_S)
        finally:
            self._hangs.release()


@dataclass(frozen=True, kw_only=True)
class Bank(Timed):
    settings: BankSettings
    store: Store


def current_bank() -> Bank:
    return cast(Bank, current_app.extensions[EXTENSION])


def iso_utc(at_ms: int) -> str:
    """A moment as RFC 3339 with milliseconds, e.g. 2026-11-22T10:00:00.000Z."""
    return (_EPOCH + at_ms * _MILLISECOND).isoformat(timespec="milliseconds").replace("+00:00", "Z")
