"""Certificates that sign messages (QSEAL), made for tests: an authority, a holder, and what can be wrong with them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from connectors.security.psd2_certificates import Role, qc_statements

NOW = dt.datetime(2026, 11, 22, 10, 0, tzinfo=dt.UTC)
NUMBER = "PSDFR-ACPR-00000"
AUTHORITY_NAME = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, 'Tests "and" more'),
        x509.NameAttribute(NameOID.COMMON_NAME, "Authority of tests"),
    ]
)


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One for each name: they take their time."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@dataclass(frozen=True, kw_only=True)
class Seal:
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


def subject(number: str | None = NUMBER) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COUNTRY_NAME, "FR"), x509.NameAttribute(NameOID.COMMON_NAME, "ours")]
    if number is not None:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, number))
    return x509.Name(parts)


def authority(name: str = "authority", *, ends: float = 3650) -> x509.Certificate:
    return _certificate(AUTHORITY_NAME, rsa_key(name), signer=name, is_authority=True, ends=ends)


def seal(
    name: str = "ours", *, signer: str = "authority", number: str | None = NUMBER, bits: int = 2048, **others: Any
) -> Seal:
    key = rsa_key(name, bits)
    return Seal(certificate=_certificate(subject(number), key, signer=signer, **others), key=key)


def _certificate(
    of: x509.Name,
    key: rsa.RSAPrivateKey,
    *,
    signer: str,
    is_authority: bool = False,
    begins: float = -1,
    ends: float = 365,
    signs: bool = True,
    extended: x509.ExtendedKeyUsage | None = None,
) -> x509.Certificate:
    """``begins``, ``ends``: days from NOW. ``signs``: whether its key usage is for signatures."""
    usage = dict.fromkeys(
        ("key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(of)
        .issuer_name(AUTHORITY_NAME)
        .public_key(key.public_key())
        .serial_number(0x9FA1 if not is_authority else 1)
        .not_valid_before(NOW + dt.timedelta(days=begins))
        .not_valid_after(NOW + dt.timedelta(days=ends))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(qc_statements([Role.PAYMENT_INITIATION], nca_name="ACPR", nca_id="FR-ACPR"), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=False,
                content_commitment=signs and not is_authority,
                key_cert_sign=is_authority,
                crl_sign=is_authority,
                **usage,
            ),
            critical=True,
        )
    )
    if extended is not None:
        builder = builder.add_extension(extended, critical=False)
    return builder.sign(rsa_key(signer), hashes.SHA256())
