"""Our OAuth 2.0 client at one bank: tokens for ourselves, and the asking for and exchange of a customer's approval.

What it does beyond RFC 6749 its security profile says (profiles.py).

Not Authlib's OAuth2Session: it would open its own connection past connectors/http.py, whose outcomes decide
whether a call may be repeated.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, import_key

from connectors.errors import BankRefused, BankSilent, BankUnavailable
from connectors.http import BankResponse, BankSession, Deadline
from connectors.security import metadata
from connectors.security.dpop import DPoP
from connectors.security.metadata import AuthorizationServer, Trust
from connectors.security.private_key_jwt import ASSERTION_TYPE, ClientKey
from connectors.security.profiles import PROFILES, Answer, Binding, ClientAuth, SecurityProfile
from connectors.security.quirks import OAuthQuirks
from connectors.security.request_object import request_object
from connectors.strict_json import NotReadable, read_object

#: a token this close to its end is not used: it could die on the way
SPARE = dt.timedelta(seconds=30)
METADATA_LIFETIME = dt.timedelta(minutes=10)
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,8192}=*")  # b64token, RFC 6750 §2.1
_REFRESH_TOKEN = re.compile(r"[\x20-\x7e]{1,8192}")  # RFC 6749, appendix A.17


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token, and what renews it, where the bank gives that. Secrets."""

    access_token: str = field(repr=False)
    expires_in_s: int | None
    refresh_token: str | None = field(default=None, repr=False)


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
        profile: SecurityProfile = PROFILES["oauth2"],
        client_auth: ClientAuth = ClientAuth.PRIVATE_KEY_JWT,
        dpop: DPoP | None = None,
        openid: bool = False,
        origins: frozenset[str] = frozenset(),
        quirks: OAuthQuirks = OAuthQuirks(),  # noqa: B008  # frozen
        token_endpoint: str | None = None,
    ) -> None:
        """``openid``: the metadata lie where OpenID Connect has them. ``origins``: where endpoints may be beside the
        issuer's host. ``token_endpoint``: the bank's file names it, since its standard has no metadata (STET): then
        there is nothing but our own tokens. ValueError for what does not go together.
        """
        if client_auth not in profile.client_auth:
            message = f"this profile does not allow {client_auth}"
            raise ValueError(message)
        if (dpop is not None) != (profile.binding is Binding.DPOP):
            raise ValueError("a key for DPoP belongs to a profile that binds tokens to one, and to no other")
        self._profile = profile
        self._client_auth = client_auth
        self._dpop = dpop
        self._openid = openid
        self._session = session
        self._issuer = issuer
        self._trust = Trust(
            issuer=issuer,
            origins=origins,
            allow_http=allow_http,
            mtls=profile.binding is Binding.MTLS or client_auth is ClientAuth.TLS,
        )
        self._quirks = quirks
        self._token_endpoint = token_endpoint
        self._client_id = client_id
        self._key = key
        self._clock = clock
        self._lock = threading.Lock()
        self._servers: dict[str, tuple[AuthorizationServer, dt.datetime]] = {}
        self._tokens: dict[str, tuple[str, dt.datetime]] = {}

    @property
    def profile(self) -> SecurityProfile:
        return self._profile

    @property
    def response_type(self) -> str:
        """What a customer's answer is to bring, in the bank's spelling."""
        return self._quirks.response_type(self._profile)

    def server(self, url: str | None = None, *, deadline: Deadline) -> AuthorizationServer:
        """The checked metadata, kept for ten minutes. ``url``: the bank names it; else the well-known one.

        As for all that moves no money, silence is told as BankUnavailable.
        """
        url = url or (metadata.openid_url if self._openid else metadata.well_known_url)(self._issuer)
        kept = self._servers.get(url)
        if kept is not None and self._clock() < kept[1]:
            return kept[0]
        with _moves_no_money("metadata"):
            server = metadata.fetch(self._session, url, trust=self._trust, deadline=deadline)
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
            token_endpoint = self._token_endpoint or self.server(deadline=deadline).token_endpoint
            with _moves_no_money("token"):
                form = {"grant_type": "client_credentials", "scope": scope}
                token = self._ask(token_endpoint, form, deadline=deadline)
            if token.expires_in_s is not None:
                until = asked_at + dt.timedelta(seconds=token.expires_in_s) - SPARE
                self._tokens[scope] = (token.access_token, until)
            return token.access_token

    def as_ourselves(
        self,
        scope: str,
        send: Callable[[str], BankResponse],
        *,
        deadline: Deadline,
        is_of_token: Callable[[BankResponse], bool] = lambda _: True,
    ) -> BankResponse:
        """``send`` with a token of our own, once more if the bank forgot it: what it refused with 401 it did not do.

        ``is_of_token``: whether a 401 is about the token, where a bank has others.
        """
        token = self.own_token(scope, deadline=deadline)
        response = send(token)
        if response.status != 401 or not is_of_token(response):
            return response
        self.forget(token)
        return send(self.own_token(scope, deadline=deadline))

    def forget(self, access_token: str) -> None:
        """Do not use this token again: the bank no longer takes it."""
        with self._lock:
            self._tokens = {scope: kept for scope, kept in self._tokens.items() if kept[0] != access_token}

    def authorise_url(self, server: AuthorizationServer, parameters: Mapping[str, Any], *, deadline: Deadline) -> str:
        """The address at the bank for the customer's browser. ``parameters`` are those of RFC 6749 §4.1.1 and PKCE, and
        ``claims`` as an object.

        Where requests are pushed the bank is called, and the address lives a minute or less: it is made when somebody
        leaves, not before. That moves no money, so silence is told as BankUnavailable.
        """
        asked: dict[str, Any] = {"response_type": self.response_type, **parameters}
        if self._profile.answer is Answer.JWT:
            asked["response_mode"] = "jwt"
        if self._quirks.without_pkce:
            asked = {name: value for name, value in asked.items() if not name.startswith("code_challenge")}
        form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in asked.items()}
        if self._profile.signed:
            # beside a signed request OpenID Connect Core §6.1 still wants two of them in the open
            shown = ("response_type", "scope", *(("state", "nonce") if self._quirks.repeated_parameters else ()))
            form = {"request": self._signed(asked), **{name: form[name] for name in shown}}
        if self._profile.pushed:
            with _moves_no_money("answer to the pushed request"):
                form = {"request_uri": self._push(server, form, deadline=deadline)}
        return with_query(server.authorization_endpoint, urlencode({"client_id": self._client_id, **form}))

    def _signed(self, asked: Mapping[str, Any]) -> str:
        return request_object(
            asked,
            client_id=self._client_id,
            audience=self._quirks.request_object_aud or self._issuer,
            key=self._key.jwk,
            kid=self._key.kid,
            now=self._clock(),
        )

    def _push(self, server: AuthorizationServer, form: Mapping[str, str], *, deadline: Deadline) -> str:
        endpoint = server.pushed_authorization_request_endpoint
        if endpoint is None:
            raise BankSilent("the bank's metadata name no place to push requests to")
        response = self._post(endpoint, form, deadline=deadline)
        if response.status != 201:
            raise _refusal(response)
        try:
            return read_object(response.body).text("request_uri")
        except NotReadable as error:
            message = f"the bank's answer to the pushed request cannot be used: {error}"
            raise BankSilent(message) from None

    def keys(self, server: AuthorizationServer, *, deadline: Deadline) -> KeySet:
        """The bank's public keys, read anew: one that it has just made must be known. Silence is BankUnavailable."""
        if server.jwks_uri is None:
            raise BankUnavailable("the bank's metadata name no keys")
        with _moves_no_money("keys"):
            response = self._session.call("GET", server.jwks_uri, headers={}, deadline=deadline)
            if not response.ok:
                raise _refusal(response)
            try:
                keys = [dict(each.members) for each in read_object(response.body).objects("keys")]
            except NotReadable as error:
                message = f"the bank's keys cannot be read: {error}"
                raise BankSilent(message) from None
            return KeySet(list(_usable(keys)))

    def authorization(self, access_token: str, method: str, url: str) -> dict[str, str]:
        """The headers that show a token to the bank's API, with a proof for this request where it is bound to a key."""
        if self._dpop is None:
            return {"Authorization": f"Bearer {access_token}"}
        proof = self._dpop.proof(method, url, now=self._clock(), access_token=access_token)
        return {"Authorization": f"DPoP {access_token}", "DPoP": proof}

    def wants_nonce(self, url: str, response: BankResponse) -> bool:
        """Whether the API refused a request for want of a nonce only, which is kept now: it did nothing."""
        return self._dpop is not None and self._dpop.take_nonce(url, response)

    def exchange(
        self,
        token_endpoint: str,
        *,
        code: str,
        code_verifier: str,
        redirect_uri: str,
        deadline: Deadline,
        scope: str | None = None,
    ) -> Token:
        """An approval for a token (RFC 6749 §4.1.3, RFC 7636 §4.5). Never repeat it after BankSilent.

        ``scope``: what was asked for. It is sent only where the bank wants it again.
        """
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        if not self._quirks.without_pkce:
            form["code_verifier"] = code_verifier
        if scope is not None and self._quirks.scope_in_code_exchange:
            form["scope"] = scope
        return self._ask(token_endpoint, form, deadline=deadline)

    def renew(self, refresh_token: str, *, deadline: Deadline) -> Token:
        """A new token for a customer's approval (RFC 6749 §6), of the same scope; in it another refresh token, where
        the bank changes them. BankRefused with the code invalid_grant: it takes this one no more.

        It moves no money, so silence is told as BankUnavailable; the same refresh token may be tried again (FAPI 2.0
        §5.3.2.1 wants a bank that changes them to bear that).
        """
        token_endpoint = self._token_endpoint or self.server(deadline=deadline).token_endpoint
        with _moves_no_money("renewed token"):
            form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
            return self._ask(token_endpoint, form, deadline=deadline)

    def _ask(self, token_endpoint: str, form: Mapping[str, str], *, deadline: Deadline) -> Token:
        response = self._post(with_query(token_endpoint, self._quirks.token_query), form, deadline=deadline)
        if not response.ok:
            raise _refusal(response)
        try:
            return _token(response.body, token_type="bearer" if self._dpop is None else "dpop")
        except NotReadable as error:
            message = f"the bank's token answer cannot be used: {error}"
            raise BankSilent(message) from None

    def _post(self, url: str, form: Mapping[str, str], *, deadline: Deadline) -> BankResponse:
        """Send with our proof of identity; once more, with new proofs, when only a nonce was missing."""
        response = self._post_once(url, form, deadline=deadline)
        if self._dpop is not None and self._dpop.take_nonce(url, response):
            response = self._post_once(url, form, deadline=deadline)
            self._dpop.take_nonce(url, response)
        return response

    def _post_once(self, url: str, form: Mapping[str, str], *, deadline: Deadline) -> BankResponse:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self._dpop is not None:
            headers["DPoP"] = self._dpop.proof("POST", url, now=self._clock())
        body = urlencode({**form, **self._proof_of_identity()}).encode()
        return self._session.call("POST", url, headers=headers, body=body, deadline=deadline)

    def _proof_of_identity(self) -> dict[str, str]:
        if self._client_auth is ClientAuth.TLS:
            return {"client_id": self._client_id}
        return {
            "client_id": self._client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._key.assertion(client_id=self._client_id, issuer=self._issuer, now=self._clock()),
        }

    @contextmanager
    def _turn(self, deadline: Deadline) -> Iterator[None]:
        """One thread asks for a token, the others wait for it no longer than they have time."""
        if not self._lock.acquire(timeout=deadline.left_s()):
            raise BankUnavailable("another thread waits for the bank's token; this call was not sent")
        try:
            yield
        finally:
            self._lock.release()


