"""Variable recurring payments at the UK sandbox banks: a standing consent, its limits; the official files judge."""

from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.support.sandbox_tpp import Answer, Clock
from tests.support.uk_bank import other_at
from tests.support.uk_judge import Judged
from tests.support.uk_orders import (
    LEDGER,
    OTHER,
    SWEEPING,
    Orders,
    OrdersAt,
    booked,
    code_of,
    periodic,
    vrp_body,
    vrp_consent_body,
)
from tests.support.uk_tpp import BASE_URL, consent_body
from tests.support.uk_wire import InProcess, UkPerson

pytestmark = pytest.mark.shared

CONSENTS, PAYMENTS = "/domestic-vrp-consents", "/domestic-vrps"
BOTH = pytest.mark.parametrize("brand", ["albion", "caledonia"])
ALBION = pytest.mark.parametrize("brand", ["albion"])
NAMES = {
    "U002": "Field.Invalid",
    "U003": "Field.InvalidDate",
    "U004": "Field.Missing",
    "U005": "Field.Unexpected",
    "U006": "Header.Invalid",
    "U008": "Resource.ConsentMismatch",
    "U009": "Resource.InvalidConsentStatus",
    "U010": "Resource.InvalidFormat",
    "U011": "Resource.NotFound",
    "U014": "Rules.FailsControlParameters",
}


@pytest.fixture
def orders(orders_at: OrdersAt, brand: str) -> Orders:
    return orders_at(brand)


def refused(answer: Answer, brand: str, code: str) -> None:
    assert code_of(answer) == (400, code if brand == "albion" else f"UK.OBIE.{NAMES[code]}"), answer.content


def consent_for(orders: Orders, **parameters: Any) -> dict[str, Any]:
    return vrp_consent_body(version=orders.tpp.version, **parameters)


def standing(orders: Orders, **parameters: Any) -> tuple[str, dict[str, Any], str]:
    """(ConsentId, its body, the customer's token)."""
    body = consent_for(orders, **parameters)
    consent_id = orders.stage(CONSENTS, body)
    return consent_id, body, orders.approve(consent_id)


def pay(orders: Orders, consent: tuple[str, dict[str, Any], str], amount: str = "20.00", **data: Any) -> Answer:
    consent_id, body, token = consent
    return orders.post(PAYMENTS, token, vrp_body(consent_id, body, amount, version=orders.tpp.version, **data))


def status(orders: Orders, path: str) -> str:
    orders.own_token = orders.tpp.own_token()
    return str(orders.get(path).json["Data"]["Status"])


def cancel(judged: Judged, brand: str, consent_id: str) -> int:
    url = f"{BASE_URL}/sandbox/{brand}/consents/{consent_id}/cancel"
    return judged.send("POST", url, headers=LEDGER, data=b"", certificate=None).status


def breach_of(answer: Answer) -> str:
    assert code_of(answer)[0] == 400
    assert code_of(answer)[1] in ("U014", "UK.OBIE.Rules.FailsControlParameters"), answer.content
    path = str(answer.json["Errors"][0]["Path"])
    assert path.startswith("Data.ControlParameters.")
    return path.removeprefix("Data.ControlParameters.")


# ---------------------------------------------------------------------------------------------------------- end to end


