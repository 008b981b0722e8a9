"""A certificate authority for the sandbox: the bank's TLS certificate, and what a TPP gets from the directory.

All of it lies in one folder, which the bank and the TPP share on one machine. Nothing else believes this authority.
Certificates are those of PSD2: the organization's number in the subject, its roles in a statement (ETSI TS 119 495).

By itself: ``python -m connectors.sandbox_bank.authority FOLDER [NUMBER]``. With a number, as PSDFR-ACPR-000000, the TPP
has that for a name, and a seal for its messages (QSEAL) in place of a key in the directory: so STET banks know it.
"""

from __future__ import annotations

import argparse
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
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc.jwk import RSAKey

from connectors.sandbox_bank.settings import utc_now
from connectors.security.psd2_certificates import QC_STATEMENTS, Role, qc_statements

CA, CA_KEY, SERVER, SERVER_KEY = "ca.pem", "ca.key", "server.pem", "server.key"
CLIENT, CLIENT_KEY, SIGNING, TPPS = "client.pem", "client.key", "signing.json", "tpps.json"
SEAL, SEAL_KEY = "seal.pem", "seal.key"

CA_LIFE = dt.timedelta(days=3650)
LIFE = dt.timedelta(days=395)
#: one that ends sooner is made anew
SPARE = dt.timedelta(days=30)
RSA_BITS = 2048

Clock = Callable[[], dt.datetime]
_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Tpp:
    """A third party as the directory has it: the organisation's number (ETSI TS 119 495) and its software."""

    client_id: str
    organisation: str
    software: str
    seal_url: str = ""  #: where the certificate of its seal can be had; empty: it has none
    roles: tuple[Role, ...] = (Role.PAYMENT_INITIATION,)

    @classmethod
    def sealed(cls, number: str, **others: Any) -> Tpp:
        """One that is known by its number, and seals its messages."""
        url = f"https://certificates.example/{number}/seal.pem"
        return cls(client_id=number, organisation=number, software="quittance", seal_url=url, **others)

    @property
    def country(self) -> str:
        return self.organisation[3:5]


QUITTANCE = Tpp(client_id="quittance", organisation="PSDGB-FCA-000000", software="quittance")
#: the same at STET banks
SEALED = Tpp.sealed("PSDFR-ACPR-000000")


def make(folder: Path, *, tpp: Tpp = QUITTANCE, clock: Clock = utc_now) -> None:
    """Make what is missing or near its end, and leave the rest: the authority, the server, and our own TPP."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = _Authority.open(folder, now=clock())
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    subject = _name({NameOID.COMMON_NAME: "localhost"})
    server = _For(usage=ExtendedKeyUsageOID.SERVER_AUTH, names=tuple(names))
    authority.certify(folder / SERVER, _ec_key(folder / SERVER_KEY), subject, server)
    add_tpp(folder, tpp, files=folder, clock=clock)


def add_tpp(folder: Path, tpp: Tpp, *, files: Path, clock: Clock = utc_now) -> None:
    """Give one TPP its transport certificate (QWAC) in ``files``, and a signing key or a seal (QSEAL), and write it
    down in ``tpps.json``."""
    files.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = _Authority.open(folder, now=clock())
    subject = _name(
        {
            NameOID.COUNTRY_NAME: tpp.country,
            NameOID.ORGANIZATION_NAME: tpp.client_id,
            NameOID.ORGANIZATION_IDENTIFIER: tpp.organisation,
            NameOID.COMMON_NAME: tpp.software,
        }
    )
    nca_id = "-".join(tpp.organisation[3:].split("-")[:2])
    roles = qc_statements(tpp.roles, nca_name=nca_id[3:], nca_id=nca_id)
    client = _For(usage=ExtendedKeyUsageOID.CLIENT_AUTH, statements=roles)
    authority.certify(files / CLIENT, _ec_key(files / CLIENT_KEY), subject, client)
    entry: dict[str, Any] = {
        "certificate_subject": subject.rfc4514_string(),
        "organisation": tpp.organisation,
        "software": tpp.software,
    }
    if tpp.seal_url:
        authority.certify(files / SEAL, _rsa_key(files / SEAL_KEY), subject, _For(usage=None, statements=roles))
        entry |= {"seal": (files / SEAL).read_text("ascii"), "seal_url": tpp.seal_url}
    else:
        entry["keys"] = [_signing_key(files / SIGNING).as_dict(private=False)]
    _write_down(folder / TPPS, tpp.client_id, entry)


def secret(path: Path) -> str:
    """What stands in the file, which is made with something that nobody guesses where it is missing."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(path, secrets.token_urlsafe(32).encode())
    return path.read_text("utf-8").strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class _For:
    """What a certificate is for."""

    usage: x509.ObjectIdentifier | None  #: in TLS; None: it signs messages
    names: tuple[x509.GeneralName, ...] = ()  #: of a server
    statements: x509.UnrecognizedExtension | None = None  #: the roles of its holder


