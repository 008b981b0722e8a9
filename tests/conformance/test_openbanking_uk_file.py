"""What we write, judged by the official files of OBL Read/Write 4.0 and 3.1.11 and by nobody of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError

from connectors.contract import BankStatus, Fact, RefundAccount
from connectors.money import Money
from connectors.openbanking_uk import messages, scheduled
from connectors.openbanking_uk.orders import SCHEDULED, SINGLE, Resource
from connectors.openbanking_uk.status import fact_of_payment
from tests.support.openbanking_uk import DAY, DIALECTS, answered, asked, judge_of, official, order, posted

pytestmark = pytest.mark.shared

ORDERS: dict[str, dict[str, Any]] = {
    "text": {},
    "no text": {"remittance_unstructured": None},
    "short text": {"remittance_unstructured": "INV-2026-0042"},
    "reference": {"remittance_unstructured": None, "remittance_structured": "RF18539007547034"},
    "both": {"remittance_structured": "RF18539007547034"},
    "refund account": {"refund_account": True},
    "longest": {
        "remittance_unstructured": "x" * 140,
        "creditor_name": "n" * 70,
        "end_to_end_id": "e" * 35,
        "amount": Money(100_000_000, "GBP"),
    },
}


@pytest.fixture(scope="module", params=sorted(DIALECTS))
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def judge(version: str) -> OpenAPI:
    return judge_of(version, "payment-initiation")


@pytest.mark.parametrize("name", ORDERS)
def test_a_consent_and_its_payment_are_as_the_file_says(judge: OpenAPI, version: str, name: str) -> None:
    dialect, made = DIALECTS[version], order(**ORDERS[name])
    judge.validate_request(posted("/domestic-payment-consents", messages.consent(made, dialect=dialect)))
    submitted = messages.payment(made, consent_id="c-1", dialect=dialect)
    judge.validate_request(posted("/domestic-payments", submitted))
    later = scheduled.consent(made, DAY, dialect=dialect)
    judge.validate_request(posted("/domestic-scheduled-payment-consents", later))
    submitted = scheduled.payment(made, DAY, consent_id="c-1", dialect=dialect)
    judge.validate_request(posted("/domestic-scheduled-payments", submitted))


@pytest.mark.parametrize(
    ("path", "headers"),
    [("Data.Initiation.InstructedAmount.Amount", {}), ("Data.Initiation.CreditorAccount.Name", {}), ("Risk", {})],
)
def test_the_judge_sees_what_is_missing(judge: OpenAPI, version: str, path: str, headers: dict[str, str]) -> None:
    body = json.loads(messages.consent(order(), dialect=DIALECTS[version]))
    *way, last = path.split(".")
    there = body
    for step in way:
        there = there[step]
    del there[last]
    with pytest.raises(OpenAPIError):
        judge.validate_request(posted("/domestic-payment-consents", json.dumps(body).encode(), **headers))


def test_the_judge_sees_a_key_that_is_too_long(judge: OpenAPI, version: str) -> None:
    body = messages.consent(order(), dialect=DIALECTS[version])
    with pytest.raises(OpenAPIError):
        judge.validate_request(posted("/domestic-payment-consents", body, **{"x-idempotency-key": "k" * 41}))


def test_what_is_only_asked_for_is_as_the_file_says(judge: OpenAPI) -> None:
    for path in (
        "/domestic-payment-consents/c-1",
        "/domestic-payment-consents/c-1/funds-confirmation",
        "/domestic-payments/p-1",
        "/domestic-payments/p-1/payment-details",
        "/domestic-scheduled-payment-consents/c-1",
        "/domestic-scheduled-payments/p-1",
        "/domestic-scheduled-payments/p-1/payment-details",
    ):
        judge.validate_request(asked("get", path))


def payment_answer(resource: Resource, initiation: Any, version: str, **changes: Any) -> dict[str, Any]:
    """What the file wants of an answer about a payment, and no more; the accounts' names are part of it."""
    return {
        resource.payment_id: "p-1",
        "ConsentId": "c-1",
        "CreationDateTime": "2026-11-23T11:00:00+00:00",
        "StatusUpdateDateTime": "2026-11-23T11:00:00+00:00",
        "Status": {"v4.0": "RCVD", "v3.1.11": "Pending" if resource is SINGLE else "InitiationPending"}[version],
        "Initiation": initiation,
        **changes,
    }


