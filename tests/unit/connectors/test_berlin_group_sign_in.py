"""A NextGenPSD2 bank that takes an order only from a customer who has signed in there (OAuth2 as a pre-step): what goes
over the wire, with whose token, and what of the bank's answers is believed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.wrappers import Request

from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.capabilities import SignsIn
from connectors.contract import Authorised
from connectors.errors import BankRefused, BankSilent, BankUnavailable, NotApproved, NotSignedIn
from connectors.profile import ProfileError
from tests.support.bench import sca_of
from tests.unit.connectors.bank import API, ISSUER, json_answer
from tests.unit.connectors.test_berlin_group_approaches import ONE, PAGE, PSU, RETURN, SINGLE, Bank, created, started

FIRST = 'sign_in_first = true\ntpp_token = false\napproach = "decoupled"\n'
THEIRS = 'status_access = "psu_token"\n'
WORDS = """[quirks]
sign_in_scope = "DEDICATED_PISP"
token_query = "role=DEDICATED_PISP"
response_type_in_capitals = true
"""
NO_TOKENS = 'approach = "redirect"\ntpp_token = false\nstatus_access = "certificate"\nkeys = "ours"\n'
PLACES = f'authorization_endpoint = "{ISSUER}/somewhere"\ntoken_endpoint = "{ISSUER}/token"\n'
RECEIVED = json_answer({"transactionStatus": "RCVD"})


def signer(bank: Bank) -> SignsIn:
    connector: SignsIn = bank.connector
    return connector


def url(bank: Bank) -> tuple[str, dict[str, str]]:
    made = signer(bank).sign_in_url(redirect_uri=RETURN, state="s", code_challenge="c", timeout_s=5)
    parts = urlsplit(made)
    return f"{parts.scheme}://{parts.netloc}{parts.path}", {name: v for name, [v] in parse_qs(parts.query).items()}


def signs_in(bank: Bank, **answer: str) -> Authorised:
    given = {"code": "the-code", "iss": ISSUER, **answer}
    return signer(bank).signed_in(
        answer={name: value for name, value in given.items() if value},
        code_verifier="v",
        redirect_uri=RETURN,
        timeout_s=5,
    )


def customers(bank: Bank, token: str = "customers") -> BerlinGroupConnector:
    made = signer(bank).as_customer(token)
    assert isinstance(made, BerlinGroupConnector)
    return made


def shown(bank: Bank) -> list[str]:
    """The tokens of all calls to the API."""
    return [one.headers.get("Authorization", "") for one in bank.asked if one.path.startswith("/psd2")]


def form(request: Request) -> dict[str, str]:
    return {name: values for name, [values] in parse_qs(request.get_data().decode()).items()}


# ----------------------------------------------------------------------------------------------------------- signing in


def test_the_address_names_no_payment(tmp_path: Path) -> None:
    place, asked = url(Bank(tmp_path, FIRST))
    assert place == f"{ISSUER}/authorize"
    assert asked == {
        "response_type": "code",
        "client_id": "quittance",
        "redirect_uri": RETURN,
        "scope": "PIS",
        "state": "s",
        "code_challenge": "c",
        "code_challenge_method": "S256",
    }


def test_the_words_of_a_bank_without_metadata(tmp_path: Path) -> None:
    bank = Bank(tmp_path, FIRST + THEIRS + PLACES + WORDS)
    place, asked = url(bank)
    assert place == f"{ISSUER}/somewhere"
    assert (asked["scope"], asked["response_type"]) == ("DEDICATED_PISP", "CODE")
    assert bank.asked == []
    signs_in(bank, iss="")
    [exchange] = bank.asked
    assert (exchange.path, exchange.query_string) == ("/token", b"role=DEDICATED_PISP")


def test_the_code_is_exchanged_with_its_verifier(tmp_path: Path) -> None:
    bank = Bank(tmp_path, FIRST)
    authorised = signs_in(bank)
    assert (authorised.access_token, authorised.expires_in_s) == ("our-token", 300)
    assert "our-token" not in repr(authorised)
    asked = form(bank.asked[-1])
    assert (asked["grant_type"], asked["code"], asked["code_verifier"], asked["redirect_uri"]) == (
        "authorization_code",
        "the-code",
        "v",
        RETURN,
    )


@pytest.mark.parametrize("iss", ["", "https://login.other.test", f"{ISSUER}/"])
def test_an_answer_that_names_another_issuer_or_none_is_not_believed(iss: str, tmp_path: Path) -> None:
    bank = Bank(tmp_path, FIRST)
    with pytest.raises(BankRefused) as caught:
        signs_in(bank, iss=iss)
    assert caught.value.code == "wrong_issuer"
    assert not any(one.path == "/token" for one in bank.asked)


def test_an_issuer_that_is_named_must_be_right_also_where_none_is_promised(tmp_path: Path) -> None:
    with pytest.raises(BankRefused, match="not from this bank"):
        signs_in(Bank(tmp_path, FIRST + THEIRS + PLACES), iss="https://login.other.test")


@pytest.mark.parametrize(("error", "code"), [("access_denied", "access_denied"), ("", "nothing")])
def test_a_no(error: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(NotApproved) as caught:
        signs_in(Bank(tmp_path, FIRST), code="", error=error)
    assert caught.value.code == code


# ----------------------------------------------------------------------------------------------------- with their token


def test_all_that_has_to_do_with_the_order_carries_the_customers_token(tmp_path: Path) -> None:
    bank = Bank(tmp_path, FIRST + THEIRS)
    connector = customers(bank)
    bank.says("POST", SINGLE, created(startAuthorisation=f"{API}{ONE}/authorisations"))
    staged = connector.initiate(bank.draft(), psu=PSU, timeout_s=5)
    bank.says("POST", f"{ONE}/authorisations", started())
    connector.complete(
        sca_of(staged),
        answer={"code": "decoupled"},
        code_verifier="",
        redirect_uri=RETURN,
        state="",
        nonce="",
        timeout_s=5,
    )
    bank.says("GET", f"{ONE}/status", RECEIVED)
    connector.status("pay-1", access_token=None, timeout_s=5)
    bank.says("DELETE", ONE, json_answer({}, status=204))
    assert connector.cancel("pay-1", timeout_s=5) is not None
    assert shown(bank) == ["Bearer customers"] * 4
    assert not any(one.path == "/token" for one in bank.asked)


def test_an_approval_on_a_page_is_started_with_it_too(tmp_path: Path) -> None:
    bank = Bank(tmp_path, FIRST.replace("decoupled", "redirect") + THEIRS)
    bank.says("POST", SINGLE, created(startAuthorisation=f"{API}{ONE}/authorisations"))
    bank.says("POST", f"{ONE}/authorisations", started(scaRedirect=PAGE))
    staged = customers(bank).initiate(bank.draft(), psu=PSU, timeout_s=5)
    assert bank.url(sca_of(staged)) == PAGE
    assert shown(bank) == ["Bearer customers"] * 2


def test_the_draft_is_without_credentials(tmp_path: Path) -> None:
    bank = Bank(tmp_path, FIRST)
    assert customers(bank).draft.__doc__
    assert "authorization" not in {name.lower() for name in bank.draft().headers}
    assert "customers" not in repr(customers(bank)._at)


@pytest.mark.parametrize("code", ["TOKEN_UNKNOWN", "TOKEN_INVALID", "TOKEN_EXPIRED", None])
def test_a_token_that_is_not_taken_says_that_nobody_is_signed_in(code: str | None, tmp_path: Path) -> None:
    bank = Bank(tmp_path, FIRST)
    messages: dict[str, Any] = {"tppMessages": [{"category": "ERROR", "code": code}]} if code else {}
    bank.says("POST", SINGLE, json_answer(messages, status=401))
    with pytest.raises(NotSignedIn):
        customers(bank).initiate(bank.draft(), psu=PSU, timeout_s=5)
    assert bank.calls() == [f"POST {SINGLE}"]  # not once more


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (json_answer({"tppMessages": [{"category": "ERROR", "code": "CERTIFICATE_INVALID"}]}, status=401), BankRefused),
        (json_answer({"tppMessages": [{"category": "ERROR", "code": "FORMAT_ERROR"}]}, status=400), BankRefused),
        (json_answer({}, status=500), BankSilent),
        (json_answer({}, status=429), BankUnavailable),
    ],
)
def test_any_other_no_is_what_it_is_elsewhere(answer: Any, raised: type[Exception], tmp_path: Path) -> None:
    bank = Bank(tmp_path, FIRST)
    bank.says("POST", SINGLE, answer)
    with pytest.raises(raised) as caught:
        customers(bank).initiate(bank.draft(), psu=PSU, timeout_s=5)
    assert not isinstance(caught.value, NotSignedIn)


def test_without_it_nothing_is_sent(tmp_path: Path) -> None:
    bank = Bank(tmp_path, FIRST + THEIRS)
    calls: list[Callable[[], object]] = [
        lambda: bank.connector.initiate(bank.draft(), psu=PSU, timeout_s=5),
        lambda: bank.connector.status("pay-1", access_token=None, timeout_s=5),
        lambda: bank.connector.cancel("pay-1", timeout_s=5),
    ]
    for call in calls:
        with pytest.raises(BankRefused) as caught:
            call()
        assert caught.value.code == "TOKEN_UNKNOWN"
    assert bank.calls() == []


@pytest.mark.parametrize(
    ("answer", "is_of_the_token"),
    [
        (json_answer({"tppMessages": [{"category": "ERROR", "code": "TOKEN_EXPIRED"}]}, status=401), True),
        (json_answer({}, status=401), True),
        (json_answer({"tppMessages": [{"category": "ERROR", "code": "CERTIFICATE_EXPIRED"}]}, status=401), False),
        (json_answer({"tppMessages": [{"category": "ERROR", "code": "TOKEN_EXPIRED"}]}, status=403), False),
    ],
)
def test_a_status_that_is_not_told_for_want_of_a_token(tmp_path: Path, answer: Any, is_of_the_token: bool) -> None:
    bank = Bank(tmp_path, FIRST + THEIRS)
    bank.says("GET", f"{ONE}/status", answer)
    with pytest.raises(BankRefused) as caught:
        bank.connector.status("pay-1", access_token="customers", timeout_s=5)
    assert isinstance(caught.value, NotSignedIn) == is_of_the_token


def test_our_own_token_is_nobodys_sign_in(tmp_path: Path) -> None:
    bank = Bank(tmp_path, FIRST)
    bank.says("GET", f"{ONE}/status", json_answer({}, status=401))
    with pytest.raises(BankRefused) as caught:
        bank.connector.status("pay-1", access_token=None, timeout_s=5)
    assert not isinstance(caught.value, NotSignedIn)


def test_a_bank_may_tell_a_status_by_our_own_token(tmp_path: Path) -> None:
    bank = Bank(tmp_path, FIRST)
    bank.says("GET", f"{ONE}/status", RECEIVED)
    bank.connector.status("pay-1", access_token=None, timeout_s=5)
    assert shown(bank) == ["Bearer our-token"]


# ------------------------------------------------------------------------------------------------------------- the file


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (FIRST.replace("decoupled", "oauth"), "line 8: sign_in_first: with approach = oauth"),
        (FIRST.replace("tpp_token = false\n", ""), "tpp_token: must be false"),
        (FIRST.replace("tpp_token = false", "tpp_token = true"), "line 9: tpp_token: must be false"),
        ("sign_in_first = 1\n", "line 8: sign_in_first: must be true or false"),
        (FIRST + PLACES.splitlines()[0] + "\n", "token_endpoint: missing: a bank without metadata has both"),
        (FIRST + PLACES.splitlines()[1] + "\n", "authorization_endpoint: missing: a bank without metadata has both"),
        (FIRST + PLACES.replace(f"{ISSUER}/some", "https://x.test/some"), "it is not on the issuer's host"),
        (FIRST + 'profile = "fapi1_advanced_jarm"\nkeys = "ours"\n', "line 11: profile: sign_in_first is built for"),
        (PLACES.splitlines()[0] + "\n", "line 8: authorization_endpoint: nobody is sent there"),
        ('[quirks]\nsign_in_scope = "x"\n', "line 9: quirks.sign_in_scope: nobody signs in before a payment"),
        (FIRST + '[quirks]\ntoken_query = "role"\n', "line 12: quirks.token_query: must be a query"),
        (FIRST + '[quirks]\ntoken_query = "a=b&"\n', "line 12: quirks.token_query: must be a query"),
        (FIRST + '[quirks]\ntoken_query = "a=b&grant_type=x"\n', "quirks.token_query: grant_type stands in the form"),
        (FIRST + "[quirks]\nscope_with_space = true\n", "quirks.scope_with_space: no approval has a scope"),
        (
            FIRST + 'status_access = "psu_token"\n[quirks]\nown_scope = "x"\n',
            "quirks.own_scope: no token of our own is asked for",
        ),
        (
            FIRST + PLACES + 'profile = "fapi2_mtls"\nkeys = "ours"\n',
            "authorization_endpoint: fapi2_mtls pushes requests to an address that only metadata name",
        ),
        (NO_TOKENS + '[quirks]\ntoken_query = "a=b"\n', "quirks.token_query: no token is asked for at this bank"),
        (
            NO_TOKENS + "[quirks]\nresponse_type_in_capitals = true\n",
            "quirks.response_type_in_capitals: its customers bring no code",
        ),
        (
            NO_TOKENS + "[quirks]\nscope_in_code_exchange = true\n",
            "quirks.scope_in_code_exchange: its customers bring no code",
        ),
        (NO_TOKENS + '[quirks]\nown_scope = "x"\n', "quirks.own_scope: no token of our own is asked for"),
    ],
)
def test_a_file_that_cannot_be(more: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"tested\.toml") as caught:
        Bank(tmp_path, more)
    assert told in str(caught.value)
