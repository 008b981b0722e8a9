"""Dynamic client registration as UK Open Banking has it (OBL DCR 3.4, over RFC 7591 and 7592).

The request is a JWT that we sign, with the directory's software statement in it, over TLS with our certificate. To
read, change and delete a registration is optional for a bank, and goes with a token of our own.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID
from joserfc import jws, jwt
from joserfc.errors import JoseError

from connectors.bank_keys import certificates_of
from connectors.errors import BankRefused, BankSilent
from connectors.http import BankResponse, Deadline
from connectors.line import Line
from connectors.profile import BankProfile
from connectors.security.profiles import ClientAuth
from connectors.strict_json import NotReadable, read_object

LIFETIME = dt.timedelta(minutes=5)
TIMEOUT_S = 20.0
SCOPE = "payments"
#: what of a registration is nobody's to read on a screen
SECRET = frozenset({"client_secret", "registration_access_token", "software_statement"})


class RegistrationError(ValueError):
    """What we were about to ask for is wrong, and nothing was sent. The text says what to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is registered: a software statement (SSA) and where customers come back to, one address at least."""

    statement: str
    redirect_uris: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """The bank's answer."""

    client_id: str
    members: Mapping[str, Any]  #: all of it, without what is secret


class Registration:
    """Our registration at one bank. All calls raise a BankError; ``create`` and ``update`` RegistrationError too."""

    def __init__(self, bank: BankProfile, line: Line, *, now: dt.datetime) -> None:
        """Raises RegistrationError for a bank of another standard."""
        if bank.standard != "openbanking_uk":
            raise RegistrationError(f"{bank.name} is no UK bank: nobody registers there in this way")
        self._bank, self._line, self._now = bank, line, now

    def create(self, wanted: Wanted) -> Registered:
        """POST. After BankSilent ask the bank what it has: a second one would be another client."""
        response = self._send("POST", self._endpoint(), self._signed(wanted), headers={})
        return _registered(response)

    def show(self) -> Registered:
        """GET, by the client_id of the bank's file."""
        return _registered(self._as_ourselves("GET", b""))

    def update(self, wanted: Wanted) -> Registered:
        """PUT: all of it anew."""
        return _registered(self._as_ourselves("PUT", self._signed(wanted)))

    def delete(self) -> None:
        """DELETE. Payments at this bank end with it."""
        response = self._as_ourselves("DELETE", b"")
        if not response.ok:
            raise _refusal(response)

    def _as_ourselves(self, method: str, body: bytes) -> BankResponse:
        url = f"{self._endpoint()}/{quote(self._bank.client_id, safe='')}"
        token = self._line.oauth.own_token(SCOPE, deadline=Deadline(TIMEOUT_S))
        return self._send(method, url, body, headers=self._line.oauth.authorization(token, method, url))

    def _endpoint(self) -> str:
        url = self._line.oauth.server(deadline=Deadline(TIMEOUT_S)).registration_endpoint
        if url is None:
            raise RegistrationError(
                f"the metadata of {self._bank.name} name no place to register at: do it on its portal, "
                f"and write the client_id into {self._bank.id}.toml"
            )
        return url

    def _send(self, method: str, url: str, body: bytes, *, headers: Mapping[str, str]) -> BankResponse:
        kind = "application/jose" if self._bank.quirks.registration_as_jose else "application/jwt"
        with_body = {"Content-Type": kind} if body else {}
        return self._line.session.call(
            method, url, headers={**headers, **with_body}, body=body or None, deadline=Deadline(TIMEOUT_S)
        )

    def _signed(self, wanted: Wanted) -> bytes:
        check(self._bank, wanted, now=self._now)
        key = self._line.key
        certificate = self._line.keys.certificate if self._line.keys else None
        subject = certificates_of(Path(certificate[0]))[0].subject if certificate else None
        offered = self._line.oauth.server(deadline=Deadline(TIMEOUT_S)).supported.get("grant_types_supported", ())
        renews = bool(self._bank.recurring) and "refresh_token" in offered
        said = claims(self._bank, wanted, algorithm=key.algorithm, subject=subject, now=self._now, renews=renews)
        header = {"typ": "JWT", "alg": key.algorithm, "kid": key.kid}
        return jwt.encode(header, said, key.jwk, algorithms=[key.algorithm]).encode()


