"""Each brand as an authorization server, for machines: metadata, keys, pushed requests (RFC 9126), tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, jsonify, request

from connectors.sandbox_bank.openbanking_uk import identity, resources, tokens, visits, way_back
from connectors.sandbox_bank.openbanking_uk.asked import ACR, INTENT, Refused, read
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.context import UkBank, current_bank
from connectors.sandbox_bank.openbanking_uk.errors import OAuthError
from connectors.sandbox_bank.openbanking_uk.store import Connection
from connectors.sandbox_bank.openbanking_uk.tokens import Approved, Token
from connectors.sandbox_bank.openbanking_uk.used import digest
from connectors.sandbox_bank.openbanking_uk.visits import Visit

blueprint = Blueprint("authorization", __name__)

SCOPE = "payments"
PUSHED_LIFE_S = 60
REQUEST_URI_PREFIX = "urn:ietf:params:oauth:request_uri:"

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


# ------------------------------------------------------------------------------------------------ what the bank says


@blueprint.get("/<brand_id>/.well-known/openid-configuration")
@blueprint.get("/.well-known/oauth-authorization-server/<brand_id>")
def metadata(brand_id: str) -> Response:
    """At both places: OpenID Connect Discovery §4, and RFC 8414 §3.1."""
    bank = current_bank()
    brand = bank.brand(brand_id)
    issuer, how = bank.issuer(brand), brand.how
    said: dict[str, Any] = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth2/authorize",
        "token_endpoint": f"{issuer}/oauth2/token",
        "jwks_uri": f"{issuer}/jwks",
        "scopes_supported": ["openid", SCOPE],
        "response_types_supported": [how.response_type],
        "response_modes_supported": [{"hybrid": "fragment", "jarm": "jwt", "code": "query"}[how.answer]],
        "grant_types_supported": _grant_types(brand),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [way_back.ALGORITHM],
        "acr_values_supported": [ACR],
        "claims_supported": ["acr", INTENT],
        "claims_parameter_supported": True,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [brand.client_auth],
        "request_parameter_supported": how.signed,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": how.answer == "code",
    }
    if brand.client_auth == "private_key_jwt":
        said["token_endpoint_auth_signing_alg_values_supported"] = identity.ALGORITHMS
    if how.signed:
        said |= {
            "require_signed_request_object": True,
            "request_object_signing_alg_values_supported": identity.ALGORITHMS,
        }
    if how.pushed:
        said |= {
            "pushed_authorization_request_endpoint": f"{issuer}/oauth2/par",
            "require_pushed_authorization_requests": True,
        }
    if how.answer == "jarm":
        said["authorization_signing_alg_values_supported"] = [way_back.ALGORITHM]
    if how.bound_to == "dpop":
        said["dpop_signing_alg_values_supported"] = ["ES256"]
    else:
        said["tls_client_certificate_bound_access_tokens"] = True
    return jsonify(said)


def _grant_types(brand: Brand) -> list[str]:
    return ["authorization_code", "client_credentials", *(["refresh_token"] if brand.short_tokens else [])]


@blueprint.get("/<brand_id>/jwks")
def jwks(brand_id: str) -> Response:
    bank = current_bank()
    return jsonify(bank.keys.jwks(bank.brand(brand_id).id))


# ------------------------------------------------------------------------------------------------------ pushed requests


@blueprint.post("/<brand_id>/oauth2/par")
def par(brand_id: str) -> tuple[Response, int]:
    bank = current_bank()
    brand = bank.brand(brand_id)
    if not brand.how.pushed:
        raise OAuthError("invalid_request", "this bank takes no pushed requests", status=404)
    form = _single_parameters()
    client_id = identity.client(bank, brand, form)
    jkt = identity.proved_key(bank, brand) if brand.how.bound_to == "dpop" and "DPoP" in request.headers else None
    if "request_uri" in form:
        raise OAuthError("invalid_request", "request_uri must not be pushed (RFC 9126 §2.1)")
    if jkt is not None and form.get("dpop_jkt", jkt) != jkt:
        raise OAuthError("invalid_request", "dpop_jkt is another key than the proof's (RFC 9449 §10.1)")
    try:
        asked = read(bank, brand, client_id, form)
    except Refused as refused:
        raise refused.error from None
    asked = replace(asked, jkt=jkt or form.get("dpop_jkt"))
    request_uri = REQUEST_URI_PREFIX + secrets.token_urlsafe(32)
    expires_ms = bank.now_ms() + PUSHED_LIFE_S * 1000
    with bank.store.write() as connection:
        connection.execute(
            "INSERT INTO pushed (request_uri, brand, tpp, asked, expires_ms) VALUES (?, ?, ?, ?, ?)",
            [request_uri, brand.id, client_id, asked.to_json(), expires_ms],
        )
    return jsonify({"request_uri": request_uri, "expires_in": PUSHED_LIFE_S}), 201


# --------------------------------------------------------------------------------------------------------------- tokens


@blueprint.post("/<brand_id>/oauth2/token")
def token(brand_id: str) -> Response:
    bank = current_bank()
    brand = bank.brand(brand_id)
    form = _single_parameters()
    tpp = identity.client(bank, brand, form)
    thumbprint = identity.binding(bank, brand, tpp)
    match form.get("grant_type"):
        case "client_credentials":
            answer = _client_credentials(bank, brand, tpp, thumbprint, form)
        case "authorization_code":
            answer = _authorization_code(bank, brand, tpp, thumbprint, form)
        case "refresh_token" if brand.short_tokens:
            answer = _refresh_token(bank, brand, tpp, thumbprint, form)
        case None:
            raise OAuthError("invalid_request", "grant_type is missing")
        case _:
            raise OAuthError("unsupported_grant_type", f"one of {', '.join(_grant_types(brand))}")
    return jsonify(answer)


def _client_credentials(
    bank: UkBank, brand: Brand, tpp: str, thumbprint: str, form: dict[str, str]
) -> dict[str, object]:
    if form.get("scope") != SCOPE:
        raise OAuthError("invalid_scope", f"scope must be {SCOPE}")
    now_ms = bank.now_ms()
    own = Token(
        brand=brand.id,
        tpp=tpp,
        consent_id=None,
        customer_id=None,
        scope=SCOPE,
        thumbprint=thumbprint,
        expires_ms=now_ms + tokens.TPP_TOKEN_LIFE_S * 1000,
        revoked=0,
    )
    with bank.store.write() as connection:
        access_token = tokens.issue(connection, own, now_ms=now_ms)
    return _answer(brand, access_token, scope=SCOPE, life_s=tokens.TPP_TOKEN_LIFE_S)


def _authorization_code(
    bank: UkBank, brand: Brand, tpp: str, thumbprint: str, form: dict[str, str]
) -> dict[str, object]:
    wanted = ("code", "redirect_uri", *(("scope",) if brand.scope_in_code_exchange else ()))
    for name in wanted:
        if name not in form:
            raise OAuthError("invalid_request", f"{name} is missing")
    now_ms = bank.now_ms()
    with bank.store.write() as connection:
        handle = tokens.spend_code(connection, form["code"], tpp=tpp, brand_id=brand.id, now_ms=now_ms)
        visit = None if handle is None else visits.find(connection, handle, brand_id=brand.id)
        answer = (
            None
            if visit is None or not _fits(visit, thumbprint, form)
            else _customer_token(connection, brand, visit, thumbprint, form, now_ms=now_ms)
        )
    if visit is None or answer is None:
        raise OAuthError("invalid_grant", "the code is unknown, spent or expired, or belongs to another request")
    resources.play_token_fault(bank, brand_id=brand.id, consent_id=visit.asked.consent_id)
    answer["id_token"] = way_back.id_token(bank, brand, tpp, visit.asked)
    return answer


def _fits(visit: Visit, thumbprint: str, form: dict[str, str]) -> bool:
    """Whether who comes with the code is who asked for it (RFC 6749 §4.1.3, RFC 7636 §4.6, RFC 9449 §10)."""
    asked, verifier = visit.asked, form.get("code_verifier", "")
    if form["redirect_uri"] != asked.redirect_uri or (asked.jkt is not None and asked.jkt != thumbprint):
        return False
    if asked.code_challenge is None:
        return "code_verifier" not in form
    return _VERIFIER.fullmatch(verifier) is not None and hmac.compare_digest(asked.code_challenge, _s256(verifier))


def _customer_token(
    connection: Connection, brand: Brand, visit: Visit, thumbprint: str, form: dict[str, str], *, now_ms: int
) -> dict[str, object]:
    """For a standing consent the token lives as long as that, and nothing says how long; or it is short, and renewed.
    Those of an approval before end with it."""
    consent_id, code_hash = visit.asked.consent_id, digest(form["code"])
    approval = resources.to_approve(connection, brand_id=brand.id, consent_id=consent_id)
    is_standing = approval is not None and approval.kind == "vrp"
    if is_standing:
        tokens.revoke_tokens(connection, consent_id)
    life_s = None if is_standing and not brand.short_tokens else tokens.CUSTOMER_TOKEN_LIFE_S
    approved = Approved(
        brand=brand.id,
        tpp=visit.tpp,
        consent_id=consent_id,
        customer_id=visit.customer_id or "",
        scope=SCOPE,
        code_hash=code_hash,
    )
    access_token = _issue(connection, approved, thumbprint, life_s=life_s, now_ms=now_ms)
    answer = _answer(brand, access_token, scope=f"openid {SCOPE}", life_s=life_s)
    if is_standing and brand.short_tokens:
        answer["refresh_token"] = tokens.issue_refresh(connection, approved)
    return answer


def _issue(connection: Connection, approved: Approved, thumbprint: str, *, life_s: int | None, now_ms: int) -> str:
    """An access token for what a customer approved, bound to what the client came with now."""
    customers = Token(
        brand=approved.brand,
        tpp=approved.tpp,
        consent_id=approved.consent_id,
        customer_id=approved.customer_id,
        scope=approved.scope,
        thumbprint=thumbprint,
        expires_ms=None if life_s is None else now_ms + life_s * 1000,
        revoked=0,
    )
    return tokens.issue(connection, customers, now_ms=now_ms, code_hash=approved.code_hash)


def _refresh_token(bank: UkBank, brand: Brand, tpp: str, thumbprint: str, form: dict[str, str]) -> dict[str, object]:
    """RFC 6749 §6. The scope is what it was; a new refresh token takes the place of the old one."""
    if "refresh_token" not in form:
        raise OAuthError("invalid_request", "refresh_token is missing")
    if form.get("scope", f"openid {SCOPE}") not in (SCOPE, f"openid {SCOPE}"):
        raise OAuthError("invalid_scope", "the scope is wider than what was approved")
    now_ms, life_s = bank.now_ms(), tokens.CUSTOMER_TOKEN_LIFE_S
    with bank.store.write() as connection:
        approved = tokens.spend_refresh(
            connection,
            form["refresh_token"],
            tpp=tpp,
            brand_id=brand.id,
            now_ms=now_ms,
            is_usable=bank.is_usable,
        )
        given = None
        if approved is not None:
            access_token = _issue(connection, approved, thumbprint, life_s=life_s, now_ms=now_ms)
            given = access_token, tokens.issue_refresh(connection, approved)
    if given is None:
        raise OAuthError("invalid_grant", "the refresh token is unknown, over or revoked")
    answer = _answer(brand, given[0], scope=f"openid {SCOPE}", life_s=life_s)
    return {**answer, "refresh_token": given[1]}


def _answer(brand: Brand, access_token: str, *, scope: str, life_s: int | None) -> dict[str, object]:
    """RFC 6749 §5.1."""
    kind = "DPoP" if brand.how.bound_to == "dpop" else "Bearer"
    answer: dict[str, object] = {
        "access_token": access_token,
        "token_type": kind.upper() if brand.upper_case_token_type else kind,
        "scope": f"{scope} accounts" if brand.wider_scope else scope,
    }
    return answer if life_s is None else {**answer, "expires_in": life_s}


def _single_parameters() -> dict[str, str]:
    """RFC 6749 §3.2: a parameter occurs once, and an empty one counts as absent."""
    if request.mimetype != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "the body must be application/x-www-form-urlencoded")
    if any(len(values) > 1 for _, values in request.form.lists()):
        raise OAuthError("invalid_request", "a parameter occurs twice")
    return {name: value for name, value in request.form.items() if value}


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
