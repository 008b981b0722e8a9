"""Who calls: the TPP at the token endpoint, and the holder of a token at the API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from flask import request
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from connectors.sandbox_bank.openbanking_uk import certificates, dpop, tokens, used
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.context import UkBank, current_bank
from connectors.sandbox_bank.openbanking_uk.dpop import ProofFault
from connectors.sandbox_bank.openbanking_uk.errors import OAuthError, Unauthorised

__all__ = ["Grant", "Unauthorised", "binding", "client", "granted"]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ["PS256", "ES256"]
ASSERTION_LIFE_S_MAX = 360
SKEW_S = 10
JTI_LENGTH_MAX = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token allows. ``consent_id`` and ``customer_id`` are None for the TPP's own token."""

    tpp: str
    brand: str
    consent_id: str | None
    customer_id: str | None


# ----------------------------------------------------------------------------------------------------------- the client


def client(bank: UkBank, brand: Brand, form: Mapping[str, str]) -> str:
    """The client_id, proved as the brand wants it. An assertion is spent by it, whatever becomes of the request."""
    if brand.client_auth == "tls_client_auth":
        return _by_certificate(bank, form)
    return _by_assertion(bank, brand, form)


def _by_certificate(bank: UkBank, form: Mapping[str, str]) -> str:
    if "client_assertion" in form:
        raise _invalid_client("this bank knows clients by their certificate alone (tls_client_auth)")
    client_id, certificate = form.get("client_id", ""), certificates.presented(bank)
    tpp = bank.tpp(client_id)
    if tpp is None or certificate is None or not certificates.has_subject(certificate, tpp):
        raise _invalid_client("the client is not known, or the TLS certificate is not its own")
    return client_id


