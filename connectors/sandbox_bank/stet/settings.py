"""What whoever runs the STET banks may choose; nothing else of them reads the environment or the clock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from environs import Env

from connectors.sandbox_bank.authority import CA, TPPS
from connectors.sandbox_bank.settings import utc_now


@dataclass(frozen=True, kw_only=True)
class StetBankSettings:
    """``base_url``: https, without a slash at its end; each bank lies below it.

    ``folder`` is what `authority.make` made. ``clock`` gives aware UTC. ``sleep`` is what a hanging answer does, so
    that a test need not wait for it.
    """

    base_url: str
    database: Path
    folder: Path
    ledger_token: str = field(repr=False)
    settle_after_s: float = 1.0
    clock: Callable[[], datetime] = utc_now
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        if self.base_url.endswith("/") or not self.base_url.startswith("https://"):
            raise ValueError("base_url must be https and must not end with a slash")
        if not self.ledger_token:
            raise ValueError("ledger_token must not be empty")

    @cached_property
    def tpps(self) -> Mapping[str, Mapping[str, Any]]:
        """What the banks know of TPPs, read once: {number: {organisation, seal, seal_url, …}}."""
        known: Mapping[str, Mapping[str, Any]] = json.loads((self.folder / TPPS).read_text("utf-8"))
        return known

    @cached_property
    def authorities(self) -> tuple[x509.Certificate, ...]:
        """Whose certificates are believed."""
        return tuple(x509.load_pem_x509_certificates((self.folder / CA).read_bytes()))

    def published(self, url: str) -> x509.Certificate | None:
        """The seal of the TPP that has it at this address. The directory is asked, never the address: that could lead
        anywhere."""
        for tpp in self.tpps.values():
            if tpp.get("seal_url") == url:
                return x509.load_pem_x509_certificate(tpp["seal"].encode())
        return None

    @classmethod
    def from_environ(cls) -> Self:
        """From STET_SANDBOX_BANK_URL, _DATABASE, _FOLDER, _LEDGER_TOKEN, _SETTLE_S."""
        return cls.with_prefix("STET_SANDBOX_BANK_")

    @classmethod
    def with_prefix(cls, prefix: str) -> Self:
        """From variables that begin so."""
        env = Env(prefix=prefix)
        return cls(
            base_url=env.str("URL"),
            database=env.path("DATABASE"),
            folder=env.path("FOLDER"),
            ledger_token=env.str("LEDGER_TOKEN"),
            settle_after_s=env.float("SETTLE_S", 1.0),
        )
