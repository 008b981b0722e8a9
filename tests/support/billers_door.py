"""A biller's program, as its engineers would write it: signs assertions, fetches tokens, calls the API.

Every part of an assertion can be bent by name, because most of the tests are about refusals.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from werkzeug.test import TestResponse

ISSUER = "http://localhost:8000"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALL_SCOPES = (
    "bills:write bills:read payments:read connections:read connections:write answers:read answers:write"
    " refunds:read refunds:write"
)
#: no value: the claim or parameter is left out
ABSENT: Any = object()


def new_key(alg: str = "ES256") -> ECKey | RSAKey:
    """A new signing key with its kid."""
    about: Any = {"use": "sig", "alg": alg}
    if alg == "ES256":
        return ECKey.generate_key("P-256", about, auto_kid=True)
    return RSAKey.generate_key(2048, about, auto_kid=True)


def public_jwks(*keys: ECKey | RSAKey) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def _without_absent(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not ABSENT}


@dataclass(kw_only=True)
class Program:
    """One API client and its private key."""

    http: FlaskClient
    clock: Callable[[], dt.datetime]
    biller_id: str
    iban: str
    vat_id: str
    client_id: str
    key: ECKey | RSAKey = field(repr=False)

    def assertion(
        self,
        *,
        alg: str = "ES256",
        header: dict[str, Any] | None = None,
        signed_by: Any = None,
        **claims: Any,
    ) -> str:
        """A client assertion (RFC 7523). ``claims`` replace the right ones; ABSENT leaves one out."""
        now = int(self.clock().timestamp())
        right = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": ISSUER,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_hex(16),
        }
        head = _without_absent({"alg": alg, "kid": self.key.kid, **(header or {})})
        body = _without_absent(right | claims)
        return jwt.encode(head, body, signed_by or self.key, algorithms=[alg])

    def ask(self, assertion: str, *, headers: dict[str, str] | None = None, **parameters: Any) -> TestResponse:
        """POST to the token endpoint. ``parameters`` replace the right ones."""
        right = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        return self.http.post("/oauth2/token", data=_without_absent(right | parameters), headers=headers)

    def token(self, scope: str = ALL_SCOPES) -> str:
        answer = self.ask(self.assertion(), scope=scope)
        assert answer.status_code == 200, answer.text
        token: str = answer.get_json()["access_token"]
        return token

    def bearer(self, scope: str = ALL_SCOPES) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(scope)}"}

    def deliver(
        self,
        content: bytes,
        *,
        media_type: str = "application/json",
        scope: str = "bills:write",
        path: str = "/api/v1/bills",
        headers: dict[str, str] | None = None,
    ) -> TestResponse:
        return self.http.post(path, data=content, content_type=media_type, headers=self.bearer(scope) | (headers or {}))

    def get(self, path: str, *, scope: str = ALL_SCOPES) -> TestResponse:
        return self.http.get(path, headers=self.bearer(scope))
