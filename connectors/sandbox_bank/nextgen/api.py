"""NextGenPSD2 1.3.12, payment initiation in JSON: payments at once, on a day and periodic ones, their authorisations,
and their cancellation.

Every answer carries X-Request-ID; every refusal has a code of the standard, as `tppMessages` or as problem+json.
"""

from __future__ import annotations

import functools
import hmac
import uuid
from typing import Any

from flask import Blueprint, Response, json, request
from werkzeug.exceptions import HTTPException

from connectors.sandbox_bank import payments, texts
from connectors.sandbox_bank.errors import BerlinGroupError, format_error
from connectors.sandbox_bank.grants import digest
from connectors.sandbox_bank.initiation import check_headers, is_uuid, json_object
from connectors.sandbox_bank.nextgen import orders
from connectors.sandbox_bank.nextgen.brands import BRANDS, TRANSFERS, Brand
from connectors.sandbox_bank.nextgen.context import NextGenBank, current_bank
from connectors.sandbox_bank.nextgen.definition import PAYMENTS, PERIODIC, read, ways_back
from connectors.sandbox_bank.nextgen.door import METADATA_PATH, Caller, caller
from connectors.sandbox_bank.nextgen.orders import Authorisation, KeptOrder
from connectors.sandbox_bank.people import iban_is_ours
from connectors.sandbox_bank.scenarios import Fault, scenario_of

PATH = "/<brand_id>/psd2/v1/<service>/<product>"
ONE = f"{PATH}/<payment_id>"
AUTHORISATIONS, CANCELLATIONS = "authorisations", "cancellation-authorisations"
JSON, PROBLEM = "application/json", "application/problem+json"
#: what a bank that fails early says of a status, one after the other
_EARLY = ((404, "RESOURCE_UNKNOWN"), (409, "STATUS_INVALID"), (500, "INTERNAL_SERVER_ERROR"))

blueprint = Blueprint("nextgen_api", __name__)


# ----------------------------------------------------------------------------------------------------------- the orders


@blueprint.post(PATH)
def initiate(brand_id: str, service: str, product: str) -> Response:
    bank, called = _called(brand_id)
    brand = called.brand
    _check_offered(brand, service, product)
    if called.payment_id is not None:
        raise BerlinGroupError(401, "TOKEN_INVALID", "a payment is initiated with the TPP's own token")
    _check_json()
    asked = read(request.headers, request.get_data(), brand=brand, service=service, now=bank.settings.clock())
    fault = scenario_of(asked.order.amount_minor).initiation
    if fault is Fault.REFUSED:
        raise BerlinGroupError(400, "PAYMENT_FAILED", "the bank does not take this payment")
    if fault is Fault.FAILS_BEFORE:
        raise _internal_error()
    begun = None
    with bank.store.write() as connection:
        wanted = asked.order.body.get("debtorAccount")
        if wanted is not None and not iban_is_ours(connection, wanted["iban"]):
            raise BerlinGroupError(400, "PAYMENT_FAILED", "not our account", path="debtorAccount.iban")
        create = functools.partial(
            orders.create,
            connection,
            tpp=called.tpp,
            brand=brand,
            service=service,
            product=product,
            asked=asked,
            owner=called.customer_id,
            now_ms=bank.now_ms(),
        )
        if brand.once_per_request:
            request_id = request.headers["X-Request-ID"]
            payment_id = orders.once(connection, tpp=called.tpp, brand=brand, request_id=request_id, make=create)
        else:
            payment_id = create()
        if not (brand.explicit and (asked.explicit or brand.approach != "decoupled")):
            ways = (asked.order.redirect_uri, asked.failure_uri)
            earlier = orders.authorisations_of(connection, payment_id, cancels=False)
            begun = (
                earlier[0]
                if earlier
                else orders.start(
                    connection, payment_id=payment_id, cancels=False, ways_back=ways, now_ms=bank.now_ms()
                )
            )
    _play(bank, fault)
    itself = _link(bank, brand, service, product, payment_id)
    links = {"self": {"href": itself}, "status": {"href": f"{itself}/status"}, **_ways(bank, brand, itself, begun)}
    response = _answer({"transactionStatus": "RCVD", "paymentId": payment_id, "_links": links}, 201)
    response.headers["Location"] = bank.settings.base_url + _path(brand, service, product, payment_id)
    response.headers["ASPSP-SCA-Approach"] = _approach(brand)
    return response


