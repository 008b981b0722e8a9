"""The authorisation server for billers: client_credentials with private_key_jwt, and nothing else.

Authlib routes the request and words the errors; what it leaves open is closed here, line by line: the assertion's
algorithms, ``aud`` as one string, a ceiling for ``exp``, one use per ``jti``, five-minute ``at+jwt`` tokens.
Errors at the token endpoint are those of RFC 6749 §5.2. ``invalid_client`` is a 400: there is no HTTP
authentication scheme that a 401 could name.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
import secrets
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.integrations.flask_oauth2.requests import FlaskOAuth2Payload, FlaskOAuth2Request
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError, OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from flask import Blueprint, Flask, Request, Response, current_app, jsonify, request
from joserfc import jwt
from joserfc.errors import BadSignatureError, InvalidKeyIdError, JoseError, UnsupportedAlgorithmError
from joserfc.jwk import KeySet
from werkzeug.datastructures import MultiDict

from app.people.clients import ASSERTION_ALGORITHMS, SCOPES, client_of, use_assertion_once
from app.people.models import ApiClient
from app.web.billers.auth import ACCESS_TOKEN_ALGORITHM, ACCESS_TOKEN_TYPE, audience, signing_key
from app.web.billers.limits import TOKEN_LIMIT, TOKEN_REQUEST_BYTES_MAX, limiter
from app.web.billers.problems import Problem
from app.web.context import services

METHOD = "private_key_jwt"
GRANT = "client_credentials"
TOKEN_LIFE_S = 300
#: an assertion may not be good for longer: its jti must be remembered that long
ASSERTION_LIFE_MAX_S = 360
#: clocks differ
LEEWAY_S = 10
#: types a client assertion may say it has (the second: draft-ietf-oauth-rfc7523bis); an access token's is not one
_ASSERTION_TYPES = frozenset({"jwt", "client-authentication+jwt"})
_JTI = re.compile(r"[\x20-\x7e]{1,255}")
_SERVER = "quittance_oauth_server"
_FORM = "application/x-www-form-urlencoded"

blueprint = Blueprint("billers_oauth", __name__)


@blueprint.post("/oauth2/token", provide_automatic_options=False)
@limiter.limit(TOKEN_LIMIT)
def token() -> Response:
    """An access token for a signed client assertion (RFC 6749 §4.4, RFC 7523 §2.2)."""
    request.max_content_length = TOKEN_REQUEST_BYTES_MAX
    server = current_app.extensions[_SERVER]
    if request.mimetype != _FORM:
        raise Problem(415, "media-type", f"Send the parameters as {_FORM}.")
    try:
        _plain_parameters()
    except OAuth2Error as error:
        refused: Response = server.handle_error_response(None, error)
        return refused
    # a DPoP proof will be checked here, before the assertion's jti is used up: a client retries with our nonce
    answer: Response = server.create_token_response()
    return answer


@blueprint.get("/oauth2/jwks", provide_automatic_options=False)
def jwks() -> Response:
    """The public key of our access tokens (RFC 7517 §5)."""
    return _cacheable(jsonify({"keys": [signing_key().as_dict(private=False)]}))


@blueprint.get("/.well-known/oauth-authorization-server", provide_automatic_options=False)
def metadata() -> Response:
    """What this server can do (RFC 8414 §2)."""
    issuer = services().settings.issuer
    return _cacheable(
        jsonify(
            {
                "issuer": issuer,
                "token_endpoint": f"{issuer}/oauth2/token",
                "jwks_uri": f"{issuer}/oauth2/jwks",
                "scopes_supported": list(SCOPES),
                "response_types_supported": [],  # required by the RFC; there is no authorisation endpoint
                "grant_types_supported": [GRANT],
                "token_endpoint_auth_methods_supported": [METHOD],
                "token_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
            }
        )
    )


def register(app: Flask) -> None:
    """Make the server for this application."""
    # Authlib writes whole tokens into its debug lines
    logging.getLogger("authlib").setLevel(logging.INFO)
    server = _Server(app, query_client=_client, save_token=_keep_no_token)
    # its default life of a client_credentials token is ten days
    server.register_token_generator("default", BearerTokenGenerator(_sign_access_token, expires_generator=_life))
    server.register_client_auth_method(METHOD, _PrivateKeyJwt())
    server.register_grant(_ClientCredentials)
    app.extensions[_SERVER] = server


class _Server(AuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    def create_oauth2_request(self, _: object) -> _TokenRequest:
        return _TokenRequest(request)


class _FormOnly(FlaskOAuth2Payload):  # type: ignore[misc]
    """Parameters come from the body: an address ends up in logs (RFC 6749 §3.2)."""

    @property
    def data(self) -> MultiDict[str, str]:
        form: MultiDict[str, str] = self._request.form
        return form


class _TokenRequest(FlaskOAuth2Request):  # type: ignore[misc]
    """The request at the address that the settings give us, not at the one a Host header claims.

    Authlib insists on https there. Settings has seen to that already (https, or loopback in the demo), so there is
    nothing to switch off, and a proxy that ends TLS needs no exception.
    """

    def __init__(self, request: Request) -> None:
        uri = services().settings.issuer + request.path
        OAuth2Request.__init__(self, method=request.method, uri=uri, headers=request.headers)
        self._request = request
        self.payload = _FormOnly(request)


class _ClientCredentials(ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = (METHOD,)


class _KnownClient:
    """What Authlib wants to know about a client of ours."""

    def __init__(self, row: ApiClient) -> None:
        self.client_id = row.client_id
        self.jwks = row.jwks
        self.scope = row.scope

    def get_client_id(self) -> str:
        return self.client_id

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """The scopes that were asked for, all of them when none was; None (refused) when one is not granted."""
        granted = self.scope.split()
        wanted = (scope or "").split() or granted
        return " ".join(name for name in granted if name in wanted) if set(wanted) <= set(granted) else None

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return (method, endpoint) == (METHOD, "token")

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == GRANT


class _PrivateKeyJwt(JWTBearerClientAssertion):  # type: ignore[misc]
    """RFC 7523 §3, as FAPI 2.0 §5.3.2.1 narrows it."""

    CLIENT_AUTH_METHOD = METHOD  # Authlib's own name for it is not the registered one

    def extract_assertion(self, assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The claims before anything is verified, to find the client. Whatever the bytes are, never a crash."""
        try:
            unverified_header, unverified_claims = super().extract_assertion(assertion)
        except (ValueError, TypeError, RecursionError) as error:
            raise InvalidClientError(description="The assertion is not a signed JWT.") from error
        return unverified_header, unverified_claims

    def resolve_client_public_key(self, client: _KnownClient) -> KeySet:
        """Only keys that were registered: a jwk, jku or x5u in the header counts for nothing."""
        return KeySet.import_key_set(client.jwks)  # type: ignore[arg-type]  # joserfc wants its own TypedDict

    def process_assertion_claims(self, assertion: str, key: KeySet) -> dict[str, Any]:
        """Signature and claims. Authlib pins no algorithm and reads the system's clock, so both are ours."""
        verified = _verify(assertion, key)
        now = services().clock()
        _check_claims(verified.claims, now=int(now.timestamp()))
        if request.form.get("client_id", verified.claims["sub"]) != verified.claims["sub"]:
            raise InvalidClientError(description="client_id and the assertion name different clients.")
        _use_once(verified.claims)
        return verified.claims


