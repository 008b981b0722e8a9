"""Who is let in at the NextGenPSD2 banks, and with what: one fault in each request, and the bank says no to each."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox_bank import authority
from connectors.sandbox_bank.authority import Tpp
from connectors.security.psd2_certificates import Role
from tests.support.nextgen_bank import NUMBER, OTHER
from tests.support.nextgen_tpp import PRODUCT, NextGenTpp, body
from tests.support.sandbox_tpp import Clock, Ledger, Person

pytestmark = pytest.mark.shared


def code_of(answer: Any) -> str:
    return str(answer.json["tppMessages"][0]["code"])


def test_a_good_request_is_taken(tpp: NextGenTpp) -> None:
    payment_id = tpp.posted()
    assert tpp.call("GET", f"{PRODUCT}/{payment_id}/status").json == {"transactionStatus": "RCVD"}


# ------------------------------------------------------------------------------------------------------------ the token


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"certificate": None}, "invalid_client"),
        ({"certificate": "other/client.pem"}, "invalid_client"),
        ({"client_id": OTHER}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "AIS"}, "invalid_scope"),
        ({"grant_type": "authorization_code", "code": "x"}, "invalid_grant"),
    ],
)
def test_a_token_is_not_given(tpp: NextGenTpp, changes: dict[str, Any], error: str) -> None:
    got = tpp.ask_token(**changes)
    assert (got.status, got.json["error"]) == (401 if error == "invalid_client" else 400, error)


def test_a_token_is_good_for_five_minutes_at_one_bank(tpp: NextGenTpp, clock: Clock) -> None:
    payment_id = tpp.posted()
    elsewhere = dataclasses.replace(tpp, brand="azulejo")
    elsewhere._token = tpp.token()
    assert code_of(elsewhere.call("GET", f"{PRODUCT}/{payment_id}/status")) == "TOKEN_UNKNOWN"
    clock.tick(seconds=300)
    assert code_of(tpp.call("GET", f"{PRODUCT}/{payment_id}/status")) == "TOKEN_EXPIRED"


@pytest.mark.parametrize(
    ("certificate", "code"), [(None, "CERTIFICATE_MISSING"), ("other/client.pem", "TOKEN_UNKNOWN")]
)
def test_a_token_is_worth_nothing_with_another_certificate(tpp: NextGenTpp, certificate: str | None, code: str) -> None:
    got = tpp.call("POST", PRODUCT, body(), certificate=certificate)
    assert (got.status, code_of(got)) == (401, code)


def test_a_certificate_without_the_role(tpp: NextGenTpp, folder: Path) -> None:
    tpp.token()
    reader = Tpp.sealed(NUMBER, roles=(Role.ACCOUNT_INFORMATION,))
    authority.add_tpp(folder, reader, files=folder / "reader", clock=Clock())
    assert tpp.ask_token(certificate="reader/client.pem").json["error"] == "unauthorized_client"
    got = tpp.call("POST", PRODUCT, body(), certificate="reader/client.pem")
    assert (got.status, code_of(got)) == (401, "ROLE_INVALID")


# ------------------------------------------------------------------------------------------------------------- the seal


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"X_Request_ID": "1"}, 400, "FORMAT_ERROR"),
        ({"PSU_IP_Address": None}, 400, "FORMAT_ERROR"),
        ({"PSU_IP_Address": "home"}, 400, "FORMAT_ERROR"),
        ({"Signature": None}, 401, "SIGNATURE_MISSING"),
        ({"Signature": "none"}, 401, "SIGNATURE_INVALID"),
        ({"Digest": None}, 401, "SIGNATURE_MISSING"),
        ({"Digest": "SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}, 401, "SIGNATURE_INVALID"),
        ({"X_Request_ID": "5f0c1c2e-6f57-4c1b-9f6e-0d6f3b3c9a11"}, 401, "SIGNATURE_INVALID"),
        ({"PSU_ID": "camille"}, 401, "SIGNATURE_INVALID"),
        ({"Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 401, "SIGNATURE_INVALID"),
        ({"TPP_Redirect_URI": "https://evil.example/"}, 401, "SIGNATURE_INVALID"),
        ({"TPP_Signature_Certificate": None}, 401, "CERTIFICATE_INVALID"),
        ({"TPP_Signature_Certificate": "MIIC"}, 401, "CERTIFICATE_INVALID"),
        ({"Accept": "text/html"}, 406, "REQUESTED_FORMATS_INVALID"),
        ({"Content_Type": "text/plain"}, 415, "FORMAT_ERROR"),
    ],
)
def test_one_fault_is_refused(tpp: NextGenTpp, ledger: Ledger, headers: dict[str, Any], status: int, code: str) -> None:
    got = tpp.call("POST", PRODUCT, body(), **headers)
    assert (got.status, code_of(got)) == (status, code)
    assert not ledger()


@pytest.mark.parametrize("name", ["(request-target)", "digest", "x-request-id"])
def test_a_header_that_is_not_signed(tpp: NextGenTpp, name: str) -> None:
    tpp.signed = tuple(one for one in tpp.signed if one != name)
    got = tpp.call("POST", PRODUCT, body())
    assert (got.status, code_of(got)) == (401, "SIGNATURE_INVALID")
    assert got.json["tppMessages"][0]["text"] == f"{name} is not signed"


def test_a_body_that_was_changed_on_the_way(tpp: NextGenTpp) -> None:
    dearer = json.dumps(body(amount=999.99)).encode()
    assert code_of(tpp.call("POST", PRODUCT, body(), sent=dearer)) == "SIGNATURE_INVALID"
    anew = f"SHA-256={base64.b64encode(hashlib.sha256(dearer).digest()).decode()}"
    assert code_of(tpp.call("POST", PRODUCT, body(), sent=dearer, Digest=anew)) == "SIGNATURE_INVALID"


def test_another_tpps_seal(tpp: NextGenTpp) -> None:
    """The token is ours and TLS is ours, and somebody else signs, in their own name."""
    tpp.seal = "other/seal"
    got = tpp.call("POST", PRODUCT, body())
    assert (got.status, code_of(got)) == (401, "SIGNATURE_INVALID")
    assert "not the caller's" in got.json["tppMessages"][0]["text"]


def test_a_seal_of_an_authority_that_nobody_believes(tpp: NextGenTpp, folder: Path, tmp_path: Path) -> None:
    authority.make(tmp_path / "own", tpp=Tpp.sealed(NUMBER), clock=Clock())
    for name in ("seal.pem", "seal.key"):
        shutil.copy(tmp_path / "own" / name, folder / f"false-{name}")
    tpp.seal = "false-seal"
    got = tpp.call("POST", PRODUCT, body())
    assert (got.status, code_of(got)) == (401, "CERTIFICATE_INVALID")


def test_a_seal_that_has_ended(tpp: NextGenTpp, clock: Clock) -> None:
    clock.tick(days=396)
    assert code_of(tpp.call("POST", PRODUCT, body())) == "CERTIFICATE_INVALID"


# ------------------------------------------------------------------------------------------------------------ the order


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": "123.50"}, "FORMAT_ERROR"),
        ({"amount": -1}, "FORMAT_ERROR"),
        ({"amount": True}, "FORMAT_ERROR"),
        ({"creditorName": None}, "FORMAT_ERROR"),
        ({"surprise": 1}, "FORMAT_ERROR"),
        ({"requestedExecutionDate": "tomorrow"}, "FORMAT_ERROR"),
        ({"requestedExecutionDate": "2026-11-21"}, "EXECUTION_DATE_INVALID"),
        ({"requestedExecutionDate": "2028-01-01"}, "EXECUTION_DATE_INVALID"),
        ({"debtorAccount": {"iban": "DE02100100109307118603"}}, "PAYMENT_FAILED"),
    ],
)
def test_a_body_with_one_fault(tpp: NextGenTpp, changes: dict[str, Any], code: str) -> None:
    got = tpp.call("POST", PRODUCT, body(**changes))
    assert (got.status, code_of(got)) == (400, code)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/bulk-payments/sepa-credit-transfers", 400, "SERVICE_INVALID"),
        ("/payments/target-2-payments", 404, "PRODUCT_UNKNOWN"),
        ("/payments/instant-sepa-credit-transfers", 404, "PRODUCT_UNKNOWN"),
    ],
)
def test_what_the_bank_does_not_have(tpp: NextGenTpp, path: str, status: int, code: str) -> None:
    transport = tpp.transport
    tpp.transport = transport.transport  # type: ignore[attr-defined]  # the file knows no such path
    got = tpp.call("POST", path, body())
    assert (got.status, code_of(got)) == (status, code)


def test_nobody_elses_payment(tpp: NextGenTpp, folder: Path) -> None:
    payment_id = tpp.posted()
    other = dataclasses.replace(tpp, files=folder / "other", number=OTHER, _token=None)
    for method, path in (("GET", "/status"), ("GET", ""), ("DELETE", ""), ("POST", "/authorisations")):
        got = other.call(method, f"{PRODUCT}/{payment_id}{path}")
        assert (got.status, code_of(got)) == (404, "RESOURCE_UNKNOWN")


# --------------------------------------------------------------------------------------------------- the authorisations


def test_an_authorisation_goes_its_way(tpp: NextGenTpp, person: Person, ledger: Ledger, clock: Clock) -> None:
    payment_id = tpp.posted()
    place = f"{PRODUCT}/{payment_id}/authorisations"
    begun = tpp.call("POST", place, {})
    assert (begun.status, begun.headers["ASPSP-SCA-Approach"]) == (201, "DECOUPLED")
    one = f"{place}/{begun.json['authorisationId']}"
    assert tpp.call("GET", place).json == {"authorisationIds": [begun.json["authorisationId"]]}
    assert tpp.call("GET", one).json == {"scaStatus": "received"}
    app = person.go(f"{tpp.base_url}/lakenhal/app")
    page = person.go(tpp.base_url + str(app.page.select("#waiting a")[0]["href"]))
    decision = person.sign_in(page)
    assert tpp.call("GET", one).json == {"scaStatus": "psuAuthenticated"}
    last = person.submit(decision, account="camille-current", decision="approve")
    assert tpp.call("GET", one).json == {"scaStatus": "finalised"}
    assert last.page.select_one('meta[http-equiv="refresh"]') is None  # nobody is led anywhere
    clock.tick(seconds=2)
    assert [entry["amount"] for entry in ledger()] == ["123.50"]


@pytest.mark.parametrize("service", ["payments", "periodic-payments"])
def test_every_address_answers_as_the_file_says(tpp: NextGenTpp, person: Person, service: str) -> None:
    """Each GET, and a cancellation's own authorisations, which our connector does not read: the judge is between."""
    path = f"/{service}/sepa-credit-transfers"
    later = {"requestedExecutionDate": "2026-11-25"}
    if service == "periodic-payments":
        later = {"startDate": "2026-11-25", "frequency": "Monthly"}
    got = tpp.call("POST", path, body(**later), PSU_IP_Address="192.0.2.7")
    assert got.status == 201
    one = f"{path}/{got.json['paymentId']}"
    assert tpp.call("POST", f"{one}/authorisations", {}).status == 201
    for approved in (False, True):
        if approved:
            app = person.go(f"{tpp.base_url}/lakenhal/app")
            page = person.go(tpp.base_url + str(app.page.select("#waiting a")[0]["href"]))
            person.submit(person.sign_in(page), account="camille-current", decision="approve")
        read = tpp.call("GET", one)
        assert read.status == 200
        assert read.json["debtorAccount"].keys() == ({"iban"} if approved else {"currency"})
        assert tpp.call("GET", f"{one}/status").status == 200
    begun = tpp.call("POST", f"{one}/cancellation-authorisations", {})
    assert begun.status == 201
    ids = tpp.call("GET", f"{one}/cancellation-authorisations")
    assert ids.json == {"authorisationIds": [begun.json["authorisationId"]]}
    asked = tpp.call("GET", f"{one}/cancellation-authorisations/{begun.json['authorisationId']}")
    assert asked.json == {"scaStatus": "received"}
    assert tpp.call("DELETE", one).status == 204
    assert tpp.call("GET", f"{one}/status").json == {"transactionStatus": "CANC"}


