"""What all payment orders share: the way in, whose a resource is, once and no more, and what goes wrong on purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Blueprint, Response, g

from connectors.sandbox_bank.openbanking_uk import answers, bodies, events, idempotency, payments, people, rules
from connectors.sandbox_bank.openbanking_uk.answers import ApiError
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.context import UkBank, current_bank
from connectors.sandbox_bank.openbanking_uk.errors import Unauthorised
from connectors.sandbox_bank.openbanking_uk.idempotency import Call, OtherRequest
from connectors.sandbox_bank.openbanking_uk.identity import Grant, granted
from connectors.sandbox_bank.openbanking_uk.payments import Consent, Kind, Payment, Timetable
from connectors.sandbox_bank.openbanking_uk.rules import Posted
from connectors.sandbox_bank.openbanking_uk.scenarios import UkScenario, scenario_of
from connectors.sandbox_bank.openbanking_uk.store import Connection
from connectors.sandbox_bank.scenarios import Fault, Reason

SCOPE = "payments"


class Orders(Protocol):
    """What differs between the kinds of payment orders. All raise ApiError."""

    kind: Kind

    def check_consent(self, body: dict[str, Any], here: Here) -> int:
        """The amount in pence by which a scenario is chosen."""
        ...

    def check_payment(self, body: dict[str, Any], consent: Consent, here: Here) -> int:
        """The amount in pence of a payment that fits its consent, whatever its status."""
        ...

    def execute(
        self, connection: Connection, consent: Consent, body: dict[str, Any], amount_minor: int, here: Here
    ) -> str:
        """The new payment's id. Alone in the file: the consent is as it is now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """Who calls which brand."""

    bank: UkBank
    brand: Brand
    grant: Grant

    @property
    def now_ms(self) -> int:
        return self.bank.now_ms()


def here(*, customer: bool) -> Here:
    """Raises Unauthorised."""
    bank, brand = current_bank(), g.api_brand
    return Here(bank=bank, brand=brand, grant=granted(brand, scope=SCOPE, customer=customer))


# ----------------------------------------------------------------------------------------------------------- the way in


def blueprint(name: str, *, below: str = "/pisp") -> Blueprint:
    """For one sort of resources, at each brand in the one version that it speaks."""
    made = Blueprint(name, __name__, url_prefix=f"/<brand_id>/open-banking/v<version>{below}")
    made.url_value_preprocessor(_enter)
    made.before_request(rules.check_headers)
    made.register_error_handler(ApiError, lambda fault: answers.error(g.api_brand, fault))
    made.register_error_handler(Unauthorised, lambda fault: Response(status=fault.status, headers=fault.headers))
    return made


def _enter(endpoint: str | None, values: dict[str, Any] | None) -> None:  # noqa: ARG001
    """Raises NotFound, and ApiError for a brand that speaks another version."""
    asked = values or {}
    g.api_brand = current_bank().brand(asked.pop("brand_id", ""))
    if asked.pop("version", "") != g.api_brand.version:
        raise ApiError("U011", f"this bank speaks {g.api_brand.version}", status=404)


def orders(name: str, how: Orders) -> Blueprint:
    """The five addresses that each kind has."""
    made, kind = blueprint(name), how.kind
    made.add_url_rule(f"/{kind.consents}", "create", lambda: post_consent(how), methods=["POST"])
    made.add_url_rule(f"/{kind.consents}/<consent_id>", "consent", lambda consent_id: get_consent(kind, consent_id))
    made.add_url_rule(f"/{kind.orders}", "submit", lambda: post_payment(how), methods=["POST"])
    made.add_url_rule(f"/{kind.orders}/<payment_id>", "payment", lambda payment_id: get_payment(kind, payment_id))
    made.add_url_rule(
        f"/{kind.orders}/<payment_id>/payment-details", "details", lambda payment_id: get_details(kind, payment_id)
    )
    return made


# ------------------------------------------------------------------------------------------------------------- consents


