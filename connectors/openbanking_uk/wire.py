"""Signed bytes out, checked answers in: what all resources of one bank have in common.

Every body that is sent is signed, and so must be every answer that has one. We ask for resources as ourselves, and use
what the customer approved with the customer's token.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import quote

from connectors import idempotency
from connectors.contract import BankRequest, PsuContext
from connectors.errors import BankSilent
from connectors.http import BankResponse, BankSession, Deadline
from connectors.openbanking_uk import messages
from connectors.security.detached_jws import SignatureError, Signer, Verifier
from connectors.security.metadata import AuthorizationServer
from connectors.security.oauth_client import OAuthClient

SCOPE = "payments"
#: what we know of an id at the bank that it does not know: 400, not 404, which says that it has no such resource at all
NOT_FOUND_CODES = frozenset({"U011", "UK.OBIE.Resource.NotFound"})
JSON = "application/json"


class Wire:
    """The calls to one bank's API. ``base_url`` is where its paths begin."""

    def __init__(
        self,
        base_url: str,
        *,
        session: BankSession,
        oauth: OAuthClient,
        signer: Signer,
        verifier: Verifier | None,
        echoes: bool,
        clock: Callable[[], dt.datetime],
    ) -> None:
        """``verifier``: None for a bank that does not sign its answers. ``echoes``: an answer plays
        x-fapi-interaction-id back, or is none."""
        self._base_url = base_url
        self._session = session
        self._oauth = oauth
        self._signer = signer
        self._verifier = verifier
        self._echoes = echoes
        self._clock = clock

    def server(self, *, deadline: Deadline) -> AuthorizationServer:
        """The bank's authorization server, from its checked metadata and from what its profile demands besides."""
        server = self._oauth.server(deadline=deadline)
        named = server.iss_parameter_supported or self._oauth.profile.issuer_named
        return dataclasses.replace(server, iss_parameter_supported=named)

    def post(
        self, request: BankRequest, *, psu: PsuContext | None, deadline: Deadline, access_token: str | None = None
    ) -> BankResponse:
        """Send the stored bytes, signed now: the time in a signature is that of its sending, the bytes stay the same.

        ``psu`` is None where no customer is there. Raises BankRefused for a 4xx.
        """

        def send(token: str) -> BankResponse:
            headers = {**request.headers, "x-jws-signature": self._signer.sign(request.body, now=self._clock())}
            if psu is not None:
                headers["x-fapi-customer-ip-address"] = psu.ip_address
            return self._call(request.method, request.path, headers, token=token, body=request.body, deadline=deadline)

        response = self._sent(send, access_token, deadline=deadline)
        if not response.ok:
            raise messages.refusal(response)
        self._check_signature(response)
        return response

    def get(self, path: str, *, deadline: Deadline, access_token: str | None = None) -> BankResponse | None:
        """None: the bank knows no such resource. Raises BankRefused for another 4xx."""
        return self._ask("GET", path, deadline=deadline, access_token=access_token)

    def delete(self, path: str, *, deadline: Deadline) -> None:
        """As ourselves. What the bank does not know is gone already."""
        self._ask("DELETE", path, deadline=deadline, access_token=None)

    def _ask(self, method: str, path: str, *, deadline: Deadline, access_token: str | None) -> BankResponse | None:
        def send(token: str) -> BankResponse:
            return self._call(method, path, {}, token=token, body=None, deadline=deadline)

        response = self._sent(send, access_token, deadline=deadline)
        if response.ok:
            if response.status != 204:  # an answer without a body has nothing to be signed
                self._check_signature(response)
            return response
        refused = messages.refusal(response)
        if response.status in (400, 404) and refused.code in NOT_FOUND_CODES:
            return None
        raise refused

    def _sent(
        self, send: Callable[[str], BankResponse], access_token: str | None, *, deadline: Deadline
    ) -> BankResponse:
        """With the customer's token, or as ourselves."""
        if access_token is not None:
            return send(access_token)
        return self._oauth.as_ourselves(SCOPE, send, deadline=deadline)

    def _call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        token: str,
        body: bytes | None,
        deadline: Deadline,
    ) -> BankResponse:
        """Send, and once more with a new proof where only a nonce was missing."""
        url = self._base_url + path
        interaction = str(uuid.uuid4())

        def send() -> BankResponse:
            shown = {**headers, "x-fapi-interaction-id": interaction, **self._oauth.authorization(token, method, url)}
            return self._session.call(method, url, headers=shown, body=body, deadline=deadline)

        response = send()
        if self._oauth.wants_nonce(url, response):
            response = send()
        echo = response.headers.get("x-fapi-interaction-id")
        if echo is not None and echo.lower() != interaction:
            raise BankSilent("the bank's answer carries the x-fapi-interaction-id of another call")
        if echo is None and self._echoes and response.ok and response.status != 204:
            raise BankSilent("the bank's answer carries no x-fapi-interaction-id: it may be that of another call")
        return response

    def _check_signature(self, response: BankResponse) -> None:
        if self._verifier is None:
            return
        try:
            self._verifier.verify(response.headers.get("x-jws-signature"), response.body, now=self._clock())
        except SignatureError as error:
            message = f"the bank's answer is not signed as it must be: {error}"
            raise BankSilent(message) from None


def at(path: str, *parts: str) -> str:
    """``path`` with ids and names below it; none of them can lead elsewhere."""
    return "/".join([path, *(quote(part, safe="") for part in parts)])


def request(path: str, body: bytes, *, request_id: str) -> BankRequest:
    """A POST with an idempotency key, which is ``request_id``, a UUID. Raises ValueError for another."""
    key = idempotency.key(str(uuid.UUID(request_id)))
    headers = {"x-idempotency-key": key, "Content-Type": JSON}
    return BankRequest(method="POST", path=path, headers=headers, body=body, request_id=key)


def plain_request(path: str, body: bytes, *, method: str = "POST") -> BankRequest:
    """A request that the standard gives no idempotency key."""
    return BankRequest(
        method=method, path=path, headers={"Content-Type": JSON}, body=body, request_id=str(uuid.uuid4())
    )
