"""Who may have a token, and with what it is of use at the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from tests.support.sandbox_tpp import Clock
from tests.support.uk_bank import AtBrand, approved, error_of, named
from tests.support.uk_tpp import BASE_URL
from tests.support.uk_wire import UkPerson

CREDENTIALS = {"grant_type": "client_credentials", "scope": "payments"}


def test_an_assertion_is_good_once(at: AtBrand) -> None:
    tpp = at()
    form = {**CREDENTIALS, "client_assertion": tpp.assertion()}
    assert tpp.post("/oauth2/token", form).status == 200
    assert error_of(tpp.post("/oauth2/token", form)) == (401, "invalid_client")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": f"{BASE_URL}/albion/oauth2/token"},
        {"aud": [f"{BASE_URL}/albion"]},
        {"aud": f"{BASE_URL}/mersey"},
        {"alg": "RS256"},
        {"iss": "other"},
        {"exp": 1},
        {"exp": 9_999_999_999},
        {"exp": None},
        {"jti": None},
        {"nbf": 9_999_999_000},
        {"key": RSAKey.generate_key(2048)},
    ],
    ids=named,
)
def test_an_assertion_that_is_not_as_it_must_be(at: AtBrand, changes: dict[str, Any]) -> None:
    tpp = at()
    form = {**CREDENTIALS, "client_assertion": tpp.assertion(**changes)}
    assert error_of(tpp.post("/oauth2/token", form)) == (401, "invalid_client")


def test_a_client_that_nobody_knows(at: AtBrand) -> None:
    assert error_of(at(client_id="nobody").post("/oauth2/token", CREDENTIALS)) == (401, "invalid_client")
    assert error_of(at("caledonia", client_id="nobody").post("/oauth2/token", CREDENTIALS)) == (401, "invalid_client")


def test_a_client_known_by_its_certificate(at: AtBrand, folder: Path) -> None:
    tpp = at("caledonia")
    assert tpp.post("/oauth2/token", CREDENTIALS).status == 200
    tpp.certificate = folder / "other" / "client.pem"
    assert error_of(tpp.post("/oauth2/token", CREDENTIALS)) == (401, "invalid_client")
    tpp.certificate = None
    assert error_of(tpp.post("/oauth2/token", CREDENTIALS)) == (401, "invalid_client")


def test_a_token_is_bound_to_a_certificate_of_ones_own(at: AtBrand, folder: Path) -> None:
    tpp = at()
    tpp.certificate = None
    assert error_of(tpp.post("/oauth2/token", CREDENTIALS)) == (400, "invalid_request")
    tpp.certificate = folder / "other" / "client.pem"
    assert error_of(tpp.post("/oauth2/token", CREDENTIALS)) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({**CREDENTIALS, "scope": "accounts"}, "invalid_scope"),
        ({**CREDENTIALS, "grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "payments"}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
    ],
)
def test_a_token_that_is_not_given(at: AtBrand, form: dict[str, str], error: str) -> None:
    assert error_of(at().post("/oauth2/token", form)) == (400, error)


def test_a_token_of_ones_own_is_no_approval(at: AtBrand) -> None:
    tpp = at()
    answer = tpp.call("POST", "/domestic-payments", tpp.own_token(), {"Data": {}}, key="one")
    assert answer.status == 403


def test_an_approval_is_no_token_of_ones_own(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    _, answer = approved(tpp, person)
    access_token = tpp.exchange(answer["code"]).json["access_token"]
    assert tpp.call("POST", "/domestic-payment-consents", access_token, {"Data": {}}, key="one").status == 403


def test_a_token_without_its_certificate(at: AtBrand, folder: Path) -> None:
    tpp = at()
    access_token = tpp.own_token()
    for certificate in (None, folder / "other" / "client.pem"):
        tpp.certificate = certificate
        answer = tpp.call("POST", "/domestic-payment-consents", access_token, {"Data": {}}, key="one")
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer nonsense", "Basic abc", "DPoP abc"])
def test_no_token(at: AtBrand, authorization: str | None) -> None:
    tpp = at()
    headers = {"Authorization": authorization}
    answer = tpp.call("POST", "/domestic-payment-consents", "x", {"Data": {}}, key="one", headers=headers)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_of_another_brand(at: AtBrand) -> None:
    access_token = at("albion").own_token()
    answer = at("trent").call("POST", "/domestic-payment-consents", access_token, {"Data": {}}, key="one")
    assert answer.status == 401


def test_a_token_that_is_over(at: AtBrand, clock: Clock) -> None:
    tpp = at()
    access_token = tpp.own_token()
    clock.tick(seconds=301)
    assert tpp.call("POST", "/domestic-payment-consents", access_token, {"Data": {}}, key="one").status == 401
