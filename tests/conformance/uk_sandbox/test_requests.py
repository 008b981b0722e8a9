"""Authorization requests that are not as they must be: refused on a page, at the door, or told to the TPP."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from joserfc.jwk import RSAKey

from tests.support.sandbox_tpp import Clock
from tests.support.uk_bank import (
    AtBrand,
    approved,
    error_of,
    inside,
    make_bank,
    named,
    other_at,
    refused_on_a_page,
    sent_back,
    tpp_at,
)
from tests.support.uk_wire import InProcess, UkPerson


def test_an_unsigned_request(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    asked = {name: str(value) for name, value in tpp.parameters(tpp.consent()).items()}
    assert "request" in refused_on_a_page(person, tpp.address(asked))


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "RS256"},
        {"key": RSAKey.generate_key(2048)},
        {"exp": 1},
        {"exp": None},
        {"nbf": None},
        {"nbf": 1},
        {"aud": "https://elsewhere.example"},
        {"iss": "other"},
        {"client_id": "other"},
    ],
    ids=named,
)
def test_a_request_object_that_is_not_as_it_must_be(at: AtBrand, person: UkPerson, changes: dict[str, Any]) -> None:
    tpp = at()
    asked = tpp.parameters(tpp.consent())
    shown = {"response_type": asked["response_type"], "scope": asked["scope"]}
    address = tpp.address({"request": tpp.request_object(asked, **changes), **shown})
    assert "invalid_request_object" in refused_on_a_page(person, address)


def test_a_request_object_that_lives_too_long(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    asked = tpp.parameters(tpp.consent())
    shown = {"response_type": asked["response_type"], "scope": asked["scope"]}
    address = tpp.address({"request": tpp.request_object(asked, exp=tpp.now_s() + 3601), **shown})
    assert "invalid_request_object" in refused_on_a_page(person, address)


def test_a_request_object_of_none_is_no_signature(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    asked = tpp.parameters(tpp.consent())
    header, claims, _ = tpp.request_object(asked).split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    for forged in (f"{none}.{claims}.", f"{header}.{claims}."):
        shown = {"response_type": asked["response_type"], "scope": asked["scope"]}
        assert "invalid_request_object" in refused_on_a_page(person, tpp.address({"request": forged, **shown}))


@pytest.mark.parametrize(
    "uri", ["https://elsewhere.example/", "http://localhost.example/", "http://u@localhost/", None]
)
def test_a_redirect_uri_of_somebody_else(at: AtBrand, person: UkPerson, uri: str | None) -> None:
    tpp = at()
    assert "redirect_uri" in refused_on_a_page(person, tpp.authorize_url(tpp.consent(), redirect_uri=uri))


def test_a_tpp_that_registered_its_addresses(folder: Path, tmp_path: Path, clock: Clock) -> None:
    known = json.loads((folder / "tpps.json").read_bytes())
    known["quittance"]["redirect_uris"] = ["https://bills.example/return"]
    (tmp_path / "tpps.json").write_text(json.dumps(known), "utf-8")
    app = make_bank(tmp_path, tmp_path / "bank.sqlite3", clock=clock, sleep=lambda _: None)
    tpp, person = tpp_at(app, folder, "albion", clock=clock), UkPerson(transport=InProcess(app))
    assert "redirect_uri" in refused_on_a_page(person, tpp.authorize_url(tpp.consent()))
    address = tpp.authorize_url(tpp.consent(), redirect_uri="https://bills.example/return")
    assert person.approve(address).startswith("https://bills.example/return#code=")
    inside(app).store.close()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "code"}, "unsupported_response_type"),
        ({"response_mode": "query"}, "invalid_request"),
        ({"scope": "openid accounts"}, "invalid_scope"),
        ({"nonce": None}, "invalid_request"),
        ({"state": "x" * 513}, "invalid_request"),
        ({"claims": None}, "invalid_request"),
        (
            {"claims": {"id_token": {"openbanking_intent_id": {"value": "nobody's", "essential": True}}}},
            "invalid_request",
        ),
        ({"claims": {"id_token": {"openbanking_intent_id": {"value": "nobody's"}}}}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
    ],
    ids=named,
)
def test_a_request_that_is_told_to_the_tpp(at: AtBrand, person: UkPerson, changes: dict[str, Any], error: str) -> None:
    tpp = at()
    assert sent_back(tpp, person, tpp.authorize_url(tpp.consent(), **changes)) == error


def test_what_stands_beside_the_request_object_must_be_the_same(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    address = tpp.authorize_url(tpp.consent(), beside={"scope": "openid"})
    assert sent_back(tpp, person, address) == "invalid_request"


def test_pkce_may_be_left_out_where_the_answer_is_signed(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    _, answer = approved(tpp, person, code_challenge=None, code_challenge_method=None)
    assert error_of(tpp.exchange(answer["code"])) == (400, "invalid_grant")
    _, answer = approved(tpp, person, code_challenge=None, code_challenge_method=None)
    assert tpp.exchange(answer["code"], code_verifier=None).status == 200


def test_the_consent_of_another_tpp(bank: Flask, folder: Path, clock: Clock, at: AtBrand, person: UkPerson) -> None:
    other, tpp = other_at(bank, folder, "albion", clock=clock), at()
    assert sent_back(other, person, other.authorize_url(tpp.consent())) == "invalid_request"


def test_a_consent_that_is_decided(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    consent_id, _ = approved(tpp, person)
    assert sent_back(tpp, person, tpp.authorize_url(consent_id)) == "invalid_request"


def test_a_pushed_request_is_good_once(at: AtBrand, person: UkPerson) -> None:
    tpp = at("mersey")
    address = tpp.authorize_url(tpp.consent())
    assert person.visit(address)[0].status == 200
    assert "request_uri" in refused_on_a_page(person, address)


def test_a_pushed_request_lives_a_minute(at: AtBrand, person: UkPerson, clock: Clock) -> None:
    tpp = at("mersey")
    address = tpp.authorize_url(tpp.consent())
    clock.tick(seconds=61)
    assert "request_uri" in refused_on_a_page(person, address)


def test_a_pushed_request_is_of_one_client_at_one_brand(at: AtBrand, person: UkPerson) -> None:
    tpp = at("mersey")
    address = tpp.authorize_url(tpp.consent())
    assert "request_uri" in refused_on_a_page(person, address.replace("client_id=quittance", "client_id=other"))
    assert "request_uri" in refused_on_a_page(person, address.replace("/mersey/", "/severn/"))
    assert person.visit(address)[0].status == 200


def test_a_request_that_was_not_pushed(at: AtBrand, person: UkPerson) -> None:
    tpp = at("mersey")
    asked = tpp.parameters(tpp.consent())
    query = {name: value if isinstance(value, str) else json.dumps(value) for name, value in asked.items()}
    assert "request_uri" in refused_on_a_page(person, tpp.address(query))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"redirect_uri": "https://elsewhere.example/"}, "invalid_request"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"request_uri": "urn:x"}, "invalid_request"),
        ({"claims": "no JSON"}, "invalid_request"),
    ],
    ids=named,
)
def test_what_may_not_be_pushed(at: AtBrand, changes: dict[str, Any], error: str) -> None:
    tpp = at("mersey")
    asked = tpp.parameters("any", **changes)
    form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in asked.items()}
    assert error_of(tpp.push(form)) == (400, error)


def test_nothing_is_pushed_to_a_bank_that_takes_none(at: AtBrand) -> None:
    assert at().push({}).status == 404
