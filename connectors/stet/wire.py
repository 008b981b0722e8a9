"""Sealed requests out, checked answers in: each request bears our token, an X-Request-ID and our HTTP signature."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from connectors.errors import BankSilent
from connectors.http import BankResponse, BankSession, Deadline
from connectors.security.http_signature import Signer
from connectors.security.oauth_client import OAuthClient

#: the role of payment initiation: the scope of our own token
SCOPE = "pisp"
JSON, HAL = "application/json", "application/hal+json"


class Wire:
    """The calls to one bank's API. ``base_url`` is where its paths begin."""

    def __init__(
        self,
        base_url: str,
        *,
        session: BankSession,
        oauth: OAuthClient,
        signer: Signer,
        echoes: bool,
        clock: Callable[[], dt.datetime],
    ) -> None:
        """``echoes``: an answer plays X-Request-ID back, or is none."""
        self._base_url = base_url
        self._session = session
        self._oauth = oauth
        self._signer = signer
        self._echoes = echoes
        self._clock = clock

    def call(
        self,
        method: str,
        path: str,
        *,
        request_id: str,
        deadline: Deadline,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> BankResponse:
        """As ourselves, with a token of our own."""
        shown = {"Accept": f"{HAL}, {JSON}", "X-Request-ID": request_id, **(headers or {})}

        def send(token: str) -> BankResponse:
            return self._send(method, path, shown, token=token, body=body, deadline=deadline)

        return self._oauth.as_ourselves(SCOPE, send, deadline=deadline)

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], *, token: str, body: bytes | None, deadline: Deadline
    ) -> BankResponse:
        """Signed anew each time: a Date is that of its sending, and the body's bytes stay the same."""
        url = self._base_url + path
        shown = {**headers, **self._oauth.authorization(token, method, url)}
        sealed = self._signer.sign(method, urlsplit(url).path, shown, body or b"", now=self._clock())
        response = self._session.call(method, url, headers={**shown, **sealed}, body=body, deadline=deadline)
        echo = response.headers.get("X-Request-ID")
        if echo is not None and echo.lower() != headers["X-Request-ID"].lower():
            raise BankSilent("the bank's answer carries the X-Request-ID of another call")
        if echo is None and self._echoes and response.ok:
            raise BankSilent("the bank's answer carries no X-Request-ID: it may be that of another call")
        return response
