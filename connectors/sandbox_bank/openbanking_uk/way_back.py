"""The answer through the browser, in each profile: hybrid with an id_token, JARM, or a code with the issuer's name."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt

from connectors.sandbox_bank.openbanking_uk.asked import ACR, INTENT, Asked, Return
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.context import UkBank

ALGORITHM = "PS256"
LIFE_S = 300


def with_code(bank: UkBank, brand: Brand, tpp: str, asked: Asked, code: str) -> str:
    """The TPP's address with the code that stands for an approval."""
    answer = {"code": code, "state": asked.state}
    if brand.how.answer == "hybrid":
        answer["id_token"] = id_token(bank, brand, tpp, asked, code=code)
    return _address(bank, brand, tpp, asked.redirect_uri, answer)


def with_error(bank: UkBank, brand: Brand, tpp: str, to: Return | Asked, error: str, description: str) -> str:
    """The same without an approval (RFC 6749 §4.1.2.1; OpenID Connect Core §3.3.2.6)."""
    answer = {"error": error, "error_description": description, "state": to.state}
    return _address(bank, brand, tpp, to.redirect_uri, answer)


def id_token(bank: UkBank, brand: Brand, tpp: str, asked: Asked, *, code: str | None = None) -> str:
    """With ``code``: the detached signature of a hybrid answer (§3.3.2.11; FAPI 1 Advanced §5.2.2.1).

    Its subject is the consent, as OBL has it: who the customer is stays the bank's.
    """
    now_s = bank.now_ms() // 1000
    claims: dict[str, Any] = {
        "iss": bank.issuer(brand),
        "sub": asked.consent_id,
        "aud": tpp,
        "iat": now_s,
        "exp": now_s + LIFE_S,
        "auth_time": now_s,
        "acr": ACR,
        INTENT: asked.consent_id,
    }
    if asked.nonce is not None:
        claims["nonce"] = asked.nonce
    if code is not None:
        claims |= {"c_hash": half_hash(code), "s_hash": half_hash(asked.state)}
    if brand.id_token_without_nonce:
        claims.pop("nonce", None)
    if brand.id_token_without_intent:
        claims.pop(INTENT)
    return _signed(bank, brand, claims)


def half_hash(value: str) -> str:
    """The left half of its SHA-256 (OpenID Connect Core §3.3.2.11)."""
    return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:16]).rstrip(b"=").decode()


def _address(bank: UkBank, brand: Brand, tpp: str, redirect_uri: str, answer: dict[str, str]) -> str:
    answer = {name: value for name, value in answer.items() if value}
    if brand.how.answer == "hybrid" and not brand.answer_in_query:
        return f"{redirect_uri}#{urlencode(answer)}"
    if brand.how.answer == "code":
        answer["iss"] = bank.issuer(brand)
    if brand.how.answer == "jarm":
        now_s = bank.now_ms() // 1000
        claims = {"iss": bank.issuer(brand), "aud": tpp, "iat": now_s, "exp": now_s + LIFE_S, **answer}
        answer = {"response": _signed(bank, brand, claims)}
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(answer)}"


def _signed(bank: UkBank, brand: Brand, claims: dict[str, Any]) -> str:
    header = {"alg": ALGORITHM, "kid": bank.keys.kid(brand.id), "typ": "JWT"}
    return jwt.encode(header, claims, bank.keys.of(brand.id), algorithms=[ALGORITHM])