def _ways(bank: NextGenBank, brand: Brand, itself: str, begun: Authorisation | None) -> dict[str, dict[str, str]]:
    """How the approval goes on: it is started, or it is to be."""
    part = CANCELLATIONS if begun is not None and begun.cancels else AUTHORISATIONS
    if begun is None:
        return {"startAuthorisation": {"href": f"{itself}/{part}"}}
    place = f"{itself}/{part}/{begun.authorisation_id}"
    ways = {"scaStatus": {"href": place}}
    if brand.approach == "oauth":
        ways["scaOAuth"] = {"href": f"{bank.settings.base_url}{METADATA_PATH}/{brand.id}"}
    elif brand.approach == "redirect":
        page = f"/{brand.id}/consent/{begun.link}"
        ways[brand.redirect_link_name] = {"href": page if brand.relative_links else bank.settings.base_url + page}
    if brand.confirms and not begun.cancels:
        ways["confirmation"] = {"href": place}
    return ways


@blueprint.get(ONE)
def read_order(brand_id: str, service: str, product: str, payment_id: str) -> Response:
    bank, called = _called(brand_id)
    order, word, unreadable = _read(bank, called, service, product, payment_id)
    if unreadable:
        return _unreadable()
    iban = order.payment.debtor_iban or order.payment.wanted_debtor_iban
    account = {"currency": "EUR"} if iban is None else {"iban": iban}
    return _answer({**order.payment.body, "debtorAccount": account, "transactionStatus": word}, 200)


@blueprint.get(f"{ONE}/status")
def read_status(brand_id: str, service: str, product: str, payment_id: str) -> Response:
    bank, called = _called(brand_id)
    order, word, unreadable = _read(bank, called, service, product, payment_id, may_be_early=True)
    if unreadable:
        return _unreadable()
    body = {"transactionStatus": word}
    reason = order.payment.status_at(bank.now_ms()).reason
    if word == "RJCT" and reason is not None:
        body["psuMessage"] = texts.rejection(texts.language(request.headers.get("PSU-Accept-Language", "")), reason)
    return _answer(body, 200)


@blueprint.delete(ONE)
def cancel(brand_id: str, service: str, product: str, payment_id: str) -> Response:
    """Nobody has approved it: it goes. It waits for its day: it goes, or its customer is asked. Else it stays."""
    bank, called = _called(brand_id)
    _own(bank, called, service, product, payment_id)
    with bank.store.write() as connection:
        order, now_ms = orders.find(connection, payment_id), bank.now_ms()
        if order is None:
            raise _unknown()
        kept = order.is_kept(now_ms)
        if kept and order.brand.cancels_with_sca:
            itself = _link(bank, order.brand, service, product, payment_id)
            links = {"startAuthorisation": {"href": f"{itself}/{CANCELLATIONS}"}}
            return _answer({"transactionStatus": order.word(now_ms), "_links": links}, 202)
        if kept:
            payments.cancel_kept(connection, payment_id)
        elif order.payment.may_be_decided(now_ms) and order.customer_id is None:
            payments.cancel(connection, payment_id)
        elif order.payment.decision != "cancelled":
            raise BerlinGroupError(405, "CANCELLATION_INVALID", "the payment can no longer be cancelled")
    return Response(status=204)


# --------------------------------------------------------------------------------------------------- the authorisations


@blueprint.post(f"{ONE}/<any({AUTHORISATIONS!r}, {CANCELLATIONS!r}):part>")
def start(brand_id: str, service: str, product: str, payment_id: str, part: str) -> Response:
    bank, called = _called(brand_id)
    _own(bank, called, service, product, payment_id)
    if request.get_data():
        _check_json()
        if json_object(request.get_data()):
            raise format_error("body", "nothing is wanted here: this bank has no embedded approach")
    ways = ways_back(request.headers, brand=called.brand)
    with bank.store.write() as connection:
        order, now_ms = orders.find(connection, payment_id), bank.now_ms()
        if order is None:
            raise _unknown()
        if not (order.is_kept(now_ms) if part == CANCELLATIONS else order.payment.may_be_decided(now_ms)):
            raise BerlinGroupError(409, "STATUS_INVALID", "there is nothing to be approved")
        begun = orders.start(
            connection, payment_id=payment_id, cancels=part == CANCELLATIONS, ways_back=ways, now_ms=now_ms
        )
    itself = _link(bank, called.brand, service, product, payment_id)
    body = {
        "scaStatus": begun.sca_status,
        "authorisationId": begun.authorisation_id,
        "_links": _ways(bank, called.brand, itself, begun),
    }
    response = _answer(body, 201)
    response.headers["ASPSP-SCA-Approach"] = _approach(called.brand)
    _play(bank, scenario_of(order.payment.amount_minor).token if called.brand.approach == "decoupled" else None)
    return response


