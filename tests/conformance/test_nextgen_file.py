"""Every call of the Berlin Group connector at every sandbox bank, judged by the official file of NextGenPSD2 1.3.12."""

from __future__ import annotations

import copy
import datetime as dt
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from openapi_core.exceptions import OpenAPIError

from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.capabilities import ExecutionRule, Frequency, StandingOrder
from connectors.contract import Fact, Staged
from connectors.errors import BankSilent
from connectors.money import Money
from connectors.sandbox_bank.nextgen.brands import BRANDS
from connectors.security import pkce
from tests.support.bench import NEXTGEN, PSU, RETURN, Bench, open_bench
from tests.support.nextgen_judge import FILE, check_answer, check_request
from tests.support.sandbox_tpp import Answer, answer_to_tpp
from tests.support.shared import shared_folder
from tests.support.thorough import spread

pytestmark = pytest.mark.shared


@pytest.fixture(params=NEXTGEN)
def bank_id(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bench(bank_id: str, tmp_path: Path) -> Iterator[Bench]:
    with open_bench(bank_id, tmp_path) as opened:
        yield opened


def connector(bench: Bench) -> BerlinGroupConnector:
    assert isinstance(bench.connector, BerlinGroupConnector)
    return bench.connector


def sent_to_api(bench: Bench) -> list[requests.PreparedRequest]:
    return [one for one in bench.adapter.sent if str(one.url).startswith(bench.api)]


def judge(one: requests.PreparedRequest) -> None:
    data = one.body if isinstance(one.body, bytes) else None
    check_request(str(one.method), str(one.url), dict(one.headers), data)


def judge_all(bench: Bench) -> set[tuple[str, int]]:
    """All that was sent and heard; what there was of it."""
    for one in sent_to_api(bench):
        judge(one)
    heard = [one for one in bench.adapter.heard if str(one[0].url).startswith(bench.api)]
    for one, status, headers, content in heard:
        answer = Answer(status=status, headers=headers, content=content)
        check_answer(str(one.method), str(one.url), dict(one.headers), answer)
    return {(str(one.method), status) for one, status, _, _ in heard}


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
    "round": {"amount": Money(100, "EUR")},
}


@pytest.mark.parametrize("name", spread(list(ORDERS), every=3))
def test_an_initiation_is_as_the_file_says(bench: Bench, name: str) -> None:
    order = bench.order_with(**ORDERS[name])
    request = bench.connector.draft(order, request_id=str(uuid.uuid4()), redirect_uri=RETURN)
    bench.connector.initiate(request, psu=PSU, timeout_s=5)
    assert ("POST", 201) in judge_all(bench)


def test_every_call_of_a_payments_life_is_as_the_file_says(bench: Bench, bank_id: str) -> None:
    assert connector(bench).cancel(bench.staged().consent_id, timeout_s=5) is not None
    staged, code, verifier = bench.approved()
    if BRANDS[bank_id].early_failures:
        with pytest.raises(BankSilent):
            bench.status(staged)
    bench.complete(staged, code, verifier)
    bench.clock.tick(seconds=2)
    bench.status(staged)
    connector(bench).cancel(staged.consent_id, timeout_s=5)
    expected = {("POST", 201), ("GET", 200), ("DELETE", 204), ("DELETE", 405)}
    if BRANDS[bank_id].confirms:
        expected |= {("PUT", 200), ("GET", 404)}
    assert judge_all(bench) == expected


@pytest.mark.parametrize("approach", ["oauth", "redirect", "decoupled"])
def test_all_ways_to_approve_are_there(approach: str) -> None:
    assert approach in {brand.approach for brand in BRANDS.values()}


# ----------------------------------------------------------------------------------------------------- for a later day


def kept(bench: Bench, amount: str = "84.20") -> tuple[Staged, dt.date]:
    """A payment for the day after tomorrow, approved."""
    day = bench.clock.now.date() + dt.timedelta(days=2)
    request = connector(bench).future_dated.draft(
        bench.order(amount), execute_on=day, request_id=str(uuid.uuid4()), redirect_uri=RETURN
    )
    staged = connector(bench).future_dated.initiate(request, psu=PSU, timeout_s=5)
    approve(bench, staged)
    return staged, day


