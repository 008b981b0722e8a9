"""The fake bank against the official file: what it answers is allowed, and what the file forbids it refuses.

Without an outside judge our bank and our connector could agree on something that no real bank speaks.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from tests.support.sandbox_tpp import BASE_URL, Answer, Clock, Person, Tpp, Transport, order
from tests.support.shared import shared_folder

pytestmark = pytest.mark.shared

_FILE = "specs/berlingroup/psd2-api_v1.3.12-2022-07-06.yaml"
_SCHEMAS = "#/components/schemas/"


class Judge:
    """The official file, with our server and with the schemas that belong to single payments."""

    def __init__(self) -> None:
        text = (shared_folder() / _FILE).read_text(encoding="utf-8")
        document = yaml.load(text, Loader=yaml.CSafeLoader)
        document["servers"] = [{"url": f"{BASE_URL}/berlingroup"}]
        # A right single payment matches several branches of the file's `oneOf`: only ours stays.
        content = document["components"]["requestBodies"]["paymentInitiation"]["content"]
        content["application/json"]["schema"] = {"$ref": f"{_SCHEMAS}paymentInitiation_json"}
        content = document["components"]["responses"]["OK_200_PaymentInitiationInformation"]["content"]
        content["application/json"]["schema"] = {"$ref": f"{_SCHEMAS}paymentInitiationWithStatusResponse"}
        self._openapi = OpenAPI.from_dict(document, config=Config(spec_validator_cls=None))

    def check_request(self, request: MockRequest) -> None:
        self._openapi.validate_request(request)

    def check_response(self, request: MockRequest, answer: Answer) -> None:
        headers = dict(answer.headers)
        media_type = headers.get("Content-Type", "application/json")
        response = MockResponse(answer.content, answer.status, headers, content_type=media_type)
        self._openapi.validate_response(request, response)


class Judged:
    """A transport that lets the judge see every answer of the bank, and every request that the bank took."""

    def __init__(self, transport: Transport, judge: Judge) -> None:
        self._transport = transport
        self._judge = judge
        self.seen: list[tuple[str, int]] = []

    def send(self, method: str, url: str, *, headers: Mapping[str, str], data: bytes) -> Answer:
        answer = self._transport.send(method, url, headers=headers, data=data)
        if "/berlingroup/" in url:
            request = mock_request(method, url, headers=headers, data=data)
            if answer.status < 300:
                self._judge.check_request(request)
            self._judge.check_response(request, answer)
            self.seen.append((method, answer.status))
        return answer


def mock_request(method: str, url: str, *, headers: Mapping[str, str], data: bytes) -> MockRequest:
    return MockRequest(
        BASE_URL,
        method.lower(),
        url.removeprefix(BASE_URL),
        headers=dict(headers),
        data=data or None,
        content_type=headers.get("Content-Type", ""),
    )


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


@pytest.fixture
def judged(tpp: Tpp, judge: Judge) -> Judged:
    judged = Judged(tpp.transport, judge)
    tpp.transport = judged
    return judged


def test_a_whole_payment_speaks_the_standard(tpp: Tpp, judged: Judged, person: Person, clock: Clock) -> None:
    payment_id = tpp.initiated()
    tpp.get(payment_id)
    tpp.status(payment_id)
    person.approve(tpp.authorize_url(payment_id))
    tpp.get(payment_id)
    assert tpp.status(payment_id) == "ACSP"
    clock.tick(seconds=1)
    assert tpp.status(payment_id) == "ACSC"
    assert tpp.get(payment_id).json["transactionStatus"] == "ACSC"
    assert judged.seen == [("POST", 201), *[("GET", 200)] * 6]


def test_refusals_and_cancellation_speak_the_standard(tpp: Tpp, judged: Judged, person: Person) -> None:
    payment_id = tpp.initiated()
    tpp.cancel(payment_id)
    tpp.status(payment_id)
    refused = tpp.initiated(order(remittanceInformationUnstructured=None))
    person.submit(person.sign_in(person.go(tpp.authorize_url(refused))), decision="refuse")
    assert tpp.status(refused) == "RJCT"
    tpp.cancel(refused)
    tpp.initiate(order(creditorName=None))
    tpp.initiate(order(), Authorization="Bearer made-up")
    tpp.initiate(order(), X_Request_ID=None)
    tpp.initiate(order(), Content_Type="text/plain")
    tpp.initiate(order(), Accept="text/html")
    tpp.initiate(order(instructedAmount={"currency": "EUR", "amount": "999.02"}))
    tpp.get("made-up")
    assert [status for _, status in judged.seen] == [
        201,
        204,
        200,
        201,
        200,
        405,
        400,
        401,
        400,
        415,
        406,
        500,
        404,
    ]


def test_an_open_choice_of_account_can_be_read(tpp: Tpp, judge: Judge, person: Person) -> None:
    """The request leaves out debtorAccount, which the file requires; the answers keep to the file."""
    payment_id = tpp.initiated(order(debtorAccount=None))
    got = tpp.get(payment_id)
    url = f"{BASE_URL}/berlingroup/v1/payments/sepa-credit-transfers/{payment_id}"
    judge.check_response(mock_request("GET", url, headers=tpp.headers(), data=b""), got)


def without(path: str) -> dict[str, Any]:
    return changed(path, None)


def changed(path: str, value: object) -> dict[str, Any]:
    body = copy.deepcopy(order())
    place: dict[str, Any] = body
    *parents, last = path.split(".")
    for name in parents:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return body


@pytest.mark.parametrize(
    "body",
    [
        without("instructedAmount"),
        without("instructedAmount.amount"),
        without("instructedAmount.currency"),
        without("creditorAccount"),
        without("creditorName"),
        changed("instructedAmount.amount", 12),
        changed("instructedAmount.amount", "twelve"),
        changed("instructedAmount.currency", "eur"),
        changed("creditorAccount.iban", "12345"),
        changed("creditorName", "x" * 71),
        changed("creditorName", ["x"]),
        changed("endToEndIdentification", "x" * 36),
        changed("endToEndIdentification", 7),
        changed("remittanceInformationUnstructured", "x" * 141),
        changed("debtorAccount", "FR7699990000010000042184082"),
        ["not an object"],
    ],
)
def test_a_body_that_the_file_forbids_is_refused(tpp: Tpp, judge: Judge, body: object) -> None:
    refused_by_both(tpp, judge, body)


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Request_ID": None},
        {"X_Request_ID": "1"},
        {"PSU_IP_Address": None},
        {"PSU_IP_Address": "::1"},
        {"PSU_Device_ID": "1"},
        {"PSU_Http_Method": "HEAD"},
        {"TPP_Redirect_Preferred": "maybe"},
        {"Content_Type": "text/plain"},
    ],
)
def test_a_header_that_the_file_forbids_is_refused(tpp: Tpp, judge: Judge, headers: dict[str, str | None]) -> None:
    refused_by_both(tpp, judge, order(), **headers)


def refused_by_both(tpp: Tpp, judge: Judge, body: object, **headers: str | None) -> None:
    seen: list[MockRequest] = []

    class Watching:
        def send(self, method: str, url: str, *, headers: Mapping[str, str], data: bytes) -> Answer:
            if "/berlingroup/" in url:
                seen.append(mock_request(method, url, headers=headers, data=data))
            return transport.send(method, url, headers=headers, data=data)

    transport, tpp.transport = tpp.transport, Watching()
    assert tpp.initiate(body, **headers).status in (400, 415)
    with pytest.raises(OpenAPIError):
        judge.check_request(seen[0])
    judge.check_request(
        mock_request(
            "POST",
            f"{BASE_URL}/berlingroup/v1/payments/sepa-credit-transfers",
            headers={**tpp.headers(), "PSU-IP-Address": "192.0.2.7", "Content-Type": "application/json"},
            data=json.dumps(order()).encode(),
        )
    )
