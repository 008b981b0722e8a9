"""Puts the bank together: its doors, its headers, its way to say no."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from connectors.sandbox_bank import berlin_group, consent_page, ledger, oauth, people, texts
from connectors.sandbox_bank.context import EXTENSION, Bank
from connectors.sandbox_bank.errors import BerlinGroupError, OAuthError, PageError
from connectors.sandbox_bank.settings import BankSettings
from connectors.sandbox_bank.store import Store

BODY_LENGTH_MAX = 64 * 1024

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_bank(settings: BankSettings) -> Flask:
    """A bank with its accounts opened. Several workers may serve the same file."""
    app = Flask(__name__, static_folder="static", static_url_path="/static")
    app.config["MAX_CONTENT_LENGTH"] = BODY_LENGTH_MAX
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_env.globals.update(languages=texts.LANGUAGES)
    app.jinja_env.filters.update(iban=texts.spaced_iban, masked_iban=texts.masked_iban)
    store = Store(settings.database)
    with store.write() as connection:
        people.seed(connection)
    store.close()
    app.extensions[EXTENSION] = Bank(settings=settings, store=store)
    for door in (oauth, berlin_group, consent_page, ledger):
        app.register_blueprint(door.blueprint)
    app.add_url_rule("/livez", view_func=_livez)
    app.register_error_handler(BerlinGroupError, berlin_group.answer_error)
    app.register_error_handler(OAuthError, _answer_oauth_error)
    app.register_error_handler(PageError, consent_page.answer_page_error)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.after_request(berlin_group.add_request_id)
    app.after_request(_add_headers)
    return app


def _livez() -> Response:
    return jsonify({"status": "ok"})


def _answer_oauth_error(error: OAuthError) -> tuple[Response, int]:
    return jsonify(error.body()), error.status


def _answer_http_error(error: HTTPException) -> BaseResponse | tuple[Response, int] | tuple[str, int]:
    if request.path.startswith(berlin_group.PREFIX + "/"):
        return berlin_group.answer_http_error(error)
    if request.path.startswith(("/oauth2/token", "/sandbox/", "/.well-known/")):
        return jsonify({"error": error.name}), error.code or 500
    return consent_page.answer_page_error(
        PageError(error.code or 500, "error_404" if error.code == 404 else "error_other")
    )


def _add_headers(response: Response) -> Response:
    response.headers.update(_HEADERS)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response