def approve(bench: Bench, staged: Staged) -> None:
    person, page = bench.visit(staged)
    last = person.submit(person.sign_in(page), account="camille-current", decision="approve")
    if bench.awaits:
        bench.complete(staged, answer_to_tpp(last)[bench.code], "v")


def ledger(bench: Bench) -> list[Any]:
    got = bench.bank.test_client().get("/sandbox/ledger", headers={"Authorization": "Bearer ledger"})
    assert got.json is not None
    found: list[Any] = got.json["entries"]
    return found


def days_later(bench: Bench, days: int) -> None:
    """Who has signed in there before does so again."""
    bench.clock.tick(days=days)
    if bench.sign_in_first:
        bench.connector = bench.sign_in()


def future_status(bench: Bench, staged: Staged) -> Fact:
    return connector(bench).future_dated.status(staged.consent_id, access_token=None, timeout_s=5).fact


def test_a_payment_is_executed_on_its_day_and_not_before(bench: Bench) -> None:
    staged, _ = kept(bench)
    days_later(bench, 1)
    assert (future_status(bench, staged), ledger(bench)) == (Fact.ACCEPTED, [])
    days_later(bench, 1)
    assert future_status(bench, staged) is bench.words.settled[0]
    assert [entry["amount"] for entry in ledger(bench)] == ["84.20"]
    judge_all(bench)


def test_one_that_is_cancelled_before_is_cancelled_in_the_banks_books(bench: Bench) -> None:
    staged, _ = kept(bench)
    cancelled = connector(bench).future_dated.cancel(staged.consent_id, redirect_uri=RETURN, psu=PSU, timeout_s=5)
    if cancelled.sca is not None:  # its customer is asked
        assert future_status(bench, staged) is Fact.ACCEPTED
        person = bench.person()
        url = bench.connector.authorise_url(
            cancelled.sca,
            redirect_uri=RETURN,
            state="s",
            nonce="n",
            code_challenge=pkce.challenge(pkce.new_verifier()),
            timeout_s=5,
        )
        person.submit(person.sign_in(person.go(url)), decision="approve", account="-")
        assert ("DELETE", 202) in judge_all(bench)
    else:
        assert cancelled.status is not None
        assert ("DELETE", 204) in judge_all(bench)
    assert future_status(bench, staged) is Fact.CANCELLED
    days_later(bench, 3)
    assert (future_status(bench, staged), ledger(bench)) == (Fact.CANCELLED, [])


@pytest.mark.parametrize(("customer", "decision"), [("camille", "refuse"), ("jonas", "approve")])
def test_one_whose_cancellation_its_customer_does_not_approve_is_executed(
    tmp_path: Path, customer: str, decision: str
) -> None:
    with open_bench("alpenkasse", tmp_path) as bench:
        staged, _ = kept(bench)
        asked = connector(bench).future_dated.cancel(staged.consent_id, redirect_uri=RETURN, psu=PSU, timeout_s=5)
        assert asked.sca is not None
        person = bench.person()
        page = person.sign_in(person.go(asked.sca.authorization_endpoint), customer=customer)
        person.submit(page, decision=decision, account="-")
        bench.clock.tick(days=2, seconds=2)
        assert future_status(bench, staged) is Fact.DEBITED
        assert len(ledger(bench)) == 1


def test_on_its_day_it_stays(tmp_path: Path) -> None:
    with open_bench("lakenhal", tmp_path) as bench:
        staged, _ = kept(bench)
        bench.clock.tick(days=2)
        future = connector(bench).future_dated
        assert future.cancel(staged.consent_id, redirect_uri=RETURN, psu=PSU, timeout_s=5).kept


# ------------------------------------------------------------------------------------------------------ again and again


