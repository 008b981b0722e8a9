"""Who calls: a TPP by its TLS certificate, with a token bound to that where the bank has tokens, and by its seal.

The certificate in TLS (QWAC) and the one that signs (QSEAL) are two, and both are of the same organisation.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from flask import Blueprint, Response, jsonify, request

from connectors.sandbox_bank import grants, payments
from connectors.sandbox_bank.errors import BerlinGroupError, OAuthError
from connectors.sandbox_bank.nextgen import sign_ins
from connectors.sandbox_bank.nextgen.brands import Brand
from connectors.sandbox_bank.nextgen.context import NextGenBank, brand_of, current_bank
from connectors.sandbox_bank.scenarios import Fault as Failure
from connectors.sandbox_bank.scenarios import scenario_of
from connectors.sandbox_bank.sealed import (
    headers_as_signed,
    presented_certificate,
    single_parameters,
    target,
    thumbprint,
)
from connectors.sandbox_bank.store import Connection
from connectors.security.http_signature import Fault, SignatureError, Verifier
from connectors.security.psd2_certificates import Role, organisation_of, roles_of

METADATA_PATH = "/.well-known/oauth-authorization-server"

SCHEMA = """
CREATE TABLE IF NOT EXISTS nextgen_token (
    token_hash TEXT PRIMARY KEY REFERENCES token ON DELETE CASCADE,
    brand TEXT NOT NULL,
    thumbprint TEXT NOT NULL
) STRICT;
"""

#: the code of the standard for each fault of a signature
_CODES = {Fault.MISSING: "SIGNATURE_MISSING", Fault.CERTIFICATE: "CERTIFICATE_INVALID"}

blueprint = Blueprint("nextgen_door", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """``payment_id``: the one that a customer's token is for; None: the TPP itself. ``customer_id``: whose token it is,
    where customers sign in before there is any payment."""

    tpp: str
    brand: Brand
    payment_id: str | None = None
    customer_id: str | None = None


# ------------------------------------------------------------------------------------------------------------ the token


@blueprint.get(f"{METADATA_PATH}/<brand_id>")
def metadata(brand_id: str) -> Response:
    """RFC 8414 §3.1: the well-known part goes before the issuer's own path."""
    brand = brand_of(brand_id)
    issuer = current_bank().issuer(brand)
    return jsonify(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/oauth2/authorize",
            "token_endpoint": f"{issuer}/oauth2/token",
            "response_types_supported": [brand.response_type],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", *([] if brand.sign_in_first else ["client_credentials"])],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["tls_client_auth"],
            "tls_client_certificate_bound_access_tokens": True,
            "authorization_response_iss_parameter_supported": True,
        }
    )


@blueprint.post("/<brand_id>/oauth2/token")
def token(brand_id: str) -> Response:
    """RFC 6749 with tls_client_auth (RFC 8705 §2.1). client_id is the certificate's organizationIdentifier."""
    bank, brand = current_bank(), brand_of(brand_id)
    if request.query_string.decode("ascii", "replace") != brand.token_query:
        raise OAuthError("invalid_request", f"the query must be {brand.token_query or 'empty'}")
    form = single_parameters()
    certificate = presented_certificate(testing=bank.testing)
    if certificate is None or not brand.tokens:
        raise OAuthError("invalid_client", "a TLS certificate is needed", status=401)
    tpp = form.get("client_id", "")
    if tpp != organisation_of(certificate) or tpp not in bank.settings.tpps:
        raise OAuthError("invalid_client", "client_id is not the certificate's organizationIdentifier", status=401)
    if Role.PAYMENT_INITIATION not in roles_of(certificate):
        raise OAuthError("unauthorized_client", "the certificate does not have the role PSP_PI")
    match form.get("grant_type"):
        case "authorization_code" if brand.sign_in_first:
            return _of_sign_in(bank, brand, tpp, form, certificate)
        case "client_credentials" if not brand.sign_in_first:
            access_token, life_s, scope = _own(bank, brand, tpp, form)
        case "authorization_code":
            access_token, life_s, scope = _of_customer(bank, brand, tpp, form)
        case _:
            raise OAuthError("unsupported_grant_type", "client_credentials or authorization_code")
    with bank.store.write() as connection:
        _bind(connection, brand, access_token, certificate)
    return jsonify({"access_token": access_token, "token_type": "Bearer", "expires_in": life_s, "scope": scope})


def _bind(connection: Connection, brand: Brand, access_token: str, certificate: x509.Certificate) -> None:
    connection.execute(
        "INSERT INTO nextgen_token VALUES (?, ?, ?)", [grants.digest(access_token), brand.id, thumbprint(certificate)]
    )


def _of_sign_in(
    bank: NextGenBank, brand: Brand, tpp: str, form: dict[str, str], certificate: x509.Certificate
) -> Response:
    """Of a customer who signed in. Nothing renews it."""
    with bank.store.write() as connection:
        access_token = sign_ins.exchange(
            connection,
            brand=brand,
            tpp=tpp,
            code=form.get("code", ""),
            redirect_uri=form.get("redirect_uri", ""),
            verifier=form.get("code_verifier", ""),
            now_ms=bank.now_ms(),
        )
        if access_token is not None:
            _bind(connection, brand, access_token, certificate)
    if access_token is None:
        raise OAuthError("invalid_grant", "the code is unknown, spent or expired, or belongs to another request")
    life_s = sign_ins.TOKEN_LIFE_S
    return jsonify({"access_token": access_token, "token_type": "bearer", "expires_in": life_s})