@blueprint.get(f"{ONE}/<any({AUTHORISATIONS!r}, {CANCELLATIONS!r}):part>")
def list_authorisations(brand_id: str, service: str, product: str, payment_id: str, part: str) -> Response:
    bank, called = _called(brand_id)
    _own(bank, called, service, product, payment_id)
    with bank.store.read() as connection:
        found = orders.authorisations_of(connection, payment_id, cancels=part == CANCELLATIONS)
    ids = [one.authorisation_id for one in found]
    return _answer({"authorisationIds": ids}, 200)  # of either kind: 1.3.12 has one schema for both


@blueprint.get(f"{ONE}/<any({AUTHORISATIONS!r}, {CANCELLATIONS!r}):part>/<authorisation_id>")
def read_authorisation(
    brand_id: str, service: str, product: str, payment_id: str, part: str, authorisation_id: str
) -> Response:
    bank, called = _called(brand_id)
    _own(bank, called, service, product, payment_id)
    with bank.store.read() as connection:
        found = orders.authorisation(connection, authorisation_id)
    if found is None or (found.order.payment.payment_id, found.cancels) != (payment_id, part == CANCELLATIONS):
        raise _unknown()
    return _answer({"scaStatus": found.status_at(bank.now_ms())}, 200)


@blueprint.put(f"{ONE}/{AUTHORISATIONS}/<authorisation_id>")
def confirm(brand_id: str, service: str, product: str, payment_id: str, authorisation_id: str) -> Response:
    """The confirmation code, which the browser brought to the TPP: only now is executed what the customer approved."""
    bank, called = _called(brand_id)
    _own(bank, called, service, product, payment_id)
    _check_json()
    body = json_object(request.get_data())
    if set(body) != {"confirmationCode"} or not isinstance(body["confirmationCode"], str):
        raise format_error("confirmationCode", "it alone is wanted here: this bank has no embedded approach")
    if not body["confirmationCode"].isascii():  # half a character, for one, has no bytes that could be compared
        raise BerlinGroupError(400, "SCA_INVALID", "it is not the code", path="confirmationCode")
    payments.settle(bank.store, bank.now_ms())
    with bank.store.write() as connection:
        found, now_ms = orders.authorisation(connection, authorisation_id), bank.now_ms()
        if found is None or found.order.payment.payment_id != payment_id:
            raise _unknown()
        if found.status_at(now_ms) != "unconfirmed":
            raise BerlinGroupError(409, "STATUS_INVALID", "there is nothing to confirm")
        if not hmac.compare_digest(digest(body["confirmationCode"]), found.code_hash or ""):
            raise BerlinGroupError(400, "SCA_INVALID", "it is not the code", path="confirmationCode")
        orders.confirm(connection, found, now_ms=now_ms, settle_ms=bank.settle_ms)
        ended = orders.authorisation(connection, authorisation_id)
    _play(bank, scenario_of(found.order.payment.amount_minor).token)
    itself = _link(bank, called.brand, service, product, payment_id)
    said = "failed" if ended is None else ended.sca_status
    return _answer({"scaStatus": said, "_links": {"status": {"href": f"{itself}/status"}}}, 200)


# ---------------------------------------------------------------------------------------------------------- the answers


def answer_error(error: BerlinGroupError) -> Response:
    brand = brand_here()
    if brand is not None and brand.problems and 400 <= error.status < 500:
        problem: dict[str, Any] = {
            "type": f"https://{brand.id}.example/errors",
            "title": error.code.replace("_", " ").capitalize()[:70],
            "detail": error.text,
            "code": error.code,
        }
        response = Response(json.dumps(problem), status=error.status, content_type=PROBLEM)
    else:
        response = _answer(error.body(), error.status)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def answer_http_error(error: HTTPException) -> Response:
    """What Flask refuses before a view is reached, in the standard's words."""
    if error.code == 404:
        refusal = BerlinGroupError(404, "RESOURCE_UNKNOWN", "there is nothing at this address")
    elif error.code == 405:
        refusal = BerlinGroupError(405, "SERVICE_INVALID", "the method is not allowed here")
    elif error.code is not None and error.code >= 500:
        refusal = _internal_error()
    else:
        refusal = BerlinGroupError(error.code or 400, "FORMAT_ERROR", error.description or error.name)
    response = answer_error(refusal)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def brand_here() -> Brand | None:
    """Whose API this request is for."""
    return next((one for one in BRANDS.values() if request.path.startswith(one.prefix)), None)


