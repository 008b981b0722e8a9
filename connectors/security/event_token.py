"""Security event tokens (RFC 8417): a message that came to us, believed only when a bank signed it for us.

A JWT without an end: it says that something happened, not that somebody may do something. Whoever repeats an old one
repeats a hint; its ``jti`` tells that it was seen. Signatures are PS256 and ES256 alone, as everywhere at banks.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from connectors.errors import EventNotBelieved
from connectors.strict_json import JsonObject, NotReadable, read_object

ALGORITHMS: Mapping[str, type[RSAKey] | type[ECKey]] = {"PS256": RSAKey, "ES256": ECKey}
#: clocks differ; beyond this an event is of a time that has not come
SKEW = dt.timedelta(seconds=60)
#: an event names one resource: no honest one comes near this
TOKEN_BYTES_MAX = 16 * 1024
ID_CHARACTERS_MAX = 128
#: a later time than this no clock says
_SECONDS_MAX = 2**33
_TOKEN = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TYPES = ("secevent+jwt", "jwt", "jose")

#: the public key of this kid; None: there is none
KeyOf = Callable[[str], RSAKey | ECKey | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventToken:
    """The checked claims."""

    jti: str
    issued_at: dt.datetime  #: iat
    occurred_at: dt.datetime  #: toe, of which RFC 8417 §2.2 has: when it happened, where it differs from iat
    events: Mapping[str, Any]  #: by their URIs; never empty


def read(raw: bytes, *, issuer: str, client_id: str, key_of: KeyOf, now: dt.datetime) -> EventToken:
    """Raises EventNotBelieved, saying which rule is broken. What needs no key is looked at first, so that somebody who
    sends rubbish makes nobody ask for keys."""
    if len(raw) > TOKEN_BYTES_MAX or _TOKEN.fullmatch(raw) is None:
        raise EventNotBelieved("it is not one compact JWS")
    header_part, claims_part, _ = raw.split(b".")
    header, claims = _object(header_part, "header"), _object(claims_part, "claims")
    algorithm, kid = _check_header(header)
    token = _checked(claims, issuer=issuer, client_id=client_id, now=now)
    key = key_of(kid)
    if not isinstance(key, ALGORITHMS[algorithm]):
        raise EventNotBelieved("kid: the issuer has no such key for this algorithm", code="invalid_key")
    try:
        jws.deserialize_compact(raw, key, algorithms=[algorithm])
    except (JoseError, ValueError):
        raise EventNotBelieved("the signature is not the issuer's", code="authentication_failed") from None
    return token


def _object(part: bytes, name: str) -> JsonObject:
    try:
        return read_object(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
    except (binascii.Error, NotReadable):
        message = f"its {name} cannot be read"
        raise EventNotBelieved(message) from None


def _check_header(header: JsonObject) -> tuple[str, str]:
    algorithm, kid = header.text_or_none("alg"), header.text_or_none("kid")
    if algorithm is None or algorithm not in ALGORITHMS:
        message = f"alg must be {' or '.join(ALGORITHMS)}"
        raise EventNotBelieved(message)
    if not kid:
        raise EventNotBelieved("kid is missing")
    if str(header.members.get("typ", "jwt")).lower().removeprefix("application/") not in _TYPES:
        raise EventNotBelieved("typ: it is a token of another kind")
    if "crit" in header.members or "b64" in header.members:
        raise EventNotBelieved("crit: it wants something that we do not know")
    return algorithm, kid


def _checked(claims: JsonObject, *, issuer: str, client_id: str, now: dt.datetime) -> EventToken:
    if claims.text_or_none("iss") != issuer:
        raise EventNotBelieved("iss is not the bank", code="invalid_issuer")
    audience = claims.members.get("aud")
    if audience != client_id and not (isinstance(audience, list) and client_id in audience):
        raise EventNotBelieved("aud is not us", code="invalid_audience")
    issued_at, occurred_at = _time(claims, "iat"), _time(claims, "toe")
    if max(issued_at, occurred_at) > now + SKEW:
        raise EventNotBelieved("iat or toe is of a time that has not come")
    jti = claims.text_or_none("jti")
    if not jti or len(jti) > ID_CHARACTERS_MAX:
        raise EventNotBelieved("jti is missing or too long")
    events = claims.object("events").members
    if not events:
        raise EventNotBelieved("events is missing or empty")
    return EventToken(jti=jti, issued_at=issued_at, occurred_at=occurred_at, events=events)


def _time(claims: JsonObject, name: str) -> dt.datetime:
    value = claims.members.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _SECONDS_MAX:
        message = f"{name} is not a time"
        raise EventNotBelieved(message)
    return dt.datetime.fromtimestamp(value, dt.UTC)