def _verify(assertion: str, key: KeySet) -> jwt.Token:
    """Texts are fixed: an OAuth error may only hold some of ASCII, and an algorithm's name comes from outside."""
    try:
        verified = jwt.decode(assertion, key, algorithms=ASSERTION_ALGORITHMS)
    except BadSignatureError as error:
        raise InvalidClientError(description="The signature does not fit the registered key.") from error
    except UnsupportedAlgorithmError as error:
        raise InvalidClientError(description=f"Sign with {' or '.join(ASSERTION_ALGORITHMS)}.") from error
    except InvalidKeyIdError as error:
        raise InvalidClientError(description="No registered key has this kid.") from error
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise InvalidClientError(description="The assertion is not a signed JWT for a registered key.") from error
    if str(verified.header.get("typ", "JWT")).lower() not in _ASSERTION_TYPES:
        raise InvalidClientError(description="This is a JWT of another type, not a client assertion.")
    return verified


def _check_claims(claims: dict[str, Any], *, now: int) -> None:
    issuer = services().settings.issuer
    if claims.get("iss") != claims.get("sub"):
        raise InvalidClientError(description="iss and sub must both be the client_id.")
    if claims.get("aud") != issuer:  # a list is refused too: who else is it for?
        raise InvalidClientError(description=f"aud must be one string: {issuer}")
    for name in ("exp", "iat", "nbf"):
        # NaN is a number to Python's JSON reader, and neither early nor late; True is 1
        if type(claims.get(name, now)) is not int:
            raise InvalidClientError(description=f"{name} must be a whole number of seconds.")
    if "exp" not in claims:
        raise InvalidClientError(description="exp is missing.")
    if claims["exp"] <= now - LEEWAY_S:
        raise InvalidClientError(description="The assertion has expired.")
    if claims["exp"] > now + ASSERTION_LIFE_MAX_S:
        raise InvalidClientError(description=f"exp is more than {ASSERTION_LIFE_MAX_S} seconds ahead.")
    if max(claims.get("iat", now), claims.get("nbf", now)) > now + LEEWAY_S:
        raise InvalidClientError(description="The assertion is not valid yet: is your clock right?")
    if not isinstance(claims.get("jti"), str) or _JTI.fullmatch(claims["jti"]) is None:
        raise InvalidClientError(description="jti must be 1 to 255 ASCII characters.")


