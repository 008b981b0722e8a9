"""Puts the bank together: its doors, and its ways to say no."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from connectors.sandbox_bank import berlin_group, company_register, consent_page, ledger, oauth, payee_names
from connectors.sandbox_bank.context import EXTENSION, Bank
from connectors.sandbox_bank.errors import BerlinGroupError, PageError
from connectors.sandbox_bank.frame import new_app, opened
from connectors.sandbox_bank.settings import BankSettings
from connectors.sandbox_bank.store import Store


def create_bank(settings: BankSettings) -> Flask:
    """A bank with its accounts opened. Several workers may serve the same file."""
    doors = (oauth, berlin_group, consent_page, payee_names, company_register, ledger)
    app = new_app(__name__, [each.blueprint for each in doors])
    app.extensions[EXTENSION] = Bank(settings=settings, store=opened(Store(settings.database)))
    app.register_error_handler(BerlinGroupError, berlin_group.answer_error)
    app.register_error_handler(PageError, consent_page.answer_page_error)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.after_request(berlin_group.add_request_id)
    return app


def _answer_http_error(error: HTTPException) -> BaseResponse | tuple[Response, int] | tuple[str, int]:
    if request.path.startswith(berlin_group.PREFIX + "/"):
        return berlin_group.answer_http_error(error)
    if request.path.startswith(
        ("/oauth2/token", "/sandbox/", "/.well-known/", payee_names.PATH, company_register.PATH)
    ):
        return jsonify({"error": error.name}), error.code or 500
    return consent_page.answer_page_error(
        PageError(error.code or 500, "error_404" if error.code == 404 else "error_other")
    )
