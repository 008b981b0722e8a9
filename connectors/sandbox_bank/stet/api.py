"""STET PSD2 1.4, payment initiation: post, get, confirm and cancel a payment request.

Every request is sealed; every answer has X-Request-ID (but at a bank that gets that wrong) and is HAL or an ErrorModel.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from flask import Blueprint, Response, json, request
from werkzeug.exceptions import HTTPException

from connectors.sandbox_bank import payments
from connectors.sandbox_bank.scenarios import Fault, scenario_of
from connectors.sandbox_bank.stet import payment_requests
from connectors.sandbox_bank.stet.brands import BRANDS, Brand
from connectors.sandbox_bank.stet.context import StetBank, current_bank
from connectors.sandbox_bank.stet.definition import check_cancellation, json_object, read
from connectors.sandbox_bank.stet.door import Caller, caller
from connectors.sandbox_bank.stet.errors import StetError, wrong
from connectors.sandbox_bank.stet.payment_requests import Request

HAL = "application/hal+json; charset=utf-8"
PATH = "/<brand_id>/stet/v1/payment-requests"

blueprint = Blueprint("stet_api", __name__)


@blueprint.post(PATH)
def post(brand_id: str) -> Response:
    """A payment request, for the customer to approve at the link consentApproval."""
    bank, called = _called(brand_id)
    _check_ip_address()
    _check_json()
    asked = read(request.get_data(), brand=called.brand, now=bank.settings.clock())
    fault = scenario_of(asked.amount_minor).initiation
    if fault is Fault.REFUSED:
        raise StetError(400, "the bank does not take this payment (FF01)")
    if fault is Fault.FAILS_BEFORE:
        raise StetError(500, "the bank failed")
    with bank.store.write() as connection:
        payment_id, link = payment_requests.create(
            connection, tpp=called.tpp, brand=called.brand, asked=asked, now_ms=bank.now_ms()
        )
    _play(bank, fault)
    body = {
        "appliedAuthenticationApproach": "REDIRECT",
        "_links": {"consentApproval": {"href": f"{bank.settings.base_url}/{called.brand.id}/consent/{link}"}},
    }
    response = _hal(body, 201)
    response.headers["Location"] = _link(bank, called.brand, payment_id)
    return response


@blueprint.get(f"{PATH}/<payment_id>")
def get(brand_id: str, payment_id: str) -> Response:
    """It counts as a read of the status."""
    bank, called = _called(brand_id)
    return _told(bank, _own(bank, called, payment_id))


@blueprint.post(f"{PATH}/<payment_id>/confirmation")
def confirm(brand_id: str, payment_id: str) -> Response:
    """The TPP's word on what the customer has approved: at some banks it executes. It is taken once."""
    bank, called = _called(brand_id)
    if request.get_data():
        _check_json()
        body = json_object(request.get_data())
        if body.keys() - {"psuAuthenticationFactor"}:
            raise wrong(min(body.keys()), "is not a field of ConfirmationResource")
        if body:
            raise wrong("psuAuthenticationFactor", "is for the embedded approach, which this bank does not have")
    _own(bank, called, payment_id, unknown=400)
    payments.settle(bank.store, bank.now_ms())
    with bank.store.write() as connection:
        found = payment_requests.find(connection, payment_id)
        now_ms = bank.now_ms()
        if found is None or not found.may_be_confirmed(now_ms):
            raise StetError(400, "Invalid status value: there is nothing to confirm")
        payment_requests.confirm(connection, found, now_ms=now_ms, settle_ms=bank.settle_ms)
    _play(bank, scenario_of(found.payment.amount_minor).token)
    return _told(bank, _own(bank, called, payment_id), counts=False)


@blueprint.put(f"{PATH}/<payment_id>")
def put(brand_id: str, payment_id: str) -> Response:
    """A cancellation, as long as nobody has approved it: afterwards its customer would have to be asked."""
    bank, called = _called(brand_id)
    _check_json()
    kept = _own(bank, called, payment_id)
    check_cancellation(request.get_data(), kept=kept.request)
    with bank.store.write() as connection:
        found, now_ms = payment_requests.find(connection, payment_id), bank.now_ms()
        if found is None or not (found.may_be_decided(now_ms) or found.payment.decision == "cancelled"):
            raise StetError(400, "Invalid status value: it can be cancelled no more")
        payments.cancel(connection, payment_id)
    return _hal({}, 200)


