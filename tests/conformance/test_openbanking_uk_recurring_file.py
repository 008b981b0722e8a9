"""Recurring payments and event subscriptions, judged by the official files of 4.0, 3.1.11 and commercial VRP."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_core.exceptions import OpenAPIError

from connectors.capabilities import COMMERCIAL, Alignment, Period, PeriodicLimit, RecurringKind
from connectors.contract import ConsentStatus, Fact
from connectors.money import Money
from connectors.openbanking_uk import events, messages, vrp_messages
from connectors.openbanking_uk.messages import Dialect
from connectors.openbanking_uk.orders import RECURRING
from connectors.openbanking_uk.status import CONSENT_WORDS, CONSENTS, fact_of_payment
from connectors.openbanking_uk.vrp_messages import VRP_TYPES
from connectors.strict_json import read_object
from tests.support.openbanking_uk import (
    DAY,
    DIALECTS,
    answered,
    asked,
    consent,
    judge_of,
    limit,
    official,
    order,
    posted,
)

pytestmark = pytest.mark.shared

FILES = {
    "v4.0": ("v4.0", "vrp", DIALECTS["v4.0"]),
    "v3.1.11": ("v3.1.11", "vrp", DIALECTS["v3.1.11"]),
    "cvrp": ("cvrp", "cvrp", DIALECTS["v4.0"]),
}
AMOUNTS = st.integers(1, 1_000_000).map(lambda minor: Money(minor, "GBP"))
LIMITS = st.lists(
    st.builds(
        PeriodicLimit,
        period=st.sampled_from(Period),
        alignment=st.just(Alignment.CONSENT),
        amount=st.just(Money(100_000_000, "GBP")),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one.period,
)
CONSENTS_TRIED = st.builds(
    consent,
    maximum_individual=AMOUNTS,
    periodic_limits=LIMITS.map(tuple),
    kind=st.sampled_from([RecurringKind.SWEEPING, RecurringKind.OTHER]),
    valid_from=st.dates(max_value=DAY),
    valid_to=st.none() | st.dates(min_value=DAY),
    refund_account=st.booleans(),
)


@pytest.fixture(scope="module", params=FILES)
def file(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def judged(file: str) -> tuple[Any, Dialect]:
    version, name, dialect = FILES[file]
    return judge_of(version, name), dialect


@given(wanted=CONSENTS_TRIED, data=st.data())
def test_a_consent_and_its_payments_are_as_the_file_says(file: str, wanted: Any, data: st.DataObject) -> None:
    judge, dialect = judged(file)
    body = vrp_messages.consent(wanted, dialect=dialect)
    judge.validate_request(posted(RECURRING.consents, body))
    amount = Money(data.draw(st.integers(1, wanted.maximum_individual.minor)), "GBP")
    paid = order(amount=amount)
    payment = vrp_messages.payment(paid, wanted=wanted, consent_id="c-1", dialect=dialect)
    judge.validate_request(posted(RECURRING.payments, payment))
    funds = vrp_messages.funds("c-1", amount)
    judge.validate_request(asked("post", f"{RECURRING.consents}/c-1/funds-confirmation", funds))
    agreed, said = json.loads(body), json.loads(payment)
    assert said["Data"]["Initiation"] == agreed["Data"]["Initiation"]
    assert said["Risk"] == agreed["Risk"]
    assert said["Data"]["VRPType"] in agreed["Data"]["ControlParameters"]["VRPType"]


def test_what_has_no_body_is_as_the_file_says(file: str) -> None:
    judge, _ = judged(file)
    for method, path in (
        ("get", f"{RECURRING.consents}/c-1"),
        ("delete", f"{RECURRING.consents}/c-1"),
        ("get", f"{RECURRING.payments}/p-1"),
        ("get", f"{RECURRING.payments}/p-1/payment-details"),
    ):
        judge.validate_request(asked(method, path))


def test_the_types_are_those_of_the_files() -> None:
    def types(file: str) -> set[str]:
        version, name, _ = FILES[file]
        return set(official(version, name)["components"]["schemas"]["OBVRPConsentType"]["x-namespaced-enum"])

    assert types("cvrp") == set(VRP_TYPES.values())
    assert types("v4.0") == types("v3.1.11") == {VRP_TYPES[kind] for kind in RecurringKind if kind not in COMMERCIAL}


@pytest.mark.parametrize("kind", sorted(COMMERCIAL))
def test_commercial_types_are_written_in_4_0_only(kind: RecurringKind) -> None:
    judge, dialect = judged("cvrp")
    judge.validate_request(posted(RECURRING.consents, vrp_messages.consent(consent(kind=kind), dialect=dialect)))
    with pytest.raises(ValueError, match="another kind"):
        vrp_messages.consent(consent(kind=kind), dialect=DIALECTS["v3.1.11"])


@pytest.mark.parametrize(
    "missing", ["MaximumIndividualAmount", "PeriodicLimits", "VRPType", "PSUAuthenticationMethods"]
)
def test_the_judge_sees_what_is_missing(file: str, missing: str) -> None:
    judge, dialect = judged(file)
    body = json.loads(vrp_messages.consent(consent(), dialect=dialect))
    del body["Data"]["ControlParameters"][missing]
    with pytest.raises(OpenAPIError):
        judge.validate_request(posted(RECURRING.consents, json.dumps(body).encode()))


def test_the_judge_sees_a_period_that_is_none(file: str) -> None:
    judge, dialect = judged(file)
    body = vrp_messages.consent(consent(), dialect=dialect).replace(b'"Month"', b'"Quarter"')
    with pytest.raises(OpenAPIError):
        judge.validate_request(posted(RECURRING.consents, body))


# ------------------------------------------------------------------------------------------------------------ answers


def test_a_consent_is_read_as_the_file_writes_it(file: str) -> None:
    version, name, dialect = FILES[file]
    said = json.loads(vrp_messages.consent(consent(), dialect=dialect))
    properties = official(version, name)["components"]["schemas"]["OBDomesticVRPConsentResponse"]["properties"]["Data"]
    words = properties["properties"]["Status"]["enum"]
    assert {CONSENTS[CONSENT_WORDS.get(word, word)] for word in words} >= {
        ConsentStatus.WAITING,
        ConsentStatus.AUTHORISED,
        ConsentStatus.REJECTED,
    }
    for word in words:
        data = {
            **said["Data"],
            "ConsentId": "c-1",
            "CreationDateTime": "2026-11-23T11:00:00+00:00",
            "StatusUpdateDateTime": "2026-11-23T11:00:00+00:00",
            "Status": word,
        }
        answer = answered(data, Risk=said["Risk"])
        judge_of(version, name).validate_response(asked("get", f"{RECURRING.consents}/c-1"), answer)
        assert messages.read_consent(answer.data).status == CONSENT_WORDS.get(word, word)


def test_a_payment_is_read_as_the_file_writes_it(file: str) -> None:
    version, name, dialect = FILES[file]
    wanted = consent(refund_account=True)
    said = json.loads(vrp_messages.payment(order(), wanted=wanted, consent_id="c-1", dialect=dialect))
    asked_for = {key: said["Data"][key] for key in ("ConsentId", "Initiation", "Instruction")}
    reason: dict[str, Any] = {
        "StatusReason": [{"StatusReasonCode": "AM04", "StatusReasonDescription": "too little", "Path": "x"}]
    }
    if dialect.is_v3:
        reason = {"StatusReason": "UK.OBIE.OtherReason", "StatusReasonDescription": "too little"}
    data = {
        **asked_for,
        **reason,
        RECURRING.payment_id: "p-1",
        "CreationDateTime": "2026-11-23T11:00:00+00:00",
        "StatusUpdateDateTime": "2026-11-23T11:00:00+00:00",
        "Status": "Rejected" if dialect.is_v3 else "RJCT",
        "Refund": messages.creditor("A Payer", "GB29NWBK60161331926819"),
    }
    answer = answered(data, status=201, Risk=said["Risk"])
    judge_of(version, name).validate_response(posted(RECURRING.payments, b"{}"), answer)
    read = messages.read_payment(answer.data, payment_id=RECURRING.payment_id)
    assert (read.payment_id, read.consent_id) == ("p-1", "c-1")
    assert fact_of_payment(read.status) is Fact.REJECTED
    assert read.reason_code == ("UK.OBIE.OtherReason" if dialect.is_v3 else "AM04")
    assert read.reason_text == "too little"
    assert read.refund_account is not None
    assert read.refund_account.name == "A Payer"


def test_every_status_of_a_payment_has_its_fact(file: str) -> None:
    version, name, _ = FILES[file]
    data = official(version, name)["components"]["schemas"]["OBDomesticVRPResponse"]["properties"]["Data"]
    words = data["properties"]["Status"]["enum"]
    assert {word for word in words if fact_of_payment(word) is Fact.UNKNOWN} <= {"BLCK"}


@pytest.mark.parametrize(("said", "read"), [("Available", True), ("NotAvailable", False)])
def test_funds_are_read_as_the_file_writes_them(file: str, said: str, read: bool) -> None:
    version, name, _ = FILES[file]
    data = {
        "FundsConfirmationId": "f-1",
        "ConsentId": "c-1",
        "CreationDateTime": "2026-11-23T11:00:00+00:00",
        "FundsAvailableResult": {"FundsAvailableDateTime": "2026-11-23T11:00:00+00:00", "FundsAvailable": said},
        "InstructedAmount": {"Amount": "1.00", "Currency": "GBP"},
    }
    answer = answered(data, status=201)
    request = asked("post", f"{RECURRING.consents}/c-1/funds-confirmation", b"{}")
    judge_of(version, name).validate_response(request, answer)
    assert messages.read_funds(answer.data) is read


# ------------------------------------------------------------------------------------------------------- subscriptions


@pytest.mark.parametrize("types", [events.KINDS, [events.UPDATED]], ids=["recurring", "no recurring"])
@pytest.mark.parametrize("version", sorted(DIALECTS))
def test_a_subscription_is_as_the_file_says(version: str, types: Collection[str]) -> None:
    judge = judge_of(version, "events")
    wanted = events.subscription(
        "https://quittance.example/banks/albion/events", dialect=DIALECTS[version], types=types
    )
    judge.validate_request(asked(wanted.method.lower(), wanted.path, wanted.body))
    assert "x-idempotency-key" not in wanted.headers
    changed = events.subscription(
        "https://quittance.example/banks/albion/events",
        dialect=DIALECTS[version],
        types=types,
        subscription_id="s-1",
    )
    judge.validate_request(asked(changed.method.lower(), changed.path, changed.body))
    judge.validate_request(asked("get", events.SUBSCRIPTIONS))
    judge.validate_request(asked("delete", f"{events.SUBSCRIPTIONS}/s-1"))
    data = {**json.loads(wanted.body)["Data"], "EventSubscriptionId": "s-1"}
    answer = answered(data, status=201)
    judge.validate_response(asked("post", wanted.path, wanted.body), answer)
    assert read_object(answer.data).object("Data").text("EventSubscriptionId") == "s-1"


def test_limits_by_the_fortnight_are_written() -> None:
    body = vrp_messages.consent(
        consent(periodic_limits=(limit(Period.FORTNIGHT, Alignment.CONSENT),)), dialect=DIALECTS["v4.0"]
    )
    (said,) = json.loads(body)["Data"]["ControlParameters"]["PeriodicLimits"]
    assert said == {"PeriodType": "Fortnight", "PeriodAlignment": "Consent", "Amount": "300.00", "Currency": "GBP"}
