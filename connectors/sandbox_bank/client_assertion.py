"""Who the TPP is: private_key_jwt (RFC 7523 §3, as FAPI 2.0 narrows it). Real banks want the QWAC here."""

from __future__ import annotations

import json
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from connectors.sandbox_bank import grants
from connectors.sandbox_bank.context import Bank
from connectors.sandbox_bank.errors import OAuthError

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ["ES256", "PS256"]
LIFE_S_MAX = 360
CLOCK_SKEW_S = 10
JTI_LENGTH_MAX = 255


def authenticate(bank: Bank, form: dict[str, str]) -> str:
    """The client_id, proved. The assertion is spent by it, whatever becomes of the request."""
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise _invalid("client_assertion_type must be the one of RFC 7523")
    assertion = form.get("client_assertion", "")
    client_id = _unverified_subject(assertion)
    jwks = bank.settings.tpps.get(client_id)
    if jwks is None or form.get("client_id", client_id) != client_id:
        raise _invalid("unknown client")
    keys = KeySet.import_key_set({"keys": jwks["keys"]})
    try:
        claims = jwt.decode(assertion, keys, algorithms=ALGORITHMS).claims
    except (JoseError, ValueError) as error:
        raise _invalid("the signature does not match") from error
    now_ms = bank.now_ms()
    _check(claims, client_id=client_id, issuer=bank.settings.base_url, now_s=now_ms // 1000)
    with bank.store.write() as connection:
        fresh = grants.remember_assertion(
            connection, client_id=client_id, jti=claims["jti"], expires_ms=claims["exp"] * 1000, now_ms=now_ms
        )
    if not fresh:
        raise _invalid("jti was used before")
    return client_id


def _unverified_subject(assertion: str) -> str:
    try:
        claims = json.loads(jws.extract_compact(assertion.encode()).payload)
        return str(claims["sub"])
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise _invalid("client_assertion is not a readable JWT") from error


def _check(claims: dict[str, Any], *, client_id: str, issuer: str, now_s: int) -> None:
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise _invalid("iss and sub must be the client_id")
    if claims.get("aud") != issuer:
        raise _invalid("aud must be the issuer, as one string")
    if not (_is_time(claims.get("exp")) and now_s < claims["exp"] <= now_s + LIFE_S_MAX):
        raise _invalid("exp must lie ahead, by at most six minutes")
    for name in ("iat", "nbf"):
        if name in claims and not (_is_time(claims[name]) and claims[name] <= now_s + CLOCK_SKEW_S):
            raise _invalid("iat and nbf must not lie ahead")
    jti = claims.get("jti")
    if not (isinstance(jti, str) and 1 <= len(jti) <= JTI_LENGTH_MAX):
        raise _invalid("jti is missing")


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _invalid(description: str) -> OAuthError:
    return OAuthError("invalid_client", description, status=401)
