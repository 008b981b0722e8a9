"""The fake bank through its doors: one whole payment, and everything that a real bank refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from tests.support.sandbox_tpp import (
    BASE_URL,
    PAYMENTS,
    REDIRECT_URI,
    Answer,
    Clock,
    Ledger,
    Person,
    Tpp,
    answer_to_tpp,
    error_sent_back,
    order,
)


def refusal(answer: Answer) -> tuple[int, str, str | None]:
    (message,) = answer.json["tppMessages"]
    assert message["category"] == "ERROR"
    UUID(answer.headers["X-Request-ID"])
    return answer.status, message["code"], message.get("path")


# ---------------------------------------------------------------------------------------- a whole payment


def test_payment_from_initiation_to_the_ledger(tpp: Tpp, person: Person, clock: Clock, ledger: Ledger) -> None:
    got = tpp.initiate(order(), X_Request_ID="99391c7e-ad88-49ec-a2ad-99ddcb1f7721")
    payment_id = got.json["paymentId"]
    itself = f"{BASE_URL}{PAYMENTS}/{payment_id}"
    assert got.status == 201
    assert got.json == {
        "transactionStatus": "RCVD",
        "paymentId": payment_id,
        "_links": {
            "scaOAuth": {"href": f"{BASE_URL}/.well-known/oauth-authorization-server"},
            "self": {"href": itself},
            "status": {"href": f"{itself}/status"},
        },
    }
    assert got.headers["Location"] == itself
    assert got.headers["ASPSP-SCA-Approach"] == "REDIRECT"
    assert got.headers["X-Request-ID"] == "99391c7e-ad88-49ec-a2ad-99ddcb1f7721"

    back = person.approve(tpp.authorize_url(payment_id))
    assert back == {"code": back["code"], "state": "state-of-the-tpp", "iss": BASE_URL}
    token = tpp.exchange(back["code"]).json
    assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 600, f"PIS:{payment_id}")

    assert tpp.get(f"{payment_id}/status").json == {"transactionStatus": "ACSP"}
    assert ledger() == []
    clock.tick(seconds=1)
    as_psu = tpp.get(f"{payment_id}/status", Authorization=f"Bearer {token['access_token']}")
    assert as_psu.json == {"transactionStatus": "ACSC"}
    assert tpp.get(payment_id).json == {**order(), "transactionStatus": "ACSC"}
    assert ledger(end_to_end_id="Q-INV-1") == [
        {
            "paymentId": payment_id,
            "endToEndId": "Q-INV-1",
            "amount": "123.50",
            "currency": "EUR",
            "debtorIban": "FR7699990000010000042184082",
            "creditorIban": "DE02100100109307118603",
            "creditorName": "Stadtwerke Musterstadt",
            "bookedAt": "2026-11-22T10:00:01.000Z",
            "kind": "debit",
        }
    ]
    assert ledger(end_to_end_id="another") == []


def test_money_moves_although_the_code_is_never_exchanged(
    tpp: Tpp, person: Person, clock: Clock, ledger: Ledger
) -> None:
    person.approve(tpp.authorize_url(tpp.initiated()))
    clock.tick(hours=1)
    assert [entry["amount"] for entry in ledger()] == ["123.50"]


def test_two_equal_initiations_make_two_payments(tpp: Tpp) -> None:
    same = "99391c7e-ad88-49ec-a2ad-99ddcb1f7721"
    first, second = (tpp.initiate(order(), X_Request_ID=same).json["paymentId"] for _ in range(2))
    assert first != second


def test_debtor_account_may_be_left_to_the_customer(tpp: Tpp, person: Person) -> None:
    payment_id = tpp.initiated(order(debtorAccount=None))
    assert tpp.get(payment_id).json["debtorAccount"] == {"currency": "EUR"}
    person.approve(tpp.authorize_url(payment_id), customer="jonas", account="jonas-current")
    assert tpp.get(payment_id).json["debtorAccount"] == {"iban": "DE04999900010000184015"}


# ------------------------------------------------------------------------------------------- berlin group


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"instructedAmount": {"currency": "EUR", "amount": 12.5}}, "instructedAmount.amount"),
        ({"instructedAmount": {"currency": "EUR", "amount": "12.505"}}, "instructedAmount.amount"),
        ({"instructedAmount": {"currency": "EUR", "amount": "12,50"}}, "instructedAmount.amount"),
        ({"instructedAmount": {"currency": "EUR", "amount": "-1.50"}}, "instructedAmount.amount"),
        ({"instructedAmount": {"currency": "EUR", "amount": "0.00"}}, "instructedAmount.amount"),
        ({"instructedAmount": {"currency": "EUR", "amount": "1000000000.00"}}, "instructedAmount.amount"),
        ({"instructedAmount": {"currency": "EUR", "amount": "١٢"}}, "instructedAmount.amount"),
        ({"instructedAmount": {"currency": "GBP", "amount": "1"}}, "instructedAmount.currency"),
        ({"instructedAmount": {"amount": "1"}}, "instructedAmount.currency"),
        ({"instructedAmount": {"currency": "EUR", "amount": "1", "x": 1}}, "instructedAmount.x"),
        ({"instructedAmount": "1"}, "instructedAmount"),
        ({"instructedAmount": None}, "instructedAmount"),
        ({"creditorAccount": {"iban": "DE03100100109307118603"}}, "creditorAccount.iban"),
        ({"creditorAccount": {"iban": "DE02 1001 0010 9307 1186 03"}}, "creditorAccount.iban"),
        ({"creditorAccount": {"iban": 7}}, "creditorAccount.iban"),
        ({"creditorAccount": {"bban": "1"}}, "creditorAccount.bban"),
        (
            {"creditorAccount": {"iban": "DE02100100109307118603", "currency": "USD"}},
            "creditorAccount.currency",
        ),
        ({"debtorAccount": {"iban": "x"}}, "debtorAccount.iban"),
        ({"creditorName": ""}, "creditorName"),
        ({"creditorName": "x" * 71}, "creditorName"),
        ({"creditorName": "a\nb"}, "creditorName"),
        ({"creditorName": None}, "creditorName"),
        ({"endToEndIdentification": "x" * 36}, "endToEndIdentification"),
        ({"endToEndIdentification": "Müller"}, "endToEndIdentification"),
        ({"endToEndIdentification": "a//b"}, "endToEndIdentification"),
        ({"endToEndIdentification": "/a"}, "endToEndIdentification"),
        ({"endToEndIdentification": "a\n"}, "endToEndIdentification"),
        ({"remittanceInformationUnstructured": "x" * 141}, "remittanceInformationUnstructured"),
        ({"creditorname": "x"}, "creditorname"),
    ],
)
def test_a_wrong_body_is_refused_and_the_field_named(tpp: Tpp, change: dict[str, Any], path: str) -> None:
    assert refusal(tpp.initiate(order(**change))) == (400, "FORMAT_ERROR", path)


def test_structured_remittance(tpp: Tpp) -> None:
    plain = order(remittanceInformationUnstructured=None)
    tpp.initiated({**plain, "remittanceInformationStructured": {"reference": "RF18539007547034"}})
    long = {**plain, "remittanceInformationStructured": {"reference": "x" * 36}}
    assert refusal(tpp.initiate(long)) == (400, "FORMAT_ERROR", "remittanceInformationStructured.reference")
    both = order(remittanceInformationStructured={"reference": "RF18539007547034"})
    assert refusal(tpp.initiate(both)) == (400, "PARAMETER_NOT_CONSISTENT", "remittanceInformationStructured")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"a": NaN}', b"[" * 20_000])
def test_an_unreadable_body_is_refused(tpp: Tpp, raw: bytes) -> None:
    assert refusal(tpp.initiate(raw)) == (400, "FORMAT_ERROR", "body")


def test_a_name_that_occurs_twice_is_refused(tpp: Tpp) -> None:
    assert refusal(tpp.initiate(b'{"creditorName": "a", "creditorName": "b"}'))[1] == "FORMAT_ERROR"


def test_a_field_of_the_standard_that_this_bank_does_not_take(tpp: Tpp) -> None:
    got = tpp.initiate(order(requestedExecutionTime="2027-01-01T12:00:00Z"))
    assert refusal(got) == (400, "PARAMETER_NOT_SUPPORTED", "requestedExecutionTime")


def test_a_debtor_account_elsewhere_is_refused(tpp: Tpp) -> None:
    got = tpp.initiate(order(debtorAccount={"iban": "DE02100100109307118603"}))
    assert refusal(got) == (400, "PAYMENT_FAILED", "debtorAccount.iban")


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("X-Request-ID", None, "FORMAT_ERROR"),
        ("X-Request-ID", "99391c7ead8849eca2ad99ddcb1f7721", "FORMAT_ERROR"),
        ("PSU-IP-Address", None, "FORMAT_ERROR"),
        ("PSU-IP-Address", "::1", "FORMAT_ERROR"),
        ("PSU-Device-ID", "mine", "FORMAT_ERROR"),
        ("PSU-Http-Method", "HEAD", "FORMAT_ERROR"),
        ("TPP-Redirect-URI", None, "FORMAT_ERROR"),
        ("TPP-Redirect-URI", "/banks/return", "FORMAT_ERROR"),
        ("TPP-Redirect-URI", "javascript:alert(1)", "FORMAT_ERROR"),
        ("TPP-Redirect-URI", "https://a.example/#here", "FORMAT_ERROR"),
        ("TPP-Redirect-URI", 'https://a.example/"x', "FORMAT_ERROR"),
        ("TPP-Redirect-URI", "https://me@a.example/", "FORMAT_ERROR"),
        ("TPP-Redirect-URI", "https://a.example:99999/", "FORMAT_ERROR"),
        ("TPP-Redirect-Preferred", "yes", "FORMAT_ERROR"),
        ("TPP-Redirect-Preferred", "false", "PARAMETER_NOT_SUPPORTED"),
        ("TPP-Decoupled-Preferred", "true", "PARAMETER_NOT_SUPPORTED"),
        ("TPP-Explicit-Authorisation-Preferred", "true", "PARAMETER_NOT_SUPPORTED"),
    ],
)
def test_a_wrong_header_is_refused_and_named(tpp: Tpp, header: str, value: str | None, code: str) -> None:
    got = tpp.initiate(order(), **{header.replace("-", "_"): value})
    assert refusal(got) == (400, code, header)


def test_wrong_media_types_methods_and_addresses(tpp: Tpp) -> None:
    assert refusal(tpp.initiate(order(), Content_Type="text/plain"))[:2] == (415, "FORMAT_ERROR")
    assert refusal(tpp.initiate(order(), Accept="text/html"))[:2] == (406, "REQUESTED_FORMATS_INVALID")
    assert refusal(tpp.get(""))[:2] == (404, "RESOURCE_UNKNOWN")
    payment_id = tpp.initiated()
    assert refusal(tpp.get(f"{payment_id}/authorisations"))[:2] == (404, "RESOURCE_UNKNOWN")
    base = "/berlingroup/v1"
    for method, path, expected in [
        ("GET", "/payments/sepa-credit-transfers", (405, "SERVICE_INVALID", None)),
        ("PUT", f"/payments/sepa-credit-transfers/{payment_id}", (405, "SERVICE_INVALID", None)),
        ("POST", "/payments/instant-sepa-credit-transfers", (404, "PRODUCT_UNKNOWN", None)),
        ("POST", "/periodic-payments/sepa-credit-transfers", (400, "SERVICE_INVALID", None)),
        ("GET", "/accounts", (404, "RESOURCE_UNKNOWN", None)),
    ]:
        got = tpp.transport.send(method, BASE_URL + base + path, headers=tpp.headers(), data=b"")
        assert refusal(got) == expected, path
        assert ("Allow" in got.headers) == (got.status == 405)


def test_tokens(tpp: Tpp, other_tpp: Tpp, person: Person, clock: Clock) -> None:
    payment_id, another = tpp.initiated(), tpp.initiated()
    no_token = tpp.get(payment_id, Authorization=None)
    assert refusal(no_token)[:2] == (401, "TOKEN_INVALID")
    assert no_token.headers["WWW-Authenticate"] == "Bearer"
    assert refusal(tpp.get(payment_id, Authorization="Bearer made-up"))[:2] == (401, "TOKEN_UNKNOWN")
    assert refusal(other_tpp.get(payment_id))[:2] == (404, "RESOURCE_UNKNOWN")
    assert refusal(other_tpp.cancel(payment_id))[:2] == (404, "RESOURCE_UNKNOWN")
    assert refusal(tpp.get("made-up/status"))[:2] == (404, "RESOURCE_UNKNOWN")

    code = person.approve(tpp.authorize_url(payment_id))["code"]
    psu = f"Bearer {tpp.exchange(code).json['access_token']}"
    assert refusal(tpp.get(another, Authorization=psu))[:2] == (401, "TOKEN_INVALID")
    assert refusal(tpp.initiate(order(), Authorization=psu))[:2] == (401, "TOKEN_INVALID")
    clock.tick(seconds=300)
    assert refusal(tpp.get(payment_id))[:2] == (401, "TOKEN_EXPIRED")
    assert tpp.get(payment_id, Authorization=psu).status == 200
    clock.tick(seconds=300)
    assert refusal(tpp.get(payment_id, Authorization=psu))[:2] == (401, "TOKEN_EXPIRED")


def test_cancellation(tpp: Tpp, person: Person, ledger: Ledger, clock: Clock) -> None:
    payment_id = tpp.initiated()
    for _ in range(2):
        got = tpp.cancel(payment_id)
        assert (got.status, got.content) == (204, b"")
    assert tpp.status(payment_id) == "CANC"
    assert error_sent_back(person, tpp.authorize_url(payment_id)) == "invalid_scope"

    paid = tpp.initiated()
    person.approve(tpp.authorize_url(paid))
    assert refusal(tpp.cancel(paid))[:2] == (405, "CANCELLATION_INVALID")
    clock.tick(seconds=1)
    assert [entry["paymentId"] for entry in ledger()] == [paid]


# -------------------------------------------------------------------------------------------------- oauth


def test_metadata(bank: Flask) -> None:
    got = json.loads(bank.test_client().get("/.well-known/oauth-authorization-server").data)
    assert got["issuer"] == BASE_URL
    assert got["authorization_endpoint"] == f"{BASE_URL}/oauth2/authorize"
    assert got["token_endpoint"] == f"{BASE_URL}/oauth2/token"
    assert got["code_challenge_methods_supported"] == ["S256"]
    assert got["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert got["authorization_response_iss_parameter_supported"] is True


@pytest.mark.parametrize(
    "change",
    [
        {"aud": f"{BASE_URL}/oauth2/token"},
        {"aud": [BASE_URL]},
        {"iss": "other"},
        {"sub": "other"},
        {"sub": "nobody", "iss": "nobody"},
        {"exp": None},
        {"exp": 1_795_341_600},
        {"exp": 1_795_341_600 + 361},
        {"iat": 1_795_341_600 + 11},
        {"jti": None},
        {"jti": ""},
    ],
)
def test_a_wrong_client_assertion_is_refused(tpp: Tpp, clock: Clock, change: dict[str, Any]) -> None:
    assert clock.seconds() == 1_795_341_600
    form = {"grant_type": "client_credentials", "scope": "PIS"}
    got = tpp.ask_token(form, assertion=tpp.assertion(**change))
    assert (got.status, got.json["error"]) == (401, "invalid_client")


def test_an_assertion_is_good_once_and_by_the_right_key(tpp: Tpp, other_tpp: Tpp) -> None:
    form = {"grant_type": "client_credentials", "scope": "PIS"}
    assertion = tpp.assertion()
    assert tpp.ask_token(form, assertion=assertion).status == 200
    again = tpp.ask_token(form, assertion=assertion)
    assert (again.status, again.json["error_description"]) == (401, "jti was used before")
    forged = replace(other_tpp, client_id="quittance")
    for wrong in (forged.assertion(), "x", "a.b.c", assertion[:-4] + "AAAA"):
        assert tpp.ask_token(form, assertion=wrong).json["error"] == "invalid_client"
    assert tpp.ask_token({**form, "client_id": "other"}).json["error"] == "invalid_client"
    assert tpp.ask_token({**form, "client_assertion_type": "x"}).json["error"] == "invalid_client"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "invalid_scope"),
        ({"grant_type": "client_credentials", "scope": "AIS"}, "invalid_scope"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
    ],
)
def test_a_wrong_token_request_is_refused(tpp: Tpp, form: dict[str, str], error: str) -> None:
    got = tpp.ask_token(form)
    assert (got.status, got.json["error"]) == (400, error)
    assert got.headers["Cache-Control"] == "no-store"


def test_a_code_is_good_once_and_its_second_use_revokes_the_token(tpp: Tpp, person: Person) -> None:
    payment_id = tpp.initiated()
    code = person.approve(tpp.authorize_url(payment_id))["code"]
    psu = f"Bearer {tpp.exchange(code).json['access_token']}"
    assert tpp.get(payment_id, Authorization=psu).status == 200
    assert tpp.exchange(code).json["error"] == "invalid_grant"
    assert refusal(tpp.get(payment_id, Authorization=psu))[:2] == (401, "TOKEN_INVALID")


def test_a_code_is_bound_to_client_redirect_verifier_and_time(
    tpp: Tpp, other_tpp: Tpp, person: Person, clock: Clock
) -> None:
    code = person.approve(tpp.authorize_url(tpp.initiated()))["code"]
    for got in (
        other_tpp.exchange(code),
        tpp.exchange(code, redirect_uri=REDIRECT_URI + "/"),
        tpp.exchange(code, code_verifier="w" * 64),
        tpp.exchange(code, code_verifier="v"),
        tpp.exchange("made-up"),
    ):
        assert (got.status, got.json["error"]) == (400, "invalid_grant")
    clock.tick(seconds=59)
    assert tpp.exchange(code).status == 200
    late = person.approve(tpp.authorize_url(tpp.initiated()))["code"]
    clock.tick(seconds=60)
    assert tpp.exchange(late).json["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "other"},
        {"client_id": None},
        {"redirect_uri": REDIRECT_URI + "?x=1"},
        {"redirect_uri": None},
        {"scope": "PIS:made-up"},
        {"scope": None},
    ],
)
def test_a_request_that_nobody_vouches_for_is_shown_not_redirected(
    tpp: Tpp, person: Person, change: dict[str, str | None]
) -> None:
    got = person.go(tpp.authorize_url(tpp.initiated(), **change))
    assert (got.status, got.text_of("h1")) == (400, "We cannot go on")
    assert "Location" not in got.headers


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
    ],
)
def test_a_wrong_authorisation_request_is_sent_back(
    tpp: Tpp, person: Person, change: dict[str, str | None], error: str
) -> None:
    assert error_sent_back(person, tpp.authorize_url(tpp.initiated(), **change)) == error


def test_a_payment_that_waits_too_long_is_rejected(tpp: Tpp, person: Person, clock: Clock) -> None:
    payment_id = tpp.initiated()
    decision = person.sign_in(person.go(tpp.authorize_url(payment_id)))
    clock.tick(minutes=15)
    back = person.submit(decision, account="camille-current", decision="approve")
    assert answer_to_tpp(back)["error"] == "access_denied"
    tpp._token = None
    assert tpp.get(f"{payment_id}/status").json == {
        "transactionStatus": "RJCT",
        "psuMessage": "The payment was not approved within 15 minutes.",
    }


# --------------------------------------------------------------------------------------------- the ledger


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "ledger", "Bearer ledgér"])
def test_the_ledger_is_closed_without_its_token(bank: Flask, header: str) -> None:
    assert bank.test_client().get("/sandbox/ledger", headers={"Authorization": header}).status_code == 401


def test_livez(bank: Flask) -> None:
    assert bank.test_client().get("/livez").status_code == 200