def post_consent(how: Orders) -> Response:
    at, kind = here(customer=False), how.kind
    asked, call = _read(at, kind.consents)
    amount_minor = how.check_consent(dict(asked.body), at)
    fault = scenario_of(amount_minor).initiation
    if fault is Fault.REFUSED:
        raise ApiError("U002", "this amount is refused", path="Data.Initiation.InstructedAmount")
    if fault is Fault.FAILS_BEFORE:
        raise ApiError("U000", "the bank failed before it did anything", status=500)

    def make(connection: Connection) -> str:
        return payments.create_consent(
            connection,
            kind,
            brand=at.brand.id,
            tpp=at.grant.tpp,
            body=asked.body,
            amount_minor=amount_minor,
            now_ms=at.now_ms,
        )

    consent_id = _once(at, call, make)
    _play(at.bank, fault)
    return answer_consent(at, own_consent(at, kind, consent_id), status=201)


def get_consent(kind: Kind, consent_id: str) -> Response:
    at = here(customer=False)
    return answer_consent(at, own_consent(at, kind, consent_id))


def answer_consent(at: Here, consent: Consent, *, status: int = 200) -> Response:
    account = None
    if consent.account_id is not None:
        with at.bank.store.read() as connection:
            account = people.account_of(connection, consent.account_id)
    body = bodies.of_consent(at.brand, consent, account, now_ms=at.now_ms)
    return answers.answer(at.brand, body, link=link_of(at, consent), status=status)


def own_consent(at: Here, kind: Kind, consent_id: str) -> Consent:
    """Raises ApiError: an unknown one is 400, another TPP's 403, another one than the token's 403."""
    with at.bank.store.read() as connection:
        consent = payments.consent_of(connection, consent_id, brand=at.brand.id)
    if consent is None or consent.kind is not kind:
        raise ApiError("U011", "there is no such consent", path="Data.ConsentId")
    if consent.tpp != at.grant.tpp or at.grant.consent_id not in (None, consent_id):
        raise ApiError("U011", "the consent is not yours to use", status=403, path="Data.ConsentId")
    return consent


def check_authorised(consent: Consent, now_ms: int) -> None:
    if consent.status_at(now_ms) != "AUTH":
        raise ApiError("U009", "the consent is not authorised, or used up", path="Data.ConsentId")


def has_funds(connection: Connection, consent: Consent, amount_minor: int) -> bool:
    """In the account that the customer chose."""
    return people.account_of(connection, consent.account_id or "").available_minor >= amount_minor


def link_of(at: Here, consent: Consent) -> str:
    return f"{at.brand.prefix}/{consent.kind.consents}/{consent.consent_id}"


# ------------------------------------------------------------------------------------------------------------- payments


def post_payment(how: Orders) -> Response:
    at, kind = here(customer=True), how.kind
    asked, call = _read(at, kind.orders)
    body = dict(asked.body)
    consent = own_consent(at, kind, _consent_id(body))
    amount_minor = how.check_payment(body, consent, at)
    scenario = scenario_of(amount_minor)
    _refuse(at, scenario, call)

    def make(connection: Connection) -> str:
        now = payments.consent_of(connection, consent.consent_id, brand=at.brand.id)
        if now is None:
            raise ApiError("U011", "there is no such consent", path="Data.ConsentId")
        payment_id = how.execute(connection, now, body, amount_minor, at)
        events.of_payment(connection, payments.payment_of(connection, payment_id, brand=at.brand.id))
        return payment_id

    payment_id = _once(at, call, make)
    if scenario.submission in (Fault.FAILS, Fault.HANGS) and _first_time(at, f"after {payment_id}"):
        _play(at.bank, scenario.submission)
    untrue = (scenario.wrongly_signed or scenario.other_interaction) and _first_time(at, f"told {payment_id}")
    return _answer_payment(at, kind, payment_id, status=201, scenario=scenario if untrue else None)


def repeated(body: dict[str, Any], consent: Consent, *, more: frozenset[str] = frozenset()) -> None:
    """A payment repeats Initiation and Risk of its consent. Raises ApiError."""
    data = body["Data"]
    if body.keys() != {"Data", "Risk"} or data.keys() - {"ConsentId", "Initiation"} - more:
        raise ApiError("U010", "something in the body does not belong to this request")
    if data.get("Initiation") != consent.initiation:
        raise ApiError("U008", "Initiation is not that of the consent", path="Data.Initiation")
    if body["Risk"] != consent.body["Risk"]:
        raise ApiError("U008", "Risk is not that of the consent", path="Risk")


