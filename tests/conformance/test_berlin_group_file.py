"""What we send and what we read, judged by the official file of NextGenPSD2 1.3.12 and by nobody of ours."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from werkzeug.test import Client

from connectors.contract import PaymentOrder
from connectors.money import Money
from tests.support.bench import PSU, RETURN, Bench, open_bench
from tests.support.shared import shared_folder

pytestmark = pytest.mark.shared

FILE = "specs/berlingroup/psd2-api_v1.3.12-2022-07-06.yaml"
PREFIX = "/berlingroup"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench("horizon", tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def judge() -> OpenAPI:
    """The file as it is, but for two known faults of it.

    1. A periodic payment matches two branches of ``oneOf``: the one of {payment-service} is put in its place.
    2. debtorAccount is required, though the customer chooses it at the bank (many banks' dialect, and ours).
    """
    official = yaml.load((shared_folder() / FILE).read_bytes(), Loader=yaml.CSafeLoader)
    single = {"$ref": "#/components/schemas/paymentInitiation_json"}
    body = official["components"]["requestBodies"]["paymentInitiation"]["content"]["application/json"]
    assert single in body["schema"]["oneOf"]
    body["schema"] = single
    official["components"]["schemas"]["paymentInitiation_json"]["required"].remove("debtorAccount")
    official["servers"] = [{"url": "http://127.0.0.1:8001" + PREFIX}]
    return OpenAPI.from_dict(official, config=Config(spec_validator_cls=None))


def as_judged(sent: requests.PreparedRequest) -> MockRequest:
    parts = urlsplit(str(sent.url))
    return MockRequest(
        f"{parts.scheme}://{parts.netloc}",
        str(sent.method).lower(),
        parts.path,
        headers={name: value for name, value in sent.headers.items() if name != "Content-Type"},
        data=sent.body if isinstance(sent.body, bytes) else None,
        content_type="application/json",
    )


def sent_to_payments(bench: Bench) -> list[requests.PreparedRequest]:
    return [one for one in bench.adapter.sent if urlsplit(str(one.url)).path.startswith(PREFIX)]


ORDERS: dict[str, dict[str, Any]] = {
    "text": {},
    "no text": {"remittance_unstructured": None},
    "structured": {"remittance_unstructured": None, "remittance_structured": "RF18539007547034"},
    "longest": {
        "remittance_unstructured": "x" * 140,
        "creditor_name": "n" * 70,
        "end_to_end_id": "e" * 35,
        "amount": Money(99_999_999_999, "EUR"),
    },
    "smallest": {"amount": Money(1, "EUR")},
}


@pytest.mark.parametrize("name", ORDERS)
def test_every_request_of_a_payment_is_as_the_file_says(
    bench: Bench,
    judge: OpenAPI,
    name: str,
) -> None:
    values = {
        "amount": Money(84_20, "EUR"),
        "creditor_name": "Régie des Eaux",
        "creditor_iban": "DE02100100109307118603",
        "end_to_end_id": "QUI-1",
        "remittance_unstructured": "Facture 2026-118",
        **ORDERS[name],
    }
    request = bench.connector.draft(PaymentOrder(**values), request_id=str(uuid.uuid4()), redirect_uri=RETURN)
    staged = bench.connector.initiate(request, psu=PSU, timeout_s=5)
    bench.status(staged)
    judged = sent_to_payments(bench)
    assert [one.method for one in judged] == ["POST", "GET"]
    for one in judged:
        judge.validate_request(as_judged(one))


def test_the_banks_answers_are_as_the_file_says(bench: Bench, judge: OpenAPI) -> None:
    """Otherwise our tests against it would prove nothing."""
    bench.status(bench.staged())
    for one in sent_to_payments(bench):
        answer = Client(bench.bank).open(
            path=urlsplit(str(one.url)).path,
            method=one.method,
            headers=list(one.headers.items()),
            data=one.body,
        )
        judge.validate_response(
            as_judged(one),
            MockResponse(answer.get_data(), answer.status_code, dict(answer.headers), content_type="application/json"),
        )


@pytest.mark.parametrize(
    "fault",
    ["X-Request-ID", "PSU-IP-Address", "instructedAmount", "creditorName", "iban", "amount", "redirect"],
)
def test_the_judge_sees_what_is_wrong(bench: Bench, judge: OpenAPI, fault: str) -> None:
    """A judge that says yes to everything would be worse than none."""
    bench.staged()
    one = copy.copy(sent_to_payments(bench)[0])
    one.headers = one.headers.copy()
    body = json.loads(str(one.body, "utf-8") if isinstance(one.body, bytes) else "{}")
    if fault in one.headers:
        del one.headers[fault]
    elif fault in body:
        del body[fault]
    elif fault == "iban":
        body["creditorAccount"]["iban"] = "x"
    elif fault == "amount":
        body["instructedAmount"]["amount"] = "free"  # the file's pattern has no ends: "84,20" would pass
    else:
        one.headers["TPP-Redirect-Preferred"] = "perhaps"
    one.body = json.dumps(body).encode()
    with pytest.raises(OpenAPIError):
        judge.validate_request(as_judged(one))
