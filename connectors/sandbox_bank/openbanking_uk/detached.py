"""``x-jws-signature`` as the bank reads and writes it: a detached JWS over the exact bytes of a body.

OBL Read/Write 4.0, "Message Signing": PS256, three claims in the header, and ``crit`` names exactly them. A brand of
the old way has ``b64`` = false before them (RFC 7797), as the standard had up to 3.1.3.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry
from joserfc.registry import HeaderParameter

from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.context import current_bank

ALGORITHM = "PS256"
TRUST_ANCHOR = "openbanking.org.uk"
SKEW_S = 10

INVALID, INVALID_CLAIM, MISSING_CLAIM = "U015", "U016", "U017"
MALFORMED, MISSING, UNEXPECTED = "U018", "U019", "U020"

IAT, ISS, TAN = (f"http://openbanking.org.uk/{name}" for name in ("iat", "iss", "tan"))
_CLAIMS = [IAT, ISS, TAN]
_REGISTRY = JWSRegistry(
    header_registry={
        IAT: HeaderParameter("when", "int", True),
        ISS: HeaderParameter("who", "str", True),
        TAN: HeaderParameter("where the key is lodged", "str", True),
    },
    algorithms=[ALGORITHM],
)
#: in characters. joserfc's own is 512, and the three claims with their crit come near that
_REGISTRY.max_header_length = 4096


class SignatureFault(Exception):
    """``code``: U015 to U020. The text says what to mend."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def sign(body: bytes, *, brand: Brand, now: dt.datetime) -> str:
    """The value of the header for an answer or an event of the brand."""
    keys = current_bank().keys
    header: dict[str, Any] = {
        "alg": ALGORITHM,
        "kid": keys.kid(brand.id),
        "typ": "JOSE",
        "cty": "application/json",
        IAT: int(now.timestamp()),
        ISS: brand.organisation,
        TAN: TRUST_ANCHOR,
        "crit": _crit(brand),
    }
    if brand.b64_header:
        header["b64"] = False
    return jws.detach_content(jws.serialize_compact(header, body, keys.of(brand.id), registry=_REGISTRY))


def verify(header: str | None, body: bytes, *, brand: Brand, tpp: str, now: dt.datetime) -> None:
    """Raises SignatureFault unless ``header`` is the TPP's signature over exactly ``body``."""
    if not header:
        raise SignatureFault(MISSING, "x-jws-signature is missing")
    claims = _header_of(header)
    _check_form(claims, brand)
    _check_claims(claims, tpp=tpp, now=now)
    key = _key_of(tpp, claims["kid"])
    try:
        jws.deserialize_compact(header, key, registry=_REGISTRY, payload=body)
    except (JoseError, ValueError):
        raise SignatureFault(INVALID, "the signature is not over this body by this key") from None


def _header_of(signature: str) -> dict[str, Any]:
    parts = signature.split(".")
    if len(parts) != 3 or not parts[0] or parts[1] or not parts[2]:
        raise SignatureFault(MALFORMED, "x-jws-signature must be header..signature")
    try:
        header = json.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise SignatureFault(MALFORMED, "the header of x-jws-signature cannot be read") from None
    if not isinstance(header, dict):
        raise SignatureFault(MALFORMED, "the header of x-jws-signature is not an object")
    return header


def _check_form(header: dict[str, Any], brand: Brand) -> None:
    wanted = _crit(brand)
    missing = [name for name in ("alg", "kid", "crit", *wanted) if name not in header]
    if missing:
        raise SignatureFault(MISSING_CLAIM, f"{missing[0]} is missing in the header of x-jws-signature")
    if header["alg"] != ALGORITHM:
        raise SignatureFault(INVALID_CLAIM, f"alg must be {ALGORITHM}")
    crit = header["crit"]
    if not isinstance(crit, list) or len(crit) != len(wanted) or {str(name) for name in crit} != set(wanted):
        raise SignatureFault(INVALID_CLAIM, f"crit must name exactly {', '.join(wanted)}")
    unknown = header.keys() - {"alg", "kid", "typ", "cty", "crit", *wanted}
    if unknown:
        raise SignatureFault(INVALID_CLAIM, f"{min(unknown)} does not belong into the header of x-jws-signature")
    if brand.b64_header and header["b64"] is not False:
        raise SignatureFault(INVALID_CLAIM, "b64 must be false")
    if header.get("typ", "JOSE") != "JOSE" or header.get("cty", "json") not in ("json", "application/json"):
        raise SignatureFault(INVALID_CLAIM, "typ must be JOSE, cty json or application/json")


def _check_claims(header: dict[str, Any], *, tpp: str, now: dt.datetime) -> None:
    iat = header[IAT]
    if isinstance(iat, bool) or not isinstance(iat, int | float) or iat > now.timestamp() + SKEW_S:
        raise SignatureFault(INVALID_CLAIM, f"{IAT} must be a time in the past")
    known = current_bank().tpp(tpp) or {}
    if header[ISS] != f"{known.get('organisation')}/{known.get('software')}":
        raise SignatureFault(INVALID_CLAIM, f"{ISS} must be organisation/software of who sends")
    if header[TAN] != TRUST_ANCHOR:
        raise SignatureFault(INVALID_CLAIM, f"{TAN} must be {TRUST_ANCHOR}")


def _key_of(tpp: str, kid: object) -> RSAKey:
    for jwk in (current_bank().tpp(tpp) or {"keys": []})["keys"]:
        if jwk.get("kid") == kid and jwk.get("kty") == "RSA":
            return RSAKey.import_key(jwk)
    raise SignatureFault(INVALID_CLAIM, "kid is not a key of who sends")


def _crit(brand: Brand) -> list[str]:
    return ["b64", *_CLAIMS] if brand.b64_header else [*_CLAIMS]
