"""Codes and tokens in the bank's file. A code is good once; its second use revokes what the first one got."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from connectors.sandbox_bank.openbanking_uk.context import IsUsable
from connectors.sandbox_bank.openbanking_uk.store import Connection
from connectors.sandbox_bank.openbanking_uk.used import digest

_MILLISECOND = timedelta(milliseconds=1)
CODE_LIFE_MS = timedelta(seconds=60) // _MILLISECOND
TPP_TOKEN_LIFE_S = 300
CUSTOMER_TOKEN_LIFE_S = 600
#: a refresh token that was used is good for as long again: the answer to its use may have been lost (FAPI 2.0 §5.3.2.1)
RETRY_MS = timedelta(seconds=60) // _MILLISECOND
#: tokens that are over are kept as long, then swept
KEEP_MS = timedelta(days=1) // _MILLISECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """``expires_ms`` None: it lives as long as its consent. ``thumbprint``: x5t#S256 or jkt."""

    brand: str
    tpp: str
    consent_id: str | None
    customer_id: str | None
    scope: str
    thumbprint: str
    expires_ms: int | None
    revoked: int


def issue(connection: Connection, token: Token, *, now_ms: int, code_hash: str | None = None) -> str:
    """The access token itself, which is kept nowhere."""
    connection.execute("DELETE FROM token WHERE expires_ms < ?", [now_ms - KEEP_MS])
    access_token = secrets.token_urlsafe(32)
    connection.execute(
        "INSERT INTO token (token_hash, brand, tpp, consent_id, customer_id, scope, thumbprint, code_hash, expires_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            digest(access_token),
            token.brand,
            token.tpp,
            token.consent_id,
            token.customer_id,
            token.scope,
            token.thumbprint,
            code_hash,
            token.expires_ms,
        ],
    )
    return access_token


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """What a customer approved, for which tokens are given. ``code_hash``: of the code by which it came."""

    brand: str
    tpp: str
    consent_id: str
    customer_id: str
    scope: str
    code_hash: str


def issue_refresh(connection: Connection, approved: Approved) -> str:
    """The refresh token itself, which is kept nowhere. It lives as long as its consent."""
    refresh_token = secrets.token_urlsafe(32)
    connection.execute(
        "INSERT INTO refresh_token (token_hash, brand, tpp, consent_id, customer_id, scope, code_hash)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            digest(refresh_token),
            approved.brand,
            approved.tpp,
            approved.consent_id,
            approved.customer_id,
            approved.scope,
            approved.code_hash,
        ],
    )
    return refresh_token


def spend_refresh(
    connection: Connection, refresh_token: str, *, tpp: str, brand_id: str, now_ms: int, is_usable: IsUsable
) -> Approved | None:
    """None for one that is not good. A late second use is a thief's, or its victim's: it ends all that the consent gave
    (RFC 9700 §4.14.2). The caller commits in either case."""
    row = connection.execute(
        "SELECT brand, tpp, consent_id, customer_id, scope, code_hash, spent_ms FROM refresh_token"
        " WHERE token_hash = ? AND tpp = ? AND brand = ? AND revoked = 0",
        [digest(refresh_token), tpp, brand_id],
    ).fetchone()
    if row is None or not is_usable(connection, brand_id=brand_id, consent_id=row["consent_id"]):
        return None
    given = {**row}
    spent_ms = given.pop("spent_ms")
    if spent_ms is not None and now_ms >= spent_ms + RETRY_MS:
        revoke(connection, row["consent_id"])
        return None
    connection.execute(
        "UPDATE refresh_token SET spent_ms = coalesce(spent_ms, ?) WHERE token_hash = ?",
        [now_ms, digest(refresh_token)],
    )
    return Approved(**given)


def find(connection: Connection, access_token: str, *, brand_id: str) -> Token | None:
    row = connection.execute(
        "SELECT brand, tpp, consent_id, customer_id, scope, thumbprint, expires_ms, revoked"
        " FROM token WHERE token_hash = ? AND brand = ?",
        [digest(access_token), brand_id],
    ).fetchone()
    return None if row is None else Token(**row)


def is_good(connection: Connection, token: Token, *, now_ms: int, is_usable: IsUsable) -> bool:
    if token.revoked or (token.expires_ms is not None and now_ms >= token.expires_ms):
        return False
    return token.consent_id is None or is_usable(connection, brand_id=token.brand, consent_id=token.consent_id)


def revoke(connection: Connection, consent_id: str) -> None:
    """All that a consent gave, codes that wait to be exchanged too. What comes of a new approval is another token."""
    revoke_tokens(connection, consent_id)
    connection.execute(
        "UPDATE code SET expires_ms = 0"
        " WHERE handle IN (SELECT handle FROM visit WHERE json_extract(asked, '$.consent_id') = ?)",
        [consent_id],
    )


def revoke_tokens(connection: Connection, consent_id: str) -> None:
    """Those that an earlier approval gave."""
    connection.execute("UPDATE token SET revoked = 1 WHERE consent_id = ?", [consent_id])
    connection.execute("UPDATE refresh_token SET revoked = 1 WHERE consent_id = ?", [consent_id])


def keep_code(connection: Connection, *, code: str, handle: str, now_ms: int) -> None:
    connection.execute(
        "INSERT INTO code (code_hash, handle, expires_ms) VALUES (?, ?, ?)",
        [digest(code), handle, now_ms + CODE_LIFE_MS],
    )


def spend_code(connection: Connection, code: str, *, tpp: str, brand_id: str, now_ms: int) -> str | None:
    """The handle of the visit that the code came from; None for a code that is not good.

    It is spent by that, also where the rest of the request is wrong. The caller commits in either case.
    """
    row = connection.execute(
        "SELECT handle, code.expires_ms, spent_ms FROM code JOIN visit USING (handle)"
        " WHERE code_hash = ? AND tpp = ? AND brand = ?",
        [digest(code), tpp, brand_id],
    ).fetchone()
    if row is None:
        return None
    if row["spent_ms"] is not None:
        connection.execute("UPDATE token SET revoked = 1 WHERE code_hash = ?", [digest(code)])
        connection.execute("UPDATE refresh_token SET revoked = 1 WHERE code_hash = ?", [digest(code)])
        return None
    connection.execute("UPDATE code SET spent_ms = ? WHERE code_hash = ?", [now_ms, digest(code)])
    return None if now_ms >= row["expires_ms"] else str(row["handle"])
