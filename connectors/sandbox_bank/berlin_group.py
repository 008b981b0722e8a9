"""NextGenPSD2 1.3.12, payment initiation: single SEPA credit transfers in JSON, SCA by integrated OAuth.

Every answer carries X-Request-ID; every refusal is a `tppMessages` body with a code of the standard.
"""

from __future__ import annotations

import datetime as dt
import uuid

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from connectors.sandbox_bank import grants, payments, texts
from connectors.sandbox_bank.context import Bank, current_bank
from connectors.sandbox_bank.errors import BerlinGroupError
from connectors.sandbox_bank.initiation import check_headers, is_uuid, read_order
from connectors.sandbox_bank.oauth import METADATA_PATH
from connectors.sandbox_bank.payments import Payment, Status
from connectors.sandbox_bank.people import iban_is_ours
from connectors.sandbox_bank.scenarios import Fault, scenario_of

PREFIX = "/berlingroup/v1"
PRODUCT_PATH = "/payments/sepa-credit-transfers"

blueprint = Blueprint("berlin_group", __name__, url_prefix=PREFIX)


@blueprint.before_request
def _check_request() -> None:
    check_headers(request.headers)
    if request.accept_mimetypes and not request.accept_mimetypes.accept_json:
        raise BerlinGroupError(406, "REQUESTED_FORMATS_INVALID", "this bank answers in application/json")


@blueprint.post(PRODUCT_PATH)
def initiate() -> tuple[Response, int]:
    bank = current_bank()
    token = _token(bank)
    if token.payment_id is not None:
        raise _unauthorised("TOKEN_INVALID", "a payment is initiated with the TPP's own token")
    if request.mimetype != "application/json":
        raise BerlinGroupError(415, "FORMAT_ERROR", "the body must be application/json", path="Content-Type")
    today = dt.datetime.fromtimestamp(bank.now_ms() / 1000, dt.UTC).date()
    order = read_order(request.headers, request.get_data(), today=today)
    fault = scenario_of(order.amount_minor).initiation
    if fault is Fault.REFUSED:
        raise BerlinGroupError(400, "PAYMENT_FAILED", "the bank does not take this payment")
    if fault is Fault.FAILS_BEFORE:
        raise _internal_error()
    with bank.store.write() as connection:
        wanted = order.body.get("debtorAccount")
        if wanted is not None and not iban_is_ours(connection, wanted["iban"]):
            raise BerlinGroupError(400, "PAYMENT_FAILED", "not our account", path="debtorAccount.iban")
        payment_id = payments.create(connection, tpp=token.tpp, order=order, now_ms=bank.now_ms())
    if fault is Fault.FAILS:
        raise _internal_error()
    if fault is Fault.HANGS:
        bank.hang()
    return _initiated(bank, payment_id), 201


@blueprint.get(f"{PRODUCT_PATH}/<payment_id>")
def read_payment(payment_id: str) -> Response:
    bank = current_bank()
    payment, status, fault = _read(bank, payment_id)
    if fault is Fault.UNREADABLE:
        return _unreadable()
    return jsonify(
        {
            **payment.body,
            "debtorAccount": _debtor_account(payment),
            "transactionStatus": status.code,
        }
    )


@blueprint.get(f"{PRODUCT_PATH}/<payment_id>/status")
def read_status(payment_id: str) -> Response:
    bank = current_bank()
    _, status, fault = _read(bank, payment_id)
    if fault is Fault.UNREADABLE:
        return _unreadable()
    body = {"transactionStatus": status.code}
    if status.reason is not None:
        body["psuMessage"] = texts.rejection(_psu_language(), status.reason)
    return jsonify(body)


@blueprint.delete(f"{PRODUCT_PATH}/<payment_id>")
def cancel(payment_id: str) -> tuple[str, int]:
    """Only before the customer approved, or before the day until which it is kept; a repeat is no error."""
    bank = current_bank()
    token = _token(bank)
    now_ms = bank.now_ms()
    with bank.store.write() as connection:
        payment = _own(payments.find(connection, payment_id), token)
        if payment.is_kept(now_ms):
            payments.cancel_kept(connection, payment_id)
        elif payment.decision != "cancelled":
            if not payment.may_be_decided(now_ms):
                raise BerlinGroupError(405, "CANCELLATION_INVALID", "the payment can no longer be cancelled")
            payments.cancel(connection, payment_id)
    return "", 204


def add_request_id(response: Response) -> Response:
    """Echoes X-Request-ID, required on every answer of the standard; who sent no good one gets a new one."""
    if request.path.startswith(PREFIX):
        given = request.headers.get("X-Request-ID", "")
        response.headers["X-Request-ID"] = given if is_uuid(given) else str(uuid.uuid4())
    return response


