"""Each profile and brand from end to end, and what brands get wrong."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.support.sandbox_tpp import Clock
from tests.support.uk_bank import (
    AtBrand,
    approved,
    error_of,
    inside,
    make_bank,
    refused_on_a_page,
    sent_back,
    tpp_at,
)
from tests.support.uk_tpp import BASE_URL, BRANDS, PROFILES
from tests.support.uk_wire import InProcess, UkPerson


@pytest.mark.parametrize("brand", BRANDS)
def test_a_customer_approves(at: AtBrand, person: UkPerson, brand: str) -> None:
    tpp = at(brand)
    consent_id, answer = approved(tpp, person)
    assert answer["state"] == "state-of-one"
    exchanged = tpp.exchange(answer["code"])
    assert exchanged.status == 200, exchanged.content
    assert exchanged.json["token_type"].lower() == ("dpop" if tpp.dpop else "bearer")
    claims = tpp.id_token(exchanged.json["id_token"])
    assert (claims["iss"], claims["aud"], claims["sub"]) == (tpp.issuer, "quittance", consent_id)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_brand_runs_in_every_profile(
    folder: Path, keys: Path, tmp_path: Path, clock: Clock, profile: str
) -> None:
    app = make_bank(folder, keys / f"{tmp_path.name}.sqlite3", clock=clock, sleep=lambda _: None, profile=profile)
    for brand, how in BRANDS.items():
        changes: dict[str, Any] = {"profile": profile}
        if PROFILES[profile][3]:
            changes["client_auth"] = "private_key_jwt"
        tpp = tpp_at(app, folder, brand, clock=clock, **changes)
        _, answer = approved(tpp, UkPerson(transport=InProcess(app)))
        assert tpp.exchange(answer["code"]).status == 200, (brand, how)
    inside(app).store.close()


def test_the_hybrid_answer_is_signed_as_a_whole(at: AtBrand, person: UkPerson) -> None:
    """OpenID Connect Core §3.3.2.11 and FAPI 1.0 Advanced §5.2.2.1, computed here anew."""
    tpp = at("albion")
    consent_id, answer = approved(tpp, person)

    def half(value: str) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(value.encode()).digest()[:16]).rstrip(b"=").decode()

    claims = tpp.id_token(answer["id_token"])
    assert claims["c_hash"] == half(answer["code"])
    assert claims["s_hash"] == half("state-of-one")
    assert claims["nonce"] == "nonce-of-one"
    assert claims["openbanking_intent_id"] == consent_id
    assert claims["acr"] == "urn:openbanking:psd2:sca"
    assert claims["iat"] <= tpp.now_s() < claims["exp"]


def test_a_refusal_is_told_in_the_place_of_the_profile(at: AtBrand, person: UkPerson) -> None:
    for brand in ("albion", "tyne", "mersey", "trent"):
        tpp = at(brand)
        answer = tpp.answered(person.approve(tpp.authorize_url(tpp.consent()), decision="refuse"))
        assert (answer["error"], answer["state"]) == ("access_denied", "state-of-one")
        assert "code" not in answer


def test_the_issuer_is_named_where_the_code_comes_alone(at: AtBrand, person: UkPerson) -> None:
    tpp = at("mersey")
    _, answer = approved(tpp, person)
    assert answer["iss"] == tpp.issuer


def test_a_jarm_answer_says_for_whom_it_is_and_until_when(at: AtBrand, person: UkPerson) -> None:
    tpp = at("tyne")
    to = person.approve(tpp.authorize_url(tpp.consent()))
    assert list(dict(parse_qsl(urlsplit(to).query))) == ["response"]
    answer = tpp.answered(to)
    assert (answer["iss"], answer["aud"]) == (tpp.issuer, "quittance")
    assert int(answer["exp"]) > tpp.now_s()


@pytest.mark.parametrize("brand", BRANDS)
def test_the_metadata_are_at_both_places_and_lead_to_where_things_are(at: AtBrand, brand: str) -> None:
    tpp = at(brand)
    metadata = tpp.get("/.well-known/openid-configuration").json
    oauth = tpp.transport.send(
        "GET",
        f"{BASE_URL}/.well-known/oauth-authorization-server/{brand}",
        headers={},
        data=b"",
        certificate=None,
    )
    assert oauth.json == metadata
    assert metadata["issuer"] == tpp.issuer
    assert metadata["token_endpoint_auth_methods_supported"] == [tpp.client_auth]
    assert metadata["response_types_supported"] == ["code id_token" if tpp.answer == "hybrid" else "code"]
    assert metadata.get("require_pushed_authorization_requests", False) is tpp.pushed
    assert metadata["authorization_response_iss_parameter_supported"] is (tpp.answer == "code")
    assert [key["alg"] for key in tpp.get("/jwks").json["keys"]] == ["PS256"]
    assert not {"d", "p", "q"} & tpp.get("/jwks").json["keys"][0].keys()


def test_a_bank_that_is_not_there(at: AtBrand) -> None:
    tpp = at()
    tpp.brand = "thames"
    for path in ("/.well-known/openid-configuration", "/jwks", "/oauth2/authorize", "/"):
        assert tpp.get(path).status == 404


def test_trents_id_tokens_lack_what_binds_them(at: AtBrand, person: UkPerson) -> None:
    tpp = at("trent")
    to = person.approve(tpp.authorize_url(tpp.consent()))
    assert not urlsplit(to).fragment
    claims = tpp.id_token(tpp.answered(to)["id_token"])
    assert not {"nonce", "openbanking_intent_id"} & claims.keys()
    assert {"c_hash", "s_hash"} < claims.keys()


def test_avons_tokens(at: AtBrand, person: UkPerson) -> None:
    tpp = at("avon")
    _, answer = approved(tpp, person)
    without = at("avon", scope_in_code_exchange=False)
    assert error_of(without.exchange(answer["code"])) == (400, "invalid_request")
    got = tpp.exchange(answer["code"]).json
    assert got["token_type"] == "BEARER"
    assert set(got["scope"].split()) > {"openid", "payments"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [({"request_object_aud": None}, False), ({"intent_prefix": ""}, True), ({"repeated_parameters": False}, True)],
)
def test_clyde_wants_its_own_way(at: AtBrand, person: UkPerson, changes: dict[str, Any], told: bool) -> None:
    tpp = at("clyde", **changes)
    address = tpp.authorize_url(tpp.consent())
    if told:
        assert sent_back(tpp, person, address) == "invalid_request"
    else:
        assert "invalid_request_object" in refused_on_a_page(person, address)
