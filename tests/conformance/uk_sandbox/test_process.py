"""The UK sandbox banks as a process of its own over TLS: the socket says who calls, a kill loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from connectors.sandbox_bank import authority
from tests.support.uk_bank import OTHER
from tests.support.uk_served import ServedBank
from tests.support.uk_tpp import way_back

pytestmark = pytest.mark.faults

CREDENTIALS = {"grant_type": "client_credentials", "scope": "payments"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBank]:
    served = ServedBank(tmp_path_factory.mktemp("served"))
    try:
        served.start()
        yield served
    finally:
        served.close()


@pytest.mark.parametrize("brand", ["albion", "caledonia", "severn", "mersey", "tyne"])
def test_a_customer_approves(served: ServedBank, brand: str) -> None:
    tpp = served.tpp(brand)
    answer = tpp.answered(served.person().approve(tpp.authorize_url(tpp.consent())))
    assert tpp.exchange(answer["code"]).status == 200


def test_the_socket_says_which_certificate_there_is(served: ServedBank) -> None:
    """What a test may say in the WSGI environment, nobody can say in a header."""
    tpp = served.tpp()
    access_token = tpp.own_token()
    tpp.certificate = None
    forged = {"sandbox.client_certificate": "x", "X-Client-Cert": (served.folder / "client.pem").read_text()[28:60]}
    assert tpp.post("/oauth2/token", CREDENTIALS, headers=forged).status == 400
    assert tpp.call("POST", "/domestic-payment-consents", access_token, {"Data": {}}, key="one").status == 401


def test_a_certificate_of_another_tpp(served: ServedBank) -> None:
    authority.add_tpp(served.folder, OTHER, files=served.folder / "other")
    tpp = served.tpp()
    access_token = tpp.own_token()
    tpp.certificate = served.folder / "other" / "client.pem"
    assert tpp.post("/oauth2/token", CREDENTIALS).json["error"] == "invalid_client"
    assert tpp.call("POST", "/domestic-payment-consents", access_token, {"Data": {}}, key="one").status == 401


def test_a_certificate_of_another_authority_does_not_pass_tls(served: ServedBank, tmp_path: Path) -> None:
    authority.make(tmp_path)
    tpp = served.tpp()
    tpp.certificate = tmp_path / "client.pem"
    with pytest.raises(requests.RequestException):
        tpp.post("/oauth2/token", CREDENTIALS)


def test_a_code_and_a_pushed_request_are_good_once_in_a_crowd(served: ServedBank) -> None:
    tpp = served.tpp("mersey")
    address = tpp.authorize_url(tpp.consent())
    with ThreadPoolExecutor(8) as crowd:
        pages = list(crowd.map(lambda _: served.person().visit(address)[0].status, range(8)))
        assert sorted(pages) == [200, *[400] * 7]
        answer = tpp.answered(served.person().approve(tpp.authorize_url(tpp.consent())))
        each = [served.tpp("mersey") for _ in range(8)]
        statuses = list(crowd.map(lambda one: one.exchange(answer["code"]).status, each))
    assert sorted(statuses) == [200, *[400] * 7]


def test_killed_after_an_approval(served: ServedBank) -> None:
    """The way back leads back with the same code after a restart, a token stays good, and a key stays the same."""
    tpp, person = served.tpp(), served.person()
    access_token, keys = tpp.own_token(), tpp.get("/jwks").json
    page, place = person.visit(tpp.authorize_url(tpp.consent()))
    decision, place = person.submit(page, place, customer=person.customer, pin="1234")
    before, _ = person.submit(decision, place, account=person.account, decision="approve")
    served.kill()
    served.start()
    after, _ = person.submit(decision, place, account=person.account, decision="approve")
    codes = {tpp.answered(way_back(page))["code"] for page in (before, after)}
    assert len(codes) == 1
    assert tpp.get("/jwks").json == keys
    assert tpp.exchange(codes.pop()).status == 200
    assert tpp.call("POST", "/domestic-payment-consents", access_token, {"Data": {}}, key="one").status != 401