def timetable(connection: Connection, at: Here, consent: Consent, amount_minor: int) -> Timetable:
    """Of a payment that is made now: its scenario's, if the money is there."""
    if not has_funds(connection, consent, amount_minor):
        return [(at.now_ms, "RJCT", Reason.NO_FUNDS)]
    return payments.timetable_of(amount_minor, begins_ms=at.now_ms, settle_ms=at.bank.settle_ms)


def get_payment(kind: Kind, payment_id: str) -> Response:
    at = here(customer=False)
    with at.bank.store.write() as connection:
        script = payments.count_read(connection, _own_payment(connection, at, kind, payment_id))
    if script is Fault.UNREADABLE:
        return Response(b'{"Data": {', mimetype="application/json")
    if isinstance(script, str):
        return _answer_payment(at, kind, payment_id, told=script)
    _play(at.bank, script)
    return _answer_payment(at, kind, payment_id)


def get_details(kind: Kind, payment_id: str) -> Response:
    at = here(customer=False)
    with at.bank.store.read() as connection:
        payment = _own_payment(connection, at, kind, payment_id)
    link = f"{at.brand.prefix}/{kind.orders}/{payment_id}/payment-details"
    return answers.answer(at.brand, bodies.of_details(at.brand, payment, now_ms=at.now_ms), link=link)


def _answer_payment(
    at: Here,
    kind: Kind,
    payment_id: str,
    *,
    status: int = 200,
    told: str | None = None,
    scenario: UkScenario | None = None,
) -> Response:
    """``scenario``: what is wrong with this answer."""
    with at.bank.store.read() as connection:
        payment = _own_payment(connection, at, kind, payment_id)
        account = people.account_of(connection, payment.account_id)
    return answers.answer(
        at.brand,
        bodies.of_payment(at.brand, payment, account, told=told, now_ms=at.now_ms),
        link=f"{at.brand.prefix}/{kind.orders}/{payment_id}",
        status=status,
        wrongly_signed=scenario is not None and scenario.wrongly_signed,
        other_interaction=scenario is not None and scenario.other_interaction,
    )


def _own_payment(connection: Connection, at: Here, kind: Kind, payment_id: str) -> Payment:
    payment = payments.payment_of(connection, payment_id, brand=at.brand.id)
    if payment is None or payment.kind is not kind:
        raise ApiError("U011", "there is no such payment")
    if payment.consent.tpp != at.grant.tpp:
        raise ApiError("U011", "the payment is another's", status=403)
    return payment


def _consent_id(body: dict[str, Any]) -> str:
    data = body.get("Data")
    if not isinstance(data, dict) or "Risk" not in body:
        raise ApiError("U010", "Data and Risk, and nothing else")
    return str(data.get("ConsentId", ""))


# ------------------------------------------------------------------------------------------- once, and wrong on purpose


def _read(at: Here, path: str) -> tuple[Posted, Call]:
    """What was posted under which key. Raises ApiError."""
    key = rules.idempotency_key()
    asked = rules.posted(at.bank, at.brand, at.grant.tpp)
    return asked, Call(brand=at.brand.id, tpp=at.grant.tpp, key=key, path=path, body_hash=asked.body_hash)


def _once(at: Here, call: Call, make: Callable[[Connection], str]) -> str:
    """Raises ApiError."""
    with at.bank.store.write() as connection:
        try:
            return idempotency.once(connection, call, lambda: make(connection), now_ms=at.now_ms)
        except OtherRequest:
            raise ApiError("U006", "this key was used for another request", path=rules.KEY) from None


def _refuse(at: Here, scenario: UkScenario, call: Call) -> None:
    if scenario.submission is Fault.REFUSED:
        raise ApiError("U002", "this amount is refused", path="Data.Initiation.InstructedAmount")
    if scenario.submission is Fault.FAILS_BEFORE and _first_time(at, f"before {call.tpp} {call.key}"):
        raise ApiError("U000", "the bank failed before it did anything", status=500)


def _first_time(at: Here, what: str) -> bool:
    with at.bank.store.write() as connection:
        return payments.first_time(connection, what)


def _play(bank: UkBank, fault: Fault | str | None) -> None:
    """What goes wrong with an answer whose deed is done."""
    if fault is Fault.FAILS:
        raise ApiError("U000", "the bank failed after it did what was asked", status=500)
    if fault is Fault.HANGS:
        bank.hang()
