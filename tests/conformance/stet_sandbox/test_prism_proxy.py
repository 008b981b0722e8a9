"""Every call of our STET connector at the sandbox banks passes prism, which holds requests and answers to the official
file of STET PSD2 1.4.

Each request is sealed, over the digest of its bytes and what was asked for: that the bank believes it proves that prism
changed neither. What prism does not see: the token (no official file describes it), and whether a seal is good.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest

from connectors.contract import Fact, PsuContext, ScaOAuth
from connectors.errors import BankRefused, BankSilent
from connectors.registry import Registry
from connectors.sandbox_bank.stet.brands import BRANDS
from connectors.stet.connector import StetConnector
from tests.support.bench import STET, order
from tests.support.judges import running_prism
from tests.support.prism_proxy import Forwarder, ThroughPrism, forwarding, judging, nothing_wrong
from tests.support.served_banks import ServedBanks, serving
from tests.support.stet_judge import for_prism

#: long: the same official files judge our requests in tests/conformance/test_*_prism.py all the time
pytestmark = [pytest.mark.judges, pytest.mark.shared, pytest.mark.long]

PSU = PsuContext(ip_address="192.0.2.7", user_agent="Firefox/140")
RETURN = "https://localhost:8000/banks/tested/return/s"
WAIT_S = 20
#: what stands before the path that the file names
BEFORE = re.compile(r".*/stet/v1(?=/)")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBanks]:
    with serving(tmp_path_factory.mktemp("stet"), standard="stet") as running:
        yield running


@pytest.fixture(scope="module")
def forwarder(served: ServedBanks) -> Iterator[Forwarder]:
    with forwarding(served.base_url, served.folder, before=BEFORE) as running:
        yield running


@pytest.fixture(scope="module")
def prism(forwarder: Forwarder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("prism")
    with running_prism(for_prism(folder), folder / "log", bank=forwarder.url) as running:
        yield running


@pytest.fixture(scope="module")
def banks(served: ServedBanks) -> Registry:
    return served.registry()


@pytest.fixture(params=STET)
def bank_id(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def judged(banks: Registry, bank_id: str, prism: str, forwarder: Forwarder) -> ThroughPrism:
    return judging(banks, bank_id, prism, forwarder, before=BEFORE)


@pytest.fixture
def bank(banks: Registry, bank_id: str, judged: ThroughPrism) -> StetConnector:
    connector = banks.connector(bank_id)
    assert isinstance(connector, StetConnector)
    return connector


def key() -> str:
    return str(uuid.uuid4())


def approve(bank: StetConnector, sca: ScaOAuth | None, served: ServedBanks) -> None:
    """The whole way of a customer who says yes, and our confirmation where the bank offers it."""
    assert sca is not None
    with served.person() as person:
        answer = person.approve(sca.authorization_endpoint)
    bank.complete(sca, answer=answer, code_verifier="v", redirect_uri=RETURN, state="s", nonce="n", timeout_s=WAIT_S)


def test_a_payment(
    bank: StetConnector, bank_id: str, served: ServedBanks, judged: ThroughPrism, forwarder: Forwarder
) -> None:
    staged = bank.initiate(bank.draft(order(), request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    approve(bank, staged.sca, served)
    said = bank.status(staged.consent_id, access_token=None, timeout_s=WAIT_S)
    assert said.fact in (Fact.ACCEPTED, Fact.DEBITED)
    calls = nothing_wrong(judged, forwarder)
    assert calls[0] == ("POST", 201)
    assert (("POST", 200) in calls) is (BRANDS[bank_id].confirmation != "none")
    assert calls[-1] == ("GET", 200)


def test_one_that_is_taken_back(bank: StetConnector, judged: ThroughPrism, forwarder: Forwarder) -> None:
    staged = bank.initiate(bank.draft(order(), request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    assert bank.cancel(staged.consent_id, timeout_s=WAIT_S) is not None
    assert bank.status(staged.consent_id, access_token=None, timeout_s=WAIT_S).fact is Fact.CANCELLED
    assert ("PUT", 200) in nothing_wrong(judged, forwarder)


def test_refusals_are_as_the_file_has_them(bank: StetConnector, judged: ThroughPrism, forwarder: Forwarder) -> None:
    """What goes wrong in the file's own way is no fault: prism lets it pass."""
    draft = bank.draft(order("999.01"), request_id=key(), redirect_uri=RETURN)
    with pytest.raises(BankRefused):
        bank.initiate(draft, psu=PSU, timeout_s=WAIT_S)
    assert bank.status("unknown", access_token=None, timeout_s=WAIT_S).fact is Fact.NOT_FOUND
    assert nothing_wrong(judged, forwarder) == [("POST", 400), ("GET", 404)]


@pytest.mark.parametrize("bank_id", ["remparts"], indirect=True)
def test_prism_stops_a_wrong_request(bank: StetConnector, judged: ThroughPrism, forwarder: Forwarder) -> None:
    judged.change = lambda body: body.replace(b'"84.20"', b'"84,20"')
    with pytest.raises(BankRefused) as refused:
        bank.initiate(bank.draft(order(), request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    assert refused.value.http_status == 422
    assert "amount" in str(judged.faults)
    assert forwarder.passed == []


@pytest.mark.parametrize("bank_id", ["remparts"], indirect=True)
def test_prism_stops_a_wrong_answer(bank: StetConnector, judged: ThroughPrism, forwarder: Forwarder) -> None:
    staged = bank.initiate(bank.draft(order(), request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    forwarder.change = lambda body: body.replace(b'"RCVD"', b'"CANC"')
    try:
        with pytest.raises(BankSilent):
            bank.status(staged.consent_id, access_token=None, timeout_s=WAIT_S)
    finally:
        forwarder.change = lambda body: body
    assert "paymentInformationStatus" in str(judged.faults)
    assert [one.status for one in judged.passed] == [201, 500]


def test_a_link_that_leads_elsewhere_is_followed_by_nobody(
    bank: StetConnector, served: ServedBanks, judged: ThroughPrism, forwarder: Forwarder
) -> None:
    """It is well made, so that prism lets it pass; our connector does not. The payment may be there all the same."""
    forwarder.change = lambda body: body.replace(served.base_url.encode(), b"https://bank.evil.example")
    try:
        with pytest.raises(BankSilent) as silent:
            bank.initiate(bank.draft(order(), request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    finally:
        forwarder.change = lambda body: body
    assert "leads" in str(silent.value)
    assert nothing_wrong(judged, forwarder) == [("POST", 201)]


def test_the_digest_shows_that_bytes_were_changed(
    bank: StetConnector, judged: ThroughPrism, forwarder: Forwarder
) -> None:
    """The counter-proof of all others here: what is well made, so that prism lets it pass, but not what was signed."""
    judged.change = lambda body: body.replace(b"84.20", b"84.21")
    with pytest.raises(BankRefused) as refused:
        bank.initiate(bank.draft(order(), request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    assert "Digest" in str(refused.value)
    assert nothing_wrong(judged, forwarder) == [("POST", 400)]
