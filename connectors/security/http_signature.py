"""The HTTP signature of European banks: a QSEAL over chosen headers, of which one holds the digest of the body.

draft-cavage-http-signatures-10, as NextGenPSD2 (implementation guidelines, "Signing messages at application layer")
and STET have it: ``Digest`` and ``Signature``, and ``TPP-Signature-Certificate`` where the bank wants it along. No
library signs so. What must hold is checked here for the sandbox bank, which refuses what does not.

Banks differ in what they want signed, and how the certificate is named: signature_form.py.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import email.utils
import enum
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from connectors.security.psd2_certificates import organisation_of
from connectors.security.signature_form import TARGET, Form, KeyId

ALGORITHM = "rsa-sha256"
CERTIFICATE = "TPP-Signature-Certificate"
RSA_BITS_MIN = 2048
#: how far the Date of a message may be from our time, when it is signed
SKEW_MOST = dt.timedelta(minutes=5)
HEADER_CHARACTERS_MAX = 8192

_PARAMETER = re.compile(r'\s*([A-Za-z]+)="([^"]*)"\s*(,|\Z)')
_PEM = re.compile(r"-----(?:BEGIN|END) CERTIFICATE-----")


class Fault(enum.StrEnum):
    """What is wrong with a signature."""

    MISSING = "missing"
    MALFORMED = "malformed"
    DIGEST = "digest"  #: the body is not the one that was signed
    UNSIGNED = "unsigned"  #: a header that must be signed is not
    DATE = "date"  #: of another time
    CERTIFICATE = "certificate"  #: unknown, ended, not named as it should be, or of an authority that is not believed
    ORGANISATION = "organisation"  #: the certificate is somebody else's
    INVALID = "invalid"  #: it does not fit what it is said to sign


class SignatureError(Exception):
    """The message is not what its sender signed, or not its sender's. The text says what is wrong, without quotes."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