def with_query(url: str, query: str) -> str:
    """``query`` beside what the address may have already."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, query)))))


@contextmanager
def _moves_no_money(what: str) -> Iterator[None]:
    try:
        yield
    except BankSilent as error:
        message = f"no {what} from the bank, so that the call itself was not sent: {error}"
        raise BankUnavailable(message) from error


def _usable(keys: Iterable[Mapping[str, Any]]) -> Iterator[Key]:
    """Those that may sign. One of a kind that we do not know is no reason to know none of them."""
    for key in keys:
        if key.get("use", "sig") == "sig":
            with suppress(JoseError, ValueError, TypeError, KeyError):
                yield import_key(dict(key))


def _token(body: bytes, *, token_type: str) -> Token:
    """RFC 6749 §5.1. A token that is not bound as it should be is refused: it would be of use to a thief."""
    answer = read_object(body)
    access_token = answer.text("access_token")
    if answer.text("token_type").lower() != token_type or _TOKEN.fullmatch(access_token) is None:
        message = f"it is not a token of the type {token_type}"
        raise NotReadable(message)
    expires_in = answer.members.get("expires_in")
    known = isinstance(expires_in, int) and not isinstance(expires_in, bool) and 0 < expires_in < 10**9
    refresh_token = answer.members.get("refresh_token")
    usable = isinstance(refresh_token, str) and _REFRESH_TOKEN.fullmatch(refresh_token) is not None
    return Token(
        access_token=access_token,
        expires_in_s=expires_in if known else None,
        refresh_token=refresh_token if usable else None,
    )


def _refusal(response: BankResponse) -> BankRefused:
    """RFC 6749 §5.2."""
    try:
        code = read_object(response.body).text("error")
    except NotReadable:
        code = f"http_{response.status}"
    message = f"the bank refused a token: {code[:100]}"
    return BankRefused(message, code=code[:100], http_status=response.status)
