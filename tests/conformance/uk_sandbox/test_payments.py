"""Immediate payments at the UK sandbox banks: each rule of the standard, every message judged by its official file."""

from __future__ import annotations

import copy
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.support.sandbox_tpp import Answer, Clock
from tests.support.uk_bank import AtBrand, other_at
from tests.support.uk_judge import JSON, Judged
from tests.support.uk_orders import Orders, OrdersAt, booked, code_of, payment_body
from tests.support.uk_tpp import BASE_URL, consent_body
from tests.support.uk_wire import UkPerson

pytestmark = pytest.mark.shared

CONSENTS, PAYMENTS = "/domestic-payment-consents", "/domestic-payments"
BOTH = pytest.mark.parametrize("brand", ["albion", "caledonia"])
#: which brand speaks what is in the tables of `brands`; these two get nothing wrong
NAMES = {
    "U002": "Field.Invalid",
    "U004": "Field.Missing",
    "U005": "Field.Unexpected",
    "U006": "Header.Invalid",
    "U007": "Header.Missing",
    "U008": "Resource.ConsentMismatch",
    "U009": "Resource.InvalidConsentStatus",
    "U010": "Resource.InvalidFormat",
    "U011": "Resource.NotFound",
}


def refused(answer: Answer, brand: str, status: int, code: str) -> None:
    named = code if brand == "albion" else f"UK.OBIE.{NAMES[code]}"
    assert code_of(answer) == (status, named), answer.content


@pytest.fixture
def orders(orders_at: OrdersAt, brand: str) -> Orders:
    return orders_at(brand)


def body_for(orders: Orders, amount: str = "123.50", **changes: Any) -> dict[str, Any]:
    return consent_body(amount, version=orders.tpp.version, **changes)


# ---------------------------------------------------------------------------------------------------------- end to end


@BOTH
def test_from_consent_to_the_books(orders: Orders, judged: Judged, brand: str, clock: Clock) -> None:
    words = {"albion": ["AWAU", "COND", "ACSP", "ACSC"]}.get(
        brand, ["AwaitingAuthorisation", "Consumed", "AcceptedSettlementInProcess", "AcceptedSettlementCompleted"]
    )
    body = body_for(orders)
    consent_id = orders.stage(CONSENTS, body)
    consent = orders.get(f"{CONSENTS}/{consent_id}").json["Data"]
    assert orders.get(f"{CONSENTS}/{consent_id}").json["Links"]["Self"] == f"{orders.tpp.api}{CONSENTS}/{consent_id}"
    assert consent["Status"] == words[0]
    assert consent["Initiation"] == body["Data"]["Initiation"]
    assert "Debtor" not in consent
    token = orders.approve(consent_id)
    assert booked(judged, BASE_URL) == []
    paid = orders.post(PAYMENTS, token, payment_body(consent_id, body))
    assert paid.status == 201
    payment = paid.json["Data"]
    assert (payment["ConsentId"], payment["Status"]) == (consent_id, words[2])
    assert payment["Debtor"]["Identification"] == "99999910000041"
    assert "Refund" not in payment
    assert booked(judged, BASE_URL) == []
    clock.tick(seconds=1)
    path = f"{PAYMENTS}/{payment['DomesticPaymentId']}"
    assert paid.json["Links"]["Self"] == orders.tpp.api + path
    assert orders.get(path).json["Data"]["Status"] == words[3]
    details = orders.get(f"{path}/payment-details").json["Data"]["PaymentStatus"]
    assert [each["Status"] for each in details] == [words[3]]
    (entry,) = booked(judged, BASE_URL)
    assert {name: entry[name] for name in ("amount", "kind", "creditorAccount", "debtorAccount")} == {
        "amount": "123.50",
        "kind": "debit",
        "creditorAccount": "08080021325698",
        "debtorAccount": "99999910000041",
    }
    after = orders.get(f"{CONSENTS}/{consent_id}").json["Data"]
    assert (after["Status"], after["Debtor"]) == (words[1], payment["Debtor"])
    assert len(judged.judged) == 7