@BOTH
def test_two_payments_under_one_consent(orders: Orders, judged: Judged, clock: Clock, brand: str) -> None:
    waiting, authorised, moving, settled = {"albion": ("AWAU", "AUTH", "ACSP", "ACSC")}.get(
        brand,
        ("AwaitingAuthorisation", "Authorised", "AcceptedSettlementInProcess", "AcceptedSettlementCompleted"),
    )
    body = consent_for(orders, PeriodicLimits=[periodic("Week", "Consent", "100.00")])
    body["Data"]["ReadRefundAccount"] = "Yes"
    consent_id = orders.stage(CONSENTS, body)
    assert status(orders, f"{CONSENTS}/{consent_id}") == waiting
    token = orders.approve(consent_id)
    paid_twice = []
    for amount in ("20.00", "30.00"):
        paid = pay(orders, (consent_id, body, token), amount)
        assert (paid.status, paid.json["Data"]["Status"]) == (201, moving)
        assert paid.json["Data"]["Instruction"]["InstructedAmount"]["Amount"] == amount
        assert paid.json["Data"]["Refund"] == paid.json["Data"]["DebtorAccount"]
        assert paid.json["Data"]["DebtorAccount"]["Identification"] == "99999910000041"
        assert orders.tpp.is_signed(paid)
        paid_twice.append(paid.json["Data"])
    clock.tick(seconds=1)
    path = f"{PAYMENTS}/{paid_twice[1]['DomesticVRPId']}"
    assert status(orders, path) == settled
    assert orders.get(f"{path}/payment-details").json["Data"]["PaymentStatus"][0]["Status"] == settled
    consent = orders.get(f"{CONSENTS}/{consent_id}").json["Data"]
    assert (consent["Status"], consent["DebtorAccount"]) == (authorised, paid_twice[1]["DebtorAccount"])
    assert consent["ControlParameters"] == body["Data"]["ControlParameters"]
    assert pay(orders, standing(orders), "25.00").status == 201
    clock.tick(seconds=1)
    assert sorted(entry["amount"] for entry in booked(judged, BASE_URL)) == ["20.00", "25.00", "30.00"]
    under_it = booked(judged, BASE_URL, consent_id=consent_id)
    assert sorted(entry["amount"] for entry in under_it) == ["20.00", "30.00"]


@BOTH
def test_the_customer_reads_the_limits(orders: Orders, brand: str) -> None:
    consent_id = orders.stage(CONSENTS, consent_for(orders, ValidToDateTime="2027-06-30T00:00:00Z"))
    page, at = orders.person.visit(orders.tpp.authorize_url(consent_id))
    page, _ = orders.person.submit(page, at, customer="camille", pin="1234")
    text = page.page.get_text()
    for words in ("£50.00 at most with each payment", "£100.00 at most in a month", "until 30 June 2027"):
        assert words in text


@ALBION
def test_the_token_lives_as_long_as_the_consent(orders: Orders, clock: Clock, brand: str) -> None:
    """No 90 days; after its last day the consent is over, and the API says that."""
    consent = standing(orders, ValidToDateTime="2027-06-30T12:00:00Z")
    clock.now = clock.now.replace(year=2027, month=6, day=30, hour=23)
    assert pay(orders, consent).status == 201
    clock.tick(hours=1)
    refused(pay(orders, consent), brand, "U009")
    assert status(orders, f"{CONSENTS}/{consent[0]}") == "EXPD"


@BOTH
def test_the_same_key_pays_once(orders: Orders, judged: Judged, clock: Clock, brand: str) -> None:
    consent_id, body, token = standing(orders, PeriodicLimits=[periodic("Day", "Calendar", "30.00")])
    payment = vrp_body(consent_id, body, "30.00", version=orders.tpp.version)
    answers = [orders.post(PAYMENTS, token, payment, key="k-1") for _ in range(2)]
    assert [each.status for each in answers] == [201, 201]
    assert len({each.json["Data"]["DomesticVRPId"] for each in answers}) == 1
    clock.tick(seconds=1)
    assert len(booked(judged, BASE_URL)) == 1


# ---------------------------------------------------------------------------------------------------------- the limits


@BOTH
@pytest.mark.parametrize(
    ("parameters", "amount", "data", "breach"),
    [
        ({}, "50.01", {}, "MaximumIndividualAmount"),
        ({}, "20.00", {"VRPType": SWEEPING}, "VRPType"),
        ({}, "20.00", {"PSUAuthenticationMethod": "UK.OBIE.SCA"}, "PSUAuthenticationMethods"),
        ({}, "20.00", {"PSUInteractionType": "InSession"}, "PSUInteractionTypes"),
        ({"PSUInteractionTypes": ["InSession"]}, "20.00", {"PSUInteractionType": None}, "PSUInteractionTypes"),
        ({"PSUInteractionTypes": None}, "20.00", {"PSUInteractionType": "InSession"}, "PSUInteractionTypes"),
        ({"ValidFromDateTime": "2026-11-23T00:00:00Z"}, "20.00", {}, "ValidFromDateTime"),
        ({"PeriodicLimits": [periodic("Day", "Calendar", "19.99")]}, "20.00", {}, "PeriodicLimits[0]"),
        # from 22 to 30 November: nine days of thirty
        ({"PeriodicLimits": [periodic("Month", "Calendar", "100.00")]}, "30.01", {}, "PeriodicLimits[0]"),
    ],
)
def test_a_breach_is_told(
    orders: Orders,
    judged: Judged,
    clock: Clock,
    brand: str,
    parameters: dict[str, Any],
    amount: str,
    data: dict[str, Any],
    breach: str,
) -> None:
    assert breach_of(pay(orders, standing(orders, **parameters), amount, **data)) == breach
    clock.tick(seconds=1)
    assert booked(judged, BASE_URL) == []


