"""Every refusal of the billers' API as application/problem+json (RFC 9457), whoever raised it.

Without this a biller's program would meet HTML pages for 404 and 405, and prose where it needs a code.
"""

from __future__ import annotations

import json
import logging
import math
import secrets
from collections.abc import Iterable, Mapping

from flask import Flask, Response, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException, default_exceptions
from werkzeug.routing import RequestRedirect

from app.db.engine import is_away
from app.errors import AppError, FieldError, TooMany
from app.web.billers.schemas import ProblemSchema

log = logging.getLogger("quittance.billers")

PROBLEM = "application/problem+json"
URN = "urn:quittance:problem:"
#: addresses that belong to the billers' door, also those that do not exist
DOOR = ("/api/", "/oauth2/")

_CODES = {
    400: "bad-request",
    401: "unauthorised",
    403: "not-allowed",
    404: "not-found",
    405: "method-not-allowed",
    408: "too-slow",
    411: "length-required",
    413: "too-large",
    415: "media-type",
    429: "too-many-requests",
    500: "internal-error",
}
_DETAILS = {
    404: "There is nothing at this address.",
    405: "This address does not know this method; the Allow header lists those it knows.",
    429: "Too many requests: wait as long as Retry-After says.",
    500: "Something went wrong on our side. Send it again: a bill is stored once.",
}
#: written anew for our own body, or already there
_OWN_HEADERS = frozenset({"content-type", "content-length", "cache-control", "x-content-type-options"})


class Problem(HTTPException):
    """A refusal of the door itself, before any room of the journey is asked."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = status
        self.problem_code = code
        self.detail = detail
        self.errors = errors
        self.extra_headers = dict(headers or {})


class ProblemApi(Api):  # type: ignore[misc]  # flask-smorest has no types
    """flask-smorest that describes errors as what they are here, and leaves the other doors' errors alone."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None  # every refusal is described one by one

    def _register_error_handlers(self) -> None:
        """Nothing for the whole application: a customer's 404 is a page."""

    def _register_doc_blueprint(self) -> None:
        """Nothing: we serve the description ourselves, behind the door's guard."""


def problem(
    status: int,
    *,
    code: str,
    title: str,
    detail: str,
    errors: Iterable[FieldError] = (),
    actions: Iterable[str] = (),
    headers: Iterable[tuple[str, str]] = (),
) -> Response:
    """The answer (RFC 9457 §3.1). ``code`` is stable and stands in ``type`` too; ``errors`` say where and what,
    ``actions`` what can be done instead."""
    body = {"type": URN + code, "title": title, "status": status, "detail": detail, "code": code}
    listed = [{"pointer": error.pointer, "detail": error.detail} for error in errors]
    if listed:
        body["errors"] = listed
    if instead := list(actions):
        body["actions"] = instead
    answer = Response(json.dumps(body), status, mimetype=PROBLEM)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    for name, value in headers:
        if name.lower() not in _OWN_HEADERS:
            answer.headers[name] = value
    return answer


def answer_app_error(error: AppError) -> Response:
    """What a room of the journey refused, in its own words."""
    return problem(
        error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        errors=error.errors,
        actions=error.actions,
        headers=[("Retry-After", str(math.ceil(error.retry_after.total_seconds())))]
        if isinstance(error, TooMany)
        else [],
    )


def answer_http_error(error: HTTPException) -> Response:
    """What Flask, Werkzeug, Flask-Limiter or the door itself refused. Allow and Retry-After stay."""
    status = error.code or 500
    if isinstance(error, Problem):
        return problem(
            status,
            code=error.problem_code,
            title=error.name,
            detail=error.detail,
            errors=error.errors,
            headers=error.extra_headers.items(),
        )
    return problem(
        status,
        code=_CODES.get(status, f"http-{status}"),
        title=error.name,
        detail=_DETAILS.get(status, error.description or error.name),
        headers=error.get_headers(),
    )


def surprise(error: Exception) -> Response:
    """The last resort: a reference that leads an operator to the log, and no word of what is inside."""
    if is_away(error):
        log.error("%s %s: the database cannot be used (%s)", request.method, request.endpoint, type(error).__name__)
        return problem(
            503,
            code="away",
            title="Service Unavailable",
            detail="We cannot answer for a moment. Send the very same request again: what we had taken is found again.",
            headers=[("Retry-After", "10")],
        )
    reference = secrets.token_hex(4).upper()
    log.error("%s %s: %s", request.method, request.endpoint, reference, exc_info=error)
    return problem(
        500,
        code=_CODES[500],
        title="Internal Server Error",
        detail=f"{_DETAILS[500]} If it stays, tell us {reference}.",
    )


def answer_routing_error() -> Response | None:
    """404 and 405 at addresses of this door: no blueprint is in charge of what did not match."""
    error = request.routing_exception
    if error is None or isinstance(error, RequestRedirect) or not f"{request.path}/".startswith(DOOR):
        return None
    return answer_http_error(error)


def register(app: Flask) -> None:
    """Answer routing errors of this door; those of the others are left to whoever the application names."""
    app.before_request(answer_routing_error)


#: status codes a blueprint of this door answers for itself, before the application's own pages
STATUSES = tuple(default_exceptions)
