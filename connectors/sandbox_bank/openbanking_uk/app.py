"""Puts the UK banks together: their doors, their headers, their ways to say no."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

from babel.dates import format_date
from babel.numbers import format_currency
from flask import Flask, Response, jsonify, request
from jinja2 import ChoiceLoader, FileSystemLoader
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from connectors.sandbox_bank.openbanking_uk import authorization, pages, people, resources, yours
from connectors.sandbox_bank.openbanking_uk.brands import in_profile
from connectors.sandbox_bank.openbanking_uk.context import EXTENSION, UkBank
from connectors.sandbox_bank.openbanking_uk.errors import OAuthError, PageError
from connectors.sandbox_bank.openbanking_uk.keys import BrandKeys
from connectors.sandbox_bank.openbanking_uk.resources import Approval
from connectors.sandbox_bank.openbanking_uk.settings import UkBankSettings
from connectors.sandbox_bank.openbanking_uk.store import SCHEMA, Store

BODY_LENGTH_MAX = 64 * 1024
#: where both sandbox banks have their layout and style
_SHARED = Path(__file__).parent.parent

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_uk_bank(settings: UkBankSettings, *, testing: bool = False) -> Flask:
    """All brands with their accounts opened. Several workers may serve the same file.

    ``testing``: a request may say in its WSGI environment which client certificate it came with.
    """
    app = Flask(__name__, static_folder=_SHARED / "static", static_url_path="/static")
    app.config["MAX_CONTENT_LENGTH"] = BODY_LENGTH_MAX
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_loader = ChoiceLoader(
        [FileSystemLoader(Path(__file__).parent / "templates"), FileSystemLoader(_SHARED / "templates")]
    )
    app.jinja_env.filters.update(money=_money, day=_day, sort_code=_sort_code, purpose=_purpose)
    store = Store(settings.database, SCHEMA + resources.SCHEMA + yours.SCHEMA)
    with store.write() as connection:
        people.seed(connection)
    store.close()
    app.extensions[EXTENSION] = UkBank(
        settings=settings,
        store=store,
        brands=in_profile(settings.profile),
        keys=BrandKeys(settings.database.parent / "keys"),
        is_usable=resources.is_usable,
        testing=testing,
    )
    app.register_blueprint(authorization.blueprint)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(yours.blueprint)
    resources.register(app)
    app.add_url_rule("/livez", view_func=_livez)
    app.register_error_handler(OAuthError, _answer_oauth_error)
    app.register_error_handler(PageError, pages.answer_page_error)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.after_request(_add_headers)
    return app


def _livez() -> Response:
    return jsonify({"status": "ok"})


def _answer_oauth_error(error: OAuthError) -> tuple[Response, int, dict[str, str]]:
    return jsonify(error.body()), error.status, error.headers


def _answer_http_error(error: HTTPException) -> BaseResponse | tuple[Response, int] | tuple[str, int]:
    if request.method == "GET" and request.accept_mimetypes.accept_html and "/open-banking/" not in request.path:
        return pages.answer_page_error(PageError(error.code or 500, f"{error.name}."))
    return jsonify({"error": error.name}), error.code or 500


def _add_headers(response: Response) -> Response:
    response.headers.update(_HEADERS)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response


def _money(amount_minor: int) -> str:
    return format_currency(Decimal(amount_minor).scaleb(-2), "GBP", locale="en_GB")


def _day(day: dt.date) -> str:
    return format_date(day, format="long", locale="en_GB")


def _sort_code(digits: str) -> str:
    """In pairs, as on a card."""
    return "-".join(digits[at : at + 2] for at in range(0, len(digits), 2))


def _purpose(approval: Approval) -> str:
    amount = "" if approval.amount_minor is None else f" {_money(approval.amount_minor)}"
    match approval.kind:
        case "vrp":
            return f"let it start payments to {approval.payee}"
        case "scheduled":
            return f"pay{amount} to {approval.payee} later"
        case _:
            return f"pay{amount} to {approval.payee}"