# ------------------------------------------------------------------------------------------------------ the answers


def answer_error(error: StetError) -> Response:
    response = _hal(error.body(path=request.path, now_ms=current_bank().now_ms()), error.status)
    response.content_type = "application/json; charset=utf-8"
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def answer_http_error(error: HTTPException) -> Response:
    response = answer_error(StetError(error.code or 500, error.name))
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def is_api(path: str) -> bool:
    return any(path.startswith(brand.prefix) for brand in BRANDS.values())


def add_request_id(response: Response) -> Response:
    """Played back, as the standard wants, but by a bank that does not."""
    given = request.headers.get("X-Request-ID")
    brand = next((one for one in BRANDS.values() if request.path.startswith(one.prefix)), None)
    if given and brand is not None and not brand.request_id_not_echoed:
        response.headers["X-Request-ID"] = given
    return response


def _told(bank: StetBank, found: Request, *, counts: bool = True) -> Response:
    """HalPaymentRequest. Settles what is due before it says so."""
    now_ms, untrue = bank.now_ms(), None
    payments.settle(bank.store, now_ms)
    if counts and found.payment.decision == "approved" and scenario_of(found.payment.amount_minor).reads:
        with bank.store.write() as connection:
            scripted = payments.count_status_read(connection, found.payment)
        if scripted is Fault.UNREADABLE:
            return Response('{"paymentRequest": {"paymentInformationStatus": "AC', content_type=HAL)
        if isinstance(scripted, str):
            untrue = scripted
        else:
            _play(bank, scripted)
    word, reason, transaction = found.words(now_ms, untrue=untrue)
    told: dict[str, Any] = {
        **found.request,
        "resourceId": found.payment.payment_id,
        "paymentInformationStatus": word,
        "creditTransferTransaction": [
            {**found.request["creditTransferTransaction"][0], **_if("transactionStatus", transaction)}
        ],
        **_if("statusReasonInformation", reason),
    }
    itself = _link(bank, found.brand, found.payment.payment_id)
    links = {"self": {"href": itself}}
    if found.may_be_confirmed(now_ms):
        links["confirmation"] = {"href": f"{itself}/confirmation"}
    return _hal({"paymentRequest": told, "_links": links}, 200)


def _if(name: str, value: str | None) -> dict[str, str]:
    return {} if value is None else {name: value}


def _hal(body: object, status: int) -> Response:
    return Response(json.dumps(body), status=status, content_type=HAL)


def _link(bank: StetBank, brand: Brand, payment_id: str) -> str:
    path = f"{brand.prefix}/payment-requests/{payment_id}"
    return path if brand.relative_links else bank.settings.base_url + path


# ------------------------------------------------------------------------------------------------------ the questions


def _called(brand_id: str) -> tuple[StetBank, Caller]:
    called = caller(brand_id)
    accepted = request.accept_mimetypes
    if accepted and not (accepted["application/hal+json"] or accepted["application/json"]):
        raise StetError(406, "this bank answers in application/hal+json")
    return current_bank(), called


def _check_json() -> None:
    if request.mimetype != "application/json":
        raise wrong("Content-Type", "the body must be application/json")


def _check_ip_address() -> None:
    """Optional in the official file, and wanted by most banks: they look for fraud with it."""
    given = request.headers.get("PSU-IP-Address")
    if given is None:
        raise StetError(400, "Missing request header 'PSU-IP-Address'")
    try:
        ipaddress.ip_address(given)
    except ValueError:
        raise wrong("PSU-IP-Address", "must be an IP address") from None


def _own(bank: StetBank, called: Caller, payment_id: str, *, unknown: int = 404) -> Request:
    """Another TPP's payment request, or another bank's, does not exist for this one."""
    with bank.store.read() as connection:
        found = payment_requests.find(connection, payment_id)
    if found is None or found.payment.tpp != called.tpp or found.brand != called.brand:
        raise StetError(unknown, "Not found, no request available")
    return found


def _play(bank: StetBank, fault: Fault | None) -> None:
    """What goes wrong with the answer; the deed is done."""
    if fault is Fault.FAILS:
        raise StetError(500, "the bank failed")
    if fault is Fault.HANGS:
        bank.hang()
