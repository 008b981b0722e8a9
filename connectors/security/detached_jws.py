"""``x-jws-signature``: a signature over the exact bytes of a message's body, as UK Open Banking has it.

Detached compact JWS (RFC 7515 appendix F): header..signature, with three claims in the header, which ``crit`` must name
(OBL Read/Write v4.0, "Message Signing"). The algorithm is PS256 and nothing else.

joserfc does the cryptography. It accepts a signature without ``crit``, and knows nothing of what the claims must say:
that is checked here, once for our bank sessions and for the sandbox bank.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import enum
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry
from joserfc.registry import HeaderParameter

ALGORITHM = "PS256"
TRUST_ANCHOR = "openbanking.org.uk"
#: a signature of a time that has not come: clocks differ, but not by more
AHEAD_MOST = dt.timedelta(seconds=60)
HEADER_CHARACTERS_MAX = 4096

_SPACE = "http://openbanking.org.uk/"
IAT, ISS, TAN = f"{_SPACE}iat", f"{_SPACE}iss", f"{_SPACE}tan"
_CLAIMS = (IAT, ISS, TAN)
_OPTIONAL = {"typ": ("JOSE",), "cty": ("json", "application/json")}
_REGISTRY = JWSRegistry(
    header_registry={
        IAT: HeaderParameter("when it was signed", "int", True),
        ISS: HeaderParameter("who signed it", "str", True),
        TAN: HeaderParameter("where the key is lodged", "str", True),
    },
    algorithms=[ALGORITHM],
)
# the library stops at 512: an issuer that is a whole certificate subject, and b64, make it longer
_REGISTRY.max_header_length = HEADER_CHARACTERS_MAX


class Fault(enum.StrEnum):
    """What is wrong with a signature, in the standard's words (OBErrorResponse1 ErrorCode U015 to U020)."""

    INVALID = "U015"
    INVALID_CLAIM = "U016"
    MISSING_CLAIM = "U017"
    MALFORMED = "U018"
    MISSING = "U019"
    UNEXPECTED = "U020"


class SignatureError(Exception):
    """The message is not what its sender signed, or nobody says that it is."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Our signing key at one trust anchor. ``b64`` is False at banks that still want the form before v3.1.4."""

    key: RSAKey
    kid: str
    issuer: str  #: org-id/software-statement-id of a TPP, org-id of a bank
    trust_anchor: str = TRUST_ANCHOR
    b64: bool = True

    def sign(self, body: bytes, *, now: dt.datetime) -> str:
        """The value of the header. ``now`` stands in it, so a message that is sent again is signed again."""
        header: dict[str, Any] = {
            "alg": ALGORITHM,
            "kid": self.kid,
            "typ": "JOSE",
            "cty": "application/json",
            IAT: int(now.timestamp()),
            ISS: self.issuer,
            TAN: self.trust_anchor,
            "crit": list(_CLAIMS),
        }
        if not self.b64:
            header |= {"b64": False, "crit": ["b64", *_CLAIMS]}
        return jws.detach_content(jws.serialize_compact(header, body, self.key, registry=_REGISTRY))


#: the public key of this kid; None: there is none
KeyOf = Callable[[str], RSAKey | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Whose signatures are believed, and in which form."""

    key_of: KeyOf
    issuers: frozenset[str]  #: who may have signed; empty: the key alone says who
    trust_anchors: frozenset[str] = frozenset({TRUST_ANCHOR})
    b64: bool = True

    def verify(self, signature: str | None, body: bytes, *, now: dt.datetime) -> None:
        """Raises SignatureError unless ``signature`` is over exactly ``body``, by one of the issuers, of the past."""
        if not signature:
            raise SignatureError(Fault.MISSING, "the message is not signed (x-jws-signature)")
        header = _header_of(signature)
        self._check_form(header)
        self._check_claims(header, now=now)
        key = self.key_of(header["kid"])
        if key is None:
            raise SignatureError(Fault.INVALID_CLAIM, "kid: no such key is known")
        try:
            jws.deserialize_compact(signature, key, registry=_REGISTRY, payload=body)
        except (JoseError, ValueError):
            raise SignatureError(Fault.INVALID, "the signature is not over this body by this key") from None

    def _check_form(self, header: Mapping[str, Any]) -> None:
        wanted = [*_CLAIMS] if self.b64 else ["b64", *_CLAIMS]
        if header.get("alg") != ALGORITHM:
            raise SignatureError(Fault.INVALID_CLAIM, f"alg must be {ALGORITHM}")
        missing = [name for name in ("kid", "crit", *wanted) if name not in header]
        if missing:
            raise SignatureError(Fault.MISSING_CLAIM, f"{missing[0]} is missing")
        crit = header["crit"]
        if not isinstance(crit, list) or len(crit) != len(wanted) or {str(name) for name in crit} != set(wanted):
            raise SignatureError(Fault.INVALID_CLAIM, f"crit must name exactly {', '.join(wanted)}")
        if not self.b64 and header["b64"] is not False:
            raise SignatureError(Fault.INVALID_CLAIM, "b64 must be false")
        unknown = header.keys() - {"alg", "kid", "crit", *wanted, *_OPTIONAL}
        if unknown:
            raise SignatureError(Fault.INVALID_CLAIM, f"{min(unknown)} is not a claim of such a signature")
        for name, allowed in _OPTIONAL.items():
            if header.get(name, allowed[0]) not in allowed:
                raise SignatureError(Fault.INVALID_CLAIM, f"{name} must be {' or '.join(allowed)}")

    def _check_claims(self, header: Mapping[str, Any], *, now: dt.datetime) -> None:
        iat = header[IAT]
        if isinstance(iat, bool) or not isinstance(iat, int | float) or iat > (now + AHEAD_MOST).timestamp():
            raise SignatureError(Fault.INVALID_CLAIM, f"{IAT} must be a time in the past")
        if not isinstance(header["kid"], str) or not header["kid"]:
            raise SignatureError(Fault.INVALID_CLAIM, "kid must be a name")
        if self.issuers and header[ISS] not in self.issuers:
            raise SignatureError(Fault.INVALID_CLAIM, f"{ISS} is not who sent the message")
        if header[TAN] not in self.trust_anchors:
            raise SignatureError(Fault.INVALID_CLAIM, f"{TAN} is not a trust anchor of ours")


def _header_of(signature: str) -> dict[str, Any]:
    parts = signature.split(".")
    if len(parts) != 3 or parts[1] or not parts[0] or not parts[2] or len(parts[0]) > HEADER_CHARACTERS_MAX:
        raise SignatureError(Fault.MALFORMED, "the signature is not header..signature")
    try:
        header = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise SignatureError(Fault.MALFORMED, "the signature's header cannot be read") from None
    if not isinstance(header, dict):
        raise SignatureError(Fault.MALFORMED, "the signature's header is not a JSON object")
    return header
