"""A person's visit for one payment, from the authorisation request to the way back; two tabs must not mix.

The browser holds the only secret, in a cookie for this visit's path. The form token and the authorisation
code are derived from it, so a second approval (double click, back button) leads back with the same code.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from connectors.sandbox_bank.grants import digest
from connectors.sandbox_bank.store import Connection

VISIT_LIFE_MS = timedelta(minutes=30) // timedelta(milliseconds=1)


@dataclass(frozen=True, kw_only=True)
class Visit:
    handle: str
    secret_hash: str
    payment_id: str
    state: str
    customer_id: str | None
    created_ms: int

    def belongs_to(self, secret: str, now_ms: int) -> bool:
        right = hmac.compare_digest(digest(secret), self.secret_hash)
        return right and now_ms < self.created_ms + VISIT_LIFE_MS


def begin(connection: Connection, *, payment_id: str, state: str, code_challenge: str, now_ms: int) -> tuple[str, str]:
    """(handle for the address, secret for the cookie)."""
    handle, secret = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
    connection.execute(
        "INSERT INTO visit (handle, secret_hash, payment_id, state, code_challenge, created_ms)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [handle, digest(secret), payment_id, state, code_challenge, now_ms],
    )
    return handle, secret


def find(connection: Connection, handle: str) -> Visit | None:
    row = connection.execute(
        "SELECT handle, secret_hash, payment_id, state, customer_id, created_ms FROM visit WHERE handle = ?",
        [handle],
    ).fetchone()
    return None if row is None else Visit(**row)


def sign_in(connection: Connection, handle: str, customer_id: str) -> None:
    connection.execute("UPDATE visit SET customer_id = ? WHERE handle = ?", [customer_id, handle])


def approved(connection: Connection, handle: str) -> bool:
    return connection.execute("SELECT 1 FROM code WHERE handle = ?", [handle]).fetchone() is not None


def form_token(secret: str) -> str:
    return _derived(secret, "form token")


def code_of(secret: str) -> str:
    return _derived(secret, "authorisation code")


def _derived(secret: str, purpose: str) -> str:
    mac = hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