def test_what_nobody_approves_fails(tpp: NextGenTpp, clock: Clock) -> None:
    payment_id = tpp.posted()
    place = f"{PRODUCT}/{payment_id}/authorisations"
    one = tpp.call("POST", place, {}).json["authorisationId"]
    clock.tick(minutes=15)
    tpp._token = None
    assert tpp.call("GET", f"{place}/{one}").json == {"scaStatus": "failed"}
    got = tpp.call("POST", place, {})
    assert (got.status, code_of(got)) == (409, "STATUS_INVALID")


def test_a_password_is_nothing_that_the_bank_takes_from_a_tpp(tpp: NextGenTpp) -> None:
    payment_id = tpp.posted()
    place = f"{PRODUCT}/{payment_id}/authorisations"
    got = tpp.call("POST", place, {"psuData": {"password": "1234"}})
    assert (got.status, code_of(got)) == (400, "FORMAT_ERROR")


def test_what_a_tpp_did_not_want_to_start_itself_is_asked_at_once(tpp: NextGenTpp, person: Person) -> None:
    got = tpp.call("POST", PRODUCT, body(), TPP_Explicit_Authorisation_Preferred="false")
    assert set(got.json["_links"]) == {"self", "status", "scaStatus"}
    assert len(person.go(f"{tpp.base_url}/lakenhal/app").page.select("#waiting a")) == 1


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_app_speaks_both_languages(tpp: NextGenTpp, person: Person, language: str) -> None:
    person.language = language
    page = person.go(f"{tpp.base_url}/lakenhal/app")
    assert page.text_of("h1") == {"en": "The app of Lakenhal Bank", "fr": "L’application de Lakenhal Bank"}[language]
    assert page.page.select_one("#empty") is not None
