"""What UK Open Banking can carry, written letter by letter; and what of a bank's answer is believed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Fact, PaymentOrder
from connectors.http import BankResponse
from connectors.money import Money
from connectors.openbanking_uk import messages
from connectors.openbanking_uk.messages import Dialect
from connectors.openbanking_uk.status import PAYMENT_FACTS, fact_of_payment
from connectors.strict_json import NotReadable

V4, V3 = Dialect(), Dialect(version="3.1")


def order(**changes: Any) -> PaymentOrder:
    usual: dict[str, Any] = {
        "amount": Money(8420, "GBP"),
        "creditor_name": "Lumen Energy Ltd",
        "creditor_iban": "GB29NWBK60161331926819",
        "end_to_end_id": "pay0123456789abcdef0123456789abcdef",
        "remittance_unstructured": "Energy for October, account 4711",
    }
    return PaymentOrder(**{**usual, **changes})


def test_a_consent_says_what_the_customer_confirmed() -> None:
    assert json.loads(messages.consent(order(), dialect=V4)) == {
        "Data": {
            "Initiation": {
                "InstructionIdentification": "pay0123456789abcdef0123456789abcdef",
                "EndToEndIdentification": "pay0123456789abcdef0123456789abcdef",
                "InstructedAmount": {"Amount": "84.20", "Currency": "GBP"},
                "CreditorAccount": {
                    "SchemeName": "UK.OBIE.SortCodeAccountNumber",
                    "Identification": "60161331926819",
                    "Name": "Lumen Energy Ltd",
                },
                "RemittanceInformation": {"Unstructured": ["Energy for October, account 4711"]},
            },
            "ReadRefundAccount": "No",
        },
        "Risk": {
            "PaymentContextCode": "BillingGoodsAndServicesInArrears",
            "ContractPresentIndicator": True,
            "BeneficiaryPrepopulatedIndicator": True,
            "BeneficiaryAccountType": "Business",
        },
    }


@pytest.mark.parametrize("dialect", [V4, V3, Dialect(version="3.1", misspelt_contract_present=True)])
@pytest.mark.parametrize(
    "changes", [{}, {"remittance_unstructured": None}, {"remittance_structured": "RF18539007547034"}], ids=str
)
def test_the_payment_repeats_its_consent_letter_by_letter(dialect: Dialect, changes: dict[str, Any]) -> None:
    agreed = json.loads(messages.consent(order(**changes), dialect=dialect))
    submitted = json.loads(messages.payment(order(**changes), consent_id="c-1", dialect=dialect))
    assert submitted["Data"] == {"ConsentId": "c-1", "Initiation": agreed["Data"]["Initiation"]}
    assert submitted["Risk"] == agreed["Risk"]
    assert messages.payment(order(**changes), consent_id="c-1", dialect=dialect) == messages.payment(
        order(**changes), consent_id="c-1", dialect=dialect
    )


@pytest.mark.parametrize(
    ("said", "v4", "v3"),
    [
        ({"remittance_unstructured": None}, None, None),
        (
            {"remittance_unstructured": "INV-42"},
            {"Structured": [{"CreditorReferenceInformation": {"Reference": "INV-42"}}]},
            {"Reference": "INV-42"},
        ),
        (
            {"remittance_unstructured": "x" * 19},
            {"Unstructured": ["x" * 19]},
            {"Unstructured": "x" * 19},
        ),
        (
            {"remittance_unstructured": "For October", "remittance_structured": "RF18539007547034"},
            {
                "Unstructured": ["For October"],
                "Structured": [{"CreditorReferenceInformation": {"Reference": "RF18539007547034"}}],
            },
            {"Unstructured": "For October", "Reference": "RF18539007547034"},
        ),
    ],
)
def test_the_reference_reaches_the_payee_where_the_scheme_carries_one(said: Any, v4: Any, v3: Any) -> None:
    for dialect, wanted in ((V4, v4), (V3, v3)):
        initiation = json.loads(messages.consent(order(**said), dialect=dialect))["Data"]["Initiation"]
        assert initiation.get("RemittanceInformation") == wanted


@given(st.text(max_size=200))
def test_no_remittance_of_3_1_in_4_0_and_nothing_empty(text: str) -> None:
    """The official file lets a Reference of 3.1 pass in 4.0: nobody but us would see it."""
    try:
        body = messages.consent(order(remittance_unstructured=text), dialect=V4)
    except ValueError:
        return
    said = json.loads(body)["Data"]["Initiation"]["RemittanceInformation"]
    assert said.keys() <= {"Unstructured", "Structured"}
    assert not list(empty(json.loads(body)))


def empty(said: Any) -> Iterator[Any]:
    """What holds nothing, wherever it stands."""
    if said in ("", {}, []):
        yield said
    for below in said.values() if isinstance(said, dict) else said if isinstance(said, list) else ():
        yield from empty(below)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"amount": Money(8420, "EUR")}, "GBP"),
        ({"amount": Money(0, "GBP")}, "0.01"),
        ({"amount": Money(100_000_001, "GBP")}, "1000000.00"),
        ({"creditor_iban": "FR1420041010050500013M02606"}, "UK account"),
        ({"creditor_iban": "GB29NWBK60161331926818"}, "UK account"),
        ({"creditor_name": " "}, "payee's name"),
        ({"creditor_name": "x" * 71}, "payee's name"),
        ({"creditor_name": "Lumen\u202eEnergy"}, "printable"),
        ({"end_to_end_id": "x" * 36}, "EndToEndIdentification"),
        ({"end_to_end_id": ""}, "EndToEndIdentification"),
        ({"end_to_end_id": " x"}, "EndToEndIdentification"),
        ({"remittance_unstructured": "x" * 141}, "remittance"),
        ({"remittance_unstructured": None, "remittance_structured": "x" * 19}, "reference"),
    ],
)
def test_what_cannot_be_carried_whole_is_refused(changes: dict[str, Any], named: str) -> None:
    for dialect in (V4, V3):
        with pytest.raises(ValueError, match=named):
            messages.consent(order(**changes), dialect=dialect)


def answered(**data: Any) -> bytes:
    return json.dumps({"Data": data, "Links": {}, "Meta": {}}).encode()


def test_a_consent_is_read_in_both_versions_words() -> None:
    assert messages.read_consent(answered(ConsentId="c-1", Status="AWAU")).status == "AWAU"
    assert messages.read_consent(answered(ConsentId="c-1", Status="AwaitingAuthorisation")).status == "AWAU"
    assert messages.read_consent(answered(ConsentId="c-1", Status="Consumed")).status == "COND"
    assert messages.read_consent(answered(ConsentId="c-1", Status="strange")).status == "strange"


def test_a_payment_is_read_with_its_reason() -> None:
    reasons = [{"StatusReasonCode": "AM04", "StatusReasonDescription": "not enough", "Path": "x"}]
    read = messages.read_payment(
        answered(DomesticPaymentId="p-1", ConsentId="c-1", Status="RJCT", StatusReason=reasons)
    )
    assert (read.payment_id, read.consent_id, read.status) == ("p-1", "c-1", "RJCT")
    assert (read.reason_code, read.reason_text) == ("AM04", "not enough")


@pytest.mark.parametrize("consent_id", ["", "..", ".", "a/b", "a b", "a\\b", "é", "x" * 129, 'a"b', 7, None])
def test_an_id_that_cannot_stand_in_an_address_is_none(consent_id: Any) -> None:
    with pytest.raises(NotReadable):
        messages.read_consent(answered(ConsentId=consent_id, Status="AWAU"))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"Data":[]}', b'{"Data":{"ConsentId":"c-1"}}', b"\xff"])
def test_an_answer_that_is_none_is_not_read(body: bytes) -> None:
    with pytest.raises(NotReadable):
        messages.read_consent(body)
    with pytest.raises(NotReadable):
        messages.read_payment(body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"Errors":[{"ErrorCode":"U008","Message":"differs"}]}', "U008"),
        (
            b'{"Code":"400","Message":"no","Errors":[{"ErrorCode":"UK.OBIE.Field.Invalid","Message":"no"}]}',
            "UK.OBIE.Field.Invalid",
        ),
        (b"", "http_400"),
        (b"<html>", "http_400"),
        (b'{"Errors":[]}', "http_400"),
    ],
)
def test_a_refusal_keeps_the_banks_code(body: bytes, code: str) -> None:
    refused = messages.refusal(BankResponse(status=400, headers={}, body=body))
    assert (refused.code, refused.http_status) == (code, 400)


@given(st.text(max_size=40))
def test_no_other_word_says_anything_about_money(word: str) -> None:
    if word not in PAYMENT_FACTS:
        assert fact_of_payment(word) is Fact.UNKNOWN


def test_only_these_words_are_paid() -> None:
    paid = {word for word, fact in PAYMENT_FACTS.items() if fact in (Fact.DEBITED, Fact.CREDITED)}
    assert paid == {"ACSC", "ACCC", "AcceptedSettlementCompleted", "AcceptedCreditSettlementCompleted"}
