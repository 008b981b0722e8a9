"""The bank that takes an order only with the token of a customer who has signed in there: one fault in each request."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from flask import Flask

from connectors.sandbox_bank.nextgen import brands
from connectors.sandbox_bank.nextgen.brands import Brand
from connectors.security import pkce
from tests.support.nextgen_bank import OTHER
from tests.support.nextgen_tpp import PRODUCT, RETURN, NextGenTpp, body
from tests.support.sandbox_tpp import Answer, Clock, InProcess, Person, answer_to_tpp

pytestmark = pytest.mark.shared

VERIFIER = pkce.new_verifier()


@pytest.fixture
def tpp(tpp: NextGenTpp) -> NextGenTpp:
    return dataclasses.replace(tpp, brand="tuulipankki")


def url(tpp: NextGenTpp, **changes: str | None) -> str:
    query = {
        "response_type": "CODE",
        "client_id": tpp.number,
        "redirect_uri": RETURN,
        "scope": "DEDICATED_PIS",
        "state": "s",
        "code_challenge": pkce.challenge(VERIFIER),
        "code_challenge_method": "S256",
        **changes,
    }
    kept = {name: value for name, value in query.items() if value is not None}
    return f"{tpp.base_url}/{tpp.brand}/oauth2/authorize?{urlencode(kept)}"


def signs_in(tpp: NextGenTpp, person: Person, customer: str = "camille") -> str:
    """The code."""
    last = person.submit(person.go(url(tpp)), customer=customer, pin="1234", decision="sign-in")
    return answer_to_tpp(last)["code"]


def exchange(tpp: NextGenTpp, code: str, *, query: str = "?role=DEDICATED_PIS", **changes: str | None) -> Answer:
    form = {
        "grant_type": "authorization_code",
        "scope": None,
        "code": code,
        "code_verifier": VERIFIER,
        "redirect_uri": RETURN,
        **changes,
    }
    return dataclasses.replace(tpp, token_query=query).ask_token(**form)


def with_token(tpp: NextGenTpp, person: Person, customer: str = "camille") -> NextGenTpp:
    got = exchange(tpp, signs_in(tpp, person, customer))
    assert got.status == 200, got.content
    assert (got.json["token_type"], got.json["expires_in"]) == ("bearer", 1200)
    assert "refresh_token" not in got.json
    return dataclasses.replace(tpp, _token=got.json["access_token"])


def code_of(answer: Answer) -> str:
    return str(answer.json["tppMessages"][0]["code"])


def test_a_customer_signs_in_and_an_order_is_taken(tpp: NextGenTpp, person: Person) -> None:
    last = person.submit(person.go(url(tpp)), customer="camille", pin="1234", decision="sign-in")
    answer = answer_to_tpp(last)
    assert {name: answer[name] for name in ("way", "state", "iss")} == {
        "way": "good",
        "state": "s",
        "iss": f"{tpp.base_url}/tuulipankki",
    }
    mine = with_token(tpp, person)
    payment_id = mine.posted()
    assert mine.call("GET", f"{PRODUCT}/{payment_id}/status").json == {"transactionStatus": "RCVD"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "code"}, "unsupported_response_type"),
        ({"scope": "PIS"}, "invalid_scope"),
        ({"state": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_a_request_that_is_sent_straight_back(
    tpp: NextGenTpp, person: Person, changes: dict[str, str | None], error: str
) -> None:
    got = person.go(url(tpp, **changes))
    assert got.status == 303
    assert f"error={error}" in got.headers["Location"]


@pytest.mark.parametrize("changes", [{"client_id": "PSDFR-ACPR-999999"}, {"redirect_uri": "evil.test"}])
def test_a_request_of_nobody_goes_nowhere(tpp: NextGenTpp, person: Person, changes: dict[str, str]) -> None:
    assert person.go(url(tpp, **changes)).status == 400


def test_a_wrong_pin_and_a_no(tpp: NextGenTpp, person: Person) -> None:
    page = person.go(url(tpp))
    for left in (4, 3, 2, 1):
        page = person.submit(page, customer="camille", pin="0000", decision="sign-in")
        assert f"Tries left: {left}" in page.content.decode()
    last = person.submit(page, customer="camille", pin="0000", decision="sign-in")
    assert answer_to_tpp(last)["error"] == "access_denied"
    assert answer_to_tpp(person.submit(person.go(url(tpp)), decision="refuse"))["error"] == "access_denied"


def test_there_is_no_token_of_a_tpps_own(tpp: NextGenTpp) -> None:
    got = dataclasses.replace(tpp, token_query="?role=DEDICATED_PIS").ask_token(scope="DEDICATED_PIS")
    assert (got.status, got.json["error"]) == (400, "unsupported_grant_type")


@pytest.mark.parametrize(
    "changes",
    [{"code": "x"}, {"code_verifier": pkce.new_verifier()}, {"redirect_uri": "https://tpp.example/other"}],
)
def test_a_code_that_is_not_exchanged(tpp: NextGenTpp, person: Person, changes: dict[str, Any]) -> None:
    code = signs_in(tpp, person)
    got = exchange(tpp, **{"code": code, **changes})
    assert (got.status, got.json["error"]) == (400, "invalid_grant")
    assert exchange(tpp, code, query="").json["error"] == "invalid_request"


def test_a_code_is_good_for_a_minute_and_once(tpp: NextGenTpp, person: Person, clock: Clock) -> None:
    code = signs_in(tpp, person)
    first = exchange(tpp, code)
    mine = dataclasses.replace(tpp, _token=first.json["access_token"])
    mine.posted()
    assert exchange(tpp, code).json["error"] == "invalid_grant"
    assert code_of(mine.call("POST", PRODUCT, body())) == "TOKEN_INVALID"  # what it got is revoked
    late = signs_in(tpp, person)
    clock.tick(seconds=60)
    assert exchange(tpp, late).json["error"] == "invalid_grant"


def test_without_a_customers_token_no_order_is_taken(tpp: NextGenTpp) -> None:
    for token in ("made-up", ""):
        got = dataclasses.replace(tpp, _token=token).call("POST", PRODUCT, body())
        assert (got.status, code_of(got)) == (401, "TOKEN_UNKNOWN" if token else "TOKEN_INVALID")


def test_a_token_lives_twenty_minutes(tpp: NextGenTpp, person: Person, clock: Clock) -> None:
    mine = with_token(tpp, person)
    payment_id = mine.posted()
    clock.tick(seconds=1199)
    assert mine.call("GET", f"{PRODUCT}/{payment_id}/status").status == 200
    clock.tick(seconds=1)
    assert code_of(mine.call("GET", f"{PRODUCT}/{payment_id}/status")) == "TOKEN_EXPIRED"


def test_an_order_is_nobody_elses(tpp: NextGenTpp, person: Person) -> None:
    hers, his = with_token(tpp, person), with_token(tpp, person, "jonas")
    payment_id = hers.posted()
    for method, path in (
        ("GET", f"{PRODUCT}/{payment_id}"),
        ("GET", f"{PRODUCT}/{payment_id}/status"),
        ("POST", f"{PRODUCT}/{payment_id}/authorisations"),
        ("DELETE", f"{PRODUCT}/{payment_id}"),
    ):
        got = his.call(method, path)
        assert (got.status, code_of(got)) == (401, "TOKEN_INVALID")
    assert hers.call("DELETE", f"{PRODUCT}/{payment_id}").status == 204


@pytest.fixture
def otherwise(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The bank goes about it in another way, as some do."""

    def change(**ways: Any) -> None:
        changed = dataclasses.replace(brands.BRANDS["tuulipankki"], **ways)
        monkeypatch.setitem(cast("dict[str, Brand]", brands.BRANDS), "tuulipankki", changed)

    return change


