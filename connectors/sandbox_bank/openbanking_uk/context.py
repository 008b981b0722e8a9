"""The process as one object: settings, file, brands, keys, clock in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore
from typing import Any, Protocol, cast

from flask import current_app
from werkzeug.exceptions import NotFound

from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.keys import BrandKeys
from connectors.sandbox_bank.openbanking_uk.settings import UkBankSettings
from connectors.sandbox_bank.openbanking_uk.store import Connection, Store

EXTENSION = "uk_sandbox_bank"
HANG_S = 30
#: a hanging answer keeps a thread: half of the 16 stay free for everybody else
HANGS_AT_ONCE_MAX = 8

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class IsUsable(Protocol):
    def __call__(self, connection: Connection, /, *, brand_id: str, consent_id: str) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class UkBank:
    """``testing``: a test may say which client certificate a request came with."""

    settings: UkBankSettings
    store: Store
    brands: Mapping[str, Brand]
    keys: BrandKeys
    #: whether a token for a consent is still good: asked of the resources, which know the door and not the reverse
    is_usable: IsUsable
    testing: bool = False
    _hangs: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(HANGS_AT_ONCE_MAX))

    def brand(self, brand_id: str) -> Brand:
        """Raises NotFound, which is answered as any unknown address is."""
        try:
            return self.brands[brand_id]
        except KeyError:
            raise NotFound from None

    def issuer(self, brand: Brand) -> str:
        return self.settings.base_url + brand.path

    def tpp(self, client_id: str) -> Mapping[str, Any] | None:
        return self.settings.tpps.get(client_id)

    def now(self) -> datetime:
        return self.settings.clock()

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


def current_bank() -> UkBank:
    return cast(UkBank, current_app.extensions[EXTENSION])
