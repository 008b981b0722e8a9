"""The process as one object: settings, file, brands, keys, clock in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, cast

from flask import current_app
from werkzeug.exceptions import NotFound

from connectors.sandbox_bank.context import Timed
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.keys import BrandKeys
from connectors.sandbox_bank.openbanking_uk.settings import UkBankSettings
from connectors.sandbox_bank.openbanking_uk.store import Connection, Store

EXTENSION = "uk_sandbox_bank"


class IsUsable(Protocol):
    def __call__(self, connection: Connection, /, *, brand_id: str, consent_id: str) -> bool: ...


@dataclass(frozen=True, kw_only=True)
class UkBank(Timed):
    """``testing``: a test may say which client certificate a request came with."""

    settings: UkBankSettings
    store: Store
    brands: Mapping[str, Brand]
    keys: BrandKeys
    #: whether a token for a consent is still good: asked of the resources, which know the door and not the reverse
    is_usable: IsUsable
    testing: bool = False

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


def current_bank() -> UkBank:
    return cast(UkBank, current_app.extensions[EXTENSION])
