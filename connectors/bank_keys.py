"""Our keys and certificates for one bank: files in one folder, which an operator puts there.

``signing.json``: our private signing key, as a JWK · ``client.pem``, ``client.key``: our TLS certificate and its key ·
``seal.pem``, ``seal.key``: the certificate that signs our messages (QSEAL) and its RSA key, where the bank wants that ·
``ca.pem``: the authorities that the bank's certificate must come from, where the system does not know them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.errors import JoseError

from connectors.security.private_key_jwt import ClientKey

SIGNING, CERTIFICATE, KEY, AUTHORITIES = "signing.json", "client.pem", "client.key", "ca.pem"
SEAL, SEAL_KEY = "seal.pem", "seal.key"


class KeysUnusable(Exception):
    """The bank cannot be spoken to: one sentence says which file is missing or wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What signs our messages, where a bank wants HTTP signatures."""

    key: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class BankKeys:
    """What is in the folder. Certificate and key go together; their dates are looked at by ``quittance bank check``."""

    folder: Path
    signing: ClientKey | None = field(repr=False)  #: None: nothing is signed with one at this bank
    certificate: tuple[str, str] | None  #: the paths of our certificate and of its key
    authorities: str | None  #: the path; None: the usual ones
    seal: Seal | None = None

    @classmethod
    def load(
        cls, folder: Path, *, needs_certificate: bool, needs_signing: bool = True, needs_seal: bool = False
    ) -> BankKeys:
        """Read and compare: what is needed, and what is there all the same. Raises KeysUnusable."""
        if not folder.is_dir():
            message = f"{folder} is not there: it is where our keys for the bank belong"
            raise KeysUnusable(message)
        certificate = (folder / CERTIFICATE, folder / KEY)
        if needs_certificate or any(path.exists() for path in certificate):
            _check_certificate(*certificate)
        authorities = folder / AUTHORITIES
        if authorities.exists():
            certificates_of(authorities)
        return cls(
            folder=folder,
            signing=_signing_key(folder / SIGNING) if needs_signing or (folder / SIGNING).exists() else None,
            certificate=(str(certificate[0]), str(certificate[1])) if certificate[0].exists() else None,
            authorities=str(authorities) if authorities.exists() else None,
            seal=_seal(folder / SEAL, folder / SEAL_KEY) if needs_seal or (folder / SEAL).exists() else None,
        )


def certificates_of(path: Path) -> list[x509.Certificate]:
    """All of a PEM file, ours first. Raises KeysUnusable."""
    try:
        return x509.load_pem_x509_certificates(_bytes_of(path))
    except ValueError:
        raise _unusable(path, "holds no certificate in PEM") from None


def _signing_key(path: Path) -> ClientKey:
    try:
        jwk = json.loads(_bytes_of(path))
    except ValueError:
        raise _unusable(path, "is not JSON: it must be a private key as a JWK") from None
    if not isinstance(jwk, dict):
        raise _unusable(path, "is not a JWK: a JSON object with kty")
    try:
        return ClientKey(jwk)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        # what is wrong with it in detail could quote it
        what = str(error) if type(error) is ValueError and str(error).startswith("the ") else "it is not a JWK"
        raise _unusable(path, f"cannot be used: {what}") from None


def _seal(path: Path, key_path: Path) -> Seal:
    key = _check_certificate(path, key_path)
    if not isinstance(key, RSAPrivateKey):
        raise _unusable(key_path, "is not an RSA key, which HTTP signatures are made with (rsa-sha256)")
    return Seal(key=key, certificate=certificates_of(path)[0])


def _check_certificate(path: Path, key_path: Path) -> PrivateKeyTypes:
    """The key, which is the certificate's."""
    certificate, key_text = certificates_of(path)[0], _bytes_of(key_path)
    try:
        key = load_pem_private_key(key_text, password=None)
    except TypeError:
        raise _unusable(key_path, "has a password: take it off, and let only the service read the file") from None
    except ValueError:
        raise _unusable(key_path, "holds no private key in PEM") from None
    if key.public_key() != certificate.public_key():
        raise _unusable(key_path, f"is not the key of {path.name}")
    return key


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}") from None


def _unusable(path: Path, what: str) -> KeysUnusable:
    message = f"{path} {what}"
    return KeysUnusable(message)
