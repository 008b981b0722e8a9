"""The process as one object: settings, file, banks, clock in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from flask import current_app
from werkzeug.exceptions import NotFound

from connectors.sandbox_bank.context import EXTENSION, Timed
from connectors.sandbox_bank.stet.brands import BRANDS, Brand
from connectors.sandbox_bank.stet.settings import StetBankSettings
from connectors.sandbox_bank.store import Store

__all__ = ["EXTENSION", "StetBank", "current_bank"]


@dataclass(frozen=True, kw_only=True)
class StetBank(Timed):
    """It stands where the other sandbox bank does, so that what both have (the ledger) serves both.

    ``testing``: a test may say which client certificate a request came with.
    """

    settings: StetBankSettings
    store: Store
    testing: bool = False

    @property
    def brands(self) -> Mapping[str, Brand]:
        return BRANDS

    def brand(self, brand_id: str) -> Brand:
        """Raises NotFound, which is answered as any unknown address is."""
        try:
            return self.brands[brand_id]
        except KeyError:
            raise NotFound from None


def current_bank() -> StetBank:
    return cast(StetBank, current_app.extensions[EXTENSION])
