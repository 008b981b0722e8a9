"""A certificate authority for the sandbox: the bank's TLS certificate, and what a TPP gets from the directory.

All of it lies in one folder, which the bank and the TPP share on one machine. Nothing else believes this authority.
By itself: ``python -m connectors.sandbox_bank.authority FOLDER``.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc.jwk import RSAKey

from connectors.sandbox_bank.settings import utc_now

CA, CA_KEY, SERVER, SERVER_KEY = "ca.pem", "ca.key", "server.pem", "server.key"
CLIENT, CLIENT_KEY, SIGNING, TPPS = "client.pem", "client.key", "signing.json", "tpps.json"

CA_LIFE = dt.timedelta(days=3650)
LIFE = dt.timedelta(days=395)
#: one that ends sooner is made anew
SPARE = dt.timedelta(days=30)
RSA_BITS = 2048

Clock = Callable[[], dt.datetime]
_Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Tpp:
    """A third party as the directory has it: the organisation's number (ETSI TS 119 495) and its software."""

    client_id: str
    organisation: str
    software: str


QUITTANCE = Tpp(client_id="quittance", organisation="PSDGB-FCA-000000", software="quittance")


def make(folder: Path, *, clock: Clock = utc_now) -> None:
    """Make what is missing or near its end, and leave the rest: the authority, the server, and our own TPP."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = _Authority.open(folder, now=clock())
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    subject = _name({NameOID.COMMON_NAME: "localhost"})
    authority.certify(folder / SERVER, folder / SERVER_KEY, subject, ExtendedKeyUsageOID.SERVER_AUTH, names)
    add_tpp(folder, QUITTANCE, files=folder, clock=clock)


def add_tpp(folder: Path, tpp: Tpp, *, files: Path, clock: Clock = utc_now) -> None:
    """Give one TPP its transport certificate and signing key in ``files``, and write it down in ``tpps.json``."""
    files.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = _Authority.open(folder, now=clock())
    subject = _name(
        {
            NameOID.COUNTRY_NAME: "GB",
            NameOID.ORGANIZATION_NAME: tpp.client_id,
            NameOID.ORGANIZATION_IDENTIFIER: tpp.organisation,
            NameOID.COMMON_NAME: tpp.software,
        }
    )
    authority.certify(files / CLIENT, files / CLIENT_KEY, subject, ExtendedKeyUsageOID.CLIENT_AUTH, [])
    key = _signing_key(files / SIGNING)
    entry = {
        "keys": [key.as_dict(private=False)],
        "certificate_subject": subject.rfc4514_string(),
        "organisation": tpp.organisation,
        "software": tpp.software,
    }
    _write_down(folder / TPPS, tpp.client_id, entry)


def secret(path: Path) -> str:
    """What stands in the file, which is made with something that nobody guesses where it is missing."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(path, secrets.token_urlsafe(32).encode())
    return path.read_text("utf-8").strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Authority:
    certificate: x509.Certificate
    key: _Key
    now: dt.datetime

    @classmethod
    def open(cls, folder: Path, *, now: dt.datetime) -> _Authority:
        key = _ec_key(folder / CA_KEY)
        known = _certificate(folder / CA)
        if known is None or _ends_soon(known, now) or known.public_key() != key.public_key():
            known = _self_signed(key, now)
            _write(folder / CA, known.public_bytes(serialization.Encoding.PEM))
        return cls(certificate=known, key=key, now=now)

    def certify(
        self,
        path: Path,
        key_path: Path,
        subject: x509.Name,
        usage: x509.ObjectIdentifier,
        names: Sequence[x509.GeneralName],
    ) -> None:
        """Write a certificate for the key at ``key_path``, unless a good one is there."""
        key = _ec_key(key_path)
        known = _certificate(path)
        if known is not None and self._is_good(known, key, subject):
            return
        builder = _builder(subject, self.certificate.subject, key, self.now, LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        _write(path, builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _is_good(self, known: x509.Certificate, key: _Key, subject: x509.Name) -> bool:
        try:
            known.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return not _ends_soon(known, self.now) and known.public_key() == key.public_key() and known.subject == subject


def _self_signed(key: _Key, now: dt.datetime) -> x509.Certificate:
    subject = _name({NameOID.COMMON_NAME: "Sandbox authority: believe it nowhere else"})
    builder = _builder(subject, subject, key, now, CA_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
    return builder.sign(key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: _Key, now: dt.datetime, life: dt.timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # a clock that is a little behind must not find it too young
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(parts: Mapping[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts.items()])


def _ends_soon(certificate: x509.Certificate, now: dt.datetime) -> bool:
    return certificate.not_valid_after_utc < now + SPARE


def _certificate(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _ec_key(path: Path) -> _Key:
    if path.exists():
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key
    key = ec.generate_private_key(ec.SECP256R1())
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(path, encoded)
    return key


def _signing_key(path: Path) -> RSAKey:
    """A private JWK for PS256, whose kid is its thumbprint (RFC 7638), as the directory makes it."""
    if path.exists():
        return RSAKey.import_key(json.loads(path.read_bytes()))
    key = RSAKey.generate_key(RSA_BITS, {"use": "sig", "alg": "PS256"})
    jwk = {**key.as_dict(private=True), "kid": key.thumbprint()}
    _write(path, json.dumps(jwk, indent=2).encode())
    return RSAKey.import_key(jwk)


def _write_down(path: Path, client_id: str, entry: Mapping[str, Any]) -> None:
    """What else stands in the file stays: other TPPs, and redirect_uris that somebody wrote."""
    known = json.loads(path.read_bytes()) if path.exists() else {}
    merged = {**known, client_id: {**known.get(client_id, {}), **entry}}
    if merged != known:
        _write(path, json.dumps(merged, indent=2).encode())


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and for nobody else."""
    partial = path.with_name(f".{path.name}.new")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    partial.replace(path)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
