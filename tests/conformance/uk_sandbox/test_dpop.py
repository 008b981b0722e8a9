"""Proofs of DPoP (RFC 9449): nonces, repeats, and proofs of other requests."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import ECKey

from tests.support.sandbox_tpp import Clock
from tests.support.uk_bank import AtBrand, approved, error_of, named
from tests.support.uk_tpp import BASE_URL
from tests.support.uk_wire import UkPerson

CREDENTIALS = {"grant_type": "client_credentials", "scope": "payments"}


def test_a_proof_needs_the_banks_nonce(at: AtBrand) -> None:
    tpp = at("severn")
    first = tpp.post("/oauth2/token", CREDENTIALS, headers={"DPoP": tpp.proof("POST", tpp.issuer + "/oauth2/token")})
    assert error_of(first) == (400, "use_dpop_nonce")
    tpp.nonce = first.headers["DPoP-Nonce"]
    assert tpp.post("/oauth2/token", CREDENTIALS).status == 200
    tpp.nonce = "of another time"
    headers = {"DPoP": tpp.proof("POST", tpp.issuer + "/oauth2/token")}
    assert error_of(tpp.post("/oauth2/token", CREDENTIALS, headers=headers)) == (400, "use_dpop_nonce")


def test_the_api_wants_the_nonce_too(at: AtBrand) -> None:
    tpp = at("severn")
    access_token, tpp.nonce = tpp.own_token(), None
    url = tpp.api + "/domestic-payment-consents"
    proof = tpp.proof("POST", url, access_token=access_token)
    answer = tpp.call("POST", "/domestic-payment-consents", access_token, {"Data": {}}, key="one", proof=proof)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'DPoP error="use_dpop_nonce"'
    assert answer.headers["DPoP-Nonce"]


def test_a_nonce_grows_old(at: AtBrand, clock: Clock) -> None:
    tpp = at("severn")
    tpp.own_token()
    clock.tick(minutes=6)
    headers = {"DPoP": tpp.proof("POST", tpp.issuer + "/oauth2/token")}
    assert error_of(tpp.post("/oauth2/token", CREDENTIALS, headers=headers)) == (400, "use_dpop_nonce")


def test_a_proof_is_good_once(at: AtBrand) -> None:
    tpp = at("severn")
    tpp.own_token()
    headers = {"DPoP": tpp.proof("POST", tpp.issuer + "/oauth2/token")}
    assert tpp.post("/oauth2/token", CREDENTIALS, headers=headers).status == 200
    assert error_of(tpp.post("/oauth2/token", CREDENTIALS, headers=headers)) == (400, "invalid_dpop_proof")


@pytest.mark.parametrize(
    "changes",
    [
        {"htu": f"{BASE_URL}/severn/oauth2/par"},
        {"htu": None},
        {"htm": "GET"},
        {"iat": 1},
        {"iat": 9_999_999_999},
        {"jti": None},
        {"jti": "x" * 256},
    ],
    ids=named,
)
def test_a_proof_of_another_request(at: AtBrand, changes: dict[str, Any]) -> None:
    tpp = at("severn")
    tpp.own_token()
    headers = {"DPoP": tpp.proof("POST", tpp.issuer + "/oauth2/token", **changes)}
    assert error_of(tpp.post("/oauth2/token", CREDENTIALS, headers=headers)) == (400, "invalid_dpop_proof")


def test_no_proof(at: AtBrand) -> None:
    assert error_of(at("severn").post("/oauth2/token", CREDENTIALS, headers={})) == (400, "invalid_dpop_proof")


@pytest.mark.parametrize("wrong", ["htu", "htm", "ath", "key", "jti"])
def test_a_token_with_a_wrong_proof(at: AtBrand, wrong: str) -> None:
    tpp = at("severn")
    access_token, url = tpp.own_token(), tpp.api + "/domestic-payment-consents"
    changes = {"htu": {"htu": tpp.api}, "htm": {"htm": "GET"}, "ath": {"ath": "x"}}.get(wrong, {})
    if wrong == "key":
        tpp.dpop_key = ECKey.generate_key("P-256")
    proof = tpp.proof("POST", url, access_token=access_token, **changes)
    if wrong == "jti":
        tpp.call("POST", "/domestic-payment-consents", access_token, {"Data": {}}, key="one", proof=proof)
    answer = tpp.call("POST", "/domestic-payment-consents", access_token, {"Data": {}}, key="one", proof=proof)
    assert answer.status == 401
    expected = "invalid_token" if wrong == "key" else "invalid_dpop_proof"
    assert answer.headers["WWW-Authenticate"] == f'DPoP error="{expected}"'


def test_a_code_is_bound_to_the_key_that_pushed(at: AtBrand, person: UkPerson) -> None:
    tpp = at("severn")
    _, answer = approved(tpp, person)
    tpp.dpop_key = ECKey.generate_key("P-256")
    assert error_of(tpp.exchange(answer["code"])) == (400, "invalid_grant")