@pytest.mark.parametrize("brand", ["severn", "mersey", "tyne", "trent", "clyde"])
def test_at_each_other_brand(orders: Orders, brand: str) -> None:
    assert orders.pay().status == 201


@pytest.mark.parametrize("brand", ["humber"])
def test_at_a_brand_that_signs_nothing(orders: Orders, judged: Judged, brand: str) -> None:
    judged.but = {"x-jws-signature": "left out"}
    answer = orders.pay()
    assert answer.status == 201
    assert "x-jws-signature" not in answer.headers


@pytest.mark.parametrize("brand", ["avon"])
def test_at_a_brand_that_echoes_nothing(orders: Orders, judged: Judged, brand: str) -> None:
    judged.but = {"x-fapi-interaction-id": "1b0a4b3e-3c46-4a0e-b1a2-1a1c0d8d9e10"}
    answer = orders.pay()
    assert answer.status == 201
    assert "x-fapi-interaction-id" not in answer.headers
    assert answer.json["Links"]["Self"].endswith("/")


@BOTH
def test_a_refund_account_is_told_where_it_was_asked_for(orders: Orders, brand: str) -> None:
    body = body_for(orders)
    body["Data"]["ReadRefundAccount"] = "Yes"
    consent_id = orders.stage(CONSENTS, body)
    paid = orders.post(PAYMENTS, orders.approve(consent_id), payment_body(consent_id, body)).json["Data"]
    assert paid["Refund"] == {"Account": paid["Debtor"]}


@BOTH
def test_each_answer_is_signed_and_carries_its_interaction(orders: Orders, brand: str) -> None:
    mine = "93bac548-d2de-4546-b106-880a5018460d"
    good = orders.post(CONSENTS, orders.own_token, body_for(orders), headers={"x-fapi-interaction-id": mine})
    bad = orders.get(f"{CONSENTS}/nobody", headers={"x-fapi-interaction-id": mine})
    refused(bad, brand, 400, "U011")
    for answer in (good, bad):
        assert orders.tpp.is_signed(answer)
        assert answer.headers["x-fapi-interaction-id"] == mine
    alone = orders.get(f"{CONSENTS}/nobody", headers={"x-fapi-interaction-id": None})
    assert alone.headers["x-fapi-interaction-id"] not in ("", mine)


# -------------------------------------------------------------------------------------------------------------- consent


@BOTH
def test_a_customer_refuses(orders: Orders, brand: str) -> None:
    body = body_for(orders)
    consent_id = orders.stage(CONSENTS, body)
    orders.person.approve(orders.tpp.authorize_url(consent_id), decision="refuse")
    status = orders.get(f"{CONSENTS}/{consent_id}").json["Data"]["Status"]
    assert status == ("RJCT" if brand == "albion" else "Rejected")


@BOTH
def test_a_consent_that_nobody_approves_ends(orders: Orders, brand: str, clock: Clock) -> None:
    consent_id = orders.stage(CONSENTS, body_for(orders))
    clock.tick(minutes=15)
    orders.own_token = orders.tpp.own_token()
    status = orders.get(f"{CONSENTS}/{consent_id}").json["Data"]["Status"]
    assert status == ("RJCT" if brand == "albion" else "Rejected")


@BOTH
def test_one_consent_gives_one_payment(orders: Orders, judged: Judged, brand: str, clock: Clock) -> None:
    body = body_for(orders)
    consent_id = orders.stage(CONSENTS, body)
    token = orders.approve(consent_id)
    assert orders.post(PAYMENTS, token, payment_body(consent_id, body)).status == 201
    refused(orders.post(PAYMENTS, token, payment_body(consent_id, body)), brand, 400, "U009")
    clock.tick(seconds=1)
    assert len(booked(judged, BASE_URL)) == 1


