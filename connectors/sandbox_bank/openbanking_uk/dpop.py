"""DPoP proofs as the bank checks them (RFC 9449 §4.3), at the token endpoint, where requests are pushed, at the API."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from flask import request
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from connectors.sandbox_bank.openbanking_uk import used
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.context import UkBank
from connectors.sandbox_bank.openbanking_uk.store import Connection

ALGORITHM = "ES256"
LIFE_S = 60
SKEW_S = 10
JTI_LENGTH_MAX = 255


class ProofFault(Exception):
    """``nonce``: a new one, where that was all that was missing."""

    def __init__(self, text: str, *, nonce: str | None = None) -> None:
        super().__init__(text)
        self.nonce = nonce


def check(bank: UkBank, brand: Brand, *, access_token: str | None = None) -> str:
    """The thumbprint (RFC 7638) of the key that this very request is proved with. Raises ProofFault."""
    proofs = request.headers.getlist("DPoP")
    if len(proofs) != 1:
        raise ProofFault("there must be one DPoP header")
    key, claims = _opened(proofs[0])
    now_ms = bank.now_ms()
    _check_claims(claims, bank, access_token=access_token, now_s=now_ms // 1000)
    jkt = str(key.thumbprint())
    with bank.store.write() as connection:
        nonce = _missing_nonce(connection, brand, claims, now_ms=now_ms)
        fresh = nonce is not None or used.use(
            connection,
            "dpop",
            brand_id=brand.id,
            whose=jkt,
            jti=claims["jti"],
            expires_ms=(claims["iat"] + LIFE_S + SKEW_S) * 1000,
            now_ms=now_ms,
        )
    if nonce is not None:
        raise ProofFault("the proof needs the nonce of this answer", nonce=nonce)
    if not fresh:
        raise ProofFault("jti was used before")
    return jkt


def _missing_nonce(connection: Connection, brand: Brand, claims: dict[str, Any], *, now_ms: int) -> str | None:
    """A new one, where the brand wants one and the proof has none that is good."""
    said = claims.get("nonce")
    if not brand.dpop_nonce or (
        isinstance(said, str) and used.is_nonce(connection, said, brand_id=brand.id, now_ms=now_ms)
    ):
        return None
    return used.give_nonce(connection, brand_id=brand.id, now_ms=now_ms)


def _opened(proof: str) -> tuple[ECKey, dict[str, Any]]:
    try:
        header = jws.extract_compact(proof.encode()).headers()
        jwk = header["jwk"]
        if header.get("typ") != "dpop+jwt" or header.get("alg") != ALGORITHM or "d" in jwk:
            raise ProofFault(f"typ must be dpop+jwt, alg {ALGORITHM}, jwk a public key")
        key = ECKey.import_key(jwk)
        return key, dict(jwt.decode(proof, key, algorithms=[ALGORITHM]).claims)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        message = f"the proof cannot be believed ({type(error).__name__})"
        raise ProofFault(message) from None


def _check_claims(claims: dict[str, Any], bank: UkBank, *, access_token: str | None, now_s: int) -> None:
    if claims.get("htm") != request.method:
        raise ProofFault("htm is not the method of this request")
    if claims.get("htu") != bank.settings.base_url + request.path:
        raise ProofFault("htu is not the address of this request")
    iat = claims.get("iat")
    if not isinstance(iat, int) or isinstance(iat, bool) or not now_s - LIFE_S <= iat <= now_s + SKEW_S:
        raise ProofFault("iat is not now")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= JTI_LENGTH_MAX:
        raise ProofFault("jti is missing")
    if access_token is not None and claims.get("ath") != _hash_of(access_token):
        raise ProofFault("ath is not the hash of the token")


def _hash_of(access_token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()).rstrip(b"=").decode()
