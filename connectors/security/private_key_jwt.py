"""We prove who we are by a signed assertion (private_key_jwt, RFC 7523 §2.2); no bank gets a password."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping
from typing import Any

from authlib.oauth2.rfc7523 import private_key_jwt_sign
from joserfc.jwk import ECKey, RSAKey, import_key
from typing_extensions import override

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME_S = 60
RSA_BITS_MIN = 2048


class ClientKey:
    """Our private key at the banks: EC P-256 signs ES256, RSA signs PS256 (the two that FAPI allows)."""

    def __init__(self, private_jwk: Mapping[str, Any]) -> None:
        """Raises ValueError for a key without its private half or of another kind."""
        key = import_key(dict(private_jwk))
        if not isinstance(key, ECKey | RSAKey) or not key.is_private:
            raise ValueError("the key for banks must be a private EC P-256 or RSA key (JWK)")
        self.algorithm = _algorithm(key)
        self._key = key

    @override
    def __repr__(self) -> str:
        return f"ClientKey({self.kid})"

    @property
    def jwk(self) -> ECKey | RSAKey:
        """The key itself, for requests that are signed with it. Never shown."""
        return self._key

    @property
    def kid(self) -> str:
        return self._key.kid or self._key.thumbprint()

    def assertion(self, *, client_id: str, issuer: str, now: dt.datetime) -> str:
        """A fresh one, good for one use within 60 s. Its audience is the issuer as one string (FAPI 2.0)."""
        issued_at = int(now.timestamp())
        return str(
            private_key_jwt_sign(
                self._key,
                client_id,
                issuer,
                alg=self.algorithm,
                claims={"jti": secrets.token_urlsafe(24)},
                header={"kid": self.kid},
                issued_at=issued_at,
                expires_at=issued_at + LIFETIME_S,
            )
        )


def _algorithm(key: ECKey | RSAKey) -> str:
    if isinstance(key, ECKey):
        if key.curve_name != "P-256":
            raise ValueError("the EC key for banks must be on the curve P-256")
        return "ES256"
    if key.private_key is None or key.private_key.key_size < RSA_BITS_MIN:
        raise ValueError("the RSA key for banks must have 2048 bits or more")
    return "PS256"
