"""The API of version 1 as a whole: its blueprint, guard and description, and what every operation has in common."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import marshmallow as ma
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Blueprint, Response, current_app, request
from flask_smorest import Blueprint as DescribedBlueprint

from app.errors import AppError, FieldError
from app.people.clients import SCOPES
from app.web.billers import auth
from app.web.billers.problems import (
    PROBLEM,
    STATUSES,
    URN,
    Problem,
    ProblemApi,
    answer_app_error,
    answer_http_error,
    surprise,
)
from app.web.billers.schemas import Amount, ProblemSchema

OPENAPI_VERSION = "3.1.1"
SECURITY = "biller"

#: what can go wrong, for the description: status -> (what, an example of code and detail)
REFUSALS = {
    400: ("The body ended too soon", "incomplete", "A file of bills ended before its Content-Length: send it again."),
    401: ("No valid access token", "invalid-token", "The token has expired: get a new one."),
    403: ("The token lacks the scope", "insufficient-scope", "This operation needs the scope bills:write."),
    404: ("It does not exist, or is not yours", "not-found", "There is no such bill."),
    409: (
        "It does not fit what is already there",
        "number-used",
        "You delivered a bill with this number before.",
    ),
    411: ("The length of the body is not said", "length-required", "A file needs its Content-Length."),
    413: ("The body is too large", "too-large", "A bill has at most 10485760 bytes."),
    415: ("Not a format that we read", "media-type", "Send application/json or application/xml."),
    422: (
        "The request is wrong; the answer says where",
        "not-connected",
        "… is not the address of a connected customer.",
    ),
    429: ("Too many requests", "too-many-requests", "Too many requests: wait as long as Retry-After says."),
}


#: a view function of this API
View = TypeVar("View", bound=Callable[..., Any])


blueprint = DescribedBlueprint("billers", __name__, url_prefix=auth.API_PATH)
#: its own blueprint, because it is public and describes itself nowhere
docs = Blueprint("billers_docs", __name__, url_prefix=auth.API_PATH)


def operation(
    rule: str,
    *,
    method: str,
    scope: str,
    tag: str,
    answer: tuple[int, type[ma.Schema]],
    refusals: Collection[int] = (),
    query: Collection[str] = (),
    path: Mapping[str, str] | None = None,
    **described: Any,
) -> Callable[[View], View]:
    """Everything that must not be forgotten with an operation: scope, schema of the answer, refusals, no stray query.

    ``query`` names the parameters it knows, ``path`` the pattern of each path parameter, ``described`` goes into the
    description as it stands.
    """

    def decorate(view: View) -> View:
        described_view = blueprint.response(answer[0], answer[1])(_strict_query(view, known=frozenset(query)))
        for status in sorted({401, 403, *refusals}):
            described_view = blueprint.alt_response(status, **_refusal(status))(described_view)
        described_view = blueprint.doc(security=[{SECURITY: [scope]}], **described)(described_view)
        described_view.scope = scope
        described_view.provide_automatic_options = False  # only declared methods (ASVS 4.1.4)
        parameters = [_path_parameter(name, pattern) for name, pattern in (path or {}).items()]
        blueprint.route(rule, methods=[method], tags=[tag], parameters=parameters)(described_view)
        return view

    return decorate


@docs.get("/openapi.json", provide_automatic_options=False)
def openapi() -> Response:
    """The description of this API (OpenAPI 3.1)."""
    answer = Response(_description(), mimetype="application/json")
    answer.headers["Cache-Control"] = "public, max-age=300"
    return answer


@functools.cache
def _description() -> str:
    """All operations that were declared. Made when first asked for: that takes as long as all else at a start."""
    api = ProblemApi(
        current_app,
        config_prefix="BILLERS",
        spec_kwargs={
            "title": "Quittance for billers",
            "version": "1",
            "openapi_version": OPENAPI_VERSION,
            "info": {"description": _ABOUT},
            "servers": [{"url": "/"}],
            "tags": [
                {"name": "Connections", "description": "Who accepted you, and who asks to be billed here."},
                {"name": "Bills", "description": "Bills into your customers' spaces."},
                {
                    "name": "Answers",
                    "description": "What your customers say of them instead of paying, and your reply.",
                },
                {
                    "name": "Refunds",
                    "description": "What you give back, and what your customers say of it.",
                },
                {"name": "Uploads", "description": "Many bills in one file."},
                {"name": "Payments", "description": "What became of them."},
            ],
        },
    )
    api.register_field(Amount, "string", None)
    api.ma_plugin.converter.add_attribute_function(_amount_pattern)
    api.spec.components.security_scheme(SECURITY, _security_scheme())
    blueprint.register_views_in_doc(api, current_app, api.spec, name=blueprint.name, parameters=None)
    return json.dumps(api.spec.to_dict(), indent=2)


def protect(door: Blueprint) -> None:
    """The guard, our own errors and our headers on a blueprint of this door. Once, before it is registered."""
    door.before_request(auth.guard)
    door.register_error_handler(AppError, answer_app_error)
    for status in STATUSES:
        # by status: a page that the application has for all 404 would win over a handler by class
        door.register_error_handler(status, answer_http_error)
    door.register_error_handler(Problem, answer_http_error)
    door.register_error_handler(Exception, surprise)
    door.after_request(_headers)


def _headers(answer: Response) -> Response:
    answer.headers.setdefault("Cache-Control", "no-store")
    answer.headers.setdefault("X-Content-Type-Options", "nosniff")
    return answer


def _strict_query(view: Callable[..., Any], *, known: frozenset[str]) -> Callable[..., Any]:
    """A parameter that we do not know, or that is there twice, is a misunderstanding about a bill: refuse it."""

    @functools.wraps(view)
    def checked(**path: str) -> Any:
        for name, values in request.args.lists():
            if name not in known:
                raise _bad_query("unknown-parameter", name, "This operation does not know this parameter.")
            if len(values) > 1:
                raise _bad_query("repeated-parameter", name, "This parameter is there more than once.")
        return view(**path)

    return checked


def _bad_query(code: str, name: str, detail: str) -> Problem:
    return Problem(422, code, detail, errors=(FieldError(f"?{name[:40]}", detail),))


def _refusal(status: int) -> dict[str, Any]:
    what, code, detail = REFUSALS[status]
    example = {"type": URN + code, "title": what, "status": status, "detail": detail, "code": code}
    described = {"schema": ProblemSchema, "content_type": PROBLEM, "description": what, "example": example}
    if status == 401:
        described["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "RFC 6750 §3"}}
    if status == 429:
        described["headers"] = {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds"}}
    return described


def _path_parameter(name: str, pattern: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": pattern}}


def _amount_pattern(self: OpenAPIConverter, field: ma.fields.Field[Any], **_: Any) -> dict[str, str]:  # noqa: ARG001
    return {"pattern": Amount.PATTERN} if isinstance(field, Amount) else {}


def _security_scheme() -> dict[str, Any]:
    return {
        "type": "oauth2",
        "description": "Client credentials with private_key_jwt (RFC 7523), ES256 or PS256. `aud` is the issuer, as "
        "one string; `exp` at most 6 minutes ahead; `jti` once. Access tokens live 5 minutes.",
        "flows": {"clientCredentials": {"tokenUrl": "/oauth2/token", "scopes": dict(SCOPES)}},
    }


_ABOUT = """\
Deliver bills to your customers' private spaces and see what became of them. Only the customer can start a payment:
no operation here does, and none ever tells who paid from which account.

A customer accepts you first: with a code or an address that you redeem, or by asking you from inside. Nothing here
tells whether a person exists: who is unknown, has left, has blocked you or has not answered yet looks alike.

Deliver as often as you like: the same bytes give the same acknowledgement and are stored once. Amounts are decimal
strings. Every refusal is `application/problem+json` (RFC 9457) with a stable `code`, and nothing of the request was
taken.
"""