@BOTH
@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        ("Initiation", "EndToEndIdentification", "Q-INV-2"),
        ("Initiation", "InstructedAmount", {"Amount": "123.51", "Currency": "GBP"}),
        ("Initiation", "InstructedAmount", {"Amount": "123.5", "Currency": "GBP"}),
        ("Initiation", "RemittanceInformation", None),
        ("Initiation", "LocalInstrument", "UK.OBIE.FPS"),
        ("Risk", "BeneficiaryAccountType", "Business"),
    ],
)
def test_a_payment_repeats_its_consent(orders: Orders, brand: str, where: str, name: str, value: Any) -> None:
    body = body_for(orders)
    consent_id = orders.stage(CONSENTS, body)
    token = orders.approve(consent_id)
    other = payment_body(consent_id, body)
    place = other["Risk"] if where == "Risk" else other["Data"]["Initiation"]
    if value is None:
        del place[name]
    else:
        place[name] = value
    refused(orders.post(PAYMENTS, token, other), brand, 400, "U008")
    assert orders.post(PAYMENTS, token, payment_body(consent_id, body)).status == 201


@BOTH
def test_a_token_is_for_its_own_consent(orders: Orders, brand: str) -> None:
    body = body_for(orders)
    one, two = orders.stage(CONSENTS, body), orders.stage(CONSENTS, body)
    orders.approve(two)
    refused(orders.post(PAYMENTS, orders.approve(one), payment_body(two, body)), brand, 403, "U011")


@BOTH
def test_which_token_opens_what(orders: Orders, brand: str) -> None:
    body = body_for(orders)
    consent_id = orders.stage(CONSENTS, body)
    token = orders.approve(consent_id)
    assert orders.post(CONSENTS, token, body).status == 403
    assert orders.get(f"{CONSENTS}/{consent_id}", token=token).status == 403
    assert orders.post(PAYMENTS, orders.own_token, payment_body(consent_id, body)).status == 403
    assert orders.get(f"{CONSENTS}/{consent_id}/funds-confirmation").status == 403
    assert orders.get(f"{CONSENTS}/{consent_id}", token="made-up").status == 401


def test_what_is_another_tpps(orders_of_two: tuple[Orders, Orders]) -> None:
    mine, others = orders_of_two
    body = consent_body()
    consent_id = mine.stage(CONSENTS, body)
    paid = mine.post(PAYMENTS, mine.approve(consent_id), payment_body(consent_id, body)).json["Data"]
    path = f"{PAYMENTS}/{paid['DomesticPaymentId']}"
    for address in (f"{CONSENTS}/{consent_id}", path, f"{path}/payment-details"):
        assert code_of(others.get(address)) == (403, "U011")
        assert mine.get(address).status == 200


@pytest.fixture
def orders_of_two(
    bank: Flask, folder: Path, clock: Clock, judged: Judged, orders_at: OrdersAt, person: UkPerson
) -> tuple[Orders, Orders]:
    others = other_at(bank, folder, "albion", clock=clock)
    others.transport = judged
    return orders_at("albion"), Orders(tpp=others, person=person)


@BOTH
@pytest.mark.parametrize("path", [f"{CONSENTS}/none", f"{PAYMENTS}/none", f"{PAYMENTS}/none/payment-details"])
def test_an_unknown_id_is_400(orders: Orders, brand: str, path: str) -> None:
    refused(orders.get(path), brand, 400, "U011")


@BOTH
def test_a_brand_speaks_one_version(at: AtBrand, brand: str) -> None:
    """404: the official file of the other version has no word on it."""
    tpp = at(brand, version="3.1" if brand == "albion" else "4.0")
    refused(tpp.call("GET", f"{CONSENTS}/any", tpp.own_token()), brand, 404, "U011")


# ---------------------------------------------------------------------------------------------------------------- funds


