"""Who calls: a TPP by its TLS certificate, at the token endpoint; then who holds that token, and sealed the message.

The certificate in TLS (QWAC) and the one that signs (QSEAL) are two, and both are of the same organisation.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, Response, jsonify, request

from connectors.sandbox_bank.errors import OAuthError
from connectors.sandbox_bank.grants import digest
from connectors.sandbox_bank.sealed import (
    headers_as_signed,
    presented_certificate,
    single_parameters,
    target,
    thumbprint,
)
from connectors.sandbox_bank.stet.brands import Brand
from connectors.sandbox_bank.stet.context import StetBank, current_bank
from connectors.sandbox_bank.stet.errors import StetError
from connectors.security.http_signature import Fault, SignatureError, Verifier
from connectors.security.psd2_certificates import Role, organisation_of, roles_of

SCOPE = "pisp"
TOKEN_LIFE_S = 300

SCHEMA = """
CREATE TABLE IF NOT EXISTS stet_token (
    token_hash TEXT PRIMARY KEY,
    brand TEXT NOT NULL,
    tpp TEXT NOT NULL,
    thumbprint TEXT NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS stet_token_expires ON stet_token (expires_ms);
"""

#: what each fault of a signature is answered with
_STATUS = {Fault.MISSING: 400, Fault.MALFORMED: 400, Fault.DIGEST: 400, Fault.ORGANISATION: 403}

blueprint = Blueprint("stet_door", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    tpp: str
    brand: Brand


# ------------------------------------------------------------------------------------------------------------ the token


@blueprint.post("/<brand_id>/oauth2/token")
def token(brand_id: str) -> Response:
    """RFC 6749 §4.4 with tls_client_auth (RFC 8705 §2.1). client_id is the certificate's organizationIdentifier."""
    bank = current_bank()
    brand = bank.brand(brand_id)
    form = single_parameters()
    certificate = presented_certificate(testing=bank.testing)
    if certificate is None:
        raise OAuthError("invalid_client", "a TLS certificate is needed", status=401)
    if form.get("client_id") != organisation_of(certificate) or form.get("client_id") not in bank.settings.tpps:
        raise OAuthError("invalid_client", "client_id is not the certificate's organizationIdentifier", status=401)
    if Role.PAYMENT_INITIATION not in roles_of(certificate):
        raise OAuthError("unauthorized_client", "the certificate does not have the role PSP_PI")
    if form.get("grant_type") != "client_credentials":
        raise OAuthError("unsupported_grant_type", "client_credentials")
    if form.get("scope") != SCOPE:
        raise OAuthError("invalid_scope", f"scope must be {SCOPE}")
    access_token, now_ms = secrets.token_urlsafe(32), bank.now_ms()
    with bank.store.write() as connection:
        connection.execute("DELETE FROM stet_token WHERE expires_ms < ?", [now_ms])
        connection.execute(
            "INSERT INTO stet_token VALUES (?, ?, ?, ?, ?)",
            [
                digest(access_token),
                brand.id,
                form["client_id"],
                thumbprint(certificate),
                now_ms + timedelta(seconds=TOKEN_LIFE_S) // timedelta(milliseconds=1),
            ],
        )
    return jsonify({"access_token": access_token, "token_type": "Bearer", "expires_in": TOKEN_LIFE_S, "scope": SCOPE})


# -------------------------------------------------------------------------------------------------------------- the API


def caller(brand_id: str) -> Caller:
    """The TPP whose token, certificate and seal a request bears. Raises StetError."""
    bank = current_bank()
    brand = bank.brand(brand_id)
    if not request.headers.get("X-Request-ID", "").strip():
        raise StetError(400, "Missing request header 'X-Request-ID'")
    tpp = _holder(bank, brand)
    _check_seal(bank, brand, tpp)
    return Caller(tpp=tpp, brand=brand)


def _holder(bank: StetBank, brand: Brand) -> str:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise StetError(401, "a Bearer token is needed")
    with bank.store.read() as connection:
        row = connection.execute(
            "SELECT tpp, thumbprint FROM stet_token WHERE token_hash = ? AND brand = ? AND expires_ms > ?",
            [digest(secret.strip()), brand.id, bank.now_ms()],
        ).fetchone()
    if row is None:
        raise StetError(401, "the token is not known, or is over")
    certificate = presented_certificate(testing=bank.testing)
    if certificate is None or thumbprint(certificate) != row["thumbprint"]:
        raise StetError(401, "the token is bound to another TLS certificate, or to none shown")
    return str(row["tpp"])


def _check_seal(bank: StetBank, brand: Brand, tpp: str) -> None:
    settings = bank.settings
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
        raise StetError(_STATUS.get(error.fault, 401), f"Signature: {error}") from None
    if Role.PAYMENT_INITIATION not in roles_of(seal):
        raise StetError(403, "Signature: the certificate does not have the role PSP_PI")
