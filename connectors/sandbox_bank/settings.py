"""What whoever runs the bank may choose; nothing else of the bank reads the environment or the clock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from environs import Env

#: a JWK Set (RFC 7517 §5): {"keys": [public keys of one TPP]}
Jwks = Mapping[str, Any]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class BankSettings:
    """`base_url` is also the OAuth issuer, without a slash at its end; `tpps` maps client_id to public keys.

    `clock` gives aware UTC. `sleep` is what a hanging answer does, so that a test need not wait for it.
    """

    base_url: str
    database: Path
    ledger_token: str = field(repr=False)
    tpps: Mapping[str, Jwks]
    settle_after_s: float = 1.0
    clock: Callable[[], datetime] = utc_now
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        if self.base_url.endswith("/") or not self.base_url.startswith(("http://", "https://")):
            raise ValueError("base_url must be http(s) and must not end with a slash")
        if not self.ledger_token:
            raise ValueError("ledger_token must not be empty")

    @classmethod
    def from_environ(cls) -> BankSettings:
        """From SANDBOX_BANK_URL, _DATABASE, _LEDGER_TOKEN, _TPPS (JSON file {client_id: jwks}), _SETTLE_S."""
        env = Env(prefix="SANDBOX_BANK_")
        return cls(
            base_url=env.str("URL"),
            database=env.path("DATABASE"),
            ledger_token=env.str("LEDGER_TOKEN"),
            tpps=json.loads(env.path("TPPS").read_text(encoding="utf-8")),
            settle_after_s=env.float("SETTLE_S", 1.0),
        )
