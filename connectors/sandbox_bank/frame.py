"""What all banks on these pages are put together from: one look, one store, and headers that let nothing else in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flask import Blueprint, Flask, Response, jsonify, request
from jinja2 import FileSystemLoader

from connectors.sandbox_bank import people, texts
from connectors.sandbox_bank.errors import OAuthError
from connectors.sandbox_bank.store import Store

BODY_LENGTH_MAX = 64 * 1024
#: where all sandbox banks have their layout and style
_SHARED = Path(__file__).parent

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def new_app(name: str, doors: Iterable[Blueprint]) -> Flask:
    """Without its bank, and without its ways to say no."""
    app = Flask(name, static_folder=_SHARED / "static", static_url_path="/static")
    app.config["MAX_CONTENT_LENGTH"] = BODY_LENGTH_MAX
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_loader = FileSystemLoader(_SHARED / "templates")
    app.jinja_env.globals.update(languages=texts.LANGUAGES)
    app.jinja_env.filters.update(iban=texts.spaced_iban, masked_iban=texts.masked_iban)
    for door in doors:
        app.register_blueprint(door)
    app.add_url_rule("/livez", view_func=_livez)
    app.register_error_handler(OAuthError, _answer_oauth_error)
    app.after_request(_add_headers)
    return app


def opened(store: Store) -> Store:
    """With its accounts opened, and no connection that a fork could inherit."""
    with store.write() as connection:
        people.seed(connection)
    store.close()
    return store


def _livez() -> Response:
    return jsonify({"status": "ok"})


def _answer_oauth_error(error: OAuthError) -> tuple[Response, int]:
    return jsonify(error.body()), error.status


def _add_headers(response: Response) -> Response:
    response.headers.update(_HEADERS)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response
