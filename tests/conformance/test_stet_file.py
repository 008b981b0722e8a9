"""What we send and what the sandbox banks answer, judged by the official file of STET PSD2 1.4, by nobody of ours."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from openapi_core.exceptions import OpenAPIError
from werkzeug.test import Client

from connectors.money import Money
from tests.support.bench import PSU, RETURN, STET, Bench, cancels, open_bench
from tests.support.sandbox_tpp import Answer
from tests.support.shared import shared_folder
from tests.support.stet_judge import FILE, official, request_of, response_of

pytestmark = pytest.mark.shared


@pytest.fixture(params=STET)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with open_bench(request.param, tmp_path) as opened:
        yield opened


def sent_to_api(bench: Bench) -> list[requests.PreparedRequest]:
    return [one for one in bench.adapter.sent if str(one.url).startswith(bench.api)]


def judge(one: requests.PreparedRequest) -> None:
    """Its schemas closed: we send no member that the file does not name."""
    data = one.body if isinstance(one.body, bytes) else None
    official(closed=True).validate_request(request_of(str(one.method), str(one.url), dict(one.headers), data))


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
def test_a_payment_request_is_as_the_file_says(bench: Bench, name: str) -> None:
    order = bench.order_with(**ORDERS[name])
    request = bench.connector.draft(order, request_id=str(uuid.uuid4()), redirect_uri=RETURN)
    bench.status(bench.connector.initiate(request, psu=PSU, timeout_s=5))
    assert [one.method for one in sent_to_api(bench)] == ["POST", "GET"]
    for one in sent_to_api(bench):
        judge(one)


def test_every_call_of_a_payments_life_is_as_the_file_says(bench: Bench) -> None:
    cancels(bench.connector).cancel(bench.staged().consent_id, timeout_s=5)
    staged, code, verifier = bench.approved()
    bench.complete(staged, code, verifier)
    bench.status(staged)
    calls = {(str(one.method), str(one.url).endswith("/confirmation")) for one in sent_to_api(bench)}
    expected = {("POST", False), ("GET", False), ("PUT", False)} | ({("POST", True)} if bench.confirms else set())
    assert calls == expected
    for one in sent_to_api(bench):
        if one.method != "PUT":  # it carries what the bank added, which its own schema names
            judge(one)
        data = one.body if isinstance(one.body, bytes) else None
        official().validate_request(request_of(str(one.method), str(one.url), dict(one.headers), data))


def test_the_banks_answers_are_as_the_file_says(bench: Bench) -> None:
    """Otherwise our tests against it would prove nothing."""
    cancels(bench.connector).cancel(bench.staged().consent_id, timeout_s=5)
    staged, code, verifier = bench.approved()
    bench.complete(staged, code, verifier)
    bench.clock.tick(seconds=2)
    bench.status(staged)
    bench.connector.status("unknown", access_token=None, timeout_s=5)
    api = [
        (one, Answer(status=status, headers=headers, content=content))
        for one, status, headers, content in bench.adapter.heard
        if str(one.url).startswith(bench.api)
    ]
    assert {answer.status for _, answer in api} == {200, 201, 404}
    for one, answer in api:
        asked = request_of(str(one.method), str(one.url), dict(one.headers), None)
        official().validate_response(asked, response_of(answer))


FAULTS: dict[str, tuple[str, object]] = {
    "iban": ("beneficiary.creditorAccount.iban", "x"),
    "payee": ("beneficiary.creditor", ...),
    "amount": ("creditTransferTransaction.0.instructedAmount.amount", "84,20"),
    "currency": ("creditTransferTransaction.0.instructedAmount.currency", "euro"),
    "endToEndId": ("creditTransferTransaction.0.paymentId.endToEndId", "a+b"),
    "no text": ("creditTransferTransaction.0.remittanceInformation", ...),
    "no instruction": ("creditTransferTransaction", []),
    "name": ("initiatingParty.name", ...),
    "approach": ("supplementaryData.acceptedAuthenticationApproach", ["MAGIC"]),
    "no supplement": ("supplementaryData", ...),
    "date": ("creationDateTime", "today"),
    "surprise": ("surprise", 1),
}


def judge_with(tmp_path: Path, change: Callable[[requests.PreparedRequest], None]) -> None:
    """A good request as it is, and then with one change, which must be seen."""
    with open_bench("remparts", tmp_path) as bench:
        bench.staged()
        one = copy.copy(sent_to_api(bench)[0])
    judge(one)
    one.headers = one.headers.copy()
    change(one)
    with pytest.raises(OpenAPIError):
        judge(one)


@pytest.mark.parametrize("name", ["X-Request-ID", "Authorization", "Signature"])
def test_the_judge_sees_a_missing_header(tmp_path: Path, name: str) -> None:
    def change(one: requests.PreparedRequest) -> None:
        del one.headers[name]

    judge_with(tmp_path, change)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_judge_sees_what_is_wrong_in_a_body(tmp_path: Path, fault: str) -> None:
    """A judge that says yes to everything would be worse than none."""
    path, value = FAULTS[fault]
    *way, last = path.split(".")

    def change(one: requests.PreparedRequest) -> None:
        assert isinstance(one.body, bytes)
        body = at = json.loads(one.body)
        for step in way:
            at = at[int(step)] if step.isdigit() else at[step]
        if value is ...:
            del at[last]
        else:
            at[last] = value
        one.body = json.dumps(body).encode()

    judge_with(tmp_path, change)


def test_the_judge_sees_an_empty_body(tmp_path: Path) -> None:
    def change(one: requests.PreparedRequest) -> None:
        one.body = b"{}"

    judge_with(tmp_path, change)


def test_the_file_is_the_one_that_we_speak_of() -> None:
    assert 'version: "1.4.0.47"' in (shared_folder() / FILE).read_text("utf-8")


@pytest.mark.parametrize("answer", ["status", "links", "word", "request", "error"])
def test_the_judge_sees_what_is_wrong_in_an_answer(tmp_path: Path, answer: str) -> None:
    with open_bench("remparts", tmp_path) as bench:
        staged = bench.staged()
        bench.status(staged)
        one = sent_to_api(bench)[1]
        got = Client(bench.bank).open(
            path=str(one.url).removeprefix(bench.url_of_bank),
            headers=list(one.headers.items()),
            environ_overrides=bench.adapter.environ,
        )
    body: dict[str, Any] = json.loads(got.get_data())
    asked, status = request_of("GET", str(one.url), dict(one.headers), None), 200
    headers = {"Content-Type": "application/hal+json; charset=utf-8"}
    official().validate_response(asked, response_of(Answer(status=200, headers=headers, content=got.get_data())))
    if answer == "links":
        del body["_links"]
    elif answer == "word":
        body["paymentRequest"]["paymentInformationStatus"] = "CANC"
    elif answer == "request":
        body["paymentRequest"] = {"resourceId": staged.consent_id}
    elif answer == "error":
        body, status, headers = {"timestamp": "now"}, 404, {"Content-Type": "application/json; charset=utf-8"}
    else:
        status = 207
    wrong = Answer(status=status, headers=headers, content=json.dumps(body).encode())
    with pytest.raises(OpenAPIError):
        official().validate_response(asked, response_of(wrong))