def _use_once(claims: dict[str, Any]) -> None:
    """Only after everything else was right, or anybody could use up a client's jti."""
    expires_at = dt.datetime.fromtimestamp(claims["exp"] + LEEWAY_S + 1, dt.UTC)
    with services().unit_of_work() as uow:
        first = use_assertion_once(uow.session, client_id=claims["sub"], jti=claims["jti"], expires_at=expires_at)
        uow.commit()
    if not first:
        raise InvalidClientError(description="This assertion was used before: sign a new one.")


def _sign_access_token(*, client: _KnownClient, grant_type: str, user: None, scope: str) -> str:  # noqa: ARG001
    """A JWT access token (RFC 9068 §2). Authlib's generator signs with any algorithm and reads the system's clock."""
    now = int(services().clock().timestamp())
    key = signing_key()
    claims = {
        "iss": services().settings.issuer,
        "aud": audience(),
        "sub": client.client_id,
        "client_id": client.client_id,
        "scope": scope,
        "iat": now,
        "exp": now + TOKEN_LIFE_S,
        "jti": secrets.token_urlsafe(16),
    }
    header = {"alg": ACCESS_TOKEN_ALGORITHM, "typ": ACCESS_TOKEN_TYPE, "kid": key.kid}
    return jwt.encode(header, claims, key, algorithms=[ACCESS_TOKEN_ALGORITHM])


def _life(client: _KnownClient, grant_type: str) -> int:  # noqa: ARG001
    return TOKEN_LIFE_S


def _client(client_id: str) -> _KnownClient | None:
    with services().reading() as uow:
        row = client_of(uow.session, client_id)
    return None if row is None else _KnownClient(row)


def _keep_no_token(token: dict[str, Any], request: object) -> None:
    """Nothing to keep: a token says everything itself, and the client's row is looked at on every call."""


def _plain_parameters() -> None:
    """RFC 6749 §3.2: no parameter twice, none in the address; §2.3: one way to authenticate."""
    if request.args:
        raise InvalidRequestError("Send the parameters in the body, not in the address.")
    repeated = [name for name, values in request.form.lists() if len(values) > 1]
    if repeated:
        raise InvalidRequestError("A parameter is there twice.")
    if not request.form.get("grant_type"):
        raise InvalidRequestError("grant_type is missing.")
    if "Authorization" in request.headers or "client_secret" in request.form:
        raise InvalidClientError(description=f"Authenticate with {METHOD} alone.")


def _cacheable(response: Response) -> Response:
    response.headers["Cache-Control"] = "public, max-age=300"
    return response
