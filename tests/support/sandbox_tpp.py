"""A TPP and a customer who drive the sandbox bank over HTTP alone, in the same process or another.

It is written from the standards and not with our connector, so that the two can disagree.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests
from bs4 import BeautifulSoup
from flask import Flask
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from requests.structures import CaseInsensitiveDict
from werkzeug.datastructures import Headers

BASE_URL = "http://127.0.0.1:8001"
PAYMENTS = "/berlingroup/v1/payments/sepa-credit-transfers"
REDIRECT_URI = "http://localhost:8000/banks/sandbox/return/one"
CLIENT_ID = "quittance"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


Ledger = Callable[..., list[dict[str, str]]]


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> int:
        return int(self.now.timestamp())

    def tick(self, **how: float) -> None:
        self.now += timedelta(**how)


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def page(self) -> BeautifulSoup:
        return BeautifulSoup(self.content, "html.parser")

    def text_of(self, selector: str) -> str:
        found = self.page.select_one(selector)
        assert found is not None, f"{selector} is not on the page"
        return " ".join(found.get_text().split())


class Transport(Protocol):
    def send(self, method: str, url: str, *, headers: Mapping[str, str], data: bytes) -> Answer: ...


class InProcess:
    """One browser or one TPP in front of a Flask app, with its own cookies."""

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()

    def send(self, method: str, url: str, *, headers: Mapping[str, str], data: bytes) -> Answer:
        got = self._client.open(url, method=method, headers=Headers(dict(headers)), data=data)
        return Answer(status=got.status_code, headers=CaseInsensitiveDict(got.headers.items()), content=got.data)


class OverHttp:
    """The same against a served bank."""

    def __init__(self, *, timeout_s: float = 10) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._timeout_s = timeout_s

    def send(self, method: str, url: str, *, headers: Mapping[str, str], data: bytes) -> Answer:
        with self._session.request(
            method, url, headers=dict(headers), data=data, timeout=self._timeout_s, allow_redirects=False
        ) as got:
            return Answer(status=got.status_code, headers=got.headers, content=got.content)

    def close(self) -> None:
        self._session.close()


def new_key(algorithm: str = "ES256") -> ECKey | RSAKey:
    if algorithm == "ES256":
        return ECKey.generate_key("P-256", {"kid": "one", "use": "sig", "alg": algorithm})
    return RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": algorithm})


def jwks_of(key: ECKey | RSAKey) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False)]}


def order(**changes: Any) -> dict[str, Any]:
    """A good initiation body; a change to None takes the field away."""
    body = {
        "debtorAccount": {"iban": "FR7699990000010000042184082"},
        "instructedAmount": {"currency": "EUR", "amount": "123.50"},
        "creditorAccount": {"iban": "DE02100100109307118603"},
        "creditorName": "Stadtwerke Musterstadt",
        "endToEndIdentification": "Q-INV-1",
        "remittanceInformationUnstructured": "Invoice 2026-1",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def order_of(amount: str, **changes: Any) -> dict[str, Any]:
    return order(instructedAmount={"currency": "EUR", "amount": amount}, **changes)


@dataclass(kw_only=True)
class Tpp:
    """Speaks to the token endpoint and to the payments; `now_s` is the bank's time for the assertions."""

    transport: Transport
    base_url: str
    key: ECKey | RSAKey
    now_s: Callable[[], int]
    client_id: str = CLIENT_ID
    algorithm: str = "ES256"
    _token: str | None = field(default=None, repr=False)

    def assertion(self, **changes: Any) -> str:
        now_s = self.now_s()
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.base_url,
            "iat": now_s,
            "exp": now_s + 60,
            "jti": secrets.token_urlsafe(),
            **changes,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": "one"}
        return jwt.encode(header, kept, self.key, algorithms=[self.algorithm])

    def ask_token(self, form: Mapping[str, str], *, assertion: str | None = None) -> Answer:
        fields = {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self.assertion() if assertion is None else assertion,
            **form,
        }
        return self.transport.send(
            "POST",
            f"{self.base_url}/oauth2/token",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            data=urlencode(fields).encode(),
        )

    def token(self) -> str:
        if self._token is None:
            got = self.ask_token({"grant_type": "client_credentials", "scope": "PIS"})
            assert got.status == 200, got.content
            self._token = got.json["access_token"]
        return self._token

    def exchange(self, code: str, **changes: str) -> Answer:
        form = {"code": code, "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER, **changes}
        return self.ask_token({"grant_type": "authorization_code", **form})

    def headers(self, **changes: str | None) -> dict[str, str]:
        """Underscores stand for hyphens; a change to None takes the header away."""
        headers: dict[str, str | None] = {
            "X-Request-ID": str(uuid.uuid4()),
            "Authorization": f"Bearer {self.token()}",
            **{name.replace("_", "-"): value for name, value in changes.items()},
        }
        return {name: value for name, value in headers.items() if value is not None}

    def initiate(self, body: object, **changes: str | None) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers: dict[str, str | None] = {
            "PSU_IP_Address": "192.0.2.7",
            "TPP_Redirect_URI": REDIRECT_URI,
            "TPP_Brand_Logging_Information": "Quittance",
            "Content_Type": "application/json",
            **changes,
        }
        return self.transport.send("POST", self.base_url + PAYMENTS, headers=self.headers(**headers), data=raw)

    def initiated(self, body: Mapping[str, Any] | None = None) -> str:
        got = self.initiate(order() if body is None else body)
        assert got.status == 201, got.content
        return str(got.json["paymentId"])

    def get(self, path: str, **changes: str | None) -> Answer:
        return self.transport.send(
            "GET", f"{self.base_url}{PAYMENTS}/{path}", headers=self.headers(**changes), data=b""
        )

    def status(self, payment_id: str) -> Any:
        return self.get(f"{payment_id}/status").json["transactionStatus"]

    def cancel(self, payment_id: str) -> Answer:
        return self.transport.send(
            "DELETE", f"{self.base_url}{PAYMENTS}/{payment_id}", headers=self.headers(), data=b""
        )

    def authorize_url(self, payment_id: str, **changes: str | None) -> str:
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "scope": f"PIS:{payment_id}",
            "state": "state-of-the-tpp",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        kept = {name: value for name, value in query.items() if value is not None}
        return f"{self.base_url}/oauth2/authorize?{urlencode(kept)}"


@dataclass(kw_only=True)
class Person:
    """A customer with a browser without script; follows the bank's own redirects, none that leads away."""

    transport: Transport
    base_url: str
    language: str = "en"

    def go(self, url: str) -> Answer:
        return self._follow(self._send("GET", url, b""))

    def sign_in(self, page: Answer, *, customer: str = "camille", pin: str = "1234") -> Answer:
        return self.submit(page, customer=customer, pin=pin)

    def submit(self, page: Answer, **fields: str) -> Answer:
        return self._follow(self.submit_once(page, **fields))

    def submit_once(self, page: Answer, **fields: str) -> Answer:
        """Fills the page's form; hidden fields go along as a browser sends them."""
        form = page.page.select_one("form")
        assert form is not None, page.content
        hidden = {str(i["name"]): str(i["value"]) for i in form.select("input[type=hidden]")}
        return self._send("POST", self.base_url + str(form["action"]), urlencode({**hidden, **fields}).encode())

    def approve(self, url: str, *, customer: str = "camille", account: str = "camille-current") -> dict[str, str]:
        """The whole way through the bank; returns the parameters that reach the TPP."""
        decision = self.sign_in(self.go(url), customer=customer)
        return answer_to_tpp(self.submit(decision, account=account, decision="approve"))

    def _send(self, method: str, url: str, data: bytes) -> Answer:
        headers = {"Accept-Language": self.language}
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        return self.transport.send(method, url, headers=headers, data=data)

    def _follow(self, answer: Answer) -> Answer:
        for _ in range(5):
            place = answer.headers.get("Location", "")
            if answer.status != 303 or not place.startswith("/"):
                return answer
            answer = self._send("GET", self.base_url + place, b"")
        raise AssertionError("the bank redirects for ever")


def answer_to_tpp(page: Answer) -> dict[str, str]:
    """What the link of the bank's last page carries back to the TPP."""
    link = page.page.select_one("a#way-back")
    assert link is not None, page.content
    return dict(parse_qsl(urlsplit(str(link["href"])).query))


def error_sent_back(person: Person, url: str) -> str:
    """The error of an authorisation request that the bank sends straight back."""
    got = person.go(url)
    assert got.status == 303
    place = urlsplit(got.headers["Location"])
    assert got.headers["Location"].startswith(REDIRECT_URI)
    return dict(parse_qsl(place.query))["error"]
