"""What we write, judged by the official files of OBL Read/Write 4.0 and 3.1.11 and by nobody of ours."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest

from connectors.contract import Fact, PaymentOrder
from connectors.money import Money
from connectors.openbanking_uk import messages
from connectors.openbanking_uk.messages import Dialect
from connectors.openbanking_uk.status import fact_of_payment
from tests.support.shared import shared_folder

pytestmark = pytest.mark.shared

HOST = "https://api.bank.example"
DIALECTS = {"v4.0": Dialect(), "v3.1.11": Dialect(version="3.1", misspelt_contract_present=True)}
ORDERS: dict[str, dict[str, Any]] = {
    "text": {},
    "no text": {"remittance_unstructured": None},
    "short text": {"remittance_unstructured": "INV-2026-0042"},
    "reference": {"remittance_unstructured": None, "remittance_structured": "RF18539007547034"},
    "both": {"remittance_structured": "RF18539007547034"},
    "longest": {
        "remittance_unstructured": "x" * 140,
        "creditor_name": "n" * 70,
        "end_to_end_id": "e" * 35,
        "amount": Money(100_000_000, "GBP"),
    },
}


def order(**changes: Any) -> PaymentOrder:
    usual: dict[str, Any] = {
        "amount": Money(8420, "GBP"),
        "creditor_name": "Lumen Energy Ltd",
        "creditor_iban": "GB29NWBK60161331926819",
        "end_to_end_id": "pay0123456789abcdef0123456789abcdef",
        "remittance_unstructured": "Energy for October, account 4711",
    }
    return PaymentOrder(**{**usual, **changes})


@pytest.fixture(scope="module", params=sorted(DIALECTS))
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def official(version: str) -> dict[str, Any]:
    path = shared_folder() / "specs" / "obie" / version / "payment-initiation-openapi.json"
    read: dict[str, Any] = json.loads(path.read_bytes())
    read["servers"] = [{"url": HOST}]
    for operations in read["paths"].values():  # which token goes where the file cannot judge: it sees a header
        for operation in operations.values():
            operation.pop("security", None)
    return read


@pytest.fixture(scope="module")
def judge(official: dict[str, Any]) -> OpenAPI:
    return OpenAPI.from_dict(official, config=Config(spec_validator_cls=None))


def posted(path: str, body: bytes, **changes: str) -> MockRequest:
    headers = {
        "Authorization": "Bearer t0ken",
        "x-idempotency-key": "k-1",
        "x-jws-signature": "eyJ..sig",
        "x-fapi-interaction-id": str(uuid.uuid4()),
        **changes,
    }
    return MockRequest(HOST, "post", path, headers=headers, data=body, content_type="application/json; charset=utf-8")


@pytest.mark.parametrize("name", ORDERS)
def test_a_consent_and_its_payment_are_as_the_file_says(judge: OpenAPI, version: str, name: str) -> None:
    dialect, made = DIALECTS[version], order(**ORDERS[name])
    judge.validate_request(posted("/domestic-payment-consents", messages.consent(made, dialect=dialect)))
    submitted = messages.payment(made, consent_id="c-1", dialect=dialect)
    judge.validate_request(posted("/domestic-payments", submitted))


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


def test_every_status_of_the_file_has_its_fact(official: dict[str, Any], version: str) -> None:
    statuses = official["components"]["schemas"]["OBWriteDomesticResponse5"]["properties"]["Data"]["properties"]
    unknown = {word for word in statuses["Status"]["enum"] if fact_of_payment(word) is Fact.UNKNOWN}
    assert unknown == ({"BLCK"} if version == "v4.0" else set())
    data = official["components"]["schemas"]["OBWriteDomesticScheduledResponse5"]["properties"]["Data"]["properties"]
    unknown = {word for word in data["Status"]["enum"] if fact_of_payment(word) is Fact.UNKNOWN}
    assert unknown == ({"BLCK"} if version == "v4.0" else {"InitiationCompleted"})
