"""Errors as people see them: a page, or problem+json for the script of a page. The billers' door has its own."""

from __future__ import annotations

import json
import logging
import secrets

from flask import Flask, Response, g, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, SecurityError

from app.db.engine import is_away
from app.errors import AppError
from app.journey.export.rules import ARCHIVE_MOST

log = logging.getLogger("quittance.web")

#: after so long somebody may ask again
AWAY_S = 10

#: addresses of a customer's own programs (tools.py): they get no pages
PROGRAMS = "/my/"
#: the door of calendars (calendars.py): they get a line
CALENDARS = "calendars"

TITLES = {
    400: lazy_gettext("This address does not work"),
    401: lazy_gettext("Please sign in again"),
    403: lazy_gettext("That is not possible here"),
    404: lazy_gettext("There is nothing here"),
    405: lazy_gettext("This address does not work"),
    409: lazy_gettext("That no longer fits"),
    413: lazy_gettext("That is too large"),
    422: lazy_gettext("Please check what you entered"),
    429: lazy_gettext("Too many tries"),
    500: lazy_gettext("Something went wrong on our side"),
    503: lazy_gettext("We cannot answer for a moment"),
}
DETAILS = {
    400: lazy_gettext("The link is incomplete or out of date. Nothing was changed and nothing was paid."),
    401: lazy_gettext("You were signed out after a while of quiet. Nothing was changed and nothing was paid."),
    403: lazy_gettext("Nothing was changed and nothing was paid. Open the page again and try from there."),
    404: lazy_gettext("What you are looking for is not here, or is not yours."),
    405: lazy_gettext("The link is incomplete or out of date. Nothing was changed and nothing was paid."),
    413: lazy_gettext("A file may have 10 MB at most. Nothing was kept."),
    429: lazy_gettext("Please wait a minute and try again."),
    500: lazy_gettext(
        "We have noted it. If you were paying a bill, look at the bill before you try again: it tells what happened."
    ),
    503: lazy_gettext(
        "Nothing is lost. If you were paying a bill, do not start again: open this page again in a minute, and look at "
        "the bill, which tells what happened."
    ),
}
#: a broken way back says nothing about what was done at the bank
WAY_BACK = lazy_gettext(
    "This way back from the bank does not fit. What you approved or refused there still counts: look at the bill "
    "before you pay it again."
)
#: the same at a bank where people also sign in before a payment
WAY_BACK_SIGNING_IN = lazy_gettext(
    "This way back from the bank does not fit, or no longer. If you only signed in there: that took too long, or was "
    "begun anew since. Nothing was paid by it; open the bill and begin again. If you approved or refused a payment "
    "there, that still counts: look at the bill before you pay it again."
)
#: what our own codes mean to a person
CODES = {
    "demo-visit": lazy_gettext("This is a demo visit: it looks and changes nothing."),
    "ceremony-over": lazy_gettext("This confirmation is no longer open. Please start again; nothing was paid."),
    "not-verified": lazy_gettext("The passkey could not be verified. Nothing was changed."),
    "no-passkey": lazy_gettext("Create a passkey first: it is what signs a payment."),
    "too-many-passkeys": lazy_gettext("There are as many passkeys as we keep already."),
    "passkey-known": lazy_gettext("This passkey is registered already."),
    "sign-in-first": lazy_gettext(
        "You are not signed in at your bank any more. Nothing was paid: sign in there again."
    ),
    "payment-begun": lazy_gettext(
        "A payment of this bill was begun, so the bill stays here, with what became of that payment."
    ),
    "kept": lazy_gettext("This bill is among your bills already. Open it there."),
    "check-payee-first": lazy_gettext("Please check the payee of this bill first. Nothing was paid."),
    "already-in-payment": lazy_gettext("A payment of this bill is under way, or it is paid already."),
    "set-aside": lazy_gettext(
        "You have answered this bill otherwise, so nothing is paid for it. Nothing left your account. Take your answer"
        " back on the page of the bill before you pay."
    ),
    "not-paid-here": lazy_gettext("This bill is not paid from here. No money moved, and nothing was changed."),
    "earlier-in-payment": lazy_gettext(
        "A payment of the bill that this one replaces is under way. Please wait until it is known what became of it."
    ),
    "address-shown": lazy_gettext("You have shown already that this address is yours. Nothing was sent there."),
    "address-not-plain": lazy_gettext("We cannot write to this address. Nothing was sent."),
    "address-asked": lazy_gettext(
        "Enough was sent to this address for now, for you or for somebody else who wrote it down. Nothing more was"
        " sent. Try again tomorrow, or from the time that stands on the page Messages."
    ),
    "stopped-all": lazy_gettext(
        "Everything is stopped, so nothing was begun. You can lift that with your passkey: the way to do so stands at"
        " the top of every page."
    ),
    "no-passkey-answer": lazy_gettext("The confirmation with your passkey did not arrive. Please start again."),
    "not-stopped": lazy_gettext("Nothing is stopped, or the stop was lifted already."),
    "last-passkey": lazy_gettext(
        "This is your only passkey: without it nobody could open your space. Create another one first."
    ),
    "another-passkey": lazy_gettext("Another passkey than the one that is to go must sign that. Nothing was changed."),
    "passkey-first": lazy_gettext("Make a passkey first, and sign in with it."),
    "session-over": lazy_gettext("This was ended meanwhile. Nothing was changed."),
    "recovery-not-open": lazy_gettext("This way back is over, or not open yet. Nothing was changed."),
    "address-same": lazy_gettext("This is your e-mail address already. Nothing was changed."),
    "tool-name": lazy_gettext("Please write a name for the token, at most 100 characters."),
    "too-many-tools": lazy_gettext("There are as many tokens as we keep already. End one first."),
    "calendar-detail": lazy_gettext("Please choose how much the calendar may say. Nothing was made."),
    "too-many-calendars": lazy_gettext("There are three addresses already. End one first."),
    "device-not-told": lazy_gettext("This browser did not say how it can be reached. Nothing was changed."),
    "device-not-reached": lazy_gettext(
        "The place where this browser is reached is none that we may send to. Nothing was changed."
    ),
    "too-many-devices": lazy_gettext("There are as many devices as we keep. Remove one first. Nothing was changed."),
    "too-many-exports": lazy_gettext(
        "Your papers were taken along as often as is allowed in a day. Try again tomorrow."
    ),
}
#: and of ``field`` by its pointer: what people call themselves, and where they are written to
FIELDS = {
    "/name": lazy_gettext("Please write your name, at most 100 characters."),
    "/email": lazy_gettext("This e-mail address is incomplete or wrong: one looks like camille@example.org."),
}


