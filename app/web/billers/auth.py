"""Who is calling the API, and may they do this? The access token check (RFC 9068 §4, RFC 6750) and the door's guard.

Authlib's own validator is not used: it takes tokens without ``typ`` and an ``aud`` among others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from flask import Flask, Request, current_app, g, request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from app.journey.intake.service import ClientIdentity
from app.people.clients import client_of
from app.web.billers.problems import Problem
from app.web.context import services

API_PATH = "/api/v1"
ACCESS_TOKEN_TYPE = "at+jwt"  # noqa: S105 (RFC 9068 §2.1)
ACCESS_TOKEN_ALGORITHM = "ES256"  # noqa: S105
REALM = "quittance-billers"
#: the only endpoints of the door that answer without a token
PUBLIC = frozenset({"billers_oauth.token", "billers_oauth.jwks", "billers_oauth.metadata", "billers_docs.openapi"})

_KEY = "quittance_oauth_key"
_B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]{1,4000}=*")  # RFC 6750 §2.1


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the Authorization header holds. ``scheme`` is in lower case."""

    scheme: str
    unverified_token: str


@dataclass(frozen=True, slots=True)
class Access:
    """A checked token: whose it is and what it grants now."""

    client: ClientIdentity
    scopes: frozenset[str]


def audience() -> str:
    """The API as the resource that tokens are for (RFC 9068 §3)."""
    return services().settings.base_url + API_PATH


def register(app: Flask) -> None:
    """Read the signing key once; services must be in place."""
    app.extensions[_KEY] = ECKey.import_key(app.extensions["quittance"].keys.oauth)


def signing_key() -> ECKey:
    """The key that signs access tokens, and checks them."""
    key: ECKey = current_app.extensions[_KEY]
    return key


def current_client() -> ClientIdentity:
    """The biller's program that is calling. Only behind the guard."""
    client: ClientIdentity = g.biller_client
    return client


def client_id() -> str:
    """Of the same: what its limits are counted by."""
    return current_client().client_id


def guard() -> None:
    """Before every request of the door's blueprints: no token, no entry; no scope, no operation.

    An operation that names no scope is shut: forgetting one must not open it.
    """
    if request.endpoint in PUBLIC:
        return
    access = check_access(request)
    needed = getattr(current_app.view_functions[str(request.endpoint)], "scope", None)
    if needed is None or needed not in access.scopes:
        raise _insufficient_scope(needed)
    g.biller_client = access.client


def check_access(request: Request) -> Access:
    """All that must be true of a caller. Raises Problem 401.

    DPoP (RFC 9449 §7) will be a second scheme beside Bearer: its proof is checked here, after the token, against
    the token's ``cnf``; and at the token endpoint before the assertion is used up.
    """
    credentials = read_credentials(request)
    if credentials.scheme != "bearer":
        raise _invalid_token("Send the access token as Authorization: Bearer.")
    claims = check_token(credentials.unverified_token)
    if "cnf" in claims:
        # a token that is bound to a key is worth nothing without the proof (RFC 9449 §7.2): never a plain bearer
        raise _invalid_token("This token is bound to a key and needs its proof.")
    with services().reading() as uow:
        client = client_of(uow.session, claims["client_id"])
    if client is None:
        raise _invalid_token("This client may no longer call us.")
    # what was taken away from the client is gone at once, not when the token ends
    scopes = frozenset(claims["scope"].split()) & frozenset(client.scope.split())
    return Access(ClientIdentity(client_id=client.client_id, biller_id=client.biller_id), scopes)


def read_credentials(request: Request) -> Credentials:
    """The one Authorization header. A token anywhere else (query, form) is not looked at (RFC 9700 §4.3.2)."""
    header = request.headers.get("Authorization")
    if header is None:
        # RFC 6750 §3.1: without credentials no error code
        raise Problem(401, "no-token", "Send an access token.", headers={"WWW-Authenticate": f'Bearer realm="{REALM}"'})
    scheme, _, token = header.partition(" ")
    if _B64TOKEN.fullmatch(token) is None:
        raise _invalid_token("The Authorization header is not a scheme and one token.")
    return Credentials(scheme.lower(), token)


def check_token(unverified_token: str) -> dict[str, Any]:
    """Signature, type and claims of an access token of ours (RFC 9068 §4). Returns its claims."""
    try:
        token = jwt.decode(unverified_token, signing_key(), algorithms=[ACCESS_TOKEN_ALGORITHM])
    except (JoseError, ValueError, TypeError) as error:
        raise _invalid_token("This is not an access token of ours.") from error
    claims = token.claims
    # an unchecked typ would let any other JWT that we sign pass as an access token
    right = (
        str(token.header.get("typ")).lower() == ACCESS_TOKEN_TYPE
        and claims.get("iss") == services().settings.issuer
        and claims.get("aud") == audience()  # one string: a list with others' names is refused
        and type(claims.get("exp")) is int
        and all(isinstance(claims.get(name), str) for name in ("client_id", "scope", "jti"))
        and claims.get("sub") == claims.get("client_id")
    )
    if not right:
        raise _invalid_token("This token is not for this API.")
    if claims["exp"] <= services().clock().timestamp():
        raise _invalid_token("The token has expired: get a new one.")
    return claims


def _invalid_token(detail: str) -> Problem:
    challenge = f'Bearer realm="{REALM}", error="invalid_token", error_description="{detail}"'
    return Problem(401, "invalid-token", detail, headers={"WWW-Authenticate": challenge})


def _insufficient_scope(needed: str | None) -> Problem:
    wanted = f', scope="{needed}"' if needed else ""
    return Problem(
        403,
        "insufficient-scope",
        f"This operation needs the scope {needed}." if needed else "No client may do this.",
        headers={"WWW-Authenticate": f'Bearer realm="{REALM}", error="insufficient_scope"{wanted}'},
    )