@ALBION
def test_a_period_begins_anew(orders: Orders, clock: Clock, brand: str) -> None:
    weekly = [periodic("Month", "Calendar", "300.00"), periodic("Week", "Consent", "50.00")]
    consent = standing(orders, PeriodicLimits=weekly)
    assert pay(orders, consent, "50.00").status == 201
    assert breach_of(pay(orders, consent, "0.01")) == "PeriodicLimits[1]"
    clock.now = clock.now.replace(day=28, hour=23)
    assert breach_of(pay(orders, consent, "0.01")) == "PeriodicLimits[1]"
    clock.now = clock.now.replace(day=29, hour=0)
    assert pay(orders, consent, "40.00").status == 201
    assert breach_of(pay(orders, consent, "0.01")) == "PeriodicLimits[0]"
    clock.now = clock.now.replace(month=12, day=1)
    assert pay(orders, consent, "10.00").status == 201


@ALBION
def test_what_was_rejected_does_not_count(orders: Orders, clock: Clock, brand: str) -> None:
    each = {"Amount": "999.18", "Currency": "GBP"}
    limits = [periodic("Day", "Calendar", "1000.00")]
    consent = standing(orders, MaximumIndividualAmount=each, PeriodicLimits=limits)
    assert [pay(orders, consent, "999.05").json["Data"]["Status"] for _ in range(3)] == ["RJCT"] * 3
    assert pay(orders, consent, "999.06").json["Data"]["Status"] == "ACSP"
    assert breach_of(pay(orders, consent, "999.00")) == "PeriodicLimits[0]"
    clock.tick(seconds=2)
    assert pay(orders, consent, "999.00").status == 201


@ALBION
def test_a_limit_holds_in_a_crowd(orders: Orders, bank: Flask, brand: str) -> None:
    """Ten at once for £20 where £100 are left: five are paid."""
    consent_id, body, token = standing(orders, PeriodicLimits=[periodic("Day", "Calendar", "100.00")])
    answers: list[Answer] = []

    def one(number: int) -> None:
        tpp = copy.copy(orders.tpp)
        tpp.transport = Judged(InProcess(bank))
        payment = vrp_body(consent_id, body, "20.00")
        answers.append(tpp.call("POST", PAYMENTS, token, payment, key=f"k-{number}"))

    threads = [threading.Thread(target=one, args=[number]) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.status for each in answers) == [201] * 5 + [400] * 5


# -------------------------------------------------------------------------------------------- consent and payment agree


@BOTH
def test_a_payment_repeats_its_consent(orders: Orders, brand: str) -> None:
    consent_id, body, token = consent = standing(orders)
    other_account = {**body["Data"]["Initiation"]["CreditorAccount"], "Name": "Somebody Else"}
    instruction = vrp_body(consent_id, body, version=orders.tpp.version)["Data"]["Instruction"]
    refused(pay(orders, consent, Initiation={"CreditorAccount": other_account}), brand, "U008")
    refused(pay(orders, consent, Initiation=None), brand, "U008")
    refused(pay(orders, consent, Instruction={**instruction, "CreditorAccount": other_account}), brand, "U008")
    risky = vrp_body(consent_id, body, version=orders.tpp.version)
    risky["Risk"] = {"BeneficiaryAccountType": "Business"}
    refused(orders.post(PAYMENTS, token, risky), brand, "U008")
    refused(pay(orders, consent, Permission="Create"), brand, "U010")
    assert pay(orders, consent).status == 201