def register(app: Flask) -> None:
    app.register_error_handler(AppError, app_error)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, surprise)


def app_error(error: AppError) -> ResponseReturnValue:
    at = error.errors[0].pointer if error.errors else None
    of_field = FIELDS.get(at or "") if error.code == "field" else None
    return _answer(
        error.status,
        code=error.code,
        detail=str(of_field or CODES.get(error.code) or DETAILS.get(error.status, error.detail)),
        about=error.about,
        pointer=at,
    )


def http_error(error: HTTPException) -> ResponseReturnValue:
    if isinstance(error, CSRFError):
        return _answer(403, code="form-expired", detail=str(DETAILS[403]))
    if isinstance(error, SecurityError):  # a host name that is not ours: no page of ours can be made for it
        return Response("This is not an address of Quittance.\n", 400, mimetype="text/plain")
    status = error.code or 500
    if is_away(getattr(error, "original_exception", None)):  # it went away while another error was being shown
        return away()
    if status == 400 and request.blueprint == "banks":
        detail = WAY_BACK_SIGNING_IN if error.description == "signing-in" else WAY_BACK
        return _answer(400, code="way-back", detail=str(detail))
    if status == 413 and request.endpoint == "customers.bring_archive":
        return _answer(
            413,
            code="http",
            detail=gettext(
                "An archive may have %(most)s MB at most. Nothing was kept.", most=ARCHIVE_MOST // 1024 // 1024
            ),
        )
    if status < 400:
        return error  # a redirect
    code = error.description if error.description in CODES else "http"
    answer = _answer(status, code=code, detail=str(CODES.get(code) or DETAILS.get(status, "")))
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            answer.headers[name] = value
    return answer


def _ask_nobody() -> None:
    """Whoever is signed in, and in whatever language: the page must not ask the database, which may be away."""
    g.setdefault("signed_in", None)


def away() -> Response:
    """The database cannot be used: a page that asks nothing of it."""
    _ask_nobody()
    answer = _answer(503, code="away", detail=str(DETAILS[503]))
    answer.headers["Retry-After"] = str(AWAY_S)
    return answer


def surprise(error: Exception) -> ResponseReturnValue:
    """The last resort: a reference that leads an operator to the log, and no word of what is inside."""
    if is_away(error):
        log.error("%s %s: the database cannot be used (%s)", request.method, request.endpoint, type(error).__name__)
        return away()
    _ask_nobody()
    reference = secrets.token_hex(4).upper()
    log.error("%s %s: %s", request.method, request.endpoint, reference, exc_info=error)
    return _answer(500, code="surprise", detail=str(DETAILS[500]), reference=reference)


def problem(
    status: int, *, code: str, title: str, detail: str, about: str | None = None, pointer: str | None = None
) -> Response:
    """RFC 9457, for whoever is no person. ``about``: of several that were meant the id of the one that it is about;
    ``pointer``: the field that is wrong."""
    said = {"type": f"urn:quittance:problem:{code}", "title": title, "status": status, "detail": detail, "code": code}
    said |= {"about": about} if about is not None else {}
    said |= {"errors": [{"pointer": pointer, "detail": detail}]} if pointer is not None else {}
    return Response(json.dumps(said), status, mimetype="application/problem+json")


def _answer(
    status: int,
    *,
    code: str,
    detail: str,
    reference: str | None = None,
    about: str | None = None,
    pointer: str | None = None,
) -> Response:
    title = str(TITLES.get(status) or TITLES[500])
    wants_json = request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"
    if request.blueprint == CALENDARS:
        return Response(f"{title}.\n", status, mimetype="text/plain")
    if wants_json or request.is_json or request.path.startswith(PROGRAMS):
        return problem(status, code=code, title=title, detail=detail, about=about, pointer=pointer)
    page = render_template("customers/error.html", code=status, title=title, detail=detail, reference=reference)
    return Response(page, status, mimetype="text/html")
