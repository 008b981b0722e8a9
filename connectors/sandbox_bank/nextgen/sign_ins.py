"""Customers who sign in before there is any order, and the tokens that a TPP gets of them (OAuth2 as a pre-step).

Codes and tokens are kept hashed. A code is single use; its second use revokes what the first one got.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from connectors.sandbox_bank.grants import CODE_LIFE_MS, MILLISECOND, digest, issue_token, s256
from connectors.sandbox_bank.nextgen.brands import Brand
from connectors.sandbox_bank.store import Connection
from connectors.sandbox_bank.visits import VISIT_LIFE_MS, code_of

TOKEN_LIFE_S = timedelta(minutes=20) // timedelta(seconds=1)
PIN_TRIES_MAX = 5
_KEEP_MS = timedelta(days=1) // MILLISECOND

SCHEMA = """
CREATE TABLE IF NOT EXISTS nextgen_sign_in (
    handle TEXT PRIMARY KEY,
    secret_hash TEXT NOT NULL,
    brand TEXT NOT NULL,
    tpp TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    state TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    pin_failures INTEGER NOT NULL DEFAULT 0,
    outcome TEXT CHECK (outcome IN ('signed_in', 'refused')),
    customer_id TEXT REFERENCES customer,
    code_hash TEXT UNIQUE,
    code_expires_ms INTEGER,
    spent_ms INTEGER,
    CHECK ((outcome IS 'signed_in') = (customer_id IS NOT NULL AND code_hash IS NOT NULL))
) STRICT;
CREATE TABLE IF NOT EXISTS nextgen_customer_token (
    token_hash TEXT PRIMARY KEY REFERENCES token ON DELETE CASCADE,
    customer_id TEXT NOT NULL REFERENCES customer,
    handle TEXT NOT NULL
) STRICT;
"""


@dataclass(frozen=True, kw_only=True)
class SignIn:
    handle: str
    secret_hash: str
    brand: str
    tpp: str
    redirect_uri: str
    state: str
    created_ms: int
    outcome: str | None

    def belongs_to(self, secret: str, now_ms: int) -> bool:
        right = hmac.compare_digest(digest(secret), self.secret_hash)
        return right and now_ms < self.created_ms + VISIT_LIFE_MS


def begin(
    connection: Connection,
    *,
    brand: Brand,
    tpp: str,
    redirect_uri: str,
    state: str,
    code_challenge: str,
    now_ms: int,
) -> tuple[str, str]:
    """(handle for the address, secret for the cookie)."""
    connection.execute("DELETE FROM nextgen_sign_in WHERE created_ms < ?", [now_ms - _KEEP_MS])
    handle, secret = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
    connection.execute(
        "INSERT INTO nextgen_sign_in"
        " (handle, secret_hash, brand, tpp, redirect_uri, state, code_challenge, created_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [handle, digest(secret), brand.id, tpp, redirect_uri, state, code_challenge, now_ms],
    )
    return handle, secret


def find(connection: Connection, handle: str) -> SignIn | None:
    row = connection.execute(
        "SELECT handle, secret_hash, brand, tpp, redirect_uri, state, created_ms, outcome"
        " FROM nextgen_sign_in WHERE handle = ?",
        [handle],
    ).fetchone()
    return None if row is None else SignIn(**row)


def count_pin_failure(connection: Connection, handle: str) -> int:
    """How many tries are left; with the last one it is over."""
    [failures] = connection.execute(
        "UPDATE nextgen_sign_in SET pin_failures = pin_failures + 1 WHERE handle = ? RETURNING pin_failures", [handle]
    ).fetchone()
    if failures >= PIN_TRIES_MAX:
        refuse(connection, handle)
    return max(0, PIN_TRIES_MAX - int(failures))


def refuse(connection: Connection, handle: str) -> None:
    connection.execute("UPDATE nextgen_sign_in SET outcome = 'refused' WHERE handle = ? AND outcome IS NULL", [handle])


def sign_in(connection: Connection, handle: str, *, customer_id: str, secret: str, now_ms: int) -> None:
    """``secret``: of the visit's cookie, from which the code is made."""
    connection.execute(
        "UPDATE nextgen_sign_in SET outcome = 'signed_in', customer_id = ?, code_hash = ?, code_expires_ms = ?"
        " WHERE handle = ? AND outcome IS NULL",
        [customer_id, digest(code_of(secret)), now_ms + CODE_LIFE_MS, handle],
    )


def exchange(
    connection: Connection, *, brand: Brand, tpp: str, code: str, redirect_uri: str, verifier: str, now_ms: int
) -> str | None:
    """The token for a good code, which is spent. None for any other; the caller commits anyway."""
    row = connection.execute("SELECT * FROM nextgen_sign_in WHERE code_hash = ?", [digest(code)]).fetchone()
    if row is None or (row["tpp"], row["brand"]) != (tpp, brand.id):
        return None
    if row["spent_ms"] is not None:
        connection.execute(
            "UPDATE token SET revoked = 1 WHERE token_hash IN"
            " (SELECT token_hash FROM nextgen_customer_token WHERE handle = ?)",
            [row["handle"]],
        )
        return None
    if now_ms >= row["code_expires_ms"] or row["redirect_uri"] != redirect_uri:
        return None
    if not hmac.compare_digest(row["code_challenge"], s256(verifier)):
        return None
    connection.execute("UPDATE nextgen_sign_in SET spent_ms = ? WHERE handle = ?", [now_ms, row["handle"]])
    if brand.one_sign_in:
        connection.execute(
            "UPDATE token SET revoked = 1 WHERE tpp = ? AND token_hash IN"
            " (SELECT t.token_hash FROM nextgen_customer_token t JOIN nextgen_sign_in s USING (handle)"
            " WHERE t.customer_id = ? AND s.brand = ?)",
            [tpp, row["customer_id"], brand.id],
        )
    token = issue_token(connection, tpp=tpp, life_s=TOKEN_LIFE_S, now_ms=now_ms)
    connection.execute(
        "INSERT INTO nextgen_customer_token VALUES (?, ?, ?)", [digest(token), row["customer_id"], row["handle"]]
    )
    return token


def customer_of(connection: Connection, token: str) -> str | None:
    """Whose token it is, if a customer's."""
    row = connection.execute(
        "SELECT customer_id FROM nextgen_customer_token WHERE token_hash = ?", [digest(token)]
    ).fetchone()
    return None if row is None else str(row["customer_id"])
