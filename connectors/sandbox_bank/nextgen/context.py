"""The process as one object: settings, file, banks, clock in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import current_app
from werkzeug.exceptions import NotFound

from connectors.sandbox_bank.context import EXTENSION, Timed
from connectors.sandbox_bank.nextgen.brands import BRANDS, Brand
from connectors.sandbox_bank.nextgen.settings import NextGenBankSettings
from connectors.sandbox_bank.store import Store

__all__ = ["EXTENSION", "NextGenBank", "brand_of", "current_bank"]


@dataclass(frozen=True, kw_only=True)
class NextGenBank(Timed):
    """It stands where the other sandbox banks do, so that what all have (the ledger) serves each.

    ``testing``: a test may say which client certificate a request came with.
    """

    settings: NextGenBankSettings
    store: Store
    testing: bool = False

    def issuer(self, brand: Brand) -> str:
        return f"{self.settings.base_url}/{brand.id}"


def brand_of(brand_id: str) -> Brand:
    """Raises NotFound, which is answered as any unknown address is."""
    try:
        return BRANDS[brand_id]
    except KeyError:
        raise NotFound from None


def current_bank() -> NextGenBank:
    return cast(NextGenBank, current_app.extensions[EXTENSION])
