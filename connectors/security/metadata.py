"""What an authorization server says of itself (RFC 8414), believed only where it fits the bank's profile.

Not Authlib's AuthorizationServerMetadata: it knows https only, and neither compares the issuer with the one
expected nor the hosts of the endpoints with the issuer's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from connectors.errors import BankRefused, BankSilent
from connectors.http import BankSession, Deadline, check_scheme
from connectors.strict_json import JsonObject, NotReadable, read_object

_WELL_KNOWN = "/.well-known/oauth-authorization-server"
_OPENID = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationServer:
    """The checked part of the metadata that we use."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    #: RFC 9207: every answer in the browser names the issuer; one that does not is forged
    iss_parameter_supported: bool
    pushed_authorization_request_endpoint: str | None = None  #: RFC 9126
    jwks_uri: str | None = None  #: the keys that sign its answers
    registration_endpoint: str | None = None  #: RFC 7591
    #: what it says it can do (``…_supported``), by that name; what it does not say is absent
    supported: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What metadata must say to be believed."""

    issuer: str
    origins: frozenset[str]  #: host, and port where it is not the usual one: where endpoints may be beside the issuer's
    allow_http: bool
    mtls: bool = False  #: we come with a certificate: of two addresses take the one for that (RFC 8705 §5)


def well_known_url(issuer: str) -> str:
    """Where the metadata of ``issuer`` lies: the well-known part goes before the issuer's own path (§3.1)."""
    parts = urlsplit(issuer)
    return urlunsplit((parts.scheme, parts.netloc, _WELL_KNOWN + parts.path.rstrip("/"), "", ""))


def openid_url(issuer: str) -> str:
    """Where OpenID Connect Discovery §4 has them: the well-known part goes after the issuer's own path."""
    return issuer.rstrip("/") + _OPENID


def same_origin(url: str, other: str) -> bool:
    """Whether both addresses lead to the same scheme, host and port."""
    one, two = urlsplit(url), urlsplit(other)
    return (one.scheme, one.netloc) == (two.scheme, two.netloc)


def fetch(session: BankSession, url: str, *, trust: Trust, deadline: Deadline) -> AuthorizationServer:
    """Read and check the metadata at ``url``, which must be on the issuer's host.

    Raises BankSilent for metadata that do not fit: to believe them would send codes and assertions elsewhere
    (mix-up, RFC 8414 §3.3 and §6.2); BankRefused for a 4xx.
    """
    if not same_origin(url, trust.issuer):
        raise BankSilent("the bank names OAuth metadata on a host that is not its issuer's")
    response = session.call("GET", url, headers={}, deadline=deadline)
    if not response.ok:
        message = f"the bank does not give its OAuth metadata ({response.status})"
        raise BankRefused(message, code="no_metadata", http_status=response.status)
    try:
        return _checked(read_object(response.body), trust)
    except NotReadable as error:
        message = f"the bank's OAuth metadata cannot be used: {error}"
        raise BankSilent(message) from None


def _checked(said: JsonObject, trust: Trust) -> AuthorizationServer:
    if said.text("issuer") != trust.issuer:
        raise NotReadable("issuer is not the one in the bank's profile")
    aliases = said.object("mtls_endpoint_aliases") if trust.mtls else JsonObject({})

    def optional(name: str) -> str | None:
        url = aliases.text_or_none(name) or said.text_or_none(name)
        return None if url is None else _endpoint(name, url, trust)

    return AuthorizationServer(
        issuer=trust.issuer,
        authorization_endpoint=_endpoint("authorization_endpoint", said.text("authorization_endpoint"), trust),
        token_endpoint=_endpoint(
            "token_endpoint", aliases.text_or_none("token_endpoint") or said.text("token_endpoint"), trust
        ),
        iss_parameter_supported=said.flag("authorization_response_iss_parameter_supported"),
        pushed_authorization_request_endpoint=optional("pushed_authorization_request_endpoint"),
        jwks_uri=optional("jwks_uri"),
        registration_endpoint=optional("registration_endpoint"),
        supported={
            name: _texts(value)
            for name, value in said.members.items()
            if name.endswith("_supported") and isinstance(value, list)
        },
    )


def _endpoint(name: str, url: str, trust: Trust) -> str:
    try:
        check_scheme(url, allow_http=trust.allow_http)
    except ValueError:
        message = f"{name}: an endpoint is not an https address"
        raise NotReadable(message) from None
    named = urlsplit(url).netloc in trust.origins and urlsplit(url).scheme == urlsplit(trust.issuer).scheme
    if not (same_origin(url, trust.issuer) or named) or urlsplit(url).fragment:
        message = f"{name}: an endpoint is not on the issuer's host, nor on one that the bank's file names"
        raise NotReadable(message)
    return url


def _texts(values: list[Any]) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str))