def test_a_standing_order_is_as_the_file_says(bench: Bench) -> None:
    asked = StandingOrder(
        order=bench.order(),
        first=bench.clock.now.date() + dt.timedelta(days=9),
        last=bench.clock.now.date() + dt.timedelta(days=300),
        frequency=Frequency.QUARTERLY,
        day_of_month=31,
        execution_rule=ExecutionRule.PRECEDING,
    )
    standing = connector(bench).standing_orders
    request = standing.draft(asked, request_id=str(uuid.uuid4()), redirect_uri=RETURN)
    staged = standing.initiate(request, psu=PSU, timeout_s=5)
    approve(bench, staged)
    said = standing.status(staged.consent_id, access_token=None, timeout_s=5)
    assert (said.fact, said.transaction_status) == (Fact.ACCEPTED, "ACTC")
    judge_all(bench)
    days_later(bench, 20)
    standing = connector(bench).standing_orders
    assert standing.status(staged.consent_id, access_token=None, timeout_s=5).fact is Fact.ACCEPTED


# ----------------------------------------------------------------------------------------------- the judge sees a fault


def header(name: str) -> Callable[[requests.PreparedRequest], None]:
    def change(one: requests.PreparedRequest) -> None:
        del one.headers[name]

    return change


def field(path: str, value: object) -> Callable[[requests.PreparedRequest], None]:
    def change(one: requests.PreparedRequest) -> None:
        assert isinstance(one.body, bytes)
        body = at = json.loads(one.body)
        *way, last = path.split(".")
        for step in way:
            at = at[step]
        if value is ...:
            del at[last]
        else:
            at[last] = value
        one.body = json.dumps(body).encode()

    return change


FAULTS: dict[str, Callable[[requests.PreparedRequest], None]] = {
    "no X-Request-ID": header("X-Request-ID"),
    "no PSU-IP-Address": header("PSU-IP-Address"),
    "no payee": field("creditorName", ...),
    "no amount": field("instructedAmount", ...),
    "iban": field("creditorAccount.iban", "x"),
    "amount": field("instructedAmount.amount", "free"),
    "currency": field("instructedAmount.currency", "euro"),
    "day": field("requestedExecutionDate", "tomorrow"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_judge_sees_one_fault(tmp_path: Path, fault: str) -> None:
    with open_bench("hansekontor", tmp_path) as bench:
        bench.staged()
        one = copy.copy(sent_to_api(bench)[0])
    judge(one)
    one.headers = one.headers.copy()
    FAULTS[fault](one)
    with pytest.raises(OpenAPIError):
        judge(one)


@pytest.mark.parametrize(
    ("path", "value"),
    [("frequency", "Sometimes"), ("frequency", ...), ("startDate", ...), ("dayOfExecution", "01")],
)
def test_the_judge_sees_what_is_wrong_with_a_standing_order(tmp_path: Path, path: str, value: object) -> None:
    with open_bench("navigli", tmp_path) as bench:
        standing = connector(bench).standing_orders
        first = bench.clock.now.date() + dt.timedelta(days=9)
        asked = StandingOrder(order=bench.order(), first=first, frequency=Frequency.MONTHLY, day_of_month=1)
        request = standing.draft(asked, request_id=str(uuid.uuid4()), redirect_uri=RETURN)
        standing.initiate(request, psu=PSU, timeout_s=5)
        one = copy.copy(sent_to_api(bench)[0])
    judge(one)
    field(path, value)(one)
    with pytest.raises(OpenAPIError):
        judge(one)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (200, {}, {"transactionStatus": "PAID"}),
        (200, {}, {"transactionStatus": "ACSC"}),
        (404, {}, {"tppMessages": [{"category": "SHRUG", "code": "RESOURCE_UNKNOWN"}]}),
        (404, {"Content-Type": "application/problem+json"}, {"title": "no code, no type"}),
    ],
)
def test_the_judge_sees_what_is_wrong_in_an_answer(status: int, headers: dict[str, str], body: object) -> None:
    """The second only lacks X-Request-ID."""
    echo = {} if body == {"transactionStatus": "ACSC"} else {"X-Request-ID": str(uuid.uuid4())}
    answer = Answer(
        status=status,
        headers={"Content-Type": "application/json", **headers, **echo},
        content=json.dumps(body).encode(),
    )
    asked = {"X-Request-ID": str(uuid.uuid4())}
    with pytest.raises(OpenAPIError):
        check_answer("GET", "https://x/v1/payments/sepa-credit-transfers/pay-1/status", asked, answer)


def test_the_file_is_the_one_that_we_speak_of() -> None:
    assert "1.3.12" in (shared_folder() / FILE).read_text("utf-8")[:3000]
