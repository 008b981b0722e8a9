"""An authorization request, read as the brand's profile has it: signed or not, in the address or pushed before.

OpenID Connect Core §3.1.2.1 and §3.3.2.1, RFC 9101, FAPI 1.0 Advanced §5.2.2, FAPI 2.0 §5.3.2.2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.context import UkBank
from connectors.sandbox_bank.openbanking_uk.errors import OAuthError
from connectors.sandbox_bank.openbanking_uk.identity import SKEW_S, is_time, signed_by

SCOPE = "openid payments"
LENGTH_MAX = 512
#: FAPI 1 Advanced §5.2.2: from nbf to exp, and nbf not further back
LIFE_S_MAX = 3600
INTENT = "openbanking_intent_id"
#: OBL's two: the customer's strong authentication, and the one without. We have the first only
ACR = "urn:openbanking:psd2:sca"

_S256_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that is as it must be. ``jkt``: the DPoP key that it was pushed with, which the code is bound to."""

    redirect_uri: str
    state: str
    nonce: str | None
    code_challenge: str | None
    consent_id: str
    jkt: str | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Asked:
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """Where an error may be told to: known as soon as the client and its address are."""

    redirect_uri: str
    state: str


class Refused(Exception):
    """A request that is not as it must be. ``to``: who is told; None: nobody whom we trust, so the person is."""

    def __init__(self, error: OAuthError, to: Return | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.to = to


def read(bank: UkBank, brand: Brand, client_id: str, given: Mapping[str, str]) -> Asked:
    """The request of this client out of its parameters. Raises Refused."""
    tpp = bank.tpp(client_id)
    if tpp is None:
        raise Refused(_invalid("client_id is not known"), None)
    try:
        parameters = _opened(bank, brand, client_id, tpp, given) if brand.how.signed else dict(given)
        redirect_uri = _redirect_uri(parameters, tpp)
    except OAuthError as error:
        raise Refused(error, None) from None
    state = parameters.get("state", "")
    told = Return(redirect_uri=redirect_uri, state=state if _is_text(state) else "")
    try:
        _check_repeated(brand, parameters, given)
        return _checked(brand, client_id, parameters, redirect_uri)
    except OAuthError as error:
        raise Refused(error, told) from None


def _opened(
    bank: UkBank, brand: Brand, client_id: str, tpp: Mapping[str, Any], given: Mapping[str, str]
) -> Mapping[str, Any]:
    """The claims of the request object: nothing beside it counts (FAPI 1 Advanced §5.2.2 no. 10)."""
    if "request" not in given:
        raise OAuthError("invalid_request", "this bank wants a signed request object (request)")
    claims = signed_by(tpp, given["request"])
    if claims is None:
        raise _invalid_object("it is not signed by a key of the client with PS256 or ES256")
    if claims.get("iss") != client_id or claims.get("client_id") != client_id:
        raise _invalid_object("iss and client_id must be the client's")
    audience = claims.get("aud")
    if (brand.request_object_aud or bank.issuer(brand)) not in (audience if isinstance(audience, list) else [audience]):
        raise _invalid_object("aud is not this bank")
    now_s = bank.now_ms() // 1000
    nbf, exp = claims.get("nbf"), claims.get("exp")
    if not is_time(nbf) or not is_time(exp) or not now_s - LIFE_S_MAX <= nbf <= now_s + SKEW_S:
        raise _invalid_object("nbf must be there and lie at most an hour back, and exp must be there")
    if not now_s < exp <= nbf + LIFE_S_MAX:
        raise _invalid_object("exp must lie ahead, at most an hour after nbf")
    return claims


def _check_repeated(brand: Brand, parameters: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """What OpenID Connect Core §6.1 wants beside a request object, the same as in it; one brand wants more."""
    if not brand.how.signed or brand.how.pushed:
        return
    wanted = ("response_type", "scope", *(("state", "nonce") if brand.repeated_parameters else ()))
    for name in wanted:
        if given.get(name) != parameters.get(name):
            raise _invalid(f"{name} must stand beside the request object too, as in it")


def _checked(brand: Brand, client_id: str, parameters: Mapping[str, Any], redirect_uri: str) -> Asked:
    how = brand.how
    if parameters.get("client_id") != client_id:
        raise _invalid("client_id is another than the one that asks")
    if parameters.get("response_type") != how.response_type:
        raise OAuthError("unsupported_response_type", f"response_type must be {how.response_type}")
    if parameters.get("response_mode") != ("jwt" if how.answer == "jarm" else None):
        raise _invalid("response_mode must be jwt" if how.answer == "jarm" else "response_mode must not be there")
    if sorted(str(parameters.get("scope", "")).split()) != SCOPE.split():
        raise OAuthError("invalid_scope", f"scope must be {SCOPE}")
    state, nonce = parameters.get("state"), parameters.get("nonce")
    if not _is_text(state):
        raise _invalid(f"state must be there, with at most {LENGTH_MAX} characters")
    if not _is_text(nonce) and (nonce is not None or how.answer == "hybrid"):
        raise _invalid(f"nonce must be there, with at most {LENGTH_MAX} characters")
    return Asked(
        redirect_uri=redirect_uri,
        state=str(state),
        nonce=None if nonce is None else str(nonce),
        code_challenge=_code_challenge(brand, parameters),
        consent_id=_intent(brand, parameters),
    )


def _code_challenge(brand: Brand, parameters: Mapping[str, Any]) -> str | None:
    challenge, method = parameters.get("code_challenge"), parameters.get("code_challenge_method")
    if challenge is None and method is None and not brand.how.pkce:
        return None
    if method != "S256" or not isinstance(challenge, str) or _S256_CHALLENGE.fullmatch(challenge) is None:
        raise _invalid("code_challenge must be there, with the method S256 (RFC 7636)")
    return challenge


def _intent(brand: Brand, parameters: Mapping[str, Any]) -> str:
    """``claims.id_token.openbanking_intent_id`` with ``value`` and ``essential`` = true (OBL security profile)."""
    claims = parameters.get("claims")
    try:
        asked: Any = json.loads(claims) if isinstance(claims, str) else claims
        intent = asked["id_token"][INTENT]
        value, essential = intent["value"], intent["essential"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _invalid(f"claims must ask for {INTENT} in the id_token, with value and essential") from None
    if essential is not True or not isinstance(value, str) or not value.startswith(brand.intent_id_prefix):
        raise _invalid(f"{INTENT} must be essential, and its value must begin with {brand.intent_id_prefix!r}")
    return value.removeprefix(brand.intent_id_prefix)


def _redirect_uri(parameters: Mapping[str, Any], tpp: Mapping[str, Any]) -> str:
    """Exactly one that the TPP registered; where it registered none, any at a loopback address."""
    uri = parameters.get("redirect_uri")
    if not isinstance(uri, str) or len(uri) > LENGTH_MAX:
        raise _invalid("redirect_uri is missing")
    registered = tpp.get("redirect_uris")
    if (uri not in registered) if registered is not None else not _is_loopback(uri):
        raise _invalid("redirect_uri is not one of the client's")
    return uri


def _is_loopback(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
    return loopback and parts.scheme in ("http", "https") and not parts.fragment and "@" not in parts.netloc


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= LENGTH_MAX


def _invalid(description: str) -> OAuthError:
    return OAuthError("invalid_request", description)


def _invalid_object(description: str) -> OAuthError:
    return OAuthError("invalid_request_object", description)
