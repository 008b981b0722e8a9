"""Puts the NextGenPSD2 banks together: their doors, and their ways to say no."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from connectors.sandbox_bank import ledger
from connectors.sandbox_bank.errors import BerlinGroupError, PageError
from connectors.sandbox_bank.frame import new_app, opened
from connectors.sandbox_bank.nextgen import api, door, orders, pages, sign_in_pages, sign_ins
from connectors.sandbox_bank.nextgen.context import EXTENSION, NextGenBank
from connectors.sandbox_bank.nextgen.settings import NextGenBankSettings
from connectors.sandbox_bank.store import SCHEMA, Store


def create_nextgen_bank(settings: NextGenBankSettings, *, testing: bool = False) -> Flask:
    """All banks with their accounts opened. Several workers may serve the same file.

    ``testing``: a request may say in its WSGI environment which client certificate it came with.
    """
    app = new_app(__name__, [each.blueprint for each in (door, api, pages, sign_in_pages, ledger)])
    store = opened(Store(settings.database, SCHEMA + orders.SCHEMA + door.SCHEMA + sign_ins.SCHEMA))
    app.extensions[EXTENSION] = NextGenBank(settings=settings, store=store, testing=testing)
    app.register_error_handler(BerlinGroupError, api.answer_error)
    app.register_error_handler(PageError, pages.answer_page_error)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.after_request(api.add_request_id)
    return app


def _answer_http_error(error: HTTPException) -> BaseResponse | tuple[Response, int] | tuple[str, int]:
    if api.brand_here() is not None:
        return api.answer_http_error(error)
    if request.path.endswith("/oauth2/token") or request.path.startswith(("/sandbox/", door.METADATA_PATH)):
        return jsonify({"error": error.name}), error.code or 500
    return pages.answer_page_error(PageError(error.code or 500, "error_404" if error.code == 404 else "error_other"))
