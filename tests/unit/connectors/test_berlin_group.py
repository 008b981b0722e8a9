"""The connector against a bank that misbehaves in ways that the sandbox bank does not."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.wrappers import Request, Response

from connectors.contract import BankRequest, Connector, Fact, PsuContext, Staged
from connectors.errors import BankRefused, BankSilent, BankUnavailable
from connectors.money import Money
from tests.support.bench import cancels, sca_of
from tests.unit.connectors.bank import (
    API,
    ISSUER,
    PROFILE,
    Answer,
    ScriptedBank,
    json_answer,
    metadata,
    token,
)
from tests.unit.connectors.test_messages import ORDER

RETURN = "https://bills.test/banks/tested/return/s"
REQUEST_ID = "5f0c1c2e-6f57-4c1b-9f6e-0d6f3b3c9a11"
PSU = PsuContext(ip_address="192.0.2.7", user_agent="Firefox/140")
CREATED = {
    "transactionStatus": "RCVD",
    "paymentId": "pay-1",
    "_links": {"scaOAuth": {"href": f"{ISSUER}/.well-known/oauth-authorization-server"}},
}
REFUSED = {"tppMessages": [{"category": "ERROR", "code": "TOKEN_EXPIRED"}]}


def draft(connector: Connector) -> BankRequest:
    return connector.draft(ORDER, request_id=REQUEST_ID, redirect_uri=RETURN)


def initiate(bank: ScriptedBank, *, psu: PsuContext = PSU) -> Staged:
    return bank.connector.initiate(draft(bank.connector), psu=psu, timeout_s=5)


def silence(_: Request) -> Response:
    raise TimeoutError


def test_the_headers_of_an_initiation(tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path, initiation=json_answer(CREATED, status=201))
    request = draft(bank.connector)
    assert not bank.requests
    assert dict(request.headers) == {
        "X-Request-ID": REQUEST_ID,
        "Content-Type": "application/json",
        "TPP-Redirect-Preferred": "true",
        "TPP-Decoupled-Preferred": "false",
        "TPP-Brand-Logging-Information": "Quittance",
        "TPP-Redirect-URI": RETURN,
        "TPP-Nok-Redirect-URI": RETURN,
    }
    bank.connector.initiate(request, psu=PSU, timeout_s=5)
    (sent,) = bank.calls("/sepa-credit-transfers")
    assert sent.get_data() == request.body
    assert {name: value for name, value in sent.headers.items() if name.startswith(("Psu", "Auth", "Acc"))} == {
        "Psu-Ip-Address": "192.0.2.7",
        "Psu-User-Agent": "Firefox/140",
        "Authorization": "Bearer our-token",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
    }


def test_a_staged_order_says_where_to_approve(tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path, initiation=json_answer(CREATED, status=201))
    staged = initiate(bank)
    assert (staged.consent_id, staged.transaction_status) == ("pay-1", "RCVD")
    assert sca_of(staged).iss_parameter_supported
    url = bank.connector.authorise_url(
        replace(sca_of(staged), authorization_endpoint=f"{ISSUER}/authorize?tenant=7"),
        redirect_uri=RETURN,
        state="s",
        nonce="n",
        code_challenge="c",
        timeout_s=5,
    )
    assert url.startswith(f"{ISSUER}/authorize?")
    assert parse_qs(urlsplit(url).query) == {
        "tenant": ["7"],
        "response_type": ["code"],
        "client_id": ["quittance"],
        "redirect_uri": [RETURN],
        "scope": ["PIS:pay-1"],
        "state": ["s"],
        "code_challenge": ["c"],
        "code_challenge_method": ["S256"],
    }


@pytest.mark.parametrize(
    ("psu", "headers"),
    [
        (PsuContext(ip_address="::ffff:192.0.2.7"), ("192.0.2.7", None)),
        (PsuContext(ip_address="::1"), ("127.0.0.1", None)),
        (PsuContext(ip_address="2001:db8::7"), ("2001:db8::7", None)),
        (PsuContext(ip_address="192.0.2.7", user_agent="A\r\nX: y\u00e9"), ("192.0.2.7", "AX: y")),
        (PsuContext(ip_address="192.0.2.7", user_agent="a" * 600), ("192.0.2.7", "a" * 500)),
    ],
)
def test_what_a_browser_says_cannot_break_a_header(
    psu: PsuContext, headers: tuple[str, str | None], tmp_path: Path
) -> None:
    bank = ScriptedBank(tmp_path, initiation=json_answer(CREATED, status=201))
    initiate(bank, psu=psu)
    (sent,) = bank.calls("/sepa-credit-transfers")
    assert (sent.headers["PSU-IP-Address"], sent.headers.get("PSU-User-Agent")) == headers


def test_a_bank_without_tokens_of_our_own(tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path, profile=PROFILE + "tpp_token = false\n", initiation=json_answer(CREATED, status=201))
    initiate(bank)
    assert "Authorization" not in bank.calls("/sepa-credit-transfers")[0].headers
    assert not bank.calls("/token")


@pytest.mark.parametrize(
    ("request_id", "redirect_uri", "amount"),
    [
        ("not-a-uuid", RETURN, ORDER.amount),
        (REQUEST_ID, "https://bills.test/\r\nX: y", ORDER.amount),
        (REQUEST_ID, "javascript:alert(1)", ORDER.amount),
        (REQUEST_ID, "https://bills.tést/", ORDER.amount),
        (REQUEST_ID, RETURN, Money(100, "GBP")),
    ],
)
def test_what_cannot_be_drafted(request_id: str, redirect_uri: str, amount: Money, tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path)
    with pytest.raises(ValueError, match=r"UUID|address|pay in|badly formed"):
        bank.connector.draft(replace(ORDER, amount=amount), request_id=request_id, redirect_uri=redirect_uri)
    assert not bank.requests


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(silence, id="no answer"),
        pytest.param(json_answer({}, status=201), id="unreadable"),
        pytest.param(json_answer(CREATED, status=500), id="500"),
        pytest.param(
            json_answer(CREATED, status=201, headers={"X-Request-ID": str(uuid.UUID(int=7))}),
            id="answer to another call",
        ),
        pytest.param(
            json_answer({**CREATED, "_links": {"scaOAuth": {"href": "https://evil.test/m"}}}, status=201),
            id="metadata on a foreign host",
        ),
        pytest.param(
            json_answer({**CREATED, "_links": {"scaOAuth": {"href": "/m"}}}, status=201),
            id="metadata on the API's host, which is not the issuer's",
        ),
    ],
)
def test_an_initiation_whose_outcome_is_open(answer: Answer, tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path, initiation=answer)
    with pytest.raises(BankSilent):
        initiate(bank)
    assert len(bank.calls("/sepa-credit-transfers")) == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (
            json_answer({"tppMessages": [{"category": "ERROR", "code": "PAYMENT_FAILED"}]}, status=400),
            "PAYMENT_FAILED",
        ),
        (json_answer({**CREATED, "transactionStatus": "RJCT"}, status=201), "RJCT"),
    ],
)
def test_an_initiation_that_is_refused(answer: Answer, code: str, tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path, initiation=answer)
    with pytest.raises(BankRefused) as caught:
        initiate(bank)
    assert caught.value.code == code


@pytest.mark.parametrize("links", [{}, {"_links": {}}, {"_links": {"scaStatus": {"href": "https://b.test"}}}])
def test_an_order_that_the_bank_took_without_a_link_to_follow_is_staged(
    links: dict[str, object], tmp_path: Path
) -> None:
    """No refusal: the customer may approve it in the bank's app, so that only the status tells."""
    created = {name: value for name, value in CREATED.items() if name != "_links"}
    bank = ScriptedBank(tmp_path, initiation=json_answer({**created, **links}, status=201))
    staged = initiate(bank)
    assert (staged.consent_id, staged.transaction_status, staged.sca) == ("pay-1", "RCVD", None)