@pytest.mark.parametrize("resource", [SINGLE, SCHEDULED], ids=lambda one: one.payment_id)
def test_a_refund_account_is_read_as_the_file_writes_it(judge: OpenAPI, version: str, resource: Resource) -> None:
    dialect = DIALECTS[version]
    made = order(refund_account=True)
    body = (
        messages.consent(made, dialect=dialect) if resource is SINGLE else scheduled.consent(made, DAY, dialect=dialect)
    )
    said = json.loads(body)["Data"]
    assert said["ReadRefundAccount"] == "Yes"
    account = {"SchemeName": messages.SORT_CODE_ACCOUNT_NUMBER, "Identification": "11280001234567", "Name": "A Payer"}
    data = payment_answer(resource, said["Initiation"], version, Refund={"Account": account})
    answer = answered(data)
    judge.validate_response(asked("get", f"{resource.payments}/p-1"), answer)
    read = messages.read_payment(answer.data, payment_id=resource.payment_id)
    assert read.refund_account == RefundAccount(
        scheme=messages.SORT_CODE_ACCOUNT_NUMBER, identification="11280001234567", name="A Payer"
    )
    assert "A Payer" not in repr(read.refund_account)
    assert fact_of_payment(read.status) is Fact.ACCEPTED


@pytest.mark.parametrize(("said", "read"), [(True, True), (False, False), (None, None)])
def test_funds_are_read_as_the_file_writes_them(judge: OpenAPI, said: bool | None, read: bool | None) -> None:
    result = {"FundsAvailableDateTime": "2026-11-23T11:00:00+00:00", "FundsAvailable": said}
    answer = answered({} if said is None else {"FundsAvailableResult": result})
    judge.validate_response(asked("get", "/domestic-payment-consents/c-1/funds-confirmation"), answer)
    assert messages.read_funds(answer.data) is read


def test_details_are_read_as_the_file_writes_them(judge: OpenAPI, version: str) -> None:
    word, reason = {"v4.0": ("ACWC", "AM04"), "v3.1.11": ("AcceptedWithChange", "PendingSettlement")}[version]
    entry = {
        "PaymentTransactionId": "fp-1",
        "Status": word,
        "StatusUpdateDateTime": "2026-11-23T11:00:00+00:00",
        "StatusDetail": {"LocalInstrument": "UK.OBIE.FPS", "Status": word[:4], "StatusReason": reason},
    }
    entry["StatusDetail"]["StatusReasonDescription"] = "moved to the next day"  # type: ignore[index]
    answer = answered({"PaymentStatus": [entry]})
    judge.validate_response(asked("get", "/domestic-payments/p-1/payment-details"), answer)
    (detail,) = messages.read_details(answer.data)
    assert (detail.transaction_id, detail.scheme) == ("fp-1", "UK.OBIE.FPS")
    assert detail.status == BankStatus(
        transaction_status=word,
        fact=Fact.ACCEPTED,
        reason_code=reason,
        reason_text="moved to the next day",
        raw_response=answer.data,
    )
    assert messages.read_details(answered({}).data) == []


#: words of 3.1.11 that tell of a request to cancel, not of the payment
ABOUT_CANCELLATION = {
    "AcceptedCancellationRequest",
    "NoCancellationProcess",
    "PartiallyAcceptedCancellationRequest",
    "PendingCancellationRequest",
    "RejectedCancellationRequest",
}


def test_every_status_of_the_file_has_its_fact(version: str) -> None:
    schemas = official(version, "payment-initiation")["components"]["schemas"]

    def unknown(schema: str, *way: str) -> set[str]:
        there = schemas[schema]["properties"]["Data"]["properties"]
        for step in way:
            there = there[step]
            while "$ref" in there:
                there = schemas[there["$ref"].rpartition("/")[2]]
        return {word for word in there["Status"]["enum"] if fact_of_payment(word) is Fact.UNKNOWN}

    is_v4 = version == "v4.0"
    assert unknown("OBWriteDomesticResponse5") == ({"BLCK"} if is_v4 else set())
    assert unknown("OBWriteDomesticScheduledResponse5") == ({"BLCK"} if is_v4 else {"InitiationCompleted"})
    details = unknown("OBWritePaymentDetailsResponse1", "PaymentStatus", "items", "properties")
    assert details == ({"BLCK"} if is_v4 else ABOUT_CANCELLATION)