@BOTH
def test_funds_are_confirmed_while_the_consent_is_authorised(orders: Orders, brand: str) -> None:
    for amount, enough in (("50000.01", False), ("123.50", True)):
        body = body_for(orders, amount)
        consent_id = orders.stage(CONSENTS, body)
        token, path = orders.approve(consent_id), f"{CONSENTS}/{consent_id}/funds-confirmation"
        assert orders.get(path, token=token).json["Data"]["FundsAvailableResult"]["FundsAvailable"] is enough
        orders.post(PAYMENTS, token, payment_body(consent_id, body))
        refused(orders.get(path, token=token), brand, 400, "U009")


@BOTH
def test_a_payment_without_funds_is_rejected(orders: Orders, judged: Judged, brand: str) -> None:
    paid = orders.pay("50000.01").json["Data"]
    assert paid["Status"] == ("RJCT" if brand == "albion" else "Rejected")
    if brand == "albion":
        assert paid["StatusReason"][0]["StatusReasonCode"] == "AM04"
    assert booked(judged, BASE_URL) == []
    assert orders.pay("50000.00").json["Data"]["Status"] in ("ACSP", "AcceptedSettlementInProcess")
    assert orders.pay("0.01").json["Data"]["Status"] in ("RJCT", "Rejected")


# ---------------------------------------------------------------------------------------------------------- idempotency


@BOTH
def test_the_same_key_makes_nothing_twice(orders: Orders, judged: Judged, brand: str, clock: Clock) -> None:
    body, key = body_for(orders), secrets.token_hex(20)
    first = orders.post(CONSENTS, orders.own_token, body, key=key)
    consent_id = first.json["Data"]["ConsentId"]
    token, submission, second_key = orders.approve(consent_id), payment_body(consent_id, body), secrets.token_hex(20)
    again = orders.post(CONSENTS, orders.own_token, body, key=key)
    assert (again.status, again.json["Data"]["ConsentId"]) == (201, consent_id)
    assert again.json["Data"]["Status"] == ("AUTH" if brand == "albion" else "Authorised")
    paid = orders.post(PAYMENTS, token, submission, key=second_key)
    clock.tick(seconds=1)
    repeated = orders.post(PAYMENTS, token, submission, key=second_key)
    assert (paid.status, repeated.status) == (201, 201)
    assert repeated.json["Data"]["DomesticPaymentId"] == paid.json["Data"]["DomesticPaymentId"]
    assert repeated.json["Data"]["Status"] == ("ACSC" if brand == "albion" else "AcceptedSettlementCompleted")
    assert len(booked(judged, BASE_URL)) == 1


@BOTH
def test_a_key_with_another_body_has_no_effect(orders: Orders, brand: str) -> None:
    key = secrets.token_hex(20)
    first = orders.post(CONSENTS, orders.own_token, body_for(orders), key=key).json["Data"]
    refused(orders.post(CONSENTS, orders.own_token, body_for(orders, "5.00"), key=key), brand, 400, "U006")
    kept = orders.get(f"{CONSENTS}/{first['ConsentId']}").json["Data"]
    assert kept["Initiation"]["InstructedAmount"]["Amount"] == "123.50"


@BOTH
def test_a_key_is_bound_to_its_path(orders: Orders, brand: str) -> None:
    body, key = body_for(orders), secrets.token_hex(20)
    consent_id = orders.post(CONSENTS, orders.own_token, body, key=key).json["Data"]["ConsentId"]
    token = orders.approve(consent_id)
    refused(orders.post(PAYMENTS, token, payment_body(consent_id, body), key=key), brand, 400, "U006")


@BOTH
def test_a_key_is_honoured_for_a_day(orders: Orders, brand: str, clock: Clock) -> None:
    body, key = body_for(orders), secrets.token_hex(20)
    ids = []
    for wait in (timedelta(0), timedelta(hours=24) - timedelta(seconds=1), timedelta(seconds=1)):
        clock.now += wait
        orders.own_token = orders.tpp.own_token()
        ids.append(orders.post(CONSENTS, orders.own_token, body, key=key).json["Data"]["ConsentId"])
    assert ids[0] == ids[1] != ids[2]


