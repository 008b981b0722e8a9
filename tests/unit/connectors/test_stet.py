"""The STET connector against a bank that misbehaves in ways that the sandbox bank does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from connectors.contract import Authorised, BankRequest, Cancels, Fact, PsuContext, ScaOAuth, Staged, Submits
from connectors.errors import BankRefused, BankSilent, BankUnavailable
from connectors.inspection.listing import capabilities
from connectors.money import Money
from connectors.profile import ProfileError
from connectors.security.signature_form import Form, KeyId
from connectors.stet import links, messages
from connectors.stet.connector import StetConnector
from connectors.stet.status import FACTS, fact_of
from connectors.strict_json import NotReadable, read_object
from tests.support.bench import sca_of
from tests.unit.connectors.bank import Answer, json_answer
from tests.unit.connectors.bank_files import registry
from tests.unit.connectors.stet_bank import (
    API,
    FILE,
    LOGIN,
    NUMBER,
    PAYMENT,
    ScriptedStetBank,
    created,
    error,
    make_keys,
    payment,
)
from tests.unit.connectors.test_messages import ORDER

RETURN = "https://bills.test/banks/tested/return/s"
REQUEST_ID = "5f0c1c2e-6f57-4c1b-9f6e-0d6f3b3c9a11"
PSU = PsuContext(ip_address="192.0.2.7", user_agent="Firefox/140")
CONFIRMATION = f"{API}{PAYMENT}/confirmation"
SEAL_LINE = 'seal_url = "https://quittance.example/seal.pem"'


def draft(bank: ScriptedStetBank, **changes: Any) -> BankRequest:
    return bank.connector.draft(replace(ORDER, **changes), request_id=REQUEST_ID, redirect_uri=RETURN)


def initiate(bank: ScriptedStetBank) -> Staged:
    return bank.connector.initiate(draft(bank), psu=PSU, timeout_s=5)


def complete(bank: ScriptedStetBank, **answer: str) -> Authorised:
    sca = ScaOAuth(
        issuer=LOGIN,
        authorization_endpoint=f"{LOGIN}/approve/pay-1",
        token_endpoint=CONFIRMATION,
        scope="pisp",
        intent_id="pay-1",
    )
    return bank.connector.complete(
        sca,
        answer=answer or {"code": "approved"},
        code_verifier="v",
        redirect_uri=RETURN,
        state="s",
        nonce="n",
        timeout_s=5,
    )


def fact(bank: ScriptedStetBank) -> Fact:
    return bank.connector.status("pay-1", access_token=None, timeout_s=5).fact


def cancels(bank: ScriptedStetBank) -> Cancels:
    assert isinstance(bank.connector, Cancels)
    return bank.connector


def silence(_: Request) -> Response:
    raise TimeoutError


# --------------------------------------------------------------------------------------------------------- what is sent


def test_what_it_can() -> None:
    assert not issubclass(StetConnector, Submits)
    assert capabilities(StetConnector.__new__(StetConnector)) == ["cancels"]


def test_the_request_of_a_payment(tmp_path: Path) -> None:
    bank = ScriptedStetBank(tmp_path, create=created())
    request = draft(bank)
    assert not bank.requests
    assert json.loads(request.body) == {
        "paymentInformationId": "5f0c1c2e6f574c1b9f6e0d6f3b3c9a11",
        "creationDateTime": "2026-11-22T12:00:00.000Z",
        "numberOfTransactions": 1,
        "initiatingParty": {"name": "Quittance"},
        "paymentTypeInformation": {"serviceLevel": "SEPA"},
        "beneficiary": {
            "creditor": {"name": "Regie des Eaux"},
            "creditorAccount": {"iban": ORDER.creditor_iban},
        },
        "chargeBearer": "SLEV",
        "creditTransferTransaction": [
            {
                "paymentId": {
                    "instructionId": "5f0c1c2e6f574c1b9f6e0d6f3b3c9a11",
                    "endToEndId": ORDER.end_to_end_id,
                },
                "instructedAmount": {"currency": "EUR", "amount": str(ORDER.amount)},
                "remittanceInformation": ["Facture n. 2026-118"],
            }
        ],
        "supplementaryData": {
            "acceptedAuthenticationApproach": ["REDIRECT"],
            "successfulReportUrl": f"{RETURN}?code=approved",
            "unsuccessfulReportUrl": f"{RETURN}?error=not_approved",
        },
    }
    bank.connector.initiate(request, psu=PSU, timeout_s=5)
    asked, sent = bank.requests
    assert asked.form.to_dict() == {"grant_type": "client_credentials", "scope": "pisp", "client_id": NUMBER}
    assert sent.get_data() == request.body
    assert {name: value for name, value in sent.headers.items() if name not in ("Signature", "Digest")} == {
        "Host": "api.bank.test",
        "User-Agent": "Quittance",
        "Accept-Encoding": "identity",
        "Connection": "keep-alive",
        "Accept": "application/hal+json, application/json",
        "X-Request-Id": REQUEST_ID,
        "Content-Type": "application/json",
        "Psu-Ip-Address": "192.0.2.7",
        "Psu-User-Agent": "Firefox/140",
        "Authorization": "Bearer our-token",
        "Content-Length": str(len(request.body)),
    }
    signed = 'headers="(request-target) digest content-type x-request-id psu-ip-address psu-user-agent"'
    assert signed in sent.headers["Signature"]


def test_every_request_is_signed(tmp_path: Path) -> None:
    waits = payment("ACCP", confirmation=CONFIRMATION)
    bank = ScriptedStetBank(tmp_path, create=created(), get=waits, confirm=payment(), put=json_answer({}))
    initiate(bank)
    complete(bank)
    cancels(bank).cancel("pay-1", timeout_s=5)
    fact(bank)
    api = [one for one in bank.requests if one.path != "/token"]
    assert {one.method for one in api} == {"GET", "POST", "PUT"}
    assert all(one.headers["Signature"].startswith('keyId="https://quittance.example/seal.pem",') for one in api)
    assert len({one.headers["X-Request-ID"] for one in api}) == len(api)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money(100, "GBP")},
        {"creditor_iban": "DE00"},
        {"creditor_name": "東京"},
        {"end_to_end_id": "a+b"},
        {"end_to_end_id": "e" * 36},
        {"remittance_unstructured": "x" * 141},
    ],
)
def test_what_it_cannot_carry(tmp_path: Path, changes: dict[str, Any]) -> None:
    bank = ScriptedStetBank(tmp_path)
    with pytest.raises(ValueError, match=r".+"):
        draft(bank, **changes)
    assert not bank.requests


@pytest.mark.parametrize("uri", ["javascript:x", "https://", "https://bills.test/é", "https://bills.test/#x"])
def test_where_nobody_can_come_back_to(tmp_path: Path, uri: str) -> None:
    bank = ScriptedStetBank(tmp_path)
    with pytest.raises(ValueError, match="return"):
        bank.connector.draft(ORDER, request_id=REQUEST_ID, redirect_uri=uri)


def test_a_return_address_with_a_query_keeps_it(tmp_path: Path) -> None:
    bank = ScriptedStetBank(tmp_path)
    request = bank.connector.draft(ORDER, request_id=REQUEST_ID, redirect_uri="https://bills.test/r?a=b")
    assert b'"https://bills.test/r?a=b&code=approved"' in request.body


def test_a_reference_goes_as_text_and_no_text_as_none(tmp_path: Path) -> None:
    bank = ScriptedStetBank(tmp_path)
    structured = draft(bank, remittance_unstructured=None, remittance_structured="RF18539007547034")
    assert b'"remittanceInformation":["RF18539007547034"]' in structured.body
    assert b'"remittanceInformation":[]' in draft(bank, remittance_unstructured=None).body


@pytest.mark.parametrize(
    ("quirk", "inside"),
    [
        ("execution_date_wanted", b'"requestedExecutionDate":"2026-11-22T12:00:00.000Z"'),
        ("remittance_wanted", b'"remittanceInformation":["' + ORDER.end_to_end_id.encode() + b'"]'),
    ],
)
def test_what_a_bank_wants_besides(tmp_path: Path, quirk: str, inside: bytes) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain = ScriptedStetBank(tmp_path / "a")
    wanting = ScriptedStetBank(tmp_path / "b", file=f"{FILE}[quirks]\n{quirk} = true\n")
    assert inside not in draft(plain, remittance_unstructured=None).body
    assert inside in draft(wanting, remittance_unstructured=None).body


# ---------------------------------------------------------------------------------------------------- where it leads us


def test_a_staged_order_says_where_to_approve(tmp_path: Path) -> None:
    bank = ScriptedStetBank(tmp_path, create=created())
    staged = initiate(bank)
    assert (staged.consent_id, staged.transaction_status) == ("pay-1", "RCVD")
    sca = sca_of(staged)
    assert sca.token_endpoint == CONFIRMATION
    assert not sca.iss_parameter_supported
    url = bank.connector.authorise_url(sca, redirect_uri=RETURN, state="s", nonce="n", code_challenge="c", timeout_s=5)
    assert url == f"{LOGIN}/approve/pay-1"
    assert bank.calls() == ["POST /payment-requests"]


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("/approve/1", "https://api.bank.test/approve/1"),
        ("approve/1", f"{API}/approve/1"),
        ("//login.bank.test/a", "https://login.bank.test/a"),
        ("https://pages.bank.test/a?b=c", "https://pages.bank.test/a?b=c"),
    ],
)
def test_a_link_at_the_bank_is_followed(tmp_path: Path, href: str, url: str) -> None:
    file = f'{FILE}hosts = ["pages.bank.test"]\n'
    bank = ScriptedStetBank(tmp_path, file=file, create=created(_links={"consentApproval": {"href": href}}))
    assert sca_of(initiate(bank)).authorization_endpoint == url


@pytest.mark.parametrize(
    "href",
    [
        "https://pages.bank.test/a",
        "https://login.bank.test.evil.test/a",
        "https://login.bank.test:8443/a",
        "//evil.test/a",
        "http://login.bank.test/a",
        "javascript:alert(1)",
        "https://a:b@login.bank.test/a",
        "https://login.bank.test/\u202e",
        "https://[x/",
    ],
)
def test_a_foreign_link_is_not_followed_and_the_bank_has_the_order(tmp_path: Path, href: str) -> None:
    bank = ScriptedStetBank(tmp_path, create=created(_links={"consentApproval": {"href": href}}))
    with pytest.raises(BankSilent):
        initiate(bank)


def test_a_link_with_gaps_is_none(tmp_path: Path) -> None:
    link = {"href": f"{LOGIN}/approve/{{id}}", "templated": True}
    bank = ScriptedStetBank(tmp_path, create=created(_links={"consentApproval": link}))
    with pytest.raises(BankSilent):
        initiate(bank)


@pytest.mark.parametrize(
    "changes",
    [{"_links": {}}, {"_links": None}, {"appliedAuthenticationApproach": "DECOUPLED"}],
    ids=["no link", "no links", "decoupled"],
)
def test_a_bank_that_names_no_way_to_approve(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert initiate(ScriptedStetBank(tmp_path, create=created(**changes))).sca is None


@pytest.mark.parametrize(
    ("location", "payment_id"),
    [
        (f"{API}/payment-requests/pay-1", "pay-1"),
        ("/stet/v1/payment-requests/pay-1", "pay-1"),
        ("v1/payment-requests/pay-1", "pay-1"),
        ("payment-requests/a%2Fb%20c", "a/b c"),
    ],
)
def test_an_id_out_of_a_location(location: str, payment_id: str) -> None:
    assert links.payment_id_in(location, base_url=API) == payment_id


@pytest.mark.parametrize(
    "location",
    [
        None,
        "",
        "https://evil.test/stet/v1/payment-requests/pay-1",
        f"{API}/payment-requests/",
        f"{API}/payment-requests/..",
        f"{API}/payment-requests/%2e%2e",
        f"{API}/payments/pay-1",
        f"{API}/payment-requests/{'x' * 36}",
        f"{API}/payment-requests/a%0d%0a",
        "https://[x/payment-requests/1",
    ],
)
def test_a_location_that_names_nothing(tmp_path: Path, location: str | None) -> None:
    with pytest.raises(NotReadable):
        links.payment_id_in(location, base_url=API)


def test_a_creation_without_a_location_may_have_been_one(tmp_path: Path) -> None:
    with pytest.raises(BankSilent):
        initiate(ScriptedStetBank(tmp_path, create=created(headers={"Location": None})))


def test_an_id_is_one_step_of_a_path() -> None:
    assert links.path_of("a/b c", "confirmation") == "/payment-requests/a%2Fb%20c/confirmation"


# ---------------------------------------------------------------------------------------------------------- its answers


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: Response("{", status=201, headers={"Location": f"{API}{PAYMENT}"}),
        lambda _: Response("[]", status=201, headers={"Location": f"{API}{PAYMENT}"}),
        lambda _: Response('{"a":1,"a":2}', status=201, headers={"Location": f"{API}{PAYMENT}"}),
        lambda _: Response(b"\xff", status=201, headers={"Location": f"{API}{PAYMENT}"}),
        lambda _: Response(b"x" * (1024 * 1024 + 1), status=201, headers={"Location": f"{API}{PAYMENT}"}),
        lambda _: Response(status=302, headers={"Location": f"{API}{PAYMENT}"}),
        error(500),
        error(503),
        error(408),
        silence,
        created(headers={"X-Request-ID": "another"}),
    ],
    ids=["json", "array", "twice", "utf-8", "too long", "redirect", "500", "503", "408", "silence", "another call's"],
)
def test_an_answer_that_says_nothing_is_silence(tmp_path: Path, answer: Answer) -> None:
    with pytest.raises(BankSilent):
        initiate(ScriptedStetBank(tmp_path, create=answer))


def test_an_answer_that_names_no_call(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(BankSilent, match="no X-Request-ID"):
        initiate(ScriptedStetBank(tmp_path / "a", echoes=False, create=created()))
    forgiving = f"{FILE}[quirks]\nrequest_id_not_echoed = true\n"
    assert initiate(ScriptedStetBank(tmp_path / "b", file=forgiving, echoes=False, create=created())).consent_id


def test_a_bank_that_puts_us_off_was_sent_nothing(tmp_path: Path) -> None:
    bank = ScriptedStetBank(tmp_path, create=lambda _: Response(status=429, headers={"Retry-After": "7"}), get=silence)
    with pytest.raises(BankUnavailable) as caught:
        initiate(bank)
    assert caught.value.retry_after_s == 7


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (error(400, error="Bad Request", message="Missing request header 'Digest'"), "Bad Request", "'Digest'"),
        (json_answer({}, status=403), "HTTP_403", "no text"),
        (lambda _: Response("<html>", status=406), "HTTP_406", "no text"),
        (error(400, error="x" * 5000), "x" * 64, "no"),
    ],
)
def test_a_refusal_is_told_in_the_banks_words(tmp_path: Path, answer: Answer, code: str, words: str) -> None:
    with pytest.raises(BankRefused, match=words) as caught:
        initiate(ScriptedStetBank(tmp_path, create=answer))
    assert caught.value.code == code
    assert len(str(caught.value)) < 400


def test_a_token_that_the_bank_forgot_is_asked_for_once_more(tmp_path: Path) -> None:
    bank = ScriptedStetBank(tmp_path, create=[error(401), created()])
    assert initiate(bank).consent_id == "pay-1"
    first, second = (one for one in bank.requests if one.path != "/token")
    assert first.get_data() == second.get_data()
    assert [one.path for one in bank.requests].count("/token") == 2
    (tmp_path / "b").mkdir()
    with pytest.raises(BankRefused):
        initiate(ScriptedStetBank(tmp_path / "b", create=error(401)))


# --------------------------------------------------------------------------------------------------------------- status


def test_the_table_is_that_of_the_standard() -> None:
    assert {word: fact_of(word) for word in FACTS} == FACTS
    assert {word for word, one in FACTS.items() if one is Fact.DEBITED} == {"ACSC"}
    assert fact_of("RJCT", reason="DS02") is Fact.CANCELLED
    assert fact_of("RJCT", reason="CUST") is Fact.REJECTED
    assert fact_of("ACSC", reason="DS02") is Fact.DEBITED


@pytest.mark.parametrize("word", ["PART", "CANC", "ACCC", "acsc", "ACSC ", "PAID", ""])
def test_a_word_that_is_not_in_the_table_is_unknown(word: str) -> None:
    assert fact_of(word) is Fact.UNKNOWN
    assert fact_of(word, unconfirmed=True) is Fact.UNKNOWN


@pytest.mark.parametrize(
    ("word", "transaction", "expected"),
    [
        ("ACSC", "ACSC", Fact.DEBITED),
        ("ACSC", "ACSP", Fact.DEBITED),
        ("ACSP", "ACSC", Fact.ACCEPTED),
        ("ACSC", "RJCT", Fact.UNKNOWN),
        ("RJCT", "ACSC", Fact.UNKNOWN),
        ("RJCT", "RJCT", Fact.REJECTED),
        ("ACSC", "WORD", Fact.UNKNOWN),
        ("ACSC", "CANC", Fact.UNKNOWN),
        ("RJCT", "ACSP", Fact.UNKNOWN),
        ("RJCT", "WORD", Fact.UNKNOWN),
        ("ACSP", "RJCT", Fact.UNKNOWN),
        ("ACSP", "ACTC", Fact.ACCEPTED),
    ],
)
def test_two_words_that_contradict_each_other_say_nothing(word: str, transaction: str, expected: Fact) -> None:
    assert fact_of(word, transaction=transaction) is expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        *((word, Fact.WAITING) for word in ("RCVD", "ACTC", "ACCP", "PDNG")),
        *((word, Fact.ACCEPTED) for word in ("ACSP", "ACWC", "ACWP")),
        ("ACSC", Fact.DEBITED),
        ("RJCT", Fact.REJECTED),
    ],
)
def test_what_is_to_be_confirmed_is_not_on_its_way(word: str, expected: Fact) -> None:
    assert fact_of(word, unconfirmed=True) is expected


def test_a_status_with_its_reason(tmp_path: Path) -> None:
    bank = ScriptedStetBank(tmp_path, get=payment("RJCT", statusReasonInformation="NOAS"))
    status = bank.connector.status("pay-1", access_token="ignored", timeout_s=5)
    assert (status.fact, status.transaction_status, status.reason_code) == (Fact.REJECTED, "RJCT", "NOAS")
    assert status.reason_text == "the customer did not answer in time"


@pytest.mark.parametrize(
    "answer",
    [
        payment(None),
        payment(7),
        payment("ACSC", resourceId="pay-2"),
        payment("ACSC", creditTransferTransaction=[{}, {}]),
        payment("ACSC", confirmation="https://evil.test/payment-requests/pay-1/confirmation"),
        payment("ACSC", confirmation=f"{API}/payment-requests/pay-2/confirmation"),
        payment("ACSC", confirmation={"href": CONFIRMATION, "templated": True}),
        json_answer({"paymentRequest": []}),
        lambda _: Response('{"paymentRequest": {"paymentInformationStatus": "AC'),
        json_answer({"status": 400, "message": "no"}, status=404),
        lambda _: Response("no such page", status=404),
        error(409),
    ],
)
def test_a_status_that_cannot_be_believed_is_silence(tmp_path: Path, answer: Answer) -> None:
    with pytest.raises(BankSilent):
        fact(ScriptedStetBank(tmp_path, get=answer))


def test_that_the_bank_knows_none_is_a_fact_of_its_own(tmp_path: Path) -> None:
    assert fact(ScriptedStetBank(tmp_path, get=error(404))) is Fact.NOT_FOUND


# --------------------------------------------------------------------------------------------------------- confirmation


@pytest.mark.parametrize(
    "href",
    [
        CONFIRMATION,
        "/stet/v1/payment-requests/pay-1/confirmation",
        "payment-requests/pay-1/confirmation",
        "v1/payment-requests/pay-1/confirmation",
    ],
)
@pytest.mark.parametrize("word", ["RCVD", "ACTC", "ACCP", "ACSP"])
def test_what_the_customer_approved_is_confirmed_once(tmp_path: Path, href: str, word: str) -> None:
    bank = ScriptedStetBank(tmp_path, get=payment(word, confirmation=href), confirm=payment("ACSP"))
    authorised = complete(bank)
    assert authorised == Authorised(access_token=None, expires_in_s=0)
    assert bank.calls() == [f"GET {PAYMENT}", f"POST {PAYMENT}/confirmation"]
    assert bank.requests[-1].get_data() == b"{}"


@pytest.mark.parametrize("word", ["RCVD", "ACSP", "ACSC", "RJCT"])
def test_without_the_link_there_is_nothing_to_confirm(tmp_path: Path, word: str) -> None:
    bank = ScriptedStetBank(tmp_path, get=payment(word))
    complete(bank)
    assert bank.calls() == [f"GET {PAYMENT}"]


@pytest.mark.parametrize("word", ["ACSC", "RJCT", "PART", "WORD"])
def test_what_has_ended_or_is_not_known_is_not_confirmed(tmp_path: Path, word: str) -> None:
    bank = ScriptedStetBank(tmp_path, get=payment(word, confirmation=CONFIRMATION))
    complete(bank)
    assert bank.calls() == [f"GET {PAYMENT}"]


def test_a_customer_who_did_not_come_back_from_success_confirms_nothing(tmp_path: Path) -> None:
    bank = ScriptedStetBank(tmp_path, get=payment("ACCP", confirmation=CONFIRMATION))
    with pytest.raises(BankRefused):
        complete(bank, error="not_approved")
    assert not bank.calls()


@pytest.mark.parametrize(
    ("answer", "raised"),
    [(silence, BankSilent), (error(500), BankSilent), (error(400), BankRefused), (error(403), BankRefused)],
)
def test_a_confirmation_whose_answer_is_lost_or_no_is_not_sent_again(
    tmp_path: Path, answer: Answer, raised: type[Exception]
) -> None:
    bank = ScriptedStetBank(tmp_path, get=payment("ACCP", confirmation=CONFIRMATION), confirm=answer)
    with pytest.raises(raised):
        complete(bank)
    assert bank.calls().count(f"POST {PAYMENT}/confirmation") == 1


@pytest.mark.parametrize("answer", [silence, error(404), error(403), payment(None)])
def test_nothing_is_confirmed_that_the_bank_does_not_tell_of(tmp_path: Path, answer: Answer) -> None:
    bank = ScriptedStetBank(tmp_path, get=answer)
    with pytest.raises((BankSilent, BankRefused)):
        complete(bank)
    assert bank.calls() == [f"GET {PAYMENT}"]


# --------------------------------------------------------------------------------------------------------------- cancel


def test_an_order_is_taken_back_as_the_bank_has_it(tmp_path: Path) -> None:
    gone = payment("RJCT", statusReasonInformation="DS02")
    bank = ScriptedStetBank(
        tmp_path, get=[payment("RCVD", initiatingParty={"name": "Q"}, ratio=1.5), gone], put=created()
    )
    said = cancels(bank).cancel("pay-1", timeout_s=5)
    assert said is not None
    assert said.fact is Fact.CANCELLED
    assert bank.calls() == [f"GET {PAYMENT}", f"PUT {PAYMENT}", f"GET {PAYMENT}"]
    sent = json.loads(next(one for one in bank.requests if one.method == "PUT").get_data())
    assert (sent["paymentInformationStatus"], sent["statusReasonInformation"]) == ("RJCT", "DS02")
    assert sent["initiatingParty"] == {"name": "Q"}
    assert sent["resourceId"] == "pay-1"


def test_a_wish_that_was_taken_is_not_yet_a_cancellation(tmp_path: Path) -> None:
    """The bank wants its customer once more for that (PUT …: SCA)."""
    bank = ScriptedStetBank(tmp_path, get=payment("RCVD"), put=created())
    assert cancels(bank).cancel("pay-1", timeout_s=5) is None


@pytest.mark.parametrize("word", ["ACSP", "ACSC", "PART"])
def test_what_is_on_its_way_is_not_asked_back(tmp_path: Path, word: str) -> None:
    bank = ScriptedStetBank(tmp_path, get=payment(word))
    assert cancels(bank).cancel("pay-1", timeout_s=5) is None
    assert bank.calls() == [f"GET {PAYMENT}"]


def test_an_order_that_the_bank_keeps_or_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    refusing = ScriptedStetBank(tmp_path / "a", get=payment("RCVD"), put=error(403))
    assert cancels(refusing).cancel("pay-1", timeout_s=5) is None
    assert cancels(ScriptedStetBank(tmp_path / "b", get=error(404))).cancel("pay-1", timeout_s=5) is None


# ------------------------------------------------------------------------------------------------------------- its file


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (f'"{NUMBER}"', '"quittance"', "client_id: oauth2_qwac has our number in its place"),
        ('"https://quittance.example/seal.pem"', '"http://quittance.example"', "seal_url: must begin with https://"),
        (SEAL_LINE, "", "seal_url: missing"),
        (f'token_endpoint = "{LOGIN}/token"', "", "token_endpoint: missing"),
        (f"{LOGIN}/token", "https://evil.test/token", "token_endpoint: it is not on the issuer's host"),
        (f"{LOGIN}/token", "http://login.bank.test/token", "token_endpoint: "),
        ('keys = "ours"', 'keys = "ours"\nversion = "1.6"', "version: must be one of: 1.4"),
        ('keys = "ours"', 'keys = "ours"\ncurrencies = ["GBP"]', "currencies.0: must be one of: EUR"),
        ('keys = "ours"', 'keys = "ours"\nclient_auth = "private_key_jwt"', "client_auth: must be one of: tls_cl"),
        ('keys = "ours"', 'keys = "ours"\nredirect = false', "only approval by redirect"),
        (SEAL_LINE, f'{SEAL_LINE}\n[quirks]\nsigned_headers = "date"', "quirks.signed_headers: digest must"),
        (
            SEAL_LINE,
            f'{SEAL_LINE}\n[quirks]\nsigned_headers = "digest tpp-redirect-uri"',
            "quirks.signed_headers: tpp-redirect-uri is in no message",
        ),
        (SEAL_LINE, f"{SEAL_LINE}\n[quirks]\ndate_wantd = true", "did you mean date_wanted?"),
        (
            SEAL_LINE,
            f"{SEAL_LINE}\n[quirks]\nkey_id_serial_decimal = true",
            "quirks.key_id_serial_decimal: the certificate is named by its address",
        ),
    ],
)
def test_a_wrong_file_is_told_by_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in FILE
    (tmp_path / "tested.toml").write_text(FILE.replace(old, new))
    make_keys(tmp_path / "keys" / "ours")
    with pytest.raises(ProfileError) as caught:
        registry(tmp_path, bank_keys=tmp_path / "keys")
    assert told in str(caught.value)


def test_a_file_says_the_form_of_signatures(tmp_path: Path) -> None:
    file = FILE.replace(SEAL_LINE, "")
    bank = ScriptedStetBank(
        tmp_path,
        file=f"{file}[quirks]\nkey_id_serial_and_issuer = true\ndate_wanted = true\n",
        create=created(),
    )
    initiate(bank)
    sent = bank.requests[-1].headers
    assert sent["Signature"].startswith('keyId="SN=')
    assert sent["Date"] == "Sun, 22 Nov 2026 12:00:00 GMT"
    assert sent["TPP-Signature-Certificate"].startswith("MII")
    assert Form().key_id is KeyId.SERIAL_AND_ISSUER


def test_a_seal_of_somebody_else_makes_the_bank_unusable(tmp_path: Path) -> None:
    (tmp_path / "tested.toml").write_text(FILE.replace(NUMBER, "PSDFR-ACPR-99999"))
    make_keys(tmp_path / "keys" / "ours")
    banks = registry(tmp_path, bank_keys=tmp_path / "keys")
    assert banks.banks() == []
    assert "is not of PSDFR-ACPR-99999" in str(banks.why_unusable("tested"))
    (tmp_path / "keys" / "ours" / "seal.key").unlink()
    assert "seal.key" in str(registry(tmp_path, bank_keys=tmp_path / "keys").why_unusable("tested"))


def test_numbers_that_come_back_are_sent_as_they_were() -> None:
    request = read_object(b'{"numberOfTransactions": 1, "y": 3.0}')
    assert json.loads(messages.cancellation(request))["numberOfTransactions"] == 1