@pytest.mark.parametrize(
    ("metadata_answer", "token_answer"),
    [
        (silence, token()),
        (metadata(issuer="https://evil.test"), token()),
        (metadata(token_endpoint="https://evil.test/token"), token()),
        (metadata(authorization_endpoint="http://login.bank.test/authorize"), token()),
        (metadata(), silence),
        (metadata(), json_answer({"access_token": "a\r\nb", "token_type": "Bearer"})),
        (metadata(), token(token_type="DPoP")),
        (metadata(), json_answer({}, status=503, headers={"Retry-After": "9"})),
    ],
)
def test_without_a_token_nothing_is_initiated(metadata_answer: Answer, token_answer: Answer, tmp_path: Path) -> None:
    """Silence before the order was sent is not silence about the order."""
    created = json_answer(CREATED, status=201)
    bank = ScriptedBank(tmp_path, metadata=metadata_answer, token=token_answer, initiation=created)
    with pytest.raises(BankUnavailable):
        initiate(bank)
    assert not bank.calls("/sepa-credit-transfers")


def test_a_refused_client_is_a_refusal(tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path, token=json_answer({"error": "invalid_client"}, status=401))
    with pytest.raises(BankRefused) as caught:
        initiate(bank)
    assert (caught.value.code, caught.value.http_status) == ("invalid_client", 401)


