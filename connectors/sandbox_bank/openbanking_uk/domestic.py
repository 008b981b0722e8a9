"""Domestic payments: /domestic-payment-consents and /domestic-payments, in 4.0 and 3.1.11."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, g

from connectors.sandbox_bank.openbanking_uk import answers, payments, people, rules
from connectors.sandbox_bank.openbanking_uk.answers import ApiError
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.context import UkBank, current_bank
from connectors.sandbox_bank.openbanking_uk.errors import Unauthorised
from connectors.sandbox_bank.openbanking_uk.identity import Grant, granted
from connectors.sandbox_bank.openbanking_uk.payments import Consent, Payment
from connectors.sandbox_bank.openbanking_uk.rules import Posted
from connectors.sandbox_bank.openbanking_uk.scenarios import UkScenario, scenario_of
from connectors.sandbox_bank.openbanking_uk.store import Connection
from connectors.sandbox_bank.scenarios import Fault

SCOPE = "payments"
CONSENTS, PAYMENTS = "/domestic-payment-consents", "/domestic-payments"

blueprint = Blueprint("domestic", __name__, url_prefix="/<brand_id>/open-banking/v<version>/pisp")


@blueprint.url_value_preprocessor
def _enter(endpoint: str | None, values: dict[str, Any] | None) -> None:  # noqa: ARG001
    """The brand of the address, which speaks one version only."""
    found = current_bank().brand((values or {}).pop("brand_id", ""))
    g.api_brand = found if (values or {}).pop("version", "") == found.version else None


@blueprint.before_request
def _check() -> None:
    if g.api_brand is None:
        raise ApiError("U011", "this bank does not speak this version", status=404)
    rules.check_headers()


@blueprint.errorhandler(ApiError)
def _refused(error: ApiError) -> Response:
    return answers.error_of(g.api_brand or next(iter(current_bank().brands.values())), error)


@blueprint.errorhandler(Unauthorised)
def _unauthorised(error: Unauthorised) -> Response:
    return Response(status=error.status, headers=error.headers)


# ------------------------------------------------------------------------------------------------------------- consents


@blueprint.post(CONSENTS)
def create_consent() -> Response:
    bank, brand = current_bank(), _brand()
    grant = granted(brand, scope=SCOPE, customer=False)
    asked = rules.posted(bank, brand, grant.tpp)
    amount_minor = rules.consent_of_body(asked.body, brand)
    fault = scenario_of(amount_minor).initiation
    if fault is Fault.REFUSED:
        raise ApiError("U002", "this amount is refused", path="Data.Initiation.InstructedAmount")
    if fault is Fault.FAILS_BEFORE:
        raise ApiError("U000", "the bank failed before it did anything", status=500)

    def make(connection: Connection) -> str:
        return payments.create_consent(
            connection,
            brand=brand.id,
            tpp=grant.tpp,
            body=asked.body,
            amount_minor=amount_minor,
            now_ms=bank.now_ms(),
        )

    consent_id = _once(bank, brand, grant, asked, CONSENTS, make)
    _play(bank, fault)
    consent = _consent(bank, brand, grant, consent_id)
    return answers.answer(brand, answers.of_consent(brand, consent, now_ms=bank.now_ms()), status=201)


@blueprint.get(f"{CONSENTS}/<consent_id>")
def read_consent(consent_id: str) -> Response:
    bank, brand = current_bank(), _brand()
    consent = _consent(bank, brand, granted(brand, scope=SCOPE, customer=False), consent_id)
    return answers.answer(brand, answers.of_consent(brand, consent, now_ms=bank.now_ms()))


@blueprint.get(f"{CONSENTS}/<consent_id>/funds-confirmation")
def confirm_funds(consent_id: str) -> Response:
    """With the customer's token, while the consent is authorised."""
    bank, brand = current_bank(), _brand()
    grant = granted(brand, scope=SCOPE, customer=True)
    consent = _consent(bank, brand, grant, consent_id)
    if consent.status_at(bank.now_ms()) != "AUTH" or consent.account_id is None:
        raise ApiError("U009", "the consent is not authorised")
    with bank.store.read() as connection:
        account = people.account_of(connection, consent.account_id)
    return answers.answer(brand, answers.of_funds(brand, consent, account, now_ms=bank.now_ms()))


# ------------------------------------------------------------------------------------------------------------- payments


@blueprint.post(PAYMENTS)
def submit() -> Response:
    bank, brand = current_bank(), _brand()
    grant = granted(brand, scope=SCOPE, customer=True)
    asked = rules.posted(bank, brand, grant.tpp)
    consent = _consent_of_submission(bank, brand, grant, asked)
    scenario = scenario_of(consent.amount_minor)
    _refuse(bank, scenario, consent)

    def execute(connection: Connection) -> str:
        now = payments.consent_of(connection, consent.consent_id, brand=brand.id)
        if now is None or now.status_at(bank.now_ms()) != "AUTH":
            raise ApiError("U009", "the consent is not authorised, or used up", path="Data.ConsentId")
        return payments.submit(connection, now, now_ms=bank.now_ms(), settle_ms=bank.settle_ms)

    payment_id = _once(bank, brand, grant, asked, PAYMENTS, execute)
    _play(bank, scenario.submission if _goes_wrong(bank, scenario, payment_id) else None)
    return _payment(
        bank,
        brand,
        grant,
        payment_id,
        status=201,
        scenario=scenario if _told_wrongly(bank, scenario, payment_id) else None,
    )