def test_it_may_call_an_order_of_another_customer_unknown(
    tpp: NextGenTpp, person: Person, otherwise: Callable[..., None]
) -> None:
    otherwise(others_are_told=404)
    hers, his = with_token(tpp, person), with_token(tpp, person, "jonas")
    payment_id = hers.posted()
    for method, path in (("GET", f"{PRODUCT}/{payment_id}/status"), ("DELETE", f"{PRODUCT}/{payment_id}")):
        got = his.call(method, path)
        assert (got.status, code_of(got)) == (404, "RESOURCE_UNKNOWN")
    assert hers.call("GET", f"{PRODUCT}/{payment_id}/status").json == {"transactionStatus": "RCVD"}


@pytest.mark.parametrize("once", [False, True])
def test_it_may_know_an_order_by_its_request(
    tpp: NextGenTpp, person: Person, otherwise: Callable[..., None], once: bool
) -> None:
    """Whoever sends it again: whose it is does not change by that."""
    otherwise(once_per_request=once)
    hers, his = with_token(tpp, person), with_token(tpp, person, "jonas")
    same = str(uuid.uuid4())
    answers = [each.call("POST", PRODUCT, body(), X_Request_ID=same).json["paymentId"] for each in (hers, hers, his)]
    assert len(set(answers)) == (1 if once else 3)
    assert his.call("GET", f"{PRODUCT}/{answers[2]}/status").status == (401 if once else 200)
    assert hers.call("POST", PRODUCT, body()).json["paymentId"] not in answers


@pytest.mark.parametrize("one", [False, True])
def test_it_may_end_a_sign_in_with_the_next_one(
    tpp: NextGenTpp, person: Person, otherwise: Callable[..., None], one: bool
) -> None:
    otherwise(one_sign_in=one)
    first, his = with_token(tpp, person), with_token(tpp, person, "jonas")
    payment_id = first.posted()
    second = with_token(tpp, person)
    asked = {name: each.call("GET", f"{PRODUCT}/{payment_id}/status") for name, each in (("1", first), ("2", second))}
    assert asked["2"].json == {"transactionStatus": "RCVD"}  # it is the same customer's
    assert asked["1"].status == (401 if one else 200)
    his.posted()


def test_a_token_is_bound_to_the_certificate_and_the_bank(tpp: NextGenTpp, person: Person, folder: Path) -> None:
    mine = with_token(tpp, person)
    got = mine.call("POST", PRODUCT, body(), certificate="other/client.pem")
    assert (folder / "other" / "client.pem").exists()
    assert mine.number != OTHER
    assert (got.status, code_of(got)) == (401, "TOKEN_UNKNOWN")
    elsewhere = dataclasses.replace(mine, brand="grachten")
    assert code_of(elsewhere.call("POST", PRODUCT, body(amount="1.00"))) == "TOKEN_UNKNOWN"


def test_a_sign_in_belongs_to_the_browser_that_began_it(tpp: NextGenTpp, person: Person, bank: Flask) -> None:
    first = person.transport.send("GET", url(tpp), headers={}, data=b"")
    place = tpp.base_url + first.headers["Location"]
    stranger = Person(transport=InProcess(bank), base_url=tpp.base_url)
    assert stranger.go(place).status == 403
    assert person.go(place).status == 200