@BOTH
def test_remittance_information_of_the_consent_stands_in_each_payment(orders: Orders, brand: str) -> None:
    fixed = {
        name: consent_body(version=orders.tpp.version)["Data"]["Initiation"][name]
        for name in ("CreditorAccount", "RemittanceInformation")
    }
    consent_id, body, _ = consent = standing(orders, initiation=fixed)
    assert pay(orders, consent).status == 201
    instruction = vrp_body(consent_id, body, version=orders.tpp.version)["Data"]["Instruction"]
    other = {"albion": {"Unstructured": ["another"]}}.get(brand, {"Unstructured": "another"})
    refused(pay(orders, consent, Instruction={**instruction, "RemittanceInformation": other}), brand, "U008")
    del instruction["RemittanceInformation"]
    refused(pay(orders, consent, Instruction=instruction), brand, "U008")


@BOTH
def test_a_payee_may_be_left_open_but_not_for_sweeping(orders: Orders, brand: str) -> None:
    assert pay(orders, standing(orders, initiation={})).status == 201
    body = consent_for(orders, initiation={}, VRPType=[OTHER, SWEEPING])
    refused(orders.post(CONSENTS, orders.own_token, body), brand, "U004")


@BOTH
@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"VRPType": None}, "U004"),
        ({"VRPType": "UK.OBIE.VRPType.Bills"}, "U002"),
        ({"PSUAuthenticationMethod": None}, "U004"),
        ({"PSUInteractionType": "Sometimes"}, "U002"),
        ({"Instruction": None}, "U004"),
    ],
)
def test_a_payment_that_is_not_as_it_must_be(orders: Orders, brand: str, data: dict[str, Any], code: str) -> None:
    refused(pay(orders, standing(orders), **data), brand, code)


@BOTH
@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"MaximumIndividualAmount": None}, "U004"),
        ({"MaximumIndividualAmount": {"Amount": "50.001", "Currency": "GBP"}}, "U002"),
        ({"PeriodicLimits": None}, "U004"),
        ({"PeriodicLimits": []}, "U004"),
        ({"PeriodicLimits": [1]}, "U010"),
        ({"PeriodicLimits": [periodic("Quarter", "Calendar", "1.00")]}, "U002"),
        ({"PeriodicLimits": [periodic("Week", "Moon", "1.00")]}, "U002"),
        ({"PeriodicLimits": [periodic("Fortnight", "Calendar", "1.00")]}, "U002"),
        ({"PeriodicLimits": [periodic("Week", "Consent", "0.00")]}, "U002"),
        ({"PeriodicLimits": [{**periodic("Week", "Consent", "1.00"), "Currency": "EUR"}]}, "U002"),
        ({"VRPType": []}, "U004"),
        ({"VRPType": ["UK.OBIE.VRPType.Bills"]}, "U002"),
        ({"PSUAuthenticationMethods": ["Password"]}, "U002"),
        ({"PSUInteractionTypes": ["Sometimes"]}, "U002"),
        ({"ValidFromDateTime": "tomorrow"}, "U003"),
        ({"ValidToDateTime": "2026-11-21T23:59:59Z"}, "U003"),
        ({"ValidFromDateTime": "2027-01-02T00:00:00Z", "ValidToDateTime": "2027-01-01T00:00:00Z"}, "U003"),
        ({"SupplementaryData": {"Colour": "blue"}}, "U005"),
    ],
)
def test_control_parameters_that_are_not_as_they_must_be(
    orders: Orders, brand: str, parameters: dict[str, Any], code: str
) -> None:
    refused(orders.post(CONSENTS, orders.own_token, consent_for(orders, **parameters)), brand, code)


# ---------------------------------------------------------------------------------------------------------------- funds


