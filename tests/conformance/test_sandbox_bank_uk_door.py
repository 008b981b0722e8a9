"""The UK sandbox banks' authorization server: each profile from end to end, and each fault of a TPP refused."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask
from joserfc.jwk import ECKey, RSAKey

from tests.support.sandbox_tpp import Answer, Clock
from tests.support.uk_bank import AtBrand, inside, make_bank, make_folder, other_at, tpp_at
from tests.support.uk_tpp import BASE_URL, BRANDS, PROFILES, REDIRECT_URI, InProcess, UkPerson, UkTpp, way_back


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the brands' keys and databases: keys are made once, each test has a database of its own."""
    return tmp_path_factory.mktemp("banks")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bank(folder: Path, keys: Path, tmp_path: Path, clock: Clock) -> Iterator[Flask]:
    app = make_bank(folder, keys / f"{tmp_path.name}.sqlite3", clock=clock, sleep=lambda _: None)
    yield app
    inside(app).store.close()


@pytest.fixture
def at(bank: Flask, folder: Path, clock: Clock) -> AtBrand:
    return lambda brand="albion", **changes: tpp_at(bank, folder, brand, clock=clock, **changes)


@pytest.fixture
def person(bank: Flask) -> UkPerson:
    return UkPerson(transport=InProcess(bank))


def approved(tpp: UkTpp, person: UkPerson, **changes: Any) -> tuple[str, dict[str, str]]:
    """(ConsentId, the answer through the browser)."""
    consent_id = tpp.consent()
    return consent_id, tpp.answered(person.approve(tpp.authorize_url(consent_id, **changes)))


def error_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["error"]


def sent_back(tpp: UkTpp, person: UkPerson, address: str) -> str:
    """The error that the bank sends back without showing a page."""
    answer, to = person.visit(address)
    assert answer.status == 303
    assert to.startswith(REDIRECT_URI)
    return tpp.answered(to)["error"]


def refused_on_a_page(person: UkPerson, address: str) -> str:
    """What a person reads where nobody can be told."""
    answer, _ = person.visit(address)
    assert answer.status == 400
    assert "Location" not in answer.headers
    return answer.text_of(".lead")


# ----------------------------------------------------------------------------------------------------- from end to end


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


# ---------------------------------------------------------------------------------------------------------- the client


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
    ids=str,
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


# ------------------------------------------------------------------------------------------------ the token at the API


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


# ---------------------------------------------------------------------------------------------------------------- DPoP


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
    ids=str,
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


# --------------------------------------------------------------------------------------------------------- the request


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
    ids=str,
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
    ids=str,
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


# -------------------------------------------------------------------------------------------------------------- pushed


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
    ids=str,
)
def test_what_may_not_be_pushed(at: AtBrand, changes: dict[str, Any], error: str) -> None:
    tpp = at("mersey")
    asked = tpp.parameters("any", **changes)
    form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in asked.items()}
    assert error_of(tpp.push(form)) == (400, error)


def test_nothing_is_pushed_to_a_bank_that_takes_none(at: AtBrand) -> None:
    assert at().push({}).status == 404


# ------------------------------------------------------------------------------------------------------------ the code


def test_a_code_is_good_once_and_its_second_use_ends_what_the_first_got(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    _, answer = approved(tpp, person)
    access_token = tpp.exchange(answer["code"]).json["access_token"]
    assert error_of(tpp.exchange(answer["code"])) == (400, "invalid_grant")
    assert tpp.call("POST", "/domestic-payments", access_token, {"Data": {}}, key="one").status == 401


@pytest.mark.parametrize(
    "changes", [{"redirect_uri": "http://localhost:8000/other"}, {"code_verifier": "w" * 64}, {"code_verifier": None}]
)
def test_a_code_that_comes_with_something_else(at: AtBrand, person: UkPerson, changes: dict[str, Any]) -> None:
    tpp = at()
    _, answer = approved(tpp, person)
    assert error_of(tpp.exchange(answer["code"], **changes)) == (400, "invalid_grant")


def test_a_code_lives_a_minute(at: AtBrand, person: UkPerson, clock: Clock) -> None:
    tpp = at()
    _, answer = approved(tpp, person)
    clock.tick(seconds=60)
    assert error_of(tpp.exchange(answer["code"])) == (400, "invalid_grant")


def test_a_code_of_another_client_or_brand(
    bank: Flask, folder: Path, clock: Clock, at: AtBrand, person: UkPerson
) -> None:
    tpp = at()
    _, answer = approved(tpp, person)
    assert error_of(other_at(bank, folder, "albion", clock=clock).exchange(answer["code"])) == (400, "invalid_grant")
    assert error_of(at("trent").exchange(answer["code"])) == (400, "invalid_grant")
    assert tpp.exchange(answer["code"]).status == 200


# ----------------------------------------------------------------------------------------------------------- the pages


def test_two_clicks_lead_back_with_the_same_code(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    page, place = person.visit(tpp.authorize_url(tpp.consent()))
    decision, place = person.submit(page, place, customer=person.customer, pin="1234")
    first, _ = person.submit(decision, place, account=person.account, decision="approve")
    second, _ = person.submit(decision, place, account=person.account, decision="refuse")
    codes = {tpp.answered(way_back(each))["code"] for each in (first, second)}
    assert len(codes) == 1


def test_the_fifth_wrong_pin_refuses(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    page, place = person.visit(tpp.authorize_url(tpp.consent()))
    for left in (4, 3, 2, 1):
        page, place = person.submit(page, place, customer=person.customer, pin="0000")
        assert page.status == 422
        assert page.text_of("#error") == f"That PIN is not right. Tries left: {left}."
    page, place = person.submit(page, place, customer=person.customer, pin="0000")
    assert tpp.answered(way_back(page))["error"] == "access_denied"


def test_another_browser_sees_nothing(at: AtBrand, bank: Flask, person: UkPerson) -> None:
    tpp = at()
    _, place = person.visit(tpp.authorize_url(tpp.consent()))
    assert UkPerson(transport=InProcess(bank)).visit(place)[0].status == 403


def test_a_form_without_its_token(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    page, place = person.visit(tpp.authorize_url(tpp.consent()))
    answer, _ = person.submit(page, place, customer=person.customer, pin="1234", form_token="forged")
    assert answer.status == 403


def test_an_account_of_somebody_else(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    page, place = person.visit(tpp.authorize_url(tpp.consent()))
    page, place = person.submit(page, place, customer=person.customer, pin="1234")
    page, place = person.submit(page, place, account="of-somebody-else", decision="approve")
    assert page.status == 422
    assert page.text_of("#error") == "Choose one of your accounts."


def test_pages_keep_out_script_and_frames(at: AtBrand, person: UkPerson) -> None:
    tpp = at()
    page, _ = person.visit(tpp.authorize_url(tpp.consent()))
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"


def test_each_brand_says_what_can_be_tried(at: AtBrand) -> None:
    page = at("clyde").get("/")
    assert "Clyde Bank" in page.text_of("h1")
    assert "urn:clyde-bank:intent:" in page.text_of("main")


# -------------------------------------------------------------------------------------------- what brands get wrong


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
