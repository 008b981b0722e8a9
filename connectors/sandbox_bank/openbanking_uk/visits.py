"""A person's visit for one consent, from the authorization request to the way back; two tabs must not mix.

The browser holds the only secret, in a cookie for this visit's path. The form token and the authorization code are
derived from it, so a second approval (double click, back button) leads back with the same code.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from connectors.sandbox_bank.openbanking_uk.asked import Asked
from connectors.sandbox_bank.openbanking_uk.store import Connection
from connectors.sandbox_bank.openbanking_uk.used import digest

LIFE_MS = timedelta(minutes=30) // timedelta(milliseconds=1)
PIN_TRIES_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """``outcome``: None while it is open, then approved or refused."""

    handle: str
    secret_hash: str
    brand: str
    tpp: str
    asked: Asked
    customer_id: str | None
    outcome: str | None
    created_ms: int

    def belongs_to(self, secret: str, now_ms: int) -> bool:
        return hmac.compare_digest(digest(secret), self.secret_hash) and now_ms < self.created_ms + LIFE_MS


def begin(connection: Connection, *, brand_id: str, tpp: str, asked: Asked, now_ms: int) -> tuple[str, str]:
    """(handle for the address, secret for the cookie)."""
    handle, secret = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
    connection.execute(
        "INSERT INTO visit (handle, secret_hash, brand, tpp, asked, created_ms) VALUES (?, ?, ?, ?, ?, ?)",
        [handle, digest(secret), brand_id, tpp, asked.to_json(), now_ms],
    )
    return handle, secret


def find(connection: Connection, handle: str, *, brand_id: str) -> Visit | None:
    row = connection.execute(
        "SELECT handle, secret_hash, brand, tpp, asked, customer_id, outcome, created_ms FROM visit"
        " WHERE handle = ? AND brand = ?",
        [handle, brand_id],
    ).fetchone()
    return None if row is None else Visit(**{**row, "asked": Asked.from_json(row["asked"])})


def sign_in(connection: Connection, handle: str, customer_id: str) -> None:
    connection.execute("UPDATE visit SET customer_id = ? WHERE handle = ?", [customer_id, handle])


def end(connection: Connection, handle: str, *, approved: bool) -> None:
    outcome = "approved" if approved else "refused"
    connection.execute("UPDATE visit SET outcome = ? WHERE handle = ? AND outcome IS NULL", [outcome, handle])


def count_pin_failure(connection: Connection, handle: str) -> int:
    """How many tries are left."""
    row = connection.execute(
        "UPDATE visit SET pin_failures = pin_failures + 1 WHERE handle = ? RETURNING pin_failures", [handle]
    ).fetchone()
    return max(0, PIN_TRIES_MAX - int(row["pin_failures"]))


def form_token(secret: str) -> str:
    return _derived(secret, "form token")


def code_of(secret: str) -> str:
    return _derived(secret, "authorization code")


def _derived(secret: str, purpose: str) -> str:
    mac = hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
