"""What may be used once (jti), and nonces that the bank gave out. Kept until nobody could use it anyway."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Literal

from connectors.sandbox_bank.openbanking_uk.store import Connection

NONCE_LIFE_MS = timedelta(minutes=5) // timedelta(milliseconds=1)


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def use(
    connection: Connection,
    kind: Literal["assertion", "dpop"],
    *,
    brand_id: str,
    whose: str,
    jti: str,
    expires_ms: int,
    now_ms: int,
) -> bool:
    """False where it was used before. The primary key decides, for several workers too."""
    connection.execute("DELETE FROM used_jti WHERE expires_ms < ?", [now_ms])
    row = [kind, digest(f"{brand_id}\n{whose}\n{jti}"), expires_ms]
    return connection.execute("INSERT OR IGNORE INTO used_jti VALUES (?, ?, ?)", row).rowcount == 1


def give_nonce(connection: Connection, *, brand_id: str, now_ms: int) -> str:
    connection.execute("DELETE FROM nonce WHERE expires_ms < ?", [now_ms])
    nonce = secrets.token_urlsafe(24)
    connection.execute("INSERT INTO nonce VALUES (?, ?, ?)", [digest(nonce), brand_id, now_ms + NONCE_LIFE_MS])
    return nonce


def is_nonce(connection: Connection, nonce: str, *, brand_id: str, now_ms: int) -> bool:
    """Good for any number of requests until it is five minutes old: a client keeps it (RFC 9449 §8)."""
    row = connection.execute(
        "SELECT 1 FROM nonce WHERE nonce_hash = ? AND brand = ? AND expires_ms > ?", [digest(nonce), brand_id, now_ms]
    )
    return row.fetchone() is not None
