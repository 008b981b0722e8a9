"""Puts the NextGenPSD2 banks together: their doors, their headers, their ways to say no."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response, jsonify, request
from jinja2 import FileSystemLoader
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from connectors.sandbox_bank import ledger, people, texts
from connectors.sandbox_bank.errors import BerlinGroupError, OAuthError, PageError
from connectors.sandbox_bank.nextgen import api, door, orders, pages
from connectors.sandbox_bank.nextgen.context import EXTENSION, NextGenBank
from connectors.sandbox_bank.nextgen.settings import NextGenBankSettings
from connectors.sandbox_bank.store import SCHEMA, Store

BODY_LENGTH_MAX = 64 * 1024
#: where all sandbox banks have their layout and style
_SHARED = Path(__file__).parent.parent

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_nextgen_bank(settings: NextGenBankSettings, *, testing: bool = False) -> Flask:
    """All banks with their accounts opened. Several workers may serve the same file.

    ``testing``: a request may say in its WSGI environment which client certificate it came with.
    """
    app = Flask(__name__, static_folder=_SHARED / "static", static_url_path="/static")
    app.config["MAX_CONTENT_LENGTH"] = BODY_LENGTH_MAX
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_loader = FileSystemLoader(_SHARED / "templates")
    app.jinja_env.globals.update(languages=texts.LANGUAGES)
    app.jinja_env.filters.update(iban=texts.spaced_iban, masked_iban=texts.masked_iban)
    store = Store(settings.database, SCHEMA + orders.SCHEMA + door.SCHEMA)
    with store.write() as connection:
        people.seed(connection)
    store.close()
    app.extensions[EXTENSION] = NextGenBank(settings=settings, store=store, testing=testing)
    for each in (door, api, pages, ledger):
        app.register_blueprint(each.blueprint)
    app.add_url_rule("/livez", view_func=_livez)
    app.register_error_handler(BerlinGroupError, api.answer_error)
    app.register_error_handler(OAuthError, _answer_oauth_error)
    app.register_error_handler(PageError, pages.answer_page_error)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.after_request(api.add_request_id)
    app.after_request(_add_headers)
    return app


def _livez() -> Response:
    return jsonify({"status": "ok"})


def _answer_oauth_error(error: OAuthError) -> tuple[Response, int]:
    return jsonify(error.body()), error.status


def _answer_http_error(error: HTTPException) -> BaseResponse | tuple[Response, int] | tuple[str, int]:
    if api.brand_here() is not None:
        return api.answer_http_error(error)
    if request.path.endswith("/oauth2/token") or request.path.startswith(("/sandbox/", door.METADATA_PATH)):
        return jsonify({"error": error.name}), error.code or 500
    return pages.answer_page_error(PageError(error.code or 500, "error_404" if error.code == 404 else "error_other"))


def _add_headers(response: Response) -> Response:
    response.headers.update(_HEADERS)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response