def test_two_tpps_may_choose_the_same_key(orders_of_two: tuple[Orders, Orders]) -> None:
    answers = [each.post(CONSENTS, each.own_token, consent_body(), key="same") for each in orders_of_two]
    assert [each.status for each in answers] == [201, 201]


# ------------------------------------------------------------------------------------------------- headers and bodies


@BOTH
@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"x-idempotency-key": None}, 400, "U007"),
        ({"x-idempotency-key": "k" * 41}, 400, "U006"),
        ({"Content-Type": "text/plain"}, 415, "U006"),
        ({"Accept": "application/xml"}, 406, "U006"),
        ({"x-fapi-interaction-id": "one"}, 400, "U006"),
        ({"x-fapi-auth-date": "2026-11-22"}, 400, "U006"),
        ({"x-fapi-auth-date": "Sun, 2 Nov 2026 19:43:31 GMT"}, 400, "U006"),
        ({"x-fapi-customer-ip-address": "here"}, 400, "U006"),
    ],
)
def test_headers_that_are_not_as_they_must_be(
    orders: Orders, brand: str, headers: dict[str, str | None], status: int, code: str
) -> None:
    refused(orders.post(CONSENTS, orders.own_token, body_for(orders), headers=headers), brand, status, code)


@BOTH
def test_headers_that_a_present_customer_brings(orders: Orders, brand: str) -> None:
    headers: dict[str, str | None] = {
        "Content-Type": "application/json; charset=utf-8",
        "x-fapi-auth-date": "Sun, 22 Nov 2026 09:43:31 GMT",
        "x-fapi-customer-ip-address": "2001:db8::1",
        "x-customer-user-agent": "Mozilla/5.0",
    }
    assert orders.post(CONSENTS, orders.own_token, body_for(orders), headers=headers).status == 201


@BOTH
def test_a_key_does_not_belong_on_a_get(orders: Orders, brand: str) -> None:
    consent_id = orders.stage(CONSENTS, body_for(orders))
    refused(orders.get(f"{CONSENTS}/{consent_id}", key="k"), brand, 400, "U006")


@pytest.mark.parametrize(
    ("signature", "code"),
    [(None, "U019"), ("no.signature", "U018"), ("eyJhbGciOiJub25lIn0..AAAA", "U017")],
)
@pytest.mark.parametrize("brand", ["albion"])
def test_a_body_that_is_not_signed(orders: Orders, brand: str, signature: str | None, code: str) -> None:
    answer = orders.post(CONSENTS, orders.own_token, body_for(orders), headers={"x-jws-signature": signature})
    refused(answer, brand, 400, code)


@pytest.mark.parametrize("brand", ["albion"])
def test_a_signature_over_other_bytes(orders: Orders, brand: str) -> None:
    body = body_for(orders)
    answer = orders.post(CONSENTS, orders.own_token, body, headers={"x-jws-signature": orders.tpp.sign(b"{}")})
    refused(answer, brand, 400, "U015")


GOOD_ACCOUNT = {"SchemeName": "UK.OBIE.SortCodeAccountNumber", "Identification": "08080021325698", "Name": "Thames"}


