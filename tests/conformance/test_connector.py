"""One suite for every connector: what the journey relies on, against the sandbox bank in the same process.

A new standard joins by a bank's file with ``sandbox = true`` whose standard the sandbox bank speaks.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Connector, Fact
from connectors.errors import BankRefused, BankSilent, NotSignedIn
from connectors.money import Money
from connectors.security import pkce
from tests.support import sandbox_tpp
from tests.support.bench import OAUTH, PSU, RETURN, SANDBOXES, Bench, cancels, open_bench


@pytest.fixture(params=OAUTH)
def oauth(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Banks whose approval ends in a code for the customer's token."""
    with open_bench(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture(params=SANDBOXES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with open_bench(request.param, tmp_path) as opened:
        yield opened


def test_it_keeps_the_contract(bench: Bench) -> None:
    assert isinstance(bench.connector, Connector)


def test_a_draft_sends_nothing_and_is_the_same_each_time(bench: Bench) -> None:
    order, request_id = bench.order(), str(uuid.uuid4())
    drafts = [bench.connector.draft(order, request_id=request_id, redirect_uri=RETURN) for _ in range(2)]
    assert drafts[0] == drafts[1]
    assert drafts[0].request_id == request_id
    assert not bench.adapter.sent


def test_a_draft_carries_no_credential(bench: Bench) -> None:
    assert not {name.lower() for name in bench.draft().headers} & {"authorization", "signature", "cookie"}


def test_the_bytes_that_were_stored_are_the_bytes_that_are_sent_each_time(bench: Bench) -> None:
    request = bench.draft()
    for _ in range(2):
        bench.connector.initiate(request, psu=PSU, timeout_s=5)
    sent = [one for one in bench.adapter.sent if str(one.url).endswith(request.path)]
    assert [one.body for one in sent] == [request.body] * 2
    assert {one.headers["X-Request-ID"] for one in sent} == {request.request_id}


def test_an_order_that_cannot_be_carried_is_never_drafted(bench: Bench) -> None:
    changes: list[dict[str, Any]] = [
        {"amount": Money(100, "JPY")},
        {"creditor_iban": "DE00"},
        {"creditor_name": "東京"},
    ]
    for change in changes:
        with pytest.raises(ValueError, match=r".+"):
            bench.connector.draft(
                replace(bench.order(), **change),
                request_id=str(uuid.uuid4()),
                redirect_uri=RETURN,
            )
    assert not bench.adapter.sent


def test_an_order_without_words_for_the_payee_is_taken(bench: Bench) -> None:
    """Also by a bank that wants some: then our own reference stands there."""
    bare = bench.order_with(remittance_unstructured=None)
    request = bench.connector.draft(bare, request_id=str(uuid.uuid4()), redirect_uri=RETURN)
    assert bench.connector.initiate(request, psu=PSU, timeout_s=5).consent_id


def test_initiating_moves_no_money(bench: Bench) -> None:
    staged = bench.staged()
    bench.clock.tick(minutes=bench.approval_minutes - 1)
    assert bench.waiting(staged) is Fact.WAITING


def test_from_the_order_to_the_debit(bench: Bench) -> None:
    staged, code, verifier = bench.approved()
    access_token = bench.complete(staged, code, verifier)
    assert bench.status(staged, access_token).fact is Fact.ACCEPTED
    bench.clock.tick(seconds=2)
    for token in (access_token, None):
        status = bench.status(staged, token)
        assert (status.fact, status.transaction_status) == bench.words.settled
        assert bench.words.settled[1].encode() in status.raw_response


def test_the_status_does_not_need_the_code(bench: Bench) -> None:
    staged = bench.executed()
    bench.clock.tick(seconds=2)
    assert bench.fact(staged) is bench.words.settled[0]


def test_a_customer_who_says_no(bench: Bench) -> None:
    staged = bench.staged()
    person, page = bench.visit(staged)
    last = person.submit(person.sign_in(page), decision="refuse")
    if bench.app is None:
        assert sandbox_tpp.answer_to_tpp(last)["error"] == bench.words.said_no
    status = bench.status(staged)
    assert status.fact is Fact.REJECTED
    assert status.reason_text


def test_a_customer_who_never_comes(bench: Bench) -> None:
    staged = bench.staged()
    bench.clock.tick(minutes=16)
    assert bench.fact(staged) is Fact.REJECTED


def test_an_order_that_nobody_approved_is_taken_back_and_stays_so(bench: Bench) -> None:
    staged = bench.staged()
    for _ in range(2):  # the word may be lost on its way: asking again is no error
        said = cancels(bench.connector).cancel(staged.consent_id, timeout_s=5)
        assert said is not None
        assert said.fact is Fact.CANCELLED
    status = bench.status(staged)
    assert (status.fact, status.transaction_status) == (Fact.CANCELLED, bench.words.cancelled)
    assert bench.refused_at_once(staged)  # the link leads nowhere any more


def test_an_order_that_was_approved_is_not_taken_back(bench: Bench) -> None:
    staged, code, verifier = bench.approved()
    assert cancels(bench.connector).cancel(staged.consent_id, timeout_s=5) is None
    bench.complete(staged, code, verifier)
    assert cancels(bench.connector).cancel(staged.consent_id, timeout_s=5) is None
    assert bench.fact(staged) is Fact.ACCEPTED
    bench.clock.tick(seconds=2)
    assert cancels(bench.connector).cancel(staged.consent_id, timeout_s=5) is None
    assert bench.fact(staged) is bench.words.settled[0]


def test_an_order_that_the_bank_does_not_know_is_not_gone(bench: Bench) -> None:
    assert cancels(bench.connector).cancel(str(uuid.uuid4()), timeout_s=5) is None


def test_a_code_is_worth_nothing_without_its_verifier_and_nothing_twice(oauth: Bench) -> None:
    staged, code, verifier = oauth.approved()
    with pytest.raises(BankRefused) as caught:
        oauth.complete(staged, code, pkce.new_verifier())
    assert caught.value.code == "invalid_grant"
    staged, code, verifier = oauth.approved()
    oauth.complete(staged, code, verifier)
    with pytest.raises(BankRefused) as caught:
        oauth.complete(staged, code, verifier)
    assert caught.value.code == "invalid_grant"


def test_a_customers_token_opens_no_other_payment(oauth: Bench) -> None:
    access_token = oauth.complete(*oauth.approved())
    with pytest.raises(BankRefused) as caught:
        oauth.status(oauth.staged(), access_token)
    assert caught.value.http_status == 401


def test_a_payment_that_the_bank_does_not_know_is_not_a_failed_one(bench: Bench) -> None:
    """It is a fact of its own, which means nothing while the payment could still appear. Of a bank that says so of
    payments which it has, it is none."""
    if bench.early:
        with pytest.raises(BankSilent):
            bench.connector.status(uuid.uuid4().hex, access_token=None, timeout_s=5)
        return
    status = bench.connector.status(uuid.uuid4().hex, access_token=None, timeout_s=5)
    assert (status.fact, status.transaction_status) == (Fact.NOT_FOUND, bench.words.unknown)


def test_a_bank_that_lost_our_token_is_asked_again(bench: Bench) -> None:
    bench.staged()
    bench.adapter.app = bench.new_bank()
    if bench.sign_in_first:  # it was its customer's, who alone can get another
        with pytest.raises(NotSignedIn):
            bench.staged()
        return
    assert bench.waiting(bench.staged()) is Fact.WAITING


def test_tokens_end_and_are_renewed(bench: Bench) -> None:
    for _ in range(3):
        assert bench.waiting(bench.staged()) is Fact.WAITING
        bench.clock.tick(hours=1)
        if bench.sign_in_first:
            with pytest.raises(NotSignedIn):
                bench.staged()
            bench.connector = bench.sign_in()


# -------------------------------------------------------- the sandbox bank's magic amounts, scenarios.py


def test_999_01_a_refused_initiation(bench: Bench) -> None:
    with pytest.raises(BankRefused) as caught:
        bench.staged("999.01")
    assert (caught.value.code, caught.value.http_status) == (bench.words.refused, 400)


@pytest.mark.parametrize("amount", ["999.02", "999.03", "999.04"])
def test_999_02_to_04_an_initiation_whose_outcome_is_open(bench: Bench, amount: str) -> None:
    request = bench.draft(amount)
    with pytest.raises(BankSilent):
        bench.connector.initiate(request, psu=PSU, timeout_s=5)
    assert [one.url for one in bench.adapter.sent].count(bench.api + request.path) == 1


def test_999_05_approved_and_rejected_at_once(bench: Bench) -> None:
    status = bench.status(bench.executed("999.05"))
    assert status.fact is Fact.REJECTED
    assert status.reason_text


def test_999_06_accepted_and_then_rejected(bench: Bench) -> None:
    staged = bench.executed("999.06")
    assert bench.fact(staged) is Fact.ACCEPTED
    bench.clock.tick(seconds=3)
    assert bench.fact(staged) is Fact.REJECTED


def test_999_07_accepted_for_long(bench: Bench) -> None:
    staged = bench.executed("999.07")
    bench.clock.tick(seconds=19)
    assert bench.fact(staged) is Fact.ACCEPTED
    bench.clock.tick(seconds=1)
    assert bench.fact(staged) is bench.words.settled[0]


@pytest.mark.parametrize(("amount", "silences"), [("999.08", 3), ("999.09", 2), ("999.12", 2)])
def test_999_08_09_12_silence_is_never_an_answer(bench: Bench, amount: str, silences: int) -> None:
    staged = bench.executed(amount)
    bench.clock.tick(seconds=2)
    for _ in range(silences):
        with pytest.raises(BankSilent):
            bench.status(staged)
    assert bench.fact(staged) is bench.words.settled[0]


@pytest.mark.parametrize("amount", ["999.10", "999.11"])
def test_999_10_11_a_lost_exchange_is_found_by_the_status(bench: Bench, amount: str) -> None:
    staged, code, verifier = bench.approved(amount)
    with pytest.raises(BankSilent) if bench.confirms else contextlib.nullcontext():
        bench.complete(staged, code, verifier)
    bench.clock.tick(seconds=2)
    assert bench.fact(staged) is bench.words.settled[0]


def test_999_13_debited_and_reversed(bench: Bench) -> None:
    staged = bench.executed("999.13")
    bench.clock.tick(seconds=2)
    assert bench.fact(staged) is bench.words.settled[0]
    bench.clock.tick(seconds=3)
    assert bench.fact(staged) is Fact.REJECTED


def test_999_14_credited(bench: Bench) -> None:
    staged = bench.executed("999.14")
    bench.clock.tick(seconds=2)
    assert bench.fact(staged) is bench.words.credited


def test_999_15_a_status_that_goes_backwards_is_told_as_it_is(bench: Bench) -> None:
    staged = bench.executed("999.15")
    bench.clock.tick(seconds=2)
    facts = [bench.fact(staged) for _ in range(4)]
    assert facts == [Fact.ACCEPTED, Fact.WAITING, Fact.ACCEPTED, bench.words.settled[0]]
