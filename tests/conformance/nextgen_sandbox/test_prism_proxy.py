"""Every call of our Berlin Group connector at the sandbox banks passes prism, which holds requests and answers to the
official file of NextGenPSD2 1.3.12.

A seal is over the digest of the bytes: that the bank believes it proves that prism changed none. What no proxy sees:
the token and the metadata of the authorization server (no official file describes them), and whether a seal is good.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import uuid
from collections.abc import Iterator

import pytest

from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.capabilities import ExecutionRule, Frequency, StandingOrder
from connectors.contract import Approach, Fact, PsuContext, ScaOAuth
from connectors.errors import BankRefused, BankSilent
from connectors.registry import Registry
from connectors.sandbox_bank.nextgen.brands import BRANDS
from connectors.security import pkce
from tests.support.bench import NEXTGEN, order, signed_in
from tests.support.judges import clock, running_prism
from tests.support.nextgen_judge import for_prism
from tests.support.prism_proxy import Forwarder, ThroughPrism, forwarding, judging, nothing_wrong
from tests.support.sandbox_tpp import answer_to_tpp
from tests.support.served_banks import ServedBanks, serving

#: long: the same official files judge our requests in tests/conformance/test_*_prism.py all the time
pytestmark = [pytest.mark.judges, pytest.mark.shared, pytest.mark.long]

PSU = PsuContext(ip_address="192.0.2.7", user_agent="Firefox/140")
RETURN = "https://localhost:8000/banks/tested/return/s"
WAIT_S = 20
#: not 84.20: the last test says why
AMOUNT = "84.25"
#: what stands before the path that the file names
BEFORE = re.compile(r".*/psd2(?=/v1/)")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBanks]:
    with serving(tmp_path_factory.mktemp("nextgen"), standard="nextgen") as running:
        yield running


@pytest.fixture(scope="module")
def forwarder(served: ServedBanks) -> Iterator[Forwarder]:
    with forwarding(served.base_url, served.folder, before=BEFORE) as running:
        yield running


@pytest.fixture(scope="module")
def prism(forwarder: Forwarder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("prism")
    with running_prism(for_prism(folder, dialects=True), folder / "log", bank=forwarder.url) as running:
        yield running


@pytest.fixture(scope="module")
def banks(served: ServedBanks) -> Registry:
    return served.registry()


@pytest.fixture(params=NEXTGEN)
def bank_id(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def judged(banks: Registry, bank_id: str, prism: str, forwarder: Forwarder) -> ThroughPrism:
    return judging(banks, bank_id, prism, forwarder, before=BEFORE)


@pytest.fixture
def bank(banks: Registry, bank_id: str, judged: ThroughPrism, served: ServedBanks) -> BerlinGroupConnector:
    connector = banks.connector(bank_id)
    if BRANDS[bank_id].sign_in_first:
        with served.person() as person:
            connector = signed_in(connector, person)
    assert isinstance(connector, BerlinGroupConnector)
    return connector


def key() -> str:
    return str(uuid.uuid4())


def approve(bank: BerlinGroupConnector, bank_id: str, sca: ScaOAuth | None, served: ServedBanks) -> None:
    """The whole way of a customer who says yes: at the bank's pages, or in its app."""
    assert sca is not None
    verifier = pkce.new_verifier()
    url = bank.authorise_url(
        sca, redirect_uri=RETURN, state="s", nonce="n", code_challenge=pkce.challenge(verifier), timeout_s=WAIT_S
    )

    def complete(answer: dict[str, str]) -> None:
        bank.complete(
            sca, answer=answer, code_verifier=verifier, redirect_uri=RETURN, state="s", nonce="n", timeout_s=WAIT_S
        )

    with served.person() as person:
        if sca.approach == Approach.DECOUPLED:
            complete({"code": "decoupled"})
            asked = person.go(f"{served.base_url}/{bank_id}/app").page.select("#waiting a")
            url = served.base_url + str(asked[-1]["href"])
        last = person.submit(person.sign_in(person.go(url)), account="camille-current", decision="approve")
        if sca.approach != Approach.DECOUPLED:
            complete({"code": "approved", **answer_to_tpp(last)})


