"""Our OAuth 2.0 client at one bank: tokens for ourselves, and the exchange of a customer's approval.

Not Authlib's OAuth2Session: it would open its own connection past connectors/http.py, whose outcomes decide
whether a call may be repeated.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

from connectors.errors import BankRefused, BankSilent, BankUnavailable
from connectors.http import BankResponse, BankSession, Deadline
from connectors.security import metadata
from connectors.security.metadata import AuthorizationServer
from connectors.security.private_key_jwt import ASSERTION_TYPE, ClientKey
from connectors.strict_json import NotReadable, read_object

#: a token this close to its end is not used: it could die on the way
SPARE = dt.timedelta(seconds=30)
METADATA_LIFETIME = dt.timedelta(minutes=10)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,8192}=*")  # b64token, RFC 6750 §2.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token. A secret."""

    access_token: str = field(repr=False)
    expires_in_s: int | None


class OAuthClient:
    """One client identity at one issuer. Safe for many threads; its tokens live in memory only."""

    def __init__(
        self,
        session: BankSession,
        *,
        issuer: str,
        client_id: str,
        key: ClientKey,
        allow_http: bool,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._session = session
        self._issuer = issuer
        self._client_id = client_id
        self._key = key
        self._allow_http = allow_http
        self._clock = clock
        self._lock = threading.Lock()
        self._servers: dict[str, tuple[AuthorizationServer, dt.datetime]] = {}
        self._tokens: dict[str, tuple[str, dt.datetime]] = {}

    def server(self, url: str | None = None, *, deadline: Deadline) -> AuthorizationServer:
        """The checked metadata, kept for ten minutes. ``url``: the bank names it; else the well-known one.

        As for all that moves no money, silence is told as BankUnavailable.
        """
        url = url or metadata.well_known_url(self._issuer)
        kept = self._servers.get(url)
        if kept is not None and self._clock() < kept[1]:
            return kept[0]
        with _moves_no_money("metadata"):
            server = metadata.fetch(
                self._session, url, issuer=self._issuer, allow_http=self._allow_http, deadline=deadline
            )
        # only one address is kept, so that a bank that names a new one each time cannot fill the memory
        self._servers = {url: (server, self._clock() + METADATA_LIFETIME)}
        return server

    def own_token(self, scope: str, *, deadline: Deadline) -> str:
        """A token for ourselves (client_credentials, RFC 6749 §4.4), kept until 30 s before its end."""
        with self._turn(deadline):
            kept = self._tokens.get(scope)
            if kept is not None and self._clock() < kept[1]:
                return kept[0]
            asked_at = self._clock()
            token_endpoint = self.server(deadline=deadline).token_endpoint
            with _moves_no_money("token"):
                form = {"grant_type": "client_credentials", "scope": scope}
                token = self._ask(token_endpoint, form, deadline=deadline)
            if token.expires_in_s is not None:
                until = asked_at + dt.timedelta(seconds=token.expires_in_s) - SPARE
                self._tokens[scope] = (token.access_token, until)
            return token.access_token

    def forget(self, access_token: str) -> None:
        """Do not use this token again: the bank no longer takes it."""
        with self._lock:
            self._tokens = {scope: kept for scope, kept in self._tokens.items() if kept[0] != access_token}

    def exchange(
        self, token_endpoint: str, *, code: str, code_verifier: str, redirect_uri: str, deadline: Deadline
    ) -> Token:
        """An approval for a token (RFC 6749 §4.1.3, RFC 7636 §4.5). Never repeat it after BankSilent."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": code_verifier,
            "redirect_uri": redirect_uri,
        }
        return self._ask(token_endpoint, form, deadline=deadline)

    def _ask(self, token_endpoint: str, form: Mapping[str, str], *, deadline: Deadline) -> Token:
        proof = {
            "client_id": self._client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._key.assertion(client_id=self._client_id, issuer=self._issuer, now=self._clock()),
        }
        response = self._session.call(
            "POST",
            token_endpoint,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode({**form, **proof}).encode(),
            deadline=deadline,
        )
        if not response.ok:
            raise _refusal(response)
        try:
            return _token(response.body)
        except NotReadable as error:
            message = f"the bank's token answer cannot be used: {error}"
            raise BankSilent(message) from None

    @contextmanager
    def _turn(self, deadline: Deadline) -> Iterator[None]:
        """One thread asks for a token, the others wait for it no longer than they have time."""
        if not self._lock.acquire(timeout=deadline.left_s()):
            raise BankUnavailable("another thread waits for the bank's token; this call was not sent")
        try:
            yield
        finally:
            self._lock.release()


@contextmanager
def _moves_no_money(what: str) -> Iterator[None]:
    try:
        yield
    except BankSilent as error:
        message = f"no {what} from the bank, so that the call itself was not sent: {error}"
        raise BankUnavailable(message) from error


def _token(body: bytes) -> Token:
    """RFC 6749 §5.1."""
    answer = read_object(body)
    access_token = answer.text("access_token")
    if answer.text("token_type").lower() != "bearer" or _TOKEN.fullmatch(access_token) is None:
        raise NotReadable("it is not a bearer token")
    expires_in = answer.members.get("expires_in")
    known = isinstance(expires_in, int) and not isinstance(expires_in, bool) and 0 < expires_in < 10**9
    return Token(access_token=access_token, expires_in_s=expires_in if known else None)


def _refusal(response: BankResponse) -> BankRefused:
    """RFC 6749 §5.2."""
    try:
        code = read_object(response.body).text("error")
    except NotReadable:
        code = f"http_{response.status}"
    message = f"the bank refused a token: {code[:100]}"
    return BankRefused(message, code=code[:100], http_status=response.status)