def digest(body: bytes) -> str:
    """RFC 3230 §4.3.2 with SHA-256 (RFC 5843). A message without a body has the digest of nothing."""
    return f"SHA-256={base64.b64encode(hashlib.sha256(body).digest()).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Our QSEAL at one bank."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate
    form: Form
    url: str = ""  #: where the certificate can be had, where the form names it so

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot sign for anybody."""
        if self.key.key_size < RSA_BITS_MIN:
            message = f"the key has {self.key.key_size} bits; it must have {RSA_BITS_MIN} or more"
            raise ValueError(message)
        if self.key.public_key() != self.certificate.public_key():
            raise ValueError("the key is not the certificate's")
        if self.form.key_id is KeyId.URL and not _is_plain(self.url):
            raise ValueError("where the certificate can be had is not an address")

    def __repr__(self) -> str:
        return f"Signer({organisation_of(self.certificate)})"

    def sign(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, now: dt.datetime
    ) -> dict[str, str]:
        """The headers to add to the message. ``target``: the path with its query. ``now``: the Date of a dated one."""
        added = {"Digest": digest(body)}
        if self.form.dated:
            added["Date"] = email.utils.format_datetime(now.astimezone(dt.UTC), usegmt=True)
        if self.form.certificate_along:
            added[CERTIFICATE] = self.form.shown(self.certificate)
        all_of_them = {**headers, **added, **({"Content-Length": str(len(body))} if body else {})}
        names = self.form.signed(all_of_them)
        text = _signing_string(names, method=method, target=target, headers=all_of_them)
        signature = base64.b64encode(self.key.sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()
        written = {name.lower(): name for name in all_of_them} if self.form.names_as_written else {}
        added["Signature"] = ",".join(
            [
                f'keyId="{self.form.named(self.certificate, url=self.url)}"',
                f'algorithm="{ALGORITHM}"',
                f'headers="{" ".join(written.get(name, name) for name in names)}"',
                f'signature="{signature}"',
            ]
        )
        return added


#: the certificate that lies at an address; None: none that we would take from there
Published = Callable[[str], x509.Certificate | None]


def _nowhere(_: str) -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Whose signatures are believed, and in which form."""

    authorities: tuple[x509.Certificate, ...]
    form: Form
    published: Published = _nowhere

    def verify(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        organisation: str,
        now: dt.datetime,
    ) -> x509.Certificate:
        """The certificate by which ``organisation`` signed exactly this. Raises SignatureError.

        ``headers``: a name in any case; what came more than once is joined with a comma and a space (draft §2.3).
        """
        shown = {name.lower(): value for name, value in headers.items()}
        parameters = _parameters(shown.get("signature", ""))
        written = parameters["headers"]
        if (written != written.lower()) != self.form.names_as_written:
            raise SignatureError(Fault.MALFORMED, "headers is not in the letters that it must be in")
        names = written.lower().split()
        self._check_digest(shown, body)
        self._check_covered(names, shown)
        self._check_date(names, shown, now=now)
        certificate = self._certificate(parameters["keyId"], shown.get(CERTIFICATE.lower()))
        self._check_chain(certificate, now=now)
        if organisation_of(certificate) != organisation:
            raise SignatureError(Fault.ORGANISATION, "the certificate is not the caller's (organizationIdentifier)")
        text = _signing_string(names, method=method, target=target, headers=shown)
        _check_signature(certificate, parameters["signature"], text)
        return certificate

    def _check_digest(self, headers: Mapping[str, str], body: bytes) -> None:
        if "digest" not in headers:
            raise SignatureError(Fault.MISSING, "Digest is missing")
        if not hmac.compare_digest(headers["digest"].encode(), digest(body).encode()):
            raise SignatureError(Fault.DIGEST, "Digest is not the SHA-256 of the body")

    def _check_covered(self, names: list[str], headers: Mapping[str, str]) -> None:
        """All that the form wants signed, in any order: the message says in which."""
        if len(set(names)) != len(names):
            raise SignatureError(Fault.MALFORMED, "headers names one twice")
        missing = [name for name in names if name != TARGET and name not in headers]
        if missing:
            raise SignatureError(Fault.MALFORMED, f"headers names {missing[0]}, which the message does not have")
        for name in self.form.signed(headers):
            if name not in names:
                raise SignatureError(Fault.UNSIGNED, f"{name} is not signed")

    def _check_date(self, names: list[str], headers: Mapping[str, str], *, now: dt.datetime) -> None:
        if "date" not in headers:
            if self.form.dated:
                raise SignatureError(Fault.MISSING, "Date is missing")
            return
        if self.form.dated and "date" not in names:
            raise SignatureError(Fault.UNSIGNED, "date is not signed")
        try:
            said = email.utils.parsedate_to_datetime(headers["date"])
            apart = None if said.tzinfo is None else abs(said - now)
        except (ValueError, OverflowError):
            raise SignatureError(Fault.MALFORMED, "Date is not one (RFC 9110 §5.6.7)") from None
        if apart is None or apart > SKEW_MOST:
            raise SignatureError(Fault.DATE, "Date is not now")

    def _certificate(self, key_id: str, along: str | None) -> x509.Certificate:
        if self.form.key_id is KeyId.URL:
            found = self.published(key_id)
            if found is None:
                raise SignatureError(Fault.CERTIFICATE, "keyId leads to no certificate")
        elif along is None:
            raise SignatureError(Fault.CERTIFICATE, f"{CERTIFICATE} is missing")
        else:
            found = self._read(along)
            if self.form.named(found) != key_id:
                raise SignatureError(Fault.CERTIFICATE, f"keyId does not name the certificate in {CERTIFICATE}")
        if along is not None and self._read(along) != found:
            raise SignatureError(Fault.CERTIFICATE, f"{CERTIFICATE} is not the certificate that keyId names")
        return found

    def _read(self, shown: str) -> x509.Certificate:
        bare = _PEM.sub("", shown)
        if (bare != shown) != self.form.certificate_with_pem_lines:
            wanted = "with" if self.form.certificate_with_pem_lines else "without"
            raise SignatureError(Fault.CERTIFICATE, f"{CERTIFICATE} must be {wanted} the lines of PEM")
        try:
            return x509.load_der_x509_certificate(base64.b64decode(bare, validate=True))
        except (binascii.Error, ValueError):
            raise SignatureError(Fault.CERTIFICATE, f"{CERTIFICATE} is not a certificate") from None

    def _check_chain(self, certificate: x509.Certificate, *, now: dt.datetime) -> None:
        """Directly from an authority, alive like it, and not an authority itself: a header alone proves nothing."""
        issuer = next((one for one in self.authorities if _is_issued_by(certificate, one)), None)
        if issuer is None:
            raise SignatureError(Fault.CERTIFICATE, "the certificate is of no authority that is believed")
        if any(not one.not_valid_before_utc <= now <= one.not_valid_after_utc for one in (certificate, issuer)):
            raise SignatureError(Fault.CERTIFICATE, "the certificate has ended, or has not begun")
        if not _may_sign(certificate):
            raise SignatureError(Fault.CERTIFICATE, "the certificate is not one for signing messages")