def _by_assertion(bank: UkBank, brand: Brand, form: Mapping[str, str]) -> str:
    """private_key_jwt (RFC 7523 §3, as FAPI 2.0 §5.3.2.1 narrows its audience)."""
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise _invalid_client("client_assertion_type must be the one of RFC 7523")
    assertion = form.get("client_assertion", "")
    client_id = _unverified_subject(assertion)
    tpp = bank.tpp(client_id)
    if tpp is None or form.get("client_id", client_id) != client_id:
        raise _invalid_client("the client is not known")
    claims = signed_by(tpp, assertion)
    if claims is None:
        raise _invalid_client("the assertion is not signed by a key of the client with PS256 or ES256")
    now_ms = bank.now_ms()
    _check_assertion(claims, client_id=client_id, issuer=bank.issuer(brand), now_s=now_ms // 1000)
    with bank.store.write() as connection:
        fresh = used.use(
            connection,
            "assertion",
            brand_id=brand.id,
            whose=client_id,
            jti=claims["jti"],
            expires_ms=claims["exp"] * 1000,
            now_ms=now_ms,
        )
    if not fresh:
        raise _invalid_client("jti was used before")
    return client_id


def signed_by(tpp: Mapping[str, Any], token: str) -> dict[str, Any] | None:
    """The claims of a JWT that a key of the TPP signed; None for any other."""
    try:
        keys = KeySet.import_key_set({"keys": list(tpp["keys"])})
        return dict(jwt.decode(token, keys, algorithms=ALGORITHMS).claims)
    except (JoseError, ValueError, KeyError, TypeError):
        return None


def _unverified_subject(assertion: str) -> str:
    try:
        return str(json.loads(jws.extract_compact(assertion.encode()).payload)["sub"])
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise _invalid_client("client_assertion is not a readable JWT") from error


def _check_assertion(claims: Mapping[str, Any], *, client_id: str, issuer: str, now_s: int) -> None:
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise _invalid_client("iss and sub must be the client_id")
    if claims.get("aud") != issuer:
        raise _invalid_client("aud must be the issuer, as one string")
    if not (is_time(claims.get("exp")) and now_s < claims["exp"] <= now_s + ASSERTION_LIFE_S_MAX):
        raise _invalid_client("exp must lie ahead, by at most six minutes")
    for name in ("iat", "nbf"):
        if name in claims and not (is_time(claims[name]) and claims[name] <= now_s + SKEW_S):
            raise _invalid_client("iat and nbf must not lie ahead")
    jti = claims.get("jti")
    if not (isinstance(jti, str) and 1 <= len(jti) <= JTI_LENGTH_MAX):
        raise _invalid_client("jti is missing")


def is_time(value: object) -> TypeGuard[int]:
    """A NumericDate (RFC 7519 §2), in whole seconds."""
    return isinstance(value, int) and not isinstance(value, bool)


def _invalid_client(description: str) -> OAuthError:
    return OAuthError("invalid_client", description, status=401)


# ------------------------------------------------------------------------------------------ what a token is bound to


def binding(bank: UkBank, brand: Brand, tpp: str) -> str:
    """The thumbprint of the client's certificate or DPoP key, which its token is of no use without. OAuthError."""
    if brand.how.bound_to == "dpop":
        return proved_key(bank, brand)
    certificate = certificates.presented(bank)
    if certificate is None:
        raise OAuthError("invalid_request", "tokens are bound to a TLS client certificate: come with yours")
    if not certificates.is_of_organisation(certificate, bank.tpp(tpp) or {}):
        raise _invalid_client("the TLS certificate is another organisation's")
    return certificates.thumbprint(certificate)


def proved_key(bank: UkBank, brand: Brand) -> str:
    """The thumbprint of the key that the request's DPoP proof is made with. Raises OAuthError."""
    try:
        return dpop.check(bank, brand)
    except ProofFault as fault:
        if fault.nonce is not None:
            headers = {"DPoP-Nonce": fault.nonce}
            raise OAuthError("use_dpop_nonce", str(fault), headers=headers) from None
        raise OAuthError("invalid_dpop_proof", str(fault)) from None


# -------------------------------------------------------------------------------------------------------------- the API


def granted(brand: Brand, *, scope: str, customer: bool) -> Grant:
    """What the request's token allows. ``customer``: whether it must be one that a customer approved.

    Raises Unauthorised: 401 for no token, one that is over, or that came without what it is bound to; 403 for one of
    the other kind or of another scope.
    """
    bank = current_bank()
    how, access_token = _shown(brand)
    with bank.store.read() as connection:
        token = tokens.find(connection, access_token, brand_id=brand.id)
        good = token is not None and tokens.is_good(connection, token, now_ms=bank.now_ms(), is_usable=bank.is_usable)
    if token is None or not good:
        raise _unauthorised(how, "invalid_token", "the token is not known, or is over")
    if _bound_to(bank, brand, access_token) != token.thumbprint:
        raise _unauthorised(how, "invalid_token", "the token is bound to another certificate or key, or to none shown")
    if scope not in token.scope.split() or (token.customer_id is not None) != customer:
        challenge = {"WWW-Authenticate": f'{how} error="insufficient_scope"'}
        raise Unauthorised(403, challenge, "the token is of another scope, or of the other grant")
    return Grant(tpp=token.tpp, brand=brand.id, consent_id=token.consent_id, customer_id=token.customer_id)


def _shown(brand: Brand) -> tuple[str, str]:
    how = "DPoP" if brand.how.bound_to == "dpop" else "Bearer"
    kind, _, access_token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != how.lower() or not access_token.strip():
        raise Unauthorised(401, {"WWW-Authenticate": how}, f"there is no {how} token")
    return how, access_token.strip()


def _bound_to(bank: UkBank, brand: Brand, access_token: str) -> str | None:
    if brand.how.bound_to == "mtls":
        certificate = certificates.presented(bank)
        return None if certificate is None else certificates.thumbprint(certificate)
    try:
        return dpop.check(bank, brand, access_token=access_token)
    except ProofFault as fault:
        if fault.nonce is not None:
            raise _unauthorised("DPoP", "use_dpop_nonce", str(fault), {"DPoP-Nonce": fault.nonce}) from None
        raise _unauthorised("DPoP", "invalid_dpop_proof", str(fault)) from None


def _unauthorised(how: str, error: str, reason: str, headers: Mapping[str, str] | None = None) -> Unauthorised:
    return Unauthorised(401, {"WWW-Authenticate": f'{how} error="{error}"', **(headers or {})}, reason)