@BOTH
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"InstructedAmount": {"Amount": "1.005", "Currency": "GBP"}}, "U002"),
        ({"InstructedAmount": {"Amount": "0.00", "Currency": "GBP"}}, "U002"),
        ({"InstructedAmount": {"Amount": "-1.00", "Currency": "GBP"}}, "U002"),
        ({"InstructedAmount": {"Amount": 1, "Currency": "GBP"}}, "U002"),
        ({"InstructedAmount": {"Amount": "1.00", "Currency": "EUR"}}, "U002"),
        ({"InstructedAmount": {"Amount": "1.00", "Currency": "GBP", "Extra": "1"}}, "U005"),
        ({"InstructedAmount": None}, "U004"),
        ({"EndToEndIdentification": "e" * 36}, "U002"),
        ({"EndToEndIdentification": ""}, "U002"),
        ({"InstructionIdentification": None}, "U004"),
        ({"CreditorAccount": None}, "U004"),
        ({"CreditorAccount": {**GOOD_ACCOUNT, "SchemeName": "UK.OBIE.IBAN"}}, "U002"),
        ({"CreditorAccount": {**GOOD_ACCOUNT, "Identification": "0808002132569"}}, "U002"),
        ({"CreditorAccount": {name: GOOD_ACCOUNT[name] for name in ("SchemeName", "Identification")}}, "U004"),
        ({"SupplementaryData": {"Colour": "blue"}}, "U005"),
        ({"Endtoend": "1"}, "U005"),
    ],
)
def test_an_initiation_that_is_not_as_it_must_be(
    orders: Orders, brand: str, changes: dict[str, Any], code: str
) -> None:
    refused(orders.post(CONSENTS, orders.own_token, body_for(orders, **changes)), brand, 400, code)


@BOTH
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "U010"),
        (b"[]", "U010"),
        (b'{"Data": 1, "Risk": {}}', "U004"),
        (b'{"Risk": {}}', "U004"),
        (b'{"Data": {"Initiation": {}}, "Risk": {}, "More": 1}', "U005"),
        (b"[" * 20_000, "U010"),
    ],
)
def test_a_body_that_is_something_else(orders: Orders, brand: str, body: bytes, code: str) -> None:
    refused(orders.tpp.call("POST", CONSENTS, orders.own_token, body, key="k"), brand, 400, code)


@BOTH
def test_the_dialects_do_not_mix(orders: Orders, brand: str) -> None:
    """The official file of 4.0 lets a Reference of 3.1 pass; a bank that reads it would lose it."""
    other = consent_body(version="3.1" if brand == "albion" else "4.0")["Data"]["Initiation"]["RemittanceInformation"]
    answer = orders.post(CONSENTS, orders.own_token, body_for(orders, RemittanceInformation=other))
    refused(answer, brand, 400, "U005")
    right, wrong = "ContractPresentIndicator", "ContractPresentInidicator"
    if brand == "caledonia":
        right, wrong = wrong, right
    body = body_for(orders)
    assert orders.post(CONSENTS, orders.own_token, {**body, "Risk": {right: True}}).status == 201
    refused(orders.post(CONSENTS, orders.own_token, {**body, "Risk": {wrong: True}}), brand, 400, "U005")


@BOTH
def test_a_submission_that_says_more_or_less(orders: Orders, brand: str) -> None:
    body = body_for(orders)
    consent_id = orders.stage(CONSENTS, body)
    token, good = orders.approve(consent_id), payment_body(consent_id, body)
    more = {**good, "Data": {**good["Data"], "Permission": "Create"}}
    refused(orders.post(PAYMENTS, token, more), brand, 400, "U010")
    refused(orders.post(PAYMENTS, token, {"Data": good["Data"]}), brand, 400, "U010")
    refused(orders.post(PAYMENTS, token, {**good, "Data": []}), brand, 400, "U010")
    less = copy.deepcopy(good)
    del less["Data"]["Initiation"]
    refused(orders.post(PAYMENTS, token, less), brand, 400, "U008")
    refused(orders.post(PAYMENTS, token, {**good, "Data": {"Initiation": {}}}), brand, 400, "U011")
    assert orders.post(PAYMENTS, token, good).status == 201


def test_the_judge_sees_a_wrong_answer(judged: Judged) -> None:
    """A judge that lets everything pass would be none."""
    wrong = Answer(status=201, headers={"Content-Type": JSON}, content=b'{"Data": {}}')
    url = f"{BASE_URL}/albion/open-banking/v4.0/pisp{CONSENTS}"

    class Wrong:
        def send(self, method: str, url: str, **_: Any) -> Answer:
            return wrong

    with pytest.raises(Exception, match=r"(?i)invalid|missing|required"):
        Judged(Wrong()).send("POST", url, headers={}, data=b"{}", certificate=None)
    assert judged.judged == []