def test_a_payment(
    bank: BerlinGroupConnector, bank_id: str, served: ServedBanks, judged: ThroughPrism, forwarder: Forwarder
) -> None:
    brand = BRANDS[bank_id]
    staged = bank.initiate(bank.draft(order(AMOUNT), request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    if brand.early_failures:
        with pytest.raises(BankSilent):
            bank.status(staged.consent_id, access_token=None, timeout_s=WAIT_S)
    approve(bank, bank_id, staged.sca, served)
    said = bank.status(staged.consent_id, access_token=None, timeout_s=WAIT_S)
    assert said.fact in (Fact.ACCEPTED, Fact.DEBITED, Fact.CREDITED)
    assert bank.cancel(staged.consent_id, timeout_s=WAIT_S) is None
    expected = [("POST", 201)]
    expected += [("POST", 201)] if brand.explicit else []
    expected += [("GET", 404)] if brand.early_failures else []
    expected += [("PUT", 200)] if brand.confirms else []
    assert nothing_wrong(judged, forwarder) == [*expected, ("GET", 200), ("DELETE", 405)]


@pytest.mark.parametrize("bank_id", ["alpenkasse", "azulejo", "hansekontor"], indirect=True)
def test_what_the_bank_keeps(
    bank: BerlinGroupConnector, bank_id: str, served: ServedBanks, judged: ThroughPrism, forwarder: Forwarder
) -> None:
    """A payment for a later day, approved and taken back, where two of these banks ask their customer again; then a
    standing order."""
    day = clock().date() + dt.timedelta(days=9)
    future = bank.future_dated
    request = future.draft(order(AMOUNT), execute_on=day, request_id=key(), redirect_uri=RETURN)
    staged = future.initiate(request, psu=PSU, timeout_s=WAIT_S)
    approve(bank, bank_id, staged.sca, served)
    assert future.status(staged.consent_id, access_token=None, timeout_s=WAIT_S).fact is Fact.ACCEPTED
    cancelled = future.cancel(staged.consent_id, redirect_uri=RETURN, psu=PSU, timeout_s=WAIT_S)
    assert (cancelled.sca is not None) is BRANDS[bank_id].cancels_with_sca
    if cancelled.sca is not None:
        approve(bank, bank_id, cancelled.sca, served)
    assert future.status(staged.consent_id, access_token=None, timeout_s=WAIT_S).fact is Fact.CANCELLED
    standing = bank.standing_orders
    asked = StandingOrder(
        order=order(AMOUNT),
        first=day,
        last=day + dt.timedelta(days=200),
        frequency=Frequency.MONTHLY,
        day_of_month=31,
        execution_rule=ExecutionRule.PRECEDING,
    )
    request = standing.draft(asked, request_id=key(), redirect_uri=RETURN)
    staged = standing.initiate(request, psu=PSU, timeout_s=WAIT_S)
    approve(bank, bank_id, staged.sca, served)
    assert standing.status(staged.consent_id, access_token=None, timeout_s=WAIT_S).fact is Fact.ACCEPTED
    calls = nothing_wrong(judged, forwarder)
    assert (("DELETE", 202) in calls) is BRANDS[bank_id].cancels_with_sca


def test_refusals_are_as_the_file_has_them(
    bank: BerlinGroupConnector, judged: ThroughPrism, forwarder: Forwarder
) -> None:
    """What goes wrong in the file's own way is no fault, in either of its two forms: prism lets it pass."""
    draft = bank.draft(order("999.01"), request_id=key(), redirect_uri=RETURN)
    with pytest.raises(BankRefused) as refused:
        bank.initiate(draft, psu=PSU, timeout_s=WAIT_S)
    assert refused.value.code == "PAYMENT_FAILED"
    with contextlib.suppress(BankSilent):  # of a bank that is early with a no
        assert bank.status("unknown", access_token=None, timeout_s=WAIT_S).fact is Fact.NOT_FOUND
    first, *asked = nothing_wrong(judged, forwarder)
    assert first == ("POST", 400)
    assert set(asked) == {("GET", 404)}  # under one product, and then under the other


@pytest.mark.parametrize("bank_id", ["hansekontor"], indirect=True)
def test_prism_stops_a_wrong_request(bank: BerlinGroupConnector, judged: ThroughPrism, forwarder: Forwarder) -> None:
    judged.change = lambda body: body.replace(b'"EUR"', b'"euro"')
    with pytest.raises(BankRefused) as refused:
        bank.initiate(bank.draft(order(AMOUNT), request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    assert refused.value.http_status == 422
    [(call, said)] = judged.faults
    assert call == "POST /v1/payments/sepa-credit-transfers"
    assert "currency" in str(said["validation"])
    assert forwarder.passed == []


@pytest.mark.parametrize("bank_id", ["hansekontor"], indirect=True)
def test_prism_stops_a_wrong_answer(bank: BerlinGroupConnector, judged: ThroughPrism, forwarder: Forwarder) -> None:
    forwarder.change = lambda body: body.replace(b'"RCVD"', b'"TAKEN"')
    try:
        with pytest.raises(BankSilent):
            bank.initiate(bank.draft(order(AMOUNT), request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    finally:
        forwarder.change = lambda body: body
    assert "transactionStatus" in str(judged.faults)
    assert [one.status for one in judged.passed] == [500]


@pytest.mark.parametrize("bank_id", ["hansekontor", "grachten", "navigli"], indirect=True)
def test_a_link_that_leads_elsewhere_is_followed_by_nobody(
    bank: BerlinGroupConnector, served: ServedBanks, judged: ThroughPrism, forwarder: Forwarder
) -> None:
    """It is well made, so that prism lets it pass; our connector does not. The payment may be there all the same."""
    forwarder.change = lambda body: body.replace(served.base_url.encode(), b"https://bank.evil.example")
    try:
        with pytest.raises(BankSilent) as silent:
            bank.initiate(bank.draft(order(AMOUNT), request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    finally:
        forwarder.change = lambda body: body
    assert re.search(r"leads|names OAuth metadata on a host", str(silent.value))
    assert nothing_wrong(judged, forwarder) == [("POST", 201)]


@pytest.mark.parametrize("bank_id", ["hansekontor", "alpenkasse", "azulejo", "lakenhal"], indirect=True)
def test_the_digest_shows_that_bytes_were_changed(
    bank: BerlinGroupConnector, judged: ThroughPrism, forwarder: Forwarder
) -> None:
    """The counter-proof of all others here: what is well made, so that prism lets it pass, but not what was signed."""
    judged.change = lambda body: body.replace(b"84.25", b"84.26")
    with pytest.raises(BankRefused) as refused:
        bank.initiate(bank.draft(order(AMOUNT), request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    assert refused.value.code == "SIGNATURE_INVALID"
    assert nothing_wrong(judged, forwarder) == [("POST", 401)]


@pytest.mark.parametrize("bank_id", ["lakenhal"], indirect=True)
def test_a_number_that_javascript_writes_otherwise_does_not_pass(
    bank: BerlinGroupConnector, judged: ThroughPrism, forwarder: Forwarder
) -> None:
    """What prism cannot do: it reads 84.20 and writes 84.2. All other amounts here end in another figure."""
    with pytest.raises(BankRefused) as refused:
        bank.initiate(bank.draft(order("84.20"), request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    assert refused.value.code == "SIGNATURE_INVALID"
    assert b"84.20" in judged.passed[0].sent
    assert b"84.2}" in forwarder.passed[0].sent
