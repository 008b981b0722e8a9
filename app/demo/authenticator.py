"""A passkey in software: what a phone does for navigator.credentials, for walks and tests without a browser.

It keeps the rules of WebAuthn level 3 that a server checks: origin and rpId, user verification, a sign counter,
ES256. It asks nobody for a finger, so it proves nothing about a person: it is for made-up customers only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

ES256 = -7
AAGUID = bytes(16)  # no model: nobody vouches for this authenticator
# flags of authenticator data (WebAuthn §6.1)
USER_PRESENT, USER_VERIFIED, HAS_CREDENTIAL = 0x01, 0x04, 0x40


class NoCredentialError(Exception):
    """The server asked for something that a passkey of this authenticator cannot answer."""


@dataclass
class _Credential:
    rp_id: str
    user_handle: str
    key: ec.EllipticCurvePrivateKey
    count: int = 0


@dataclass
class Authenticator:
    """``origin`` is the page's, as a browser would report it. Credentials live as long as the object."""

    origin: str
    verifies: bool = True  #: False plays a person whose fingerprint is not recognised
    _credentials: dict[str, _Credential] = field(default_factory=dict, repr=False)

    def make(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """``navigator.credentials.create``: WebAuthn's creation options as JSON in, RegistrationResponseJSON out."""
        if ES256 not in [wanted["alg"] for wanted in options["pubKeyCredParams"]]:
            raise NoCredentialError("this authenticator knows ES256 only")
        known = {excluded["id"] for excluded in options.get("excludeCredentials", [])}
        if known & self._credentials.keys():
            raise NoCredentialError("there is a passkey for this account already")
        raw_id = secrets.token_bytes(32)
        made = _Credential(options["rp"]["id"], options["user"]["id"], ec.generate_private_key(ec.SECP256R1()))
        self._credentials[_text(raw_id)] = made
        attested = AAGUID + len(raw_id).to_bytes(2) + raw_id + cbor2.dumps(_cose(made.key.public_key()))
        data = _authenticator_data(made, flags=USER_PRESENT | USER_VERIFIED | HAS_CREDENTIAL) + attested
        response = {
            "clientDataJSON": _text(self._client_data("webauthn.create", options["challenge"])),
            "attestationObject": _text(cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})),
            "transports": ["internal"],
        }
        return _credential_json(_text(raw_id), response)

    def sign(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """``navigator.credentials.get``: request options as JSON in, AuthenticationResponseJSON out."""
        credential_id = self._choose(options)
        chosen = self._credentials[credential_id]
        chosen.count += 1
        client_data = self._client_data("webauthn.get", options["challenge"])
        data = _authenticator_data(chosen, flags=USER_PRESENT | (USER_VERIFIED if self.verifies else 0))
        signature = chosen.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": _text(client_data),
            "authenticatorData": _text(data),
            "signature": _text(signature),
            "userHandle": chosen.user_handle,
        }
        return _credential_json(credential_id, response)

    def _choose(self, options: Mapping[str, Any]) -> str:
        """The allowed credential; without a list any one of this site, as for a sign-in without a name."""
        ours = [name for name, known in self._credentials.items() if known.rp_id == options["rpId"]]
        allowed = [wanted["id"] for wanted in options.get("allowCredentials") or []]
        fitting = [name for name in ours if not allowed or name in allowed]
        if not fitting:
            raise NoCredentialError(f"no passkey for {options['rpId']} that the site allows")
        return fitting[-1]

    def _client_data(self, kind: str, challenge: str) -> bytes:
        data = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(data, separators=(",", ":")).encode()


def _authenticator_data(credential: _Credential, *, flags: int) -> bytes:
    """WebAuthn §6.1: hash of the rpId, flags, sign counter."""
    return hashlib.sha256(credential.rp_id.encode()).digest() + bytes([flags]) + credential.count.to_bytes(4)


def _cose(key: ec.EllipticCurvePublicKey) -> dict[int, int | bytes]:
    """The public key as COSE writes it (RFC 9053 §7.1.1): EC2, ES256, P-256, x, y."""
    numbers = key.public_numbers()
    return {1: 2, 3: ES256, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}


def _credential_json(credential_id: str, response: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": credential_id,
        "rawId": credential_id,
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": {},
        "response": response,
    }


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
