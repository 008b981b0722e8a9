"""``x-jws-signature``: a signature over the exact bytes of a message's body, as UK Open Banking has it.

Detached compact JWS (RFC 7515 appendix F): header..signature, with three claims in the header, which ``crit`` must name
(OBL Read/Write v4.0, "Message Signing"). The algorithm is PS256 and nothing else.

joserfc reads the keys and says what they are for, once. Its ways to make and read a whole JWS are not used: they accept
one without ``crit``, know nothing of what the claims must say, and would read and check again, at each call, what is
checked here. The cryptography is that of `cryptography`, on which joserfc stands.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import enum
import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

ALGORITHM = "PS256"
TRUST_ANCHOR = "openbanking.org.uk"
#: a signature of a time that has not come: clocks differ, but not by more
AHEAD_MOST = dt.timedelta(seconds=60)
HEADER_CHARACTERS_MAX = 4096

_HASH = SHA256()
_PADDING = PSS(mgf=MGF1(_HASH), salt_length=_HASH.digest_size)

_SPACE = "http://openbanking.org.uk/"
IAT, ISS, TAN = f"{_SPACE}iat", f"{_SPACE}iss", f"{_SPACE}tan"
_CLAIMS = (IAT, ISS, TAN)
#: what must be in ``crit``, by ``b64``
_CRITICAL = {True: _CLAIMS, False: ("b64", *_CLAIMS)}
_OPTIONAL = {"typ": ("JOSE",), "cty": ("json", "application/json")}
_KNOWN = {b64: frozenset(("alg", "kid", "crit", *names, *_OPTIONAL)) for b64, names in _CRITICAL.items()}


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
    _native: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_native", _for(self.key, "sign"))

    def sign(self, body: bytes, *, now: dt.datetime) -> str:
        """The value of the header. ``now`` stands in it, so a message that is sent again is signed again."""
        before, after = _around_the_time(self.kid, self.issuer, self.trust_anchor, self.b64)
        shown = _encoded(b"%b%d%b" % (before, int(now.timestamp()), after))
        made = _make(self._native, _signed(shown, body, b64=self.b64))
        return f"{shown.decode()}..{_encoded(made).decode()}"


@functools.lru_cache
def _around_the_time(kid: str, issuer: str, trust_anchor: str, b64: bool) -> tuple[bytes, bytes]:
    """The header but for its one member that is another at each call, which stands between the two."""
    first = {"alg": ALGORITHM, "kid": kid, "typ": "JOSE", "cty": "application/json", IAT: 0}
    last = {ISS: issuer, TAN: trust_anchor, "crit": _CRITICAL[b64]} | ({} if b64 else {"b64": False})
    before, after = (json.dumps(part, separators=(",", ":")).encode() for part in (first, last))
    return before.removesuffix(b"0}"), b"," + after.removeprefix(b"{")


#: the public key of this kid; None: there is none
KeyOf = Callable[[str], RSAKey | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Whose signatures are believed, and in which form."""

    key_of: KeyOf
    issuers: frozenset[str]  #: who may have signed; empty: the key alone says who
    trust_anchors: frozenset[str] = frozenset({TRUST_ANCHOR})
    b64: bool = True
    #: by kid: the key that was asked what it is for, and what verifies with it
    _asked: dict[str, tuple[RSAKey, Any]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def verify(self, signature: str | None, body: bytes, *, now: dt.datetime) -> None:
        """Raises SignatureError unless ``signature`` is over exactly ``body``, by one of the issuers, of the past."""
        if not signature:
            raise SignatureError(Fault.MISSING, "the message is not signed (x-jws-signature)")
        shown, made = _parts_of(signature)
        header = _header_of(shown)
        self._check_form(header)
        self._check_claims(header, now=now)
        key = self.key_of(header["kid"])
        if key is None:
            raise SignatureError(Fault.INVALID_CLAIM, "kid: no such key is known")
        if not self._is_over(header["kid"], key, _signed(shown, body, b64=self.b64), made):
            raise SignatureError(Fault.INVALID, "the signature is not over this body by this key")

    def _is_over(self, kid: str, key: RSAKey, signed: bytes, made: bytes) -> bool:
        asked = self._asked.get(kid)
        try:
            if asked is None or asked[0] is not key:  # the sender may have another key of this name by now
                asked = self._asked[kid] = (key, _for(key, "verify"))
            return _verifies(asked[1], signed, urlsafe_b64decode(made))
        except (JoseError, ValueError):
            return False

    def _check_form(self, header: Mapping[str, Any]) -> None:
        wanted = _CRITICAL[self.b64]
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
        unknown = header.keys() - _KNOWN[self.b64]
        if unknown:
            raise SignatureError(Fault.INVALID_CLAIM, f"{min(unknown)} is not a claim of such a signature")
        for name, allowed in _OPTIONAL.items():
            if header.get(name, allowed[0]) not in allowed:
                raise SignatureError(Fault.INVALID_CLAIM, f"{name} must be {' or '.join(allowed)}")

    def _check_claims(self, header: Mapping[str, Any], *, now: dt.datetime) -> None:
        iat = header[IAT]
        if isinstance(iat, bool) or not isinstance(iat, int) or iat > (now + AHEAD_MOST).timestamp():
            raise SignatureError(Fault.INVALID_CLAIM, f"{IAT} must be a time in the past")
        if not isinstance(header["kid"], str) or not header["kid"]:
            raise SignatureError(Fault.INVALID_CLAIM, "kid must be a name")
        issuer, trust_anchor = header[ISS], header[TAN]
        if not isinstance(issuer, str) or (self.issuers and issuer not in self.issuers):
            raise SignatureError(Fault.INVALID_CLAIM, f"{ISS} is not who sent the message")
        if not isinstance(trust_anchor, str) or trust_anchor not in self.trust_anchors:
            raise SignatureError(Fault.INVALID_CLAIM, f"{TAN} is not a trust anchor of ours")


def _encoded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _signed(shown: bytes, body: bytes, *, b64: bool) -> bytes:
    """What the signature is over (RFC 7515 §5.1; RFC 7797 §3 without b64)."""
    return b"%b.%b" % (shown, _encoded(body) if b64 else body)


def _for(key: RSAKey, operation: Literal["sign", "verify"]) -> Any:
    """What does it. Raises JoseError when the key says that it is for another algorithm, or for something else."""
    JWSRegistry(algorithms=[ALGORITHM]).get_alg(ALGORITHM).check_key(key)
    return key.get_op_key(operation)


def _make(native: RSAPrivateKey, signed: bytes) -> bytes:
    """PS256 (RFC 7518 §3.5)."""
    return native.sign(signed, _PADDING, _HASH)


def _verifies(native: RSAPublicKey, signed: bytes, made: bytes) -> bool:
    try:
        native.verify(made, signed, _PADDING, _HASH)
    except InvalidSignature:
        return False
    return True


def _parts_of(signature: str) -> tuple[bytes, bytes]:
    """Header and signature, both still encoded."""
    parts = signature.encode("ascii", "replace").split(b".")
    if len(parts) != 3 or parts[1] or not parts[0] or not parts[2] or len(parts[0]) > HEADER_CHARACTERS_MAX:
        raise SignatureError(Fault.MALFORMED, "the signature is not header..signature")
    return parts[0], parts[2]


def _header_of(shown: bytes) -> dict[str, Any]:
    try:
        header = json.loads(urlsafe_b64decode(shown).decode())
    except (binascii.Error, ValueError, RecursionError):
        raise SignatureError(Fault.MALFORMED, "the signature's header cannot be read") from None
    if not isinstance(header, dict):
        raise SignatureError(Fault.MALFORMED, "the signature's header is not a JSON object")
    return header