@BOTH
def test_funds_are_confirmed_for_an_amount(orders: Orders, brand: str) -> None:
    consent_id, _, token = standing(orders)
    path = f"{CONSENTS}/{consent_id}/funds-confirmation"
    asked: dict[str, Any] = {"ConsentId": consent_id, "Reference": "R1"}
    for amount, word in (("20.00", "Available"), ("50000.01", "NotAvailable")):
        asked["InstructedAmount"] = {"Amount": amount, "Currency": "GBP"}
        answer = orders.post(path, token, {"Data": asked}, key=None)
        assert (answer.status, answer.json["Data"]["FundsAvailableResult"]["FundsAvailable"]) == (201, word)
        assert {name: answer.json["Data"][name] for name in asked} == asked
    refused(orders.post(path, token, {"Data": {**asked, "ConsentId": "another"}}, key=None), brand, "U008")
    refused(orders.post(path, token, {"Data": {"ConsentId": consent_id}}, key=None), brand, "U004")
    refused(orders.post(path, token, {"Data": asked, "Risk": {}}, key=None), brand, "U005")
    refused(orders.post(path, token, {"Data": asked}, key="k"), brand, "U006")
    assert orders.post(path, orders.own_token, {"Data": asked}, key=None).status == 403


# ---------------------------------------------------------------------------------------------------------- how it ends


@BOTH
def test_a_tpp_gives_the_consent_back(orders: Orders, judged: Judged, clock: Clock, brand: str) -> None:
    consent = standing(orders)
    paid = pay(orders, consent).json["Data"]["DomesticVRPId"]
    path = f"{CONSENTS}/{consent[0]}"
    assert orders.tpp.call("DELETE", path, orders.own_token, key="k").status == 400
    answer = orders.tpp.call("DELETE", path, orders.own_token)
    assert (answer.status, answer.content) == (204, b"")
    assert "x-fapi-interaction-id" in answer.headers
    refused(orders.get(path), brand, "U011")
    refused(orders.tpp.call("DELETE", path, orders.own_token), brand, "U011")
    assert pay(orders, consent).status == 401
    clock.tick(seconds=1)
    assert status(orders, f"{PAYMENTS}/{paid}") in ("ACSC", "AcceptedSettlementCompleted")
    assert len(booked(judged, BASE_URL)) == 1


@BOTH
def test_a_customer_cancels_at_the_bank_and_approves_again(orders: Orders, judged: Judged, brand: str) -> None:
    consent_id, body, old_token = standing(orders)
    path = f"{CONSENTS}/{consent_id}"
    assert cancel(judged, brand, consent_id) == 204
    assert status(orders, path) == ("CANC" if brand == "albion" else "Authorised")  # 3.1 has no other word
    assert pay(orders, (consent_id, body, old_token)).status == 401
    assert cancel(judged, brand, consent_id) == 409
    new_token = orders.approve(consent_id)
    assert status(orders, path) == ("AUTH" if brand == "albion" else "Authorised")
    assert pay(orders, (consent_id, body, old_token)).status == 401
    assert pay(orders, (consent_id, body, new_token)).status == 201


@BOTH
def test_only_its_own_customer_brings_a_consent_back(orders: Orders, judged: Judged, bank: Flask, brand: str) -> None:
    consent_id, _, _ = standing(orders)
    assert cancel(judged, brand, consent_id) == 204
    stranger = UkPerson(transport=InProcess(bank), customer="jonas", account="jonas-current")
    stranger.approve(orders.tpp.authorize_url(consent_id))
    with_words = orders.get(f"{CONSENTS}/{consent_id}").json["Data"]
    assert with_words["Status"] == ("CANC" if brand == "albion" else "Authorised")
    assert with_words["DebtorAccount"]["Name"] == "Camille Laurent"
    orders.person.approve(orders.tpp.authorize_url(consent_id), decision="refuse")
    assert status(orders, f"{CONSENTS}/{consent_id}") == with_words["Status"]


@ALBION
def test_what_is_another_tpps(orders: Orders, bank: Flask, folder: Path, clock: Clock, brand: str) -> None:
    consent = standing(orders)
    paid = pay(orders, consent).json["Data"]["DomesticVRPId"]
    other = other_at(bank, folder, "albion", clock=clock)
    token = other.own_token()
    for method, path in (
        ("GET", f"{CONSENTS}/{consent[0]}"),
        ("DELETE", f"{CONSENTS}/{consent[0]}"),
        ("GET", f"{PAYMENTS}/{paid}"),
    ):
        assert code_of(other.call(method, path, token)) == (403, "U011")
    assert pay(orders, consent, "1.00").status == 201