def answer_http_error(error: HTTPException) -> Response:
    """What Flask refuses before a view is reached, in the standard's words."""
    path = request.path.removeprefix(PREFIX)
    match error.code:
        case 404 if path.startswith(("/bulk-payments/", "/periodic-payments/")):
            refusal = BerlinGroupError(400, "SERVICE_INVALID", "only single payments")
        case 404 if path.startswith("/payments/") and not path.startswith(PRODUCT_PATH + "/"):
            refusal = BerlinGroupError(404, "PRODUCT_UNKNOWN", "only sepa-credit-transfers in JSON")
        case 404:
            refusal = BerlinGroupError(404, "RESOURCE_UNKNOWN", "there is nothing at this address")
        case 405:
            refusal = BerlinGroupError(405, "SERVICE_INVALID", "the method is not allowed here")
        case code if code is not None and code >= 500:
            refusal = _internal_error()
        case code:
            refusal = BerlinGroupError(code or 400, "FORMAT_ERROR", error.description or error.name)
    response = jsonify(refusal.body())
    response.status_code = refusal.status
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def answer_error(error: BerlinGroupError) -> Response:
    response = jsonify(error.body())
    response.status_code = error.status
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _initiated(bank: Bank, payment_id: str) -> Response:
    base_url = bank.settings.base_url
    itself = f"{base_url}{PREFIX}{PRODUCT_PATH}/{payment_id}"
    response = jsonify(
        {
            "transactionStatus": "RCVD",
            "paymentId": payment_id,
            "_links": {
                "scaOAuth": {"href": base_url + METADATA_PATH},
                "self": {"href": itself},
                "status": {"href": f"{itself}/status"},
            },
        }
    )
    response.headers["Location"] = itself
    response.headers["ASPSP-SCA-Approach"] = "REDIRECT"
    return response


def _read(bank: Bank, payment_id: str) -> tuple[Payment, Status, Fault | None]:
    """Settles what is due, then reads: a status that says settled is never ahead of the ledger."""
    token = _token(bank)
    now_ms = bank.now_ms()
    payments.settle(bank.store, now_ms)
    with bank.store.read() as connection:
        payment = _own(payments.find(connection, payment_id), token)
    status, scripted = payment.status_at(now_ms), None
    if payment.decision == "approved" and scenario_of(payment.amount_minor).reads:
        scripted = _count_read(bank, payment_id)
    if scripted is Fault.FAILS:
        raise _internal_error()
    if scripted is Fault.HANGS:
        bank.hang()
    if isinstance(scripted, str):
        return payment, Status(code=scripted), None
    return payment, status, scripted


def _count_read(bank: Bank, payment_id: str) -> Fault | str | None:
    with bank.store.write() as connection:
        payment = payments.find(connection, payment_id)
        return None if payment is None else payments.count_status_read(connection, payment)


def _own(payment: Payment | None, token: grants.Token) -> Payment:
    """Another TPP's payment does not exist for this one."""
    if payment is None or payment.tpp != token.tpp:
        raise BerlinGroupError(404, "RESOURCE_UNKNOWN", "there is no such payment")
    if token.payment_id not in (None, payment.payment_id):
        raise _unauthorised("TOKEN_INVALID", "the token is for another payment")
    return payment


def _token(bank: Bank) -> grants.Token:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise _unauthorised("TOKEN_INVALID", "a Bearer token is needed")
    with bank.store.read() as connection:
        token = grants.find_token(connection, secret)
    if token is None:
        raise _unauthorised("TOKEN_UNKNOWN", "the token is unknown")
    if token.revoked:
        raise _unauthorised("TOKEN_INVALID", "the token was revoked")
    if bank.now_ms() >= token.expires_ms:
        raise _unauthorised("TOKEN_EXPIRED", "the token has expired")
    return token


def _debtor_account(payment: Payment) -> dict[str, str]:
    """The standard requires it; before the customer has chosen, its currency may be all there is to say."""
    iban = payment.debtor_iban or payment.wanted_debtor_iban
    return {"currency": "EUR"} if iban is None else {"iban": iban}


def _psu_language() -> texts.Language:
    own = request.headers.get("Accept-Language", "")
    return texts.language(request.headers.get("PSU-Accept-Language", own))


def _unreadable() -> Response:
    return Response('{"transactionStatus": "AC', mimetype="application/json")


def _unauthorised(code: str, text: str) -> BerlinGroupError:
    return BerlinGroupError(401, code, text)


def _internal_error() -> BerlinGroupError:
    return BerlinGroupError(500, "INTERNAL_SERVER_ERROR", "the bank failed")
