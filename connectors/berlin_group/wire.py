"""Requests out, checked answers in: each bears an X-Request-ID, our token where the bank wants one, and our HTTP
signature where it wants that."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from connectors.berlin_group import messages
from connectors.errors import BankSilent
from connectors.http import BankResponse, BankSession, Deadline
from connectors.security.http_signature import Signer
from connectors.security.oauth_client import OAuthClient

#: the role of payment initiation: the scope of our own token, and what stands before a paymentId (scaOAuth)
SCOPE = "PIS"


class As(enum.Enum):
    """In whose name something is asked."""

    OURSELVES = enum.auto()  #: with a token of ours
    CERTIFICATE = enum.auto()  #: with none: our TLS certificate, or nothing, says who we are


class Wire:
    """The calls to one bank's API. ``base_url`` is where its paths begin; ``scope`` that of our own token."""

    def __init__(
        self,
        base_url: str,
        *,
        session: BankSession,
        oauth: OAuthClient,
        signer: Signer | None,
        scope: str,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._base_url = base_url
        self._session = session
        self._oauth = oauth
        self._signer = signer
        self._scope = scope
        self._clock = clock

    def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        who: As | str,
        deadline: Deadline,
    ) -> BankResponse:
        """``who``: or the customer's token itself."""

        def send(token: str | None) -> BankResponse:
            return self._send(method, path, headers=headers, body=body, token=token, deadline=deadline)

        if who is As.OURSELVES:
            return self._oauth.as_ourselves(self._scope, send, deadline=deadline, is_of_token=is_of_token)
        return send(who if isinstance(who, str) else None)

    def _send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None,
        token: str | None,
        deadline: Deadline,
    ) -> BankResponse:
        """Signed anew each time: a Date is that of its sending, and the body's bytes stay the same."""
        url = self._base_url + path
        shown = dict(headers)
        if token is not None:
            shown |= self._oauth.authorization(token, method, url)
        if self._signer is not None:
            shown |= self._signer.sign(method, urlsplit(url).path, shown, body or b"", now=self._clock())
        response = self._session.call(method, url, headers=shown, body=body, deadline=deadline)
        echo = response.headers.get("X-Request-ID")
        if echo is not None and echo.lower() != headers["X-Request-ID"].lower():
            raise BankSilent("the bank's answer carries the X-Request-ID of another call")
        return response


def is_of_token(refused: BankResponse) -> bool:
    """Whether a 401 is about the token, as one that says nothing may be. A customer's code is not brought twice."""
    code = messages.refusal(refused).code
    return code.startswith(("TOKEN_", "HTTP_"))
