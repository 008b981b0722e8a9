"""The bytes that we build, and the answers that we read or refuse to read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.berlin_group import messages
from connectors.berlin_group.links import Links, Place
from connectors.contract import Fact, PaymentOrder
from connectors.http import BankResponse
from connectors.money import Money
from connectors.strict_json import NotReadable

PLACE = Place(base_url="https://api.bank.test/psd2", origins=frozenset({"api.bank.test", "login.bank.test"}))
PATH = "/v1/payments/sepa-credit-transfers"
ORDER = PaymentOrder(
    amount=Money(84_20, "EUR"),
    creditor_name="Régie des Eaux",
    creditor_iban="DE02100100109307118603",
    end_to_end_id="QUI-0197f0c2",
    remittance_unstructured="Facture n° 2026-118",
)


def test_the_bytes_of_an_initiation() -> None:
    assert messages.initiation(ORDER) == (
        b'{"endToEndIdentification":"QUI-0197f0c2",'
        b'"instructedAmount":{"currency":"EUR","amount":"84.20"},'
        b'"creditorAccount":{"iban":"DE02100100109307118603"},'
        b'"creditorName":"Regie des Eaux",'
        b'"remittanceInformationUnstructured":"Facture n. 2026-118"}'
    )


@pytest.mark.parametrize(
    ("structured", "unstructured", "remittance"),
    [
        ("RF18539007547034", None, {"remittanceInformationStructured": {"reference": "RF18539007547034"}}),
        ("RF18 5390 0754 7034", None, {"remittanceInformationStructured": {"reference": "RF18539007547034"}}),
        ("+++090/9337/55493+++", None, {"remittanceInformationUnstructured": "+++090/9337/55493+++"}),
        ("RF19539007547034", None, {"remittanceInformationUnstructured": "RF19539007547034"}),
        (None, "a text", {"remittanceInformationUnstructured": "a text"}),
        (None, None, {}),
    ],
)
def test_what_the_payee_gets_to_read(
    structured: str | None, unstructured: str | None, remittance: dict[str, Any]
) -> None:
    order = replace(ORDER, remittance_structured=structured, remittance_unstructured=unstructured)
    body = json.loads(messages.initiation(order))
    assert {name: body[name] for name in body if name.startswith("remittance")} == remittance


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"remittance_structured": "RF18539007547034"}, "not both"),
        ({"remittance_unstructured": "x" * 141}, "1 to 140"),
        ({"remittance_unstructured": "請求書"}, "cannot carry"),
        ({"creditor_name": ""}, "1 to 70"),
        ({"creditor_name": "ß" * 36}, "1 to 70"),
        ({"creditor_iban": "DE00100100109307118603"}, "IBAN"),
        ({"end_to_end_id": "é"}, "EndToEndIdentification"),
        ({"amount": Money(1, "SEK")}, "EUR"),
    ],
)
def test_an_order_that_cannot_be_carried_makes_no_bytes(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        messages.initiation(replace(ORDER, **change))


@given(
    st.builds(
        PaymentOrder,
        amount=st.builds(Money, st.integers(1, 99_999_999_999), st.just("EUR")),
        creditor_name=st.text(max_size=80),
        creditor_iban=st.just(ORDER.creditor_iban),
        end_to_end_id=st.text(max_size=40),
        remittance_unstructured=st.none() | st.text(max_size=150),
    )
)
def test_equal_orders_make_equal_bytes_or_none(order: PaymentOrder) -> None:
    try:
        body = messages.initiation(order)
    except ValueError:
        return
    assert body == messages.initiation(replace(order))
    assert body.isascii()
    assert json.loads(body)["instructedAmount"]["amount"] == str(order.amount)


def created(**changes: Any) -> bytes:
    body = {
        "transactionStatus": "RCVD",
        "paymentId": "1234-wertiq-983",
        "_links": {"scaOAuth": {"href": "https://login.bank.test/.well-known/oauth-authorization-server"}},
        **changes,
    }
    return json.dumps({name: value for name, value in body.items() if value is not ...}).encode()


def test_an_initiation_is_read_and_what_is_unknown_is_ignored() -> None:
    read = messages.initiated(created(unknown=[1, {"a": None}]), path=PATH, place=PLACE)
    assert read == messages.Initiated(
        payment_id="1234-wertiq-983",
        transaction_status="RCVD",
        links=Links(sca_oauth="https://login.bank.test/.well-known/oauth-authorization-server"),
        reason_code=None,
        reason_text=None,
    )


@pytest.mark.parametrize(
    ("href", "resolved"),
    [
        ("/auth/metadata", "https://api.bank.test/auth/metadata"),
        ("metadata", "https://api.bank.test/psd2/metadata"),
        ("//evil.test/x", "https://evil.test/x"),
    ],
)
def test_links_may_be_relative_to_the_base(href: str, resolved: str) -> None:
    body = created(_links={"scaOAuth": {"href": href}})
    assert messages.initiated(body, path=PATH, place=PLACE).links.sca_oauth == resolved


@pytest.mark.parametrize("links", [..., {}, None, [], {"scaOAuth": None}, {"scaOAuth": {"href": 7}}])
def test_a_bank_may_offer_no_oauth(links: object) -> None:
    assert messages.initiated(created(_links=links), path=PATH, place=PLACE).links.sca_oauth is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"null",
        b"[" * 100_000,
        b'{"transactionStatus":"RCVD","paymentId":"1","paymentId":"2"}',
        b'{"transactionStatus":"RCVD","paymentId":"1","x":NaN}',
        created(paymentId=...),
        created(paymentId=""),
        created(paymentId=7),
        created(paymentId=".."),
        created(paymentId="a b"),
        created(paymentId='a"b'),
        created(paymentId="a\r\nb"),
        created(paymentId="x" * 129),
        created(transactionStatus=...),
        created(transactionStatus=None),
        created(_links={"scaOAuth": {"href": "https://[x"}}),
    ],
)
def test_what_is_not_an_initiation_is_not_readable(body: bytes) -> None:
    with pytest.raises(NotReadable):
        messages.initiated(body, path=PATH, place=PLACE)


@given(st.binary())
def test_no_bytes_make_a_reader_fail_otherwise(body: bytes) -> None:
    for read in (messages.status, lambda raw: messages.initiated(raw, path=PATH, place=PLACE)):
        with pytest.raises(NotReadable):
            read(body)


def test_a_status_is_read_with_its_reason() -> None:
    body = json.dumps(
        {
            "transactionStatus": "RJCT",
            "psuMessage": "Sorry.",
            "tppMessages": [
                {"category": "WARNING", "code": "WARN"},
                {"category": "ERROR", "code": "FUNDS_NOT_AVAILABLE", "text": "no funds"},
            ],
        }
    ).encode()
    status = messages.status(body)
    assert (status.fact, status.reason_code, status.reason_text) == (
        Fact.REJECTED,
        "FUNDS_NOT_AVAILABLE",
        "no funds",
    )
    assert status.raw_response == body


def test_a_status_without_messages_gives_the_words_for_the_customer() -> None:
    status = messages.status(b'{"transactionStatus":"NEW1","psuMessage":"We look into it."}')
    assert (status.transaction_status, status.fact) == ("NEW1", Fact.UNKNOWN)
    assert (status.reason_code, status.reason_text) == (None, "We look into it.")


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (b'{"tppMessages":[{"category":"ERROR","code":"FORMAT_ERROR","text":"bad"}]}', "FORMAT_ERROR", "bad"),
        (b'{"tppMessages":[{"category":"ERROR","code":"TOKEN_INVALID"}]}', "TOKEN_INVALID", "no text"),
        (
            b'{"type":"https://b.test/e","title":"T","detail":"D","code":"SERVICE_BLOCKED"}',
            "SERVICE_BLOCKED",
            "D",
        ),
        (b'{"type":"https://b.test/e","title":"T","code":"SERVICE_BLOCKED"}', "SERVICE_BLOCKED", "T"),
        (
            b'{"type":"https://b.test/e","additionalErrors":[{"code":"SIGNATURE_INVALID","title":"seal"},{"code":"X"}]}',
            "SIGNATURE_INVALID",
            "seal",
        ),
        (
            b'{"type":"https://b.test/e","code":"FORMAT_ERROR","additionalErrors":[{"code":"X","detail":"which"}]}',
            "FORMAT_ERROR",
            "which",
        ),
        (b'{"tppMessages":"oops"}', "HTTP_403", "no text"),
        (b"<html>Forbidden</html>", "HTTP_403", "no text"),
        (b"", "HTTP_403", "no text"),
    ],
)
def test_a_refusal_is_read_in_either_form(body: bytes, code: str, text: str) -> None:
    refused = messages.refusal(BankResponse(status=403, headers={}, body=body))
    assert (refused.code, refused.http_status) == (code, 403)
    assert str(refused) == f"the bank refused with 403 {code}: {text}"