def test_our_token_is_kept_until_30_seconds_before_its_end(tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path, initiation=json_answer(CREATED, status=201), token=[token("one"), token("two")])
    start = bank.now
    for second, asked in [(0, 1), (269, 1), (270, 2)]:
        bank.now = start.fromtimestamp(start.timestamp() + second, start.tzinfo)
        initiate(bank)
        assert len(bank.calls("/token")) == asked
    assert bank.calls("/sepa-credit-transfers")[-1].headers["Authorization"] == "Bearer two"


def test_a_token_that_the_bank_forgot_is_replaced_once(tmp_path: Path) -> None:
    bank = ScriptedBank(
        tmp_path,
        initiation=[json_answer(REFUSED, status=401), json_answer(CREATED, status=201)],
        token=[token("one"), token("two")],
    )
    assert initiate(bank).consent_id == "pay-1"
    first, second = bank.calls("/sepa-credit-transfers")
    assert (first.headers["Authorization"], second.headers["Authorization"]) == ("Bearer one", "Bearer two")
    assert first.get_data() == second.get_data()
    assert first.headers["X-Request-ID"] == second.headers["X-Request-ID"]


def test_a_token_that_is_refused_twice_is_a_refusal(tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path, initiation=json_answer(REFUSED, status=401))
    with pytest.raises(BankRefused) as caught:
        initiate(bank)
    assert caught.value.code == "TOKEN_EXPIRED"
    assert len(bank.calls("/sepa-credit-transfers")) == 2


@pytest.mark.parametrize("status", [404, 409])
def test_an_early_status_is_silence(status: int, tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path, status=json_answer(REFUSED, status=status))
    with pytest.raises(BankSilent):
        bank.connector.status("pay-1", access_token=None, timeout_s=5)


def test_a_status_is_asked_with_the_customers_token_where_it_is_given(tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path, status=json_answer({"transactionStatus": "ACSC"}))
    for access_token in ("customers-token", None):
        bank.connector.status("pay-1", access_token=access_token, timeout_s=5)
    first, second = bank.calls("/status")
    assert first.headers["Authorization"] == "Bearer customers-token"
    assert second.headers["Authorization"] == "Bearer our-token"
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]


def test_a_dead_token_of_a_customer_is_not_replaced_by_ours(tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path, status=json_answer(REFUSED, status=401))
    with pytest.raises(BankRefused) as caught:
        bank.connector.status("pay-1", access_token="customers-token", timeout_s=5)
    assert caught.value.code == "TOKEN_EXPIRED"
    assert len(bank.requests) == 1