def claims(
    bank: BankProfile, wanted: Wanted, *, algorithm: str, subject: x509.Name | None, now: dt.datetime, renews: bool
) -> dict[str, Any]:
    """OBClientRegistration1. ``subject``: that of our TLS certificate, named where it is what proves us. ``renews``: we
    renew tokens for standing consents with refresh tokens, which a bank may give only to who registered for it."""
    issued_at = int(now.timestamp())
    said: dict[str, Any] = {
        "iss": bank.software_id,
        "iat": issued_at,
        "exp": issued_at + int(LIFETIME.total_seconds()),
        "aud": bank.bank_organisation_id or bank.issuer,
        "jti": str(uuid.uuid4()),
        "redirect_uris": list(wanted.redirect_uris),
        "token_endpoint_auth_method": bank.client_auth,
        "grant_types": ["authorization_code", "client_credentials", *(["refresh_token"] if renews else [])],
        "response_types": [bank.security.response_type],
        "software_id": bank.software_id,
        "scope": f"openid {SCOPE}",
        "software_statement": wanted.statement,
        "application_type": "web",
        "id_token_signed_response_alg": "PS256",
        "request_object_signing_alg": algorithm,
    }
    if bank.client_auth == ClientAuth.PRIVATE_KEY_JWT:
        said["token_endpoint_auth_signing_alg"] = algorithm
    elif subject is not None:
        named = {} if bank.quirks.registration_subject_by_oid else {NameOID.ORGANIZATION_IDENTIFIER: _ORGANISATION}
        said["tls_client_auth_subject_dn"] = subject.rfc4514_string(named)
    return said


_ORGANISATION = "organizationIdentifier"


def check(bank: BankProfile, wanted: Wanted, *, now: dt.datetime) -> None:
    """What the bank would refuse, told before it is asked. Raises RegistrationError.

    The statement's signature is the directory's, and the bank's to check.
    """
    statement = _statement(wanted.statement)
    if statement.get("software_id") != bank.software_id:
        raise RegistrationError(
            f"the software statement is for software_id {str(statement.get('software_id'))[:100]!r}, "
            f"{bank.id}.toml says {bank.software_id!r}"
        )
    if statement.get("org_id", bank.organisation_id) != bank.organisation_id:
        raise RegistrationError(
            f"the software statement is of org_id {str(statement['org_id'])[:100]!r}, "
            f"{bank.id}.toml says {bank.organisation_id!r}"
        )
    expires_at = statement.get("exp")
    if isinstance(expires_at, int | float) and expires_at <= now.timestamp():
        raise RegistrationError("the software statement has expired: get a new one from the directory")
    allowed = statement.get("software_redirect_uris")
    for uri in wanted.redirect_uris:
        parts = urlsplit(uri)
        if parts.scheme != "https" or not parts.hostname or parts.hostname == "localhost" or parts.fragment:
            raise RegistrationError(f"{uri[:200]!r} cannot be registered: it must be https, and not localhost")
        if isinstance(allowed, list) and uri not in allowed:
            raise RegistrationError(f"{uri[:200]!r} is not among the software_redirect_uris of the software statement")


def _statement(text: str) -> Mapping[str, Any]:
    try:
        said = json.loads(jws.extract_compact(text.encode()).payload)
    except (JoseError, ValueError):
        said = None
    if not isinstance(said, dict):
        raise RegistrationError(
            "the software statement is not a JWT as the directory gives it: header.payload.signature"
        )
    return said


def _registered(response: BankResponse) -> Registered:
    if not response.ok:
        raise _refusal(response)
    try:
        said = read_object(response.body)
        client_id = said.text("client_id")
    except NotReadable as error:
        message = f"the bank took it, but its answer cannot be read: {error}"
        raise BankSilent(message) from None
    return Registered(
        client_id=client_id, members={name: value for name, value in said.members.items() if name not in SECRET}
    )


def _refusal(response: BankResponse) -> BankRefused:
    """RFC 7591 §3.2.2; 404 and 405 where a bank does not have the verb."""
    if response.status in (404, 405):
        message = f"the bank answers {response.status}: it has no such call, or no such registration"
        return BankRefused(message, code=f"http_{response.status}", http_status=response.status)
    try:
        said = read_object(response.body)
        code, text = said.text("error"), said.text_or_none("error_description") or "no text"
    except NotReadable:
        code, text = f"http_{response.status}", "no reason that can be read"
    message = f"the bank refused the registration: {code[:100]}: {text[:500]}"
    return BankRefused(message, code=code[:100], http_status=response.status)
