"""How the tests reach the UK sandbox banks: in this process or over TLS, as a TPP or as a customer with a browser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode, urlsplit

import requests
from bs4 import BeautifulSoup
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from requests.structures import CaseInsensitiveDict
from werkzeug.datastructures import Headers

from tests.support.sandbox_tpp import Answer


class Transport(Protocol):
    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], data: bytes, certificate: Path | None
    ) -> Answer: ...


class InProcess:
    """One browser or one TPP in front of a Flask app that was made for tests, with its own cookies."""

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], data: bytes, certificate: Path | None
    ) -> Answer:
        """``certificate``: a PEM file; its key beside it is not needed where there is no TLS."""
        environ = {} if certificate is None else {"sandbox.client_certificate": _der(certificate)}
        got = self._client.open(
            url, method=method, headers=Headers(dict(headers)), data=data, environ_overrides=environ
        )
        return Answer(status=got.status_code, headers=CaseInsensitiveDict(got.headers.items()), content=got.data)


class OverTls:
    """The same against a served bank, whose authority is believed. A connection has one client certificate or none."""

    def __init__(self, authority: Path, *, timeout_s: float = 10) -> None:
        self._authority = authority
        self._timeout_s = timeout_s
        self._sessions: dict[Path | None, requests.Session] = {}

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], data: bytes, certificate: Path | None
    ) -> Answer:
        session = self._sessions.get(certificate)
        if session is None:
            session = self._sessions[certificate] = requests.Session()
            session.trust_env = False
            session.verify = str(self._authority)
            if certificate is not None:
                session.cert = (str(certificate), str(certificate.with_suffix(".key")))
        with session.request(
            method, url, headers=dict(headers), data=data, timeout=self._timeout_s, allow_redirects=False
        ) as got:
            return Answer(status=got.status_code, headers=got.headers, content=got.content)

    def close(self) -> None:
        for session in self._sessions.values():
            session.close()


def _der(path: Path) -> bytes:
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


@dataclass(kw_only=True)
class UkPerson:
    """A customer with a browser: follows redirects, fills in forms, and stops where the bank leads back."""

    transport: Transport
    customer: str = "camille"
    account: str = "camille-current"
    cookies: dict[str, str] = field(default_factory=dict)

    def open(self, method: str, url: str, form: Mapping[str, str] | None = None) -> Answer:
        headers = {"Accept": "text/html"}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        data = urlencode(form).encode() if form is not None else b""
        return self.transport.send(method, url, headers=headers, data=data, certificate=None)

    def follow(self, answer: Answer, at: str) -> tuple[Answer, str]:
        """The page at the end of redirects that stay at the bank. Another's address is answered as it stands."""
        while answer.status in (302, 303):
            to = answer.headers["Location"]
            to = to if "://" in to else f"{urlsplit(at).scheme}://{urlsplit(at).netloc}{to}"
            if urlsplit(to).netloc != urlsplit(at).netloc:
                return answer, to
            answer, at = self.open("GET", to), to
        return answer, at

    def visit(self, address: str) -> tuple[Answer, str]:
        return self.follow(self.open("GET", address), address)

    def submit(self, page: Answer, at: str, **values: str) -> tuple[Answer, str]:
        """The form of the page with these values beside its hidden ones."""
        form = BeautifulSoup(page.content, "html.parser").select_one("form")
        assert form is not None, page.content
        hidden = {str(one["name"]): str(one["value"]) for one in form.select("input[type=hidden]")}
        url = f"{urlsplit(at).scheme}://{urlsplit(at).netloc}{form['action']}"
        return self.follow(self.open("POST", url, {**hidden, **values}), url)

    def approve(self, address: str, *, decision: str = "approve", account: str | None = None, pin: str = "1234") -> str:
        """The whole visit; the address that leads back to the TPP, also where the bank sends there at once."""
        page, at = self.visit(address)
        if page.status in (302, 303):
            return at
        page, at = self.submit(page, at, customer=self.customer, pin=pin)
        page, at = self.submit(page, at, account=account or self.account, decision=decision)
        return way_back(page)


def way_back(page: Answer) -> str:
    link = page.page.select_one("a#way-back")
    assert link is not None, page.content
    return str(link["href"])
