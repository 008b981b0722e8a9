"""How one bank wants its HTTP signatures (http_signature.py): its standard's way, and what it wants otherwise."""

from __future__ import annotations

import base64
import difflib
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import ClassVar
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from typing_extensions import override

from connectors.security.profiles import SecurityProfile
from connectors.security.quirks import OAuthQuirks

#: what was asked for: the method in small letters, and the path with its query (draft-cavage §2.3)
TARGET = "(request-target)"
#: what the Berlin Group's guidelines want signed, where it is there
BERLIN_GROUP = ("digest", "x-request-id", "psu-id", "psu-corporate-id", "date", "tpp-redirect-uri")
#: what STET wants signed: what is asked for, and all that is said of the customer
STET = (TARGET, "digest", "content-type", "date", "x-request-id", "psu-*")


#: what a message may have to sign beside the headers of its standard
_ADDED = (TARGET, "digest", "content-length", "authorization", "tpp-signature-certificate")


class KeyId(enum.StrEnum):
    """How the certificate is named."""

    SERIAL_AND_ISSUER = "serial_and_issuer"  #: SN=9FA1,CA=CN=D-TRUST%20CA,O=…: the Berlin Group's way
    URL = "url"  #: where it can be had: STET's way


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How one bank wants its signatures."""

    #: in this order, each where the message has it; "psu-*" stands for all headers that begin so, by the alphabet
    headers: tuple[str, ...] = BERLIN_GROUP
    names_as_written: bool = False  #: in ``headers=``; what is signed has them in small letters in any case
    dated: bool = False  #: a message has a Date
    key_id: KeyId = KeyId.SERIAL_AND_ISSUER
    serial_decimal: bool = False
    issuer_from_the_root: bool = False  #: C=DE,O=…,CN=… as in the certificate; else the reverse, as RFC 4514 has it
    issuer_unescaped: bool = False  #: its spaces stay spaces
    certificate_along: bool = True  #: TPP-Signature-Certificate
    certificate_with_pem_lines: bool = False

    def named(self, certificate: x509.Certificate, *, url: str = "") -> str:
        """The keyId of ``certificate``, which lies at ``url``."""
        if self.key_id is KeyId.URL:
            return url
        serial = certificate.serial_number
        name = certificate.issuer
        issuer = ",".join(part.rfc4514_string() for part in name.rdns) if self.issuer_from_the_root else None
        issuer = issuer or name.rfc4514_string()
        if not self.issuer_unescaped:
            issuer = quote(issuer, safe="=,+")
        return f"SN={serial if self.serial_decimal else format(serial, 'X')},CA={issuer.replace(chr(34), '%22')}"

    def shown(self, certificate: x509.Certificate) -> str:
        """The certificate as one line of a header."""
        if not self.certificate_with_pem_lines:
            return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
        return "".join(certificate.public_bytes(Encoding.PEM).decode().splitlines())

    def signed(self, present: Iterable[str]) -> list[str]:
        """Which of the headers that are ``present`` (in small letters) are signed, in their order."""
        there = sorted({name.lower() for name in present})
        names: list[str] = []
        for wanted in self.headers:
            if wanted == TARGET:
                names.append(TARGET)
            elif wanted.endswith("*"):
                names += [name for name in there if name.startswith(wanted[:-1])]
            elif wanted in there:
                names.append(wanted)
        return names


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureQuirks(OAuthQuirks):
    """What a bank wants otherwise than its standard says. The defaults are a bank that gets nothing wrong."""

    #: what its standard has us send, in small letters: nothing else can be signed
    sent: ClassVar[tuple[str, ...]] = ()

    #: it wants these headers signed, in this order: "date digest x-request-id"; "psu-*" stands for all that begin so
    signed_headers: str = ""
    #: it wants their names in Signature as they stand in the message, not in small letters
    signed_names_as_written: bool = False
    #: it wants a Date in every message, and signed
    date_wanted: bool = False
    #: it wants the certificate named the other way round than its standard says: by serial number and issuer, and along
    key_id_serial_and_issuer: bool = False
    #: in that name it wants the serial number in decimal digits
    key_id_serial_decimal: bool = False
    #: and the issuer's parts from the country down, where RFC 4514 begins with the narrowest
    key_id_issuer_from_the_root: bool = False
    #: and its spaces as they are, not as %20
    key_id_issuer_unescaped: bool = False
    #: it wants the lines of PEM around the certificate, all in one line
    certificate_with_pem_lines: bool = False

    def form(self, usual: Form) -> Form:
        """``usual``: what the standard says."""
        by_serial = self.key_id_serial_and_issuer
        return replace(
            usual,
            headers=tuple(self.signed_headers.lower().split()) or usual.headers,
            names_as_written=self.signed_names_as_written,
            dated=usual.dated or self.date_wanted,
            key_id=KeyId.SERIAL_AND_ISSUER if by_serial else usual.key_id,
            serial_decimal=self.key_id_serial_decimal,
            issuer_from_the_root=self.key_id_issuer_from_the_root,
            issuer_unescaped=self.key_id_issuer_unescaped,
            certificate_along=usual.certificate_along or by_serial,
            certificate_with_pem_lines=self.certificate_with_pem_lines,
        )

    @override
    def useless(self, profile: SecurityProfile, *, version: str) -> Mapping[str, str]:
        """Also what must be wrong: a signature that leaves out the body signs nothing, and nothing unsent is signed."""
        found = dict(OAuthQuirks.useless(self, profile, version=version))
        names = self.signed_headers.lower().split()
        if self.signed_headers and "digest" not in names:
            found["signed_headers"] = "digest must be among them: else nothing of the body is signed"
        elif not_sent := [name for name in names if not self._is_sent(name)]:
            found["signed_headers"] = self._why_not_sent(not_sent[0])
        if self.date_wanted and self.signed_headers and "date" not in names:
            found["date_wanted"] = "signed_headers does not name it"
        return found

    def _is_sent(self, name: str) -> bool:
        known = (*_ADDED, *self.sent, *(("date",) if self.date_wanted else ()))
        return any(one.startswith(name[:-1]) for one in known) if name.endswith("*") else name in known

    def _why_not_sent(self, name: str) -> str:
        if name == "date":
            return "date is sent only with date_wanted = true"
        close = difflib.get_close_matches(name, (*_ADDED, *self.sent), n=1)
        return f"{name} is in no message of ours; {f'did you mean {close[0]}?' if close else 'leave it out'}"


def signature_quirks(quirks: OAuthQuirks) -> list[str]:
    """The names of those that are set and speak of signatures."""
    ours = {one.name for one in fields(SignatureQuirks)} - {one.name for one in fields(OAuthQuirks)}
    return [one.name for one in fields(quirks) if one.name in ours and getattr(quirks, one.name) != one.default]