def _own(bank: NextGenBank, brand: Brand, tpp: str, form: dict[str, str]) -> tuple[str, int, str]:
    if form.get("scope") != brand.own_scope:
        raise OAuthError("invalid_scope", f"scope must be {brand.own_scope}")
    life_s = grants.TPP_TOKEN_LIFE_S
    with bank.store.write() as connection:
        return grants.issue_token(connection, tpp=tpp, life_s=life_s, now_ms=bank.now_ms()), life_s, brand.own_scope


def _of_customer(bank: NextGenBank, brand: Brand, tpp: str, form: dict[str, str]) -> tuple[str, int, str]:
    with bank.store.write() as connection:
        got = grants.exchange_code(
            connection,
            code=form.get("code", ""),
            tpp=tpp,
            redirect_uri=form.get("redirect_uri", ""),
            verifier=form.get("code_verifier", ""),
            now_ms=bank.now_ms(),
        )
        payment = None if got is None else payments.find(connection, got[1])
    if got is None or payment is None:
        raise OAuthError("invalid_grant", "the code is unknown, spent or expired, or belongs to another request")
    failure = scenario_of(payment.amount_minor).token
    if failure is Failure.FAILS:
        raise OAuthError("server_error", "the bank failed after it spent the code", status=500)
    if failure is Failure.HANGS:
        bank.hang()
    return got[0], grants.PSU_TOKEN_LIFE_S, scope_of(brand, got[1])


def scope_of(brand: Brand, payment_id: str) -> str:
    """Of the approval of one payment."""
    return f"PIS:{' ' if brand.scope_with_space else ''}{payment_id}"


# -------------------------------------------------------------------------------------------------------------- the API


def caller(brand_id: str) -> Caller:
    """The TPP whose certificate, token and seal a request bears. Raises BerlinGroupError."""
    bank, brand = current_bank(), brand_of(brand_id)
    certificate = presented_certificate(testing=bank.testing)
    if certificate is None:
        raise BerlinGroupError(401, "CERTIFICATE_MISSING", "a TLS certificate is needed")
    tpp = organisation_of(certificate) or ""
    if tpp not in bank.settings.tpps:
        raise BerlinGroupError(401, "CERTIFICATE_INVALID", "the certificate is of nobody that the bank knows")
    if Role.PAYMENT_INITIATION not in roles_of(certificate):
        raise BerlinGroupError(401, "ROLE_INVALID", "the certificate does not have the role PSP_PI")
    payment_id, customer_id = _token(bank, brand, tpp, certificate) if brand.tokens else (None, None)
    if brand.signature is not None:
        _check_seal(bank, brand, tpp)
    return Caller(tpp=tpp, brand=brand, payment_id=payment_id, customer_id=customer_id)


def _token(bank: NextGenBank, brand: Brand, tpp: str, certificate: x509.Certificate) -> tuple[str | None, str | None]:
    """The payment, or the customer, that the token is for."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise BerlinGroupError(401, "TOKEN_INVALID", "a Bearer token is needed")
    with bank.store.read() as connection:
        found = grants.find_token(connection, secret)
        bound = connection.execute(
            "SELECT brand, thumbprint FROM nextgen_token WHERE token_hash = ?", [grants.digest(secret)]
        ).fetchone()
        customer_id = sign_ins.customer_of(connection, secret)
    if found is None or bound is None or (found.tpp, bound["brand"]) != (tpp, brand.id):
        raise BerlinGroupError(401, "TOKEN_UNKNOWN", "the token is unknown")
    if bound["thumbprint"] != thumbprint(certificate) or found.revoked:
        raise BerlinGroupError(401, "TOKEN_INVALID", "the token was revoked, or is bound to another TLS certificate")
    if bank.now_ms() >= found.expires_ms:
        raise BerlinGroupError(401, "TOKEN_EXPIRED", "the token has expired")
    if brand.sign_in_first and customer_id is None:
        raise BerlinGroupError(401, "TOKEN_INVALID", "a token of the bank's customer is needed")
    return found.payment_id, customer_id


def _check_seal(bank: NextGenBank, brand: Brand, tpp: str) -> None:
    settings = bank.settings
    assert brand.signature is not None  # noqa: S101  # whoever calls has looked
    verifier = Verifier(authorities=settings.authorities, form=brand.signature, published=settings.published)
    try:
        seal = verifier.verify(
            request.method,
            target(),
            headers_as_signed(),
            request.get_data(),
            organisation=settings.tpps[tpp]["organisation"],
            now=settings.clock(),
        )
    except SignatureError as error:
        raise BerlinGroupError(401, _CODES.get(error.fault, "SIGNATURE_INVALID"), str(error)) from None
    if Role.PAYMENT_INITIATION not in roles_of(seal):
        raise BerlinGroupError(401, "ROLE_INVALID", "the seal does not have the role PSP_PI")
