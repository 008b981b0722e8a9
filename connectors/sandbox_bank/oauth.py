"""The bank as OAuth 2.0 server, for machines: metadata (RFC 8414) and the token endpoint (RFC 6749 §3.2)."""

from __future__ import annotations

import re

from flask import Blueprint, Response, jsonify, request, url_for

from connectors.sandbox_bank import grants, payments
from connectors.sandbox_bank.client_assertion import ALGORITHMS, authenticate
from connectors.sandbox_bank.context import Bank, current_bank
from connectors.sandbox_bank.errors import OAuthError
from connectors.sandbox_bank.scenarios import Fault, scenario_of

blueprint = Blueprint("oauth", __name__)

METADATA_PATH = "/.well-known/oauth-authorization-server"
AUTHORIZE_PATH = "/oauth2/authorize"
_SCHEME = "Bearer"

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


@blueprint.get(METADATA_PATH)
def metadata() -> Response:
    issuer = current_bank().settings.base_url
    return jsonify(
        {
            "issuer": issuer,
            "authorization_endpoint": issuer + AUTHORIZE_PATH,
            "token_endpoint": issuer + url_for("oauth.token"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
            "authorization_response_iss_parameter_supported": True,
            "ui_locales_supported": ["fr", "en"],
        }
    )


@blueprint.post("/oauth2/token")
def token() -> Response:
    bank = current_bank()
    form = _single_parameters()
    tpp = authenticate(bank, form)
    match form.get("grant_type"):
        case "client_credentials":
            answer = _client_credentials(bank, tpp, form)
        case "authorization_code":
            answer = _authorization_code(bank, tpp, form)
        case None:
            raise OAuthError("invalid_request", "grant_type is missing")
        case _:
            raise OAuthError("unsupported_grant_type", "client_credentials or authorization_code")
    return jsonify(answer)


def _single_parameters() -> dict[str, str]:
    """RFC 6749 §3.2: a parameter occurs once, and an empty one counts as absent."""
    if request.mimetype != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "the body must be application/x-www-form-urlencoded")
    if any(len(values) > 1 for _, values in request.form.lists()):
        raise OAuthError("invalid_request", "a parameter occurs twice")
    return {name: value for name, value in request.form.items() if value}


def _client_credentials(bank: Bank, tpp: str, form: dict[str, str]) -> dict[str, object]:
    if form.get("scope") != "PIS":
        raise OAuthError("invalid_scope", "scope must be PIS")
    with bank.store.write() as connection:
        access_token = grants.issue_token(connection, tpp=tpp, life_s=grants.TPP_TOKEN_LIFE_S, now_ms=bank.now_ms())
    return _bearer(access_token, life_s=grants.TPP_TOKEN_LIFE_S, scope="PIS")


def _authorization_code(bank: Bank, tpp: str, form: dict[str, str]) -> dict[str, object]:
    for name in ("code", "redirect_uri", "code_verifier"):
        if name not in form:
            raise OAuthError("invalid_request", f"{name} is missing")
    if not _VERIFIER.fullmatch(form["code_verifier"]):
        raise OAuthError("invalid_grant", "code_verifier is not one of RFC 7636")
    with bank.store.write() as connection:
        got = grants.exchange_code(
            connection,
            code=form["code"],
            tpp=tpp,
            redirect_uri=form["redirect_uri"],
            verifier=form["code_verifier"],
            now_ms=bank.now_ms(),
        )
        payment = None if got is None else payments.find(connection, got[1])
    if got is None or payment is None:
        raise OAuthError("invalid_grant", "the code is unknown, spent or expired, or belongs to another request")
    _play_fault(bank, scenario_of(payment.amount_minor).token)
    access_token, payment_id = got
    return _bearer(access_token, life_s=grants.PSU_TOKEN_LIFE_S, scope=f"PIS:{payment_id}")


def _play_fault(bank: Bank, fault: Fault | None) -> None:
    if fault is Fault.FAILS:
        raise OAuthError("server_error", "the bank failed after it spent the code", status=500)
    if fault is Fault.HANGS:
        bank.hang()


def _bearer(access_token: str, *, life_s: int, scope: str) -> dict[str, object]:
    return {"access_token": access_token, "token_type": _SCHEME, "expires_in": life_s, "scope": scope}