def _consent_of_submission(bank: UkBank, brand: Brand, grant: Grant, asked: Posted) -> Consent:
    """The consent whose Initiation and Risk the payment repeats letter by letter. Raises ApiError."""
    data = asked.body.get("Data")
    if not isinstance(data, dict) or asked.body.keys() != {"Data", "Risk"}:
        raise ApiError("U010", "Data and Risk, and nothing else")
    consent = _consent(bank, brand, grant, str(data.get("ConsentId", "")))
    if data.keys() != {"ConsentId", "Initiation"} or data["Initiation"] != consent.initiation:
        raise ApiError("U008", "Initiation is not that of the consent", path="Data.Initiation")
    if asked.body["Risk"] != consent.body["Risk"]:
        raise ApiError("U008", "Risk is not that of the consent", path="Risk")
    return consent


def _refuse(bank: UkBank, scenario: UkScenario, consent: Consent) -> None:
    if scenario.submission is Fault.REFUSED:
        raise ApiError("U002", "this amount is refused", path="Data.Initiation.InstructedAmount")
    if scenario.submission is Fault.FAILS_BEFORE:
        with bank.store.write() as connection:
            first = payments.first_time(connection, f"before {consent.consent_id}")
        if first:
            raise ApiError("U000", "the bank failed before it did anything", status=500)


def _goes_wrong(bank: UkBank, scenario: UkScenario, payment_id: str) -> bool:
    if scenario.submission not in (Fault.FAILS, Fault.HANGS):
        return False
    with bank.store.write() as connection:
        return payments.first_time(connection, f"after {payment_id}")


def _told_wrongly(bank: UkBank, scenario: UkScenario, payment_id: str) -> bool:
    if not scenario.wrongly_signed and not scenario.other_interaction:
        return False
    with bank.store.write() as connection:
        return payments.first_time(connection, f"told {payment_id}")


@blueprint.get(f"{PAYMENTS}/<payment_id>")
def read_payment(payment_id: str) -> Response:
    bank, brand = current_bank(), _brand()
    grant = granted(brand, scope=SCOPE, customer=False)
    with bank.store.write() as connection:
        found = _found(payments.payment_of(connection, payment_id, brand=brand.id), grant)
        script = payments.count_read(connection, found)
    if script is Fault.UNREADABLE:
        return Response(b'{"Data": {', mimetype="application/json")
    _play(bank, script if isinstance(script, Fault) else None)
    return _payment(bank, brand, grant, payment_id, told=script if isinstance(script, str) else None)


@blueprint.get(f"{PAYMENTS}/<payment_id>/payment-details")
def read_details(payment_id: str) -> Response:
    bank, brand = current_bank(), _brand()
    grant = granted(brand, scope=SCOPE, customer=False)
    with bank.store.read() as connection:
        found = _found(payments.payment_of(connection, payment_id, brand=brand.id), grant)
    return answers.answer(brand, answers.of_details(brand, found, now_ms=bank.now_ms()))


def _payment(
    bank: UkBank,
    brand: Brand,
    grant: Grant,
    payment_id: str,
    *,
    status: int = 200,
    told: str | None = None,
    scenario: UkScenario | None = None,
) -> Response:
    with bank.store.read() as connection:
        found = _found(payments.payment_of(connection, payment_id, brand=brand.id), grant)
        account = people.account_of(connection, found.consent.account_id or "")
    body = answers.of_payment(brand, found, account, status=told, now_ms=bank.now_ms())
    return answers.answer(
        brand,
        body,
        status=status,
        wrongly_signed=scenario is not None and scenario.wrongly_signed,
        other=scenario is not None and scenario.other_interaction,
    )


# ------------------------------------------------------------------------------------------------------ what they share


def _brand() -> Brand:
    found: Brand = g.api_brand
    return found


def _once(bank: UkBank, brand: Brand, grant: Grant, asked: Posted, path: str, make: Callable[[Connection], str]) -> str:
    """The resource of this key: made now, or a while ago by the same bytes ("Idempotency"). Raises ApiError."""
    now_ms = bank.now_ms()
    with bank.store.write() as connection:
        known = payments.known_key(connection, brand=brand.id, tpp=grant.tpp, key=asked.key, now_ms=now_ms)
        if known is not None:
            if (known["path"], known["body_hash"]) != (path, asked.body_hash):
                raise ApiError("U006", "this key was used for another request", path=rules.KEY)
            return str(known["resource_id"])
        made = make(connection)
        payments.keep_key(
            connection,
            brand=brand.id,
            tpp=grant.tpp,
            key=asked.key,
            path=path,
            body_hash=asked.body_hash,
            resource_id=made,
            now_ms=now_ms,
        )
        return made


def _consent(bank: UkBank, brand: Brand, grant: Grant, consent_id: str) -> Consent:
    """Raises ApiError: an unknown one is 400, another TPP's 403, another one than the token's 403."""
    with bank.store.read() as connection:
        consent = payments.consent_of(connection, consent_id, brand=brand.id)
    if consent is None:
        raise ApiError("U011", "there is no such consent", path="Data.ConsentId")
    if consent.tpp != grant.tpp or grant.consent_id not in (None, consent_id):
        raise ApiError("U011", "the consent is not yours to use", status=403, path="Data.ConsentId")
    return consent


def _found(payment: Payment | None, grant: Grant) -> Payment:
    if payment is None:
        raise ApiError("U011", "there is no such payment")
    if payment.consent.tpp != grant.tpp:
        raise ApiError("U011", "the payment is another's", status=403)
    return payment


def _play(bank: UkBank, fault: Fault | None) -> None:
    """What goes wrong with an answer, whose deed is done."""
    if fault is Fault.FAILS:
        raise ApiError("U000", "the bank failed after it did what was asked", status=500)
    if fault is Fault.HANGS:
        bank.hang()
