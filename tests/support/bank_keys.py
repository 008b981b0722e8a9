"""Our keys for a bank, in a folder as an operator has them; made anew for each test."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc.jwk import RSAKey

from tests.support.judges import certificate, clock

#: made once: RSA keys take their time
SIGNING = RSAKey.generate_key(2048, {"kid": "ours-1", "use": "sig", "alg": "PS256"}, private=True)
SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "GB"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Quittance"),
        x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, "PSDGB-FCA-000000"),
        x509.NameAttribute(NameOID.COMMON_NAME, "0015800001041RHAAY"),
    ]
)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


def make_bank_keys(
    folder: Path, *, authority: ec.EllipticCurvePrivateKey | None = None, days: float = 365
) -> ec.EllipticCurvePrivateKey:
    """signing.json, client.pem (good for ``days``), client.key and ca.pem, by ``authority`` or a new one, which is
    returned.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "signing.json").write_text(json.dumps(SIGNING.as_dict(private=True)))
    (folder / "signing.json").chmod(0o600)
    if authority is None:
        authority = certificate(folder, "authority")
        (folder / "authority.pem").rename(folder / "ca.pem")
        (folder / "authority.key").unlink()
    make_certificate(folder / "client", signer=authority, subject=SUBJECT, uses=CLIENT, ends=days)
    return authority


def make_certificate(
    path: Path,
    *,
    signer: ec.EllipticCurvePrivateKey,
    uses: x509.ObjectIdentifier,
    subject: x509.Name = SUBJECT,
    begins: float = -1,
    ends: float = 365,
) -> None:
    """``path``.pem and ``path``.key, of this address; the times are days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock() + dt.timedelta(days=begins))
        .not_valid_after(clock() + dt.timedelta(days=ends))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([uses]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    path.with_suffix(".pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    path.with_suffix(".key").chmod(0o600)