def add_request_id(response: Response) -> Response:
    """Echoes X-Request-ID, required on every answer of the standard; who sent no good one gets a new one."""
    if brand_here() is not None:
        given = request.headers.get("X-Request-ID", "")
        response.headers["X-Request-ID"] = given if is_uuid(given) else str(uuid.uuid4())
    return response


def _answer(body: object, status: int) -> Response:
    return Response(json.dumps(body), status=status, content_type=JSON)


def _unreadable() -> Response:
    return Response('{"transactionStatus": "AC', mimetype=JSON)


def _approach(brand: Brand) -> str:
    return "DECOUPLED" if brand.approach == "decoupled" else "REDIRECT"


def _path(brand: Brand, service: str, product: str, payment_id: str) -> str:
    return f"{brand.prefix}/{service}/{product}/{payment_id}"


def _link(bank: NextGenBank, brand: Brand, service: str, product: str, payment_id: str) -> str:
    path = _path(brand, service, product, payment_id)
    return path if brand.relative_links else bank.settings.base_url + path


# -------------------------------------------------------------------------------------------------------- the questions


def _called(brand_id: str) -> tuple[NextGenBank, Caller]:
    check_headers(request.headers)
    called = caller(brand_id)
    if request.accept_mimetypes and not request.accept_mimetypes.accept_json:
        raise BerlinGroupError(406, "REQUESTED_FORMATS_INVALID", "this bank answers in application/json")
    return current_bank(), called


def _check_json() -> None:
    if request.mimetype != JSON:
        raise BerlinGroupError(415, "FORMAT_ERROR", "the body must be application/json", path="Content-Type")


def _check_offered(brand: Brand, service: str, product: str) -> None:
    if service not in (PAYMENTS, PERIODIC):
        raise BerlinGroupError(400, "SERVICE_INVALID", f"only {PAYMENTS} and {PERIODIC}")
    if product not in ((TRANSFERS,) if service == PERIODIC else brand.products):
        raise BerlinGroupError(404, "PRODUCT_UNKNOWN", f"only {', '.join(brand.products)} in JSON")


def _own(bank: NextGenBank, called: Caller, service: str, product: str, payment_id: str) -> KeptOrder:
    """Another TPP's payment, another bank's, or one at another address does not exist for this one."""
    with bank.store.read() as connection:
        order = orders.find(connection, payment_id)
    if order is None or (order.payment.tpp, order.brand) != (called.tpp, called.brand):
        raise _unknown()
    if (order.service, order.product) != (service, product):
        raise _unknown()
    if called.payment_id not in (None, payment_id):
        raise BerlinGroupError(401, "TOKEN_INVALID", "the token is for another payment")
    if called.customer_id != order.owner:
        if called.brand.others_are_told == 404:
            raise _unknown()
        raise BerlinGroupError(401, "TOKEN_INVALID", "the token is of another customer")
    return order


def _read(
    bank: NextGenBank, called: Caller, service: str, product: str, payment_id: str, *, may_be_early: bool = False
) -> tuple[KeptOrder, str, bool]:
    """(the order, its transactionStatus, whether the answer shall be unreadable). What is due is settled first."""
    now_ms = bank.now_ms()
    payments.settle(bank.store, now_ms)
    order = _own(bank, called, service, product, payment_id)
    if may_be_early and order.brand.early_failures and order.payment.may_be_decided(now_ms):
        with bank.store.write() as connection:
            before = orders.count_early_read(connection, order)
        if before < len(_EARLY):
            status, code = _EARLY[before]
            raise BerlinGroupError(status, code, "its customer has not been here")
    scripted = None
    if order.payment.decision == "approved" and scenario_of(order.payment.amount_minor).reads:
        with bank.store.write() as connection:
            scripted = payments.count_status_read(connection, order.payment)
    if isinstance(scripted, str):
        return order, order.word(now_ms, untrue=scripted), False
    if scripted is Fault.UNREADABLE:
        return order, "", True
    _play(bank, scripted)
    return order, order.word(now_ms), False


def _play(bank: NextGenBank, fault: Fault | None) -> None:
    """What goes wrong with the answer; the deed is done."""
    if fault is Fault.FAILS:
        raise _internal_error()
    if fault is Fault.HANGS:
        bank.hang()


def _unknown() -> BerlinGroupError:
    return BerlinGroupError(404, "RESOURCE_UNKNOWN", "there is no such payment, or no such part of it")


def _internal_error() -> BerlinGroupError:
    return BerlinGroupError(500, "INTERNAL_SERVER_ERROR", "the bank failed")
