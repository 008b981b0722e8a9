"""Web Push: a message to one browser, sealed for it (RFC 8291), and by whom it is sent (VAPID, RFC 8292).

Only what goes over the wire; nothing is sent here (RFC 8030 is app/strangers.py's). The push service that carries it
sees to whom and when it goes and how urgent it is, and neither a word of it nor how long it is: all are equally long.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import enum
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.jwk import ECKey

#: all messages are padded to that many bytes; a push service has to take 4096 of what is sealed (RFC 8030 §7.2)
LENGTH: Final = 1024
#: no address of a push service that is known comes near this
ENDPOINT_MOST: Final = 2000
#: how long a token of ours is good; RFC 8292 allows a day
TOKEN_LIFE: Final = dt.timedelta(hours=12)
_POINT, _AUTH, _SALT, _TAG = 65, 16, 16, 16
#: one record has all of it
_RECORD: Final = 4096


class Urgency(enum.StrEnum):
    """RFC 8030 §5.3: for which a device that saves its battery wakes up."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class NoSubscription(ValueError):
    """What was sent is not a subscription as a browser makes it. The text has nothing of it."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a browser is sent to, and for whom that is sealed: its public key, and the secret that it shares."""

    endpoint: str
    p256dh: bytes = field(repr=False)
    auth: bytes = field(repr=False)

    @classmethod
    def parse(cls, sent: object) -> Subscription:
        """What ``PushSubscription.toJSON()`` gives. Raises NoSubscription. Whether anything may be sent there is not
        looked at."""
        said = sent if isinstance(sent, Mapping) else {}
        keys = said.get("keys")
        endpoint, keys = said.get("endpoint"), keys if isinstance(keys, Mapping) else {}
        if not isinstance(endpoint, str) or not 0 < len(endpoint) <= ENDPOINT_MOST or not _is_plain(endpoint):
            raise NoSubscription("its address is none")
        p256dh, auth = _decoded(keys.get("p256dh"), _POINT), _decoded(keys.get("auth"), _AUTH)
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), p256dh)
        except ValueError:
            raise NoSubscription("its key is not on the curve P-256") from None
        return cls(endpoint, p256dh, auth)

    def as_json(self) -> dict[str, Any]:
        """As it came."""
        return {"endpoint": self.endpoint, "keys": {"p256dh": encoded(self.p256dh), "auth": encoded(self.auth)}}


class Sender:
    """We, as push services know us: by a key, of which each subscription remembers the public half."""

    def __init__(self, key: Mapping[str, Any], *, contact: str) -> None:
        """``key``: a private JWK on P-256. ``contact``: whom a push service writes to, ``mailto:…`` or ``https://…``."""
        self._key = ECKey.import_key(dict(key))
        self._contact = contact
        self.public_key = encoded(_raw(self._key.public_key))  #: as a browser wants it to subscribe

    def headers(self, subscription: Subscription, *, ttl_s: int, urgency: Urgency, now: dt.datetime) -> dict[str, str]:
        """What goes with a sealed message. ``ttl_s``: after so many seconds it is not handed over any more."""
        parts = urlsplit(subscription.endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}".lower(),
            "exp": int((now + TOKEN_LIFE).timestamp()),
            "sub": self._contact,
        }
        token = jwt.encode({"typ": "JWT", "alg": "ES256"}, claims, self._key)
        return {
            "Authorization": f"vapid t={token}, k={self.public_key}",
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(ttl_s),
            "Urgency": urgency,
        }


def seal(
    message: bytes,
    subscription: Subscription,
    *,
    length: int = LENGTH,
    key: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """The body of the request: only this browser opens it. ``key`` and ``salt`` are made anew for each message; tests
    against the standard's own values give theirs. Raises ValueError: the message is longer than ``length``."""
    padding = length - len(message)
    if padding < 0 or length > _RECORD - _TAG - 1:
        raise ValueError("a message that is pushed has to be short")
    key, salt = key or ec.generate_private_key(ec.SECP256R1()), salt or secrets.token_bytes(_SALT)
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), subscription.p256dh)
    ours = _raw(key.public_key())
    about = b"WebPush: info\0" + subscription.p256dh + ours
    shared = _derived(subscription.auth, key.exchange(ec.ECDH(), theirs), about, 32)
    content_key = _derived(salt, shared, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(salt, shared, b"Content-Encoding: nonce\0", 12)
    box = AESGCM(content_key).encrypt(nonce, message + b"\x02" + bytes(padding), None)
    return salt + struct.pack("!IB", _RECORD, len(ours)) + ours + box


def encoded(value: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decoded(text: object, length: int) -> bytes:
    """Raises NoSubscription."""
    plain = text.rstrip("=") if isinstance(text, str) else ""
    try:
        value = base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):  # the second of what is not ASCII
        value = b""
    if len(value) != length:
        raise NoSubscription("its keys are none")
    return value


def _is_plain(address: str) -> bool:
    """Of the letters that addresses have: no space, no line break, nothing that a program may read otherwise."""
    return address.isascii() and address.isprintable() and not set(' "<>\\^`{|}') & set(address)


def _derived(salt: bytes, secret: bytes, about: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, about).derive(secret)


def _raw(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
