"""A biller's program at the API of Quittance: everything that a real one needs. Copy it.

client = BillersClient("https://bills.example", client_id="cli_…", private_key={…the JWK…})
acknowledgement = client.deliver(open("bill.xml", "rb").read(), "application/xml")
client.bill(acknowledgement["id"])["status"]    # open, or paid
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

import requests
from joserfc import jwt
from joserfc.jwk import ECKey

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TIMEOUT_S = (3, 15)


class BillersClient:
    """Raises requests.HTTPError for a refusal: its response holds problem+json that says what to mend."""

    def __init__(
        self, base_url: str, *, client_id: str, private_key: dict[str, Any], session: requests.Session | None = None
    ) -> None:
        self._base_url, self._client_id = base_url, client_id
        self._key = ECKey.import_key(private_key)
        self._session = session or requests.Session()
        self._token, self._token_ends = "", 0.0

    def deliver(self, content: bytes, media_type: str) -> dict[str, Any]:
        """Deliver one bill. Safe to repeat with the same bytes: the acknowledgement is the same."""
        return self._call("POST", "/api/v1/bills", data=content, headers={"Content-Type": media_type})

    def bill(self, bill_id: str) -> dict[str, Any]:
        return self._call("GET", f"/api/v1/bills/{bill_id}")

    def payment(self, payment_id: str) -> dict[str, Any]:
        return self._call("GET", f"/api/v1/payments/{payment_id}")

    def redeem(self, code: str, customer_reference: str | None = None) -> dict[str, Any]:
        """Come with a code of a customer. Accepted, its ``connection_id`` leads to the address to deliver to."""
        known_by = {"customer_reference": customer_reference} if customer_reference else {}
        return self._call("POST", "/api/v1/redemptions", json={"code": code, **known_by})

    def redemption(self, redemption_id: str) -> dict[str, Any]:
        return self._call("GET", f"/api/v1/redemptions/{redemption_id}")

    def connection(self, connection_id: str) -> dict[str, Any]:
        return self._call("GET", f"/api/v1/connections/{connection_id}")

    def connections(self, *, status: str) -> list[dict[str, Any]]:
        """The first page of those with this status."""
        found: list[dict[str, Any]] = self._call("GET", f"/api/v1/connections?status={status}")["connections"]
        return found

    def answer(self, connection: Mapping[str, Any], word: str) -> dict[str, Any]:
        """``check``, ``confirm`` or ``refuse`` a customer who asks, as they were seen asking. Safe to repeat."""
        path = f"/api/v1/connections/{connection['id']}/{word}"
        return self._call("POST", path, json={"sequence": connection["sequence"]})

    def bill_answers(self, *, state: str) -> list[dict[str, Any]]:
        """What customers say of bills instead of paying them: the first page of what is in this state."""
        found: list[dict[str, Any]] = self._call("GET", f"/api/v1/answers?state={state}")["answers"]
        return found

    def reply(self, answer_id: str, *, accepts: bool, words: str = "") -> dict[str, Any]:
        """Yes or no to such an answer. Safe to repeat."""
        return self._call("POST", f"/api/v1/answers/{answer_id}/reply", json={"accepts": accepts, "words": words})

    def refunds(self) -> list[dict[str, Any]]:
        """The first page of what was promised back."""
        found: list[dict[str, Any]] = self._call("GET", "/api/v1/refunds")["refunds"]
        return found

    def promise_refund(self, bill_id: str, *, amount: str, currency: str, promised_by: str) -> dict[str, Any]:
        """Give back so much of a bill by a day. Safe to repeat."""
        terms = {"bill_id": bill_id, "amount": amount, "currency": currency, "promised_by": promised_by}
        return self._call("POST", "/api/v1/refunds", json=terms)

    def refund(self, refund_id: str) -> dict[str, Any]:
        """With the account that its customer released for it, if there is one: they are shown that it was read."""
        return self._call("GET", f"/api/v1/refunds/{refund_id}")

    def refund_sent(self, refund_id: str, *, sent_on: str, way: str) -> dict[str, Any]:
        """Say that it was sent. Safe to repeat."""
        return self._call("POST", f"/api/v1/refunds/{refund_id}/sent", json={"sent_on": sent_on, "way": way})

    def _call(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
        bearer = {"Authorization": f"Bearer {self._access_token()}"}
        answer = self._session.request(
            method, self._base_url + path, headers=bearer | (headers or {}), timeout=TIMEOUT_S, **more
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _access_token(self) -> str:
        """The token we have, or a new one for a freshly signed assertion (RFC 7523): no password ever travels."""
        if time.monotonic() > self._token_ends:
            now = int(time.time())
            who = {"iss": self._client_id, "sub": self._client_id, "aud": self._base_url}
            claims = {**who, "iat": now, "exp": now + 60, "jti": secrets.token_urlsafe(16)}
            assertion = jwt.encode({"alg": "ES256", "kid": self._key.kid}, claims, self._key, algorithms=["ES256"])
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION,
                "client_assertion": assertion,
            }
            answer = self._session.post(f"{self._base_url}/oauth2/token", data=form, timeout=TIMEOUT_S)
            answer.raise_for_status()
            self._token, life_s = answer.json()["access_token"], answer.json()["expires_in"]
            self._token_ends = time.monotonic() + life_s - 30
        return self._token
