"""What whoever runs the UK banks may choose; nothing else of them reads the environment or the clock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from environs import Env

from connectors.sandbox_bank.authority import TPPS
from connectors.sandbox_bank.openbanking_uk.brands import PROFILES
from connectors.sandbox_bank.settings import utc_now


@dataclass(frozen=True, kw_only=True)
class UkBankSettings:
    """``base_url``: https, without a slash at its end; each brand's issuer lies below it.

    ``folder`` is what `authority.make` made. ``profile``: all brands in this one instead of each in its own.
    ``clock`` gives aware UTC. ``sleep`` is what a hanging answer does, so that a test need not wait for it.
    """

    base_url: str
    database: Path
    folder: Path
    ledger_token: str = field(repr=False)
    settle_after_s: float = 1.0
    profile: str | None = None
    clock: Callable[[], datetime] = utc_now
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        if self.base_url.endswith("/") or not self.base_url.startswith("https://"):
            raise ValueError("base_url must be https and must not end with a slash")
        if not self.ledger_token:
            raise ValueError("ledger_token must not be empty")
        if self.profile is not None and self.profile not in PROFILES:
            message = f"profile must be one of {', '.join(PROFILES)}"
            raise ValueError(message)

    @cached_property
    def tpps(self) -> Mapping[str, Mapping[str, Any]]:
        """What the bank knows of TPPs, read once: {client_id: {keys, certificate_subject, organisation, …}}."""
        known: Mapping[str, Mapping[str, Any]] = json.loads((self.folder / TPPS).read_text("utf-8"))
        return known

    @classmethod
    def from_environ(cls) -> UkBankSettings:
        """From UK_SANDBOX_BANK_URL, _DATABASE, _FOLDER, _LEDGER_TOKEN, _SETTLE_S, _PROFILE."""
        env = Env(prefix="UK_SANDBOX_BANK_")
        return cls(
            base_url=env.str("URL"),
            database=env.path("DATABASE"),
            folder=env.path("FOLDER"),
            ledger_token=env.str("LEDGER_TOKEN"),
            settle_after_s=env.float("SETTLE_S", 1.0),
            profile=env.str("PROFILE", "") or None,
        )