def test_a_bank_that_tells_a_status_to_customers_only(tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path, profile=PROFILE + 'status_access = "psu_token"\n')
    with pytest.raises(BankRefused) as caught:
        bank.connector.status("pay-1", access_token=None, timeout_s=5)
    assert caught.value.code == "TOKEN_UNKNOWN"
    assert not bank.requests


def test_an_order_that_the_bank_takes_back_is_cancelled(tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path, payment=lambda _: Response(status=204))
    said = cancels(bank.connector).cancel("pay-1", timeout_s=5)
    assert said is not None
    assert (said.transaction_status, said.fact, said.raw_response) == ("CANC", Fact.CANCELLED, b"")
    (sent,) = bank.calls("/pay-1")
    assert (sent.method, sent.get_data(), sent.headers["Authorization"]) == ("DELETE", b"", "Bearer our-token")
    assert uuid.UUID(sent.headers["X-Request-ID"]).version == 4


@pytest.mark.parametrize("status", [200, 202, 400, 403, 404, 405, 409])
def test_anything_but_204_to_a_cancellation_says_that_the_bank_keeps_the_order(status: int, tmp_path: Path) -> None:
    """202 would need the customer's approval of the cancellation; a bank that cannot cancel says 405."""
    bank = ScriptedBank(tmp_path, payment=json_answer({"transactionStatus": "CANC"}, status=status))
    assert cancels(bank.connector).cancel("pay-1", timeout_s=5) is None
    assert len(bank.calls("/pay-1")) == 1


def test_a_cancellation_is_sent_again_only_when_the_bank_forgot_our_token(tmp_path: Path) -> None:
    refused = json_answer(REFUSED, status=401)
    bank = ScriptedBank(tmp_path, payment=[refused, lambda _: Response(status=204)], token=[token("one"), token("two")])
    assert cancels(bank.connector).cancel("pay-1", timeout_s=5) is not None
    assert [sent.headers["Authorization"] for sent in bank.calls("/pay-1")] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("answer", [silence, json_answer({}, status=500), json_answer({}, status=503)])
def test_silence_about_a_cancellation_is_no_word_that_the_order_is_gone(answer: Answer, tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path, payment=answer)
    with pytest.raises(BankSilent):
        cancels(bank.connector).cancel("pay-1", timeout_s=5)
    assert len(bank.calls("/pay-1")) == 1


def test_a_bank_that_puts_a_cancellation_off_says_for_how_long(tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path, payment=json_answer({}, status=429, headers={"Retry-After": "600"}))
    with pytest.raises(BankUnavailable) as caught:
        cancels(bank.connector).cancel("pay-1", timeout_s=5)
    assert caught.value.retry_after_s == 600


def test_an_id_stays_in_its_place_in_the_path(tmp_path: Path) -> None:
    bank = ScriptedBank(tmp_path)
    with pytest.raises(KeyError, match="a/b/status"):  # the script has no answer
        bank.connector.status("a/b", access_token="t", timeout_s=5)
    assert bank.adapter.sent[-1].url == f"{API}/v1/payments/sepa-credit-transfers/a%2Fb/status"


def test_tokens_are_in_no_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bank = ScriptedBank(tmp_path, initiation=json_answer(CREATED, status=201), token=token("very-secret"))
    caplog.set_level("DEBUG")
    staged = initiate(bank)
    authorised = bank.connector.complete(
        sca_of(staged),
        answer={"code": "secret-code"},
        code_verifier="v" * 43,
        redirect_uri=RETURN,
        state="s",
        nonce="n",
        timeout_s=5,
    )
    assert authorised.access_token == "very-secret"
    told = f"{caplog.text} {staged!r} {authorised!r} {bank.connector!r} {vars(bank.connector)!r}"
    assert "secret-code" not in told
    assert "very-secret" not in told
