"""What we ask of an authorization server, signed (RFC 9101), and what it answers in the browser, checked.

FAPI 1.0 Advanced knows two answers. The hybrid one (``code id_token``) carries an id_token as a detached signature:
it hashes the code and the state (OpenID Connect Core §3.3.2.11, FAPI 1 Advanced §5.2.2.1). JARM puts all of the answer
into one JWT. Both are refused unless every claim is as it must be: a code from elsewhere would approve another payment.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

ALGORITHMS = ("PS256", "ES256")
#: FAPI 1 Advanced §5.2.2: exp at most 60 minutes after nbf; ours is used within a minute
LIFETIME = dt.timedelta(minutes=5)
#: clocks differ; beyond this a token of the past is not believed, nor one of the future
SKEW = dt.timedelta(seconds=60)


class NotBelieved(Exception):
    """An answer in the browser that is not the bank's answer to our question. No code in it is used."""


def request_object(
    parameters: Mapping[str, Any],
    *,
    client_id: str,
    audience: str,
    key: ECKey | RSAKey,
    kid: str,
    now: dt.datetime,
) -> str:
    """The parameters of an authorization request as a signed JWT. ``audience``: the issuer, or a bank's quirk."""
    issued_at = int(now.timestamp())
    claims = {
        **parameters,
        "client_id": client_id,
        "iss": client_id,
        "aud": audience,
        "iat": issued_at,
        "nbf": issued_at,
        "exp": issued_at + int(LIFETIME.total_seconds()),
        "jti": secrets.token_urlsafe(24),
    }
    algorithm = "ES256" if isinstance(key, ECKey) else "PS256"
    header = {"typ": "oauth-authz-req+jwt", "alg": algorithm, "kid": kid}
    return jwt.encode(header, claims, key, algorithms=[algorithm])


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an answer must say, all of it fixed when the customer left."""

    issuer: str
    client_id: str
    nonce: str
    state: str
    consent_id: str | None = None  #: openbanking_intent_id, where the bank puts it into its id_tokens
    intent_prefix: str = ""  #: what a bank may write before it
    nonce_may_be_missing: bool = False  #: in a hybrid answer, whose s_hash binds it to the state; never another nonce
    intent_may_be_missing: bool = False  #: never another intent


def check_id_token(
    id_token: str, *, code: str | None, keys: KeySet, expected: Expected, now: dt.datetime
) -> Mapping[str, Any]:
    """The claims of the id_token of a hybrid answer, or of a token response (then without ``code``).

    Raises NotBelieved.
    """
    claims = _claims_of(id_token, keys=keys, issuer=expected.issuer, client_id=expected.client_id, now=now)
    if "nonce" in claims or not expected.nonce_may_be_missing or code is None:
        _must_be(claims, "nonce", expected.nonce)
    if code is not None:
        _must_be(claims, "c_hash", half_hash(code))
        _must_be(claims, "s_hash", half_hash(expected.state))
    _check_intent(claims, expected)
    return claims


def _check_intent(claims: Mapping[str, Any], expected: Expected) -> None:
    if expected.consent_id is None or (expected.intent_may_be_missing and "openbanking_intent_id" not in claims):
        return
    said = claims.get("openbanking_intent_id")
    if isinstance(said, str):
        claims = {"openbanking_intent_id": said.removeprefix(expected.intent_prefix)}
    _must_be(claims, "openbanking_intent_id", expected.consent_id)


def read_jarm(response: str, *, keys: KeySet, expected: Expected, now: dt.datetime) -> Mapping[str, str]:
    """The parameters that a JARM answer carries (``response_mode=jwt``). Raises NotBelieved."""
    claims = _claims_of(response, keys=keys, issuer=expected.issuer, client_id=expected.client_id, now=now)
    _must_be(claims, "state", expected.state)
    return {name: value for name, value in claims.items() if isinstance(value, str)}


def half_hash(value: str) -> str:
    """The left half of its SHA-256, as c_hash and s_hash have it for PS256 and ES256."""
    digest = hashlib.sha256(value.encode("ascii", "replace")).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


def _claims_of(token: str, *, keys: KeySet, issuer: str, client_id: str, now: dt.datetime) -> Mapping[str, Any]:
    try:
        claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError, KeyError, TypeError) as error:
        message = f"it is not signed by the bank ({type(error).__name__})"
        raise NotBelieved(message) from None
    _must_be(claims, "iss", issuer)
    audience = claims.get("aud")
    audiences: Sequence[Any] = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences:
        raise NotBelieved("aud is not us")
    if len(audiences) > 1 and claims.get("azp") != client_id:
        raise NotBelieved("it is for several, and azp is not us")
    if _time(claims, "exp") <= (now - SKEW).timestamp():
        raise NotBelieved("it is too old (exp)")
    for name in ("iat", "nbf"):
        if name in claims and _time(claims, name) > (now + SKEW).timestamp():
            message = f"it is of a time that has not come ({name})"
            raise NotBelieved(message)
    return claims


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"{name} is not a time"
        raise NotBelieved(message)
    return value


def _must_be(claims: Mapping[str, Any], name: str, value: str) -> None:
    said = claims.get(name)
    if not isinstance(said, str) or not hmac.compare_digest(said.encode(), value.encode()):
        message = f"{name} is not what it must be"
        raise NotBelieved(message)


def claimed_state(response: str) -> str | None:
    """The state that a signed answer (JARM) names. Nobody has checked it: it is good for finding the trip, no more."""
    try:
        said = json.loads(jws.extract_compact(response.encode()).payload)
    except (JoseError, ValueError, RecursionError):
        return None
    state = said.get("state") if isinstance(said, dict) else None
    return state if isinstance(state, str) and state.isascii() else None
