"""What an authorization server says of itself (RFC 8414), believed only where it fits the bank's profile.

Not Authlib's AuthorizationServerMetadata: it knows https only, and neither compares the issuer with the one
expected nor the hosts of the endpoints with the issuer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from connectors.errors import BankRefused, BankSilent
from connectors.http import BankSession, Deadline, check_scheme
from connectors.strict_json import NotReadable, read_object

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


def fetch(session: BankSession, url: str, *, issuer: str, allow_http: bool, deadline: Deadline) -> AuthorizationServer:
    """Read and check the metadata at ``url``, which must be on the issuer's host.

    Raises BankSilent for metadata that do not fit: to believe them would send codes and assertions elsewhere
    (mix-up, RFC 8414 §3.3 and §6.2); BankRefused for a 4xx.
    """
    if not same_origin(url, issuer):
        raise BankSilent("the bank names OAuth metadata on a host that is not its issuer's")
    response = session.call("GET", url, headers={}, deadline=deadline)
    if not response.ok:
        message = f"the bank does not give its OAuth metadata ({response.status})"
        raise BankRefused(message, code="no_metadata", http_status=response.status)
    try:
        return _checked(response.body, issuer=issuer, allow_http=allow_http)
    except NotReadable as error:
        message = f"the bank's OAuth metadata cannot be used: {error}"
        raise BankSilent(message) from None


def _checked(body: bytes, *, issuer: str, allow_http: bool) -> AuthorizationServer:
    answer = read_object(body)
    if answer.text("issuer") != issuer:
        raise NotReadable("issuer is not the one in the bank's profile")
    return AuthorizationServer(
        issuer=issuer,
        authorization_endpoint=_endpoint(answer.text("authorization_endpoint"), issuer, allow_http=allow_http),
        token_endpoint=_endpoint(answer.text("token_endpoint"), issuer, allow_http=allow_http),
        iss_parameter_supported=answer.flag("authorization_response_iss_parameter_supported"),
        pushed_authorization_request_endpoint=_optional(
            answer.text_or_none("pushed_authorization_request_endpoint"), issuer, allow_http=allow_http
        ),
        jwks_uri=_optional(answer.text_or_none("jwks_uri"), issuer, allow_http=allow_http),
    )


def _optional(url: str | None, issuer: str, *, allow_http: bool) -> str | None:
    return None if url is None else _endpoint(url, issuer, allow_http=allow_http)


def _endpoint(url: str, issuer: str, *, allow_http: bool) -> str:
    try:
        check_scheme(url, allow_http=allow_http)
    except ValueError:
        raise NotReadable("an endpoint is not an https address") from None
    if not same_origin(url, issuer) or urlsplit(url).fragment:
        raise NotReadable("an endpoint is not on the issuer's host")
    return url