@dataclass(frozen=True, slots=True, kw_only=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    now: dt.datetime

    @classmethod
    def open(cls, folder: Path, *, now: dt.datetime) -> _Authority:
        key = _ec_key(folder / CA_KEY)
        known = _certificate(folder / CA)
        if known is None or _ends_soon(known, now) or known.public_key() != key.public_key():
            known = _self_signed(key, now)
            _write(folder / CA, known.public_bytes(serialization.Encoding.PEM))
        return cls(certificate=known, key=key, now=now)

    def certify(self, path: Path, key: _Key, subject: x509.Name, purpose: _For) -> None:
        """Write a certificate for the key, unless a good one is there."""
        known = _certificate(path)
        if known is not None and self._is_good(known, key, subject, purpose):
            return
        builder = _builder(subject, self.certificate.subject, key, self.now, LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        usage = _key_usage(signs_certificates=False, seals=purpose.usage is None)
        builder = builder.add_extension(usage, critical=True)
        if purpose.usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose.usage]), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        )
        if purpose.names:
            builder = builder.add_extension(x509.SubjectAlternativeName(purpose.names), critical=False)
        if purpose.statements is not None:
            builder = builder.add_extension(purpose.statements, critical=False)
        _write(path, builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _is_good(self, known: x509.Certificate, key: _Key, subject: x509.Name, purpose: _For) -> bool:
        try:
            known.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        if _ends_soon(known, self.now) or known.public_key() != key.public_key() or known.subject != subject:
            return False
        return purpose.statements is None or purpose.statements in [
            one.value for one in known.extensions if one.oid == QC_STATEMENTS
        ]


def _self_signed(key: ec.EllipticCurvePrivateKey, now: dt.datetime) -> x509.Certificate:
    # of two parts, so that banks can differ in how they want them ordered
    parts = {NameOID.ORGANIZATION_NAME: "Sandbox", NameOID.COMMON_NAME: "Sandbox authority: believe it nowhere else"}
    subject = _name(parts)
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


def _key_usage(*, signs_certificates: bool, seals: bool = False) -> x509.KeyUsage:
    """``seals``: a seal commits its holder to what it signs (ETSI EN 319 412-2 §4.3.2)."""
    return x509.KeyUsage(
        digital_signature=not (signs_certificates or seals),
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=seals,
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


def _ec_key(path: Path) -> ec.EllipticCurvePrivateKey:
    known = _known_key(path)
    if isinstance(known, ec.EllipticCurvePrivateKey):
        return known
    key = ec.generate_private_key(ec.SECP256R1())
    _write_key(path, key)
    return key


def _rsa_key(path: Path) -> rsa.RSAPrivateKey:
    known = _known_key(path)
    if isinstance(known, rsa.RSAPrivateKey):
        return known
    key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    _write_key(path, key)
    return key


def _known_key(path: Path) -> object:
    return serialization.load_pem_private_key(path.read_bytes(), password=None) if path.exists() else None


def _write_key(path: Path, key: _Key) -> None:
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(path, encoded)


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


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m connectors.sandbox_bank.authority", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the files go; those that are there stay")
    parser.add_argument(
        "number", nargs="?", help="ours as a payment service provider, as PSDFR-ACPR-000000: then a seal is made, too"
    )
    wanted = parser.parse_args(arguments)
    make(wanted.folder, tpp=Tpp.sealed(wanted.number) if wanted.number else QUITTANCE)


if __name__ == "__main__":
    main(sys.argv[1:])