def _is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _may_sign(certificate: x509.Certificate) -> bool:
    """A seal's key usage is digitalSignature or contentCommitment (RFC 5280 §4.2.1.3). One that says what it is for in
    TLS (§4.2.1.12) is not for this."""
    try:
        extensions = certificate.extensions
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    for_tls = any(isinstance(extension.value, x509.ExtendedKeyUsage) for extension in extensions)
    return (usage.digital_signature or usage.content_commitment) and not usage.key_cert_sign and not for_tls


def _check_signature(certificate: x509.Certificate, signature: str, text: bytes) -> None:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < RSA_BITS_MIN:
        raise SignatureError(Fault.CERTIFICATE, f"the certificate has no RSA key of {RSA_BITS_MIN} bits or more")
    try:
        key.verify(base64.b64decode(signature, validate=True), text, padding.PKCS1v15(), hashes.SHA256())
    except (binascii.Error, ValueError):
        raise SignatureError(Fault.MALFORMED, "signature is not Base64") from None
    except InvalidSignature:
        raise SignatureError(Fault.INVALID, "the signature is not over this message by this key") from None


def _parameters(header: str) -> dict[str, str]:
    """``keyId="…",algorithm="…",headers="…",signature="…"`` (draft §4.1), each once."""
    if not header:
        raise SignatureError(Fault.MISSING, "the message is not signed (Signature)")
    found: dict[str, str] = {}
    at = 0
    while at < len(header) <= HEADER_CHARACTERS_MAX and (part := _PARAMETER.match(header, at)):
        if part[1] in found:
            raise SignatureError(Fault.MALFORMED, f"{part[1]} stands twice in Signature")
        found[part[1]] = part[2]
        at = part.end()
    if at != len(header) or header.rstrip().endswith(","):
        raise SignatureError(Fault.MALFORMED, "Signature cannot be read")
    missing = [name for name in ("keyId", "algorithm", "headers", "signature") if not found.get(name)]
    if missing:
        raise SignatureError(Fault.MALFORMED, f"{missing[0]} is missing in Signature")
    if found["algorithm"] != ALGORITHM:
        raise SignatureError(Fault.MALFORMED, f"algorithm must be {ALGORITHM}")
    return found


def _signing_string(names: Iterable[str], *, method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Draft §2.3: a line for each name, in small letters, and no line end at the end."""
    shown = {name.lower(): value.strip() for name, value in headers.items()}
    lines = [f"{name}: {f'{method.lower()} {target}' if name == TARGET else shown[name]}" for name in names]
    return "\n".join(lines).encode()


def _is_plain(url: str) -> bool:
    return url.startswith(("https://", "http://")) and url.isascii() and url.isprintable() and not set(url) & {'"', " "}
