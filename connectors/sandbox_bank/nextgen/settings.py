"""What whoever runs the NextGenPSD2 banks may choose: the same as at the STET banks, under other names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from typing_extensions import override

from connectors.sandbox_bank.stet.settings import StetBankSettings


@dataclass(frozen=True, kw_only=True)
class NextGenBankSettings(StetBankSettings):
    """``base_url``: https; each bank lies below it. ``folder``: what `authority.make` made for a TPP with a number."""

    @classmethod
    @override
    def from_environ(cls) -> Self:
        """From NEXTGEN_SANDBOX_BANK_URL, _DATABASE, _FOLDER, _LEDGER_TOKEN, _SETTLE_S."""
        return cls.with_prefix("NEXTGEN_SANDBOX_BANK_")
