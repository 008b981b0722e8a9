"""Codes and tokens in the bank's file, hashed only: who reads the file can pay nothing.

RFC 6749 §4.1 and §4.4, RFC 7636 (PKCE). A code is single use; its second use revokes what the first one got.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from connectors.sandbox_bank.store import Connection

MILLISECOND = timedelta(milliseconds=1)
CODE_LIFE_MS = timedelta(seconds=60) // MILLISECOND
TPP_TOKEN_LIFE_S = 300
PSU_TOKEN_LIFE_S = 600
#: how long spent and expired ones are kept, to tell TOKEN_EXPIRED from TOKEN_UNKNOWN
KEEP_MS = timedelta(days=1) // MILLISECOND


@dataclass(frozen=True, kw_only=True)
class Token:
    """`payment_id` is None for the TPP's own token; else the token is good for this payment only."""

    tpp: str
    payment_id: str | None
    expires_ms: int
    revoked: bool


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def remember_assertion(connection: Connection, *, client_id: str, jti: str, expires_ms: int, now_ms: int) -> bool:
    """False where this assertion was used before. The primary key decides, for several workers too."""
    connection.execute("DELETE FROM assertion WHERE expires_ms < ?", [now_ms])
    cursor = connection.execute(
        "INSERT OR IGNORE INTO assertion VALUES (?, ?)", [digest(f"{client_id}\n{jti}"), expires_ms]
    )
    return cursor.rowcount == 1


def issue_token(
    connection: Connection,
    *,
    tpp: str,
    life_s: int,
    now_ms: int,
    payment_id: str | None = None,
    code_hash: str | None = None,
) -> str:
    connection.execute("DELETE FROM token WHERE expires_ms < ?", [now_ms - KEEP_MS])
    token = secrets.token_urlsafe(32)
    connection.execute(
        "INSERT INTO token (token_hash, tpp, payment_id, code_hash, expires_ms) VALUES (?, ?, ?, ?, ?)",
        [digest(token), tpp, payment_id, code_hash, now_ms + life_s * 1000],
    )
    return token


def find_token(connection: Connection, token: str) -> Token | None:
    row = connection.execute(
        "SELECT tpp, payment_id, expires_ms, revoked FROM token WHERE token_hash = ?", [digest(token)]
    ).fetchone()
    if row is None:
        return None
    return Token(
        tpp=row["tpp"],
        payment_id=row["payment_id"],
        expires_ms=row["expires_ms"],
        revoked=bool(row["revoked"]),
    )


def keep_code(connection: Connection, *, code: str, handle: str, now_ms: int) -> None:
    connection.execute(
        "INSERT INTO code (code_hash, handle, expires_ms) VALUES (?, ?, ?)",
        [digest(code), handle, now_ms + CODE_LIFE_MS],
    )


def exchange_code(
    connection: Connection, *, code: str, tpp: str, redirect_uri: str, verifier: str, now_ms: int
) -> tuple[str, str] | None:
    """(token, paymentId) for a good code, which is spent. None for any other; the caller commits anyway."""
    code_hash = digest(code)
    row = connection.execute(
        "SELECT code.expires_ms, code.spent_ms, visit.code_challenge, payment.payment_id, payment.tpp,"
        " payment.redirect_uri"
        " FROM code JOIN visit USING (handle) JOIN payment USING (payment_id) WHERE code_hash = ?",
        [code_hash],
    ).fetchone()
    if row is None or row["tpp"] != tpp:
        return None
    if row["spent_ms"] is not None:
        connection.execute("UPDATE token SET revoked = 1 WHERE code_hash = ?", [code_hash])
        return None
    if now_ms >= row["expires_ms"] or row["redirect_uri"] != redirect_uri:
        return None
    if not hmac.compare_digest(row["code_challenge"], s256(verifier)):
        return None
    connection.execute("UPDATE code SET spent_ms = ? WHERE code_hash = ?", [now_ms, code_hash])
    token = issue_token(
        connection,
        tpp=tpp,
        payment_id=row["payment_id"],
        code_hash=code_hash,
        life_s=PSU_TOKEN_LIFE_S,
        now_ms=now_ms,
    )
    return token, row["payment_id"]


def s256(verifier: str) -> str:
    """RFC 7636 §4.6."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
