"""DPoP (RFC 9449): an access token that is stolen is of no use without the key it was bound to.

A proof is made for one request. A server may ask for a nonce of its own (§8, §9): then the request is sent once more,
with a new proof, and the nonce is kept for the next one. Neither Authlib nor joserfc has a client for it.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import secrets
import threading
from urllib.parse import urlsplit, urlunsplit

from joserfc import jwt
from joserfc.jwk import ECKey

from connectors.http import BankResponse
from connectors.strict_json import NotReadable, read_object

NONCE_CHARACTERS_MAX = 512
#: servers that were asked for a nonce and gave one; a bank has two, its authorization server and its API
ORIGINS_MOST = 8


class DPoP:
    """Our key at one bank, and the nonces that its servers gave. Safe for many threads."""

    def __init__(self, key: ECKey) -> None:
        """Raises ValueError for a key without its private half, or on another curve than P-256."""
        if not key.is_private or key.curve_name != "P-256":
            raise ValueError("the key for DPoP must be a private EC key on the curve P-256")
        self._key = key
        self._public = {name: key.as_dict(private=False)[name] for name in ("kty", "crv", "x", "y")}
        self._nonces: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def thumbprint(self) -> str:
        """RFC 7638: what a token bound to this key names in ``cnf.jkt``, and a request in ``dpop_jkt``."""
        return str(self._key.thumbprint())

    def proof(self, method: str, url: str, *, now: dt.datetime, access_token: str | None = None) -> str:
        """The value of the DPoP header of one request (§4.2). Never used twice: a server refuses a ``jti`` again."""
        claims: dict[str, str | int] = {
            "jti": secrets.token_urlsafe(24),
            "htm": method,
            "htu": _without_query(url),
            "iat": int(now.timestamp()),
        }
        if access_token is not None:
            claims["ath"] = _hash_of(access_token)
        with self._lock:
            nonce = self._nonces.get(_origin(url))
        if nonce is not None:
            claims["nonce"] = nonce
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self._public}
        return jwt.encode(header, claims, self._key, algorithms=["ES256"])

    def take_nonce(self, url: str, answer: BankResponse) -> bool:
        """Keep the nonce of an answer. True: the server refused the request for want of it, so it did nothing (§8).

        Also where we knew that nonce: another request may have learned it while this one was under way.
        """
        nonce = answer.headers.get("DPoP-Nonce")
        if nonce is None or not nonce.isascii() or not nonce.isprintable() or len(nonce) > NONCE_CHARACTERS_MAX:
            return False
        with self._lock:
            known = self._nonces.get(_origin(url))
            if known is None and len(self._nonces) >= ORIGINS_MOST:
                return False
            self._nonces[_origin(url)] = nonce
        return _asks_for_nonce(answer)


def _asks_for_nonce(answer: BankResponse) -> bool:
    """From the token endpoint 400 with an OAuth error, from the API 401 with a challenge."""
    if answer.status == 401:
        challenge = answer.headers.get("WWW-Authenticate", "")
        if challenge.lower().startswith("dpop") and 'error="use_dpop_nonce"' in challenge:
            return True
    if answer.status not in (400, 401):
        return False
    try:
        return read_object(answer.body).text("error") == "use_dpop_nonce"
    except NotReadable:
        return False


def _hash_of(access_token: str) -> str:
    digest = hashlib.sha256(access_token.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _without_query(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
