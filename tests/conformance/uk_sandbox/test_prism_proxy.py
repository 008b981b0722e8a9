"""Every call of our UK connector at the sandbox banks passes prism, which holds requests and answers to OBL's files.

Both signatures are made over bytes: that the bank and the connector believe them proves that prism changed none.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import secrets
import uuid
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc.jwk import ECKey

from config.settings import ROOT
from connectors.capabilities import Alignment
from connectors.contract import ConsentStatus, Fact, PsuContext, ScaOAuth, Staged
from connectors.errors import BankRefused, BankSilent
from connectors.money import Money
from connectors.openbanking_uk.connector import OpenBankingUkConnector
from connectors.registry import Registry
from connectors.security import pkce
from tests.support.judges import clock, running_prism
from tests.support.openbanking_uk import consent, limit, order
from tests.support.prism_proxy import Forwarder, ThroughPrism, forwarding
from tests.support.shared import shared_folder
from tests.support.uk_served import ServedBank

#: long: the same official files judge our requests in tests/conformance/test_*_prism.py all the time
pytestmark = [pytest.mark.judges, pytest.mark.shared, pytest.mark.long]

PSU = PsuContext(ip_address="203.0.113.7", user_agent="a browser")
RETURN = "http://localhost:8000/banks/return/one"
WAIT_S = 20
#: one bank of each dialect → the folder of its official files
BANKS = {"albion": "v4.0", "caledonia": "v3.1.11"}
#: what stands before the path that a file names
BEFORE = re.compile(r".*/open-banking/[^/]+(?:/pisp)?(?=/)")
#: which file judges what: how a path begins → the file, and where its API lies at the bank
FILES = {
    "/": ("payment-initiation", "/pisp"),
    "/domestic-vrp": ("vrp", "/pisp"),
    "/event-subscriptions": ("events", ""),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBank]:
    served = ServedBank(tmp_path_factory.mktemp("served"))
    try:
        served.start()
        yield served
    finally:
        served.close()


@pytest.fixture(scope="module")
def forwarder(served: ServedBank) -> Iterator[Forwarder]:
    with forwarding(served.base_url, served.folder, before=BEFORE) as running:
        yield running


@pytest.fixture(scope="module", params=sorted(BANKS))
def bank_id(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def banks(served: ServedBank) -> Registry:
    """The repository's own files, with the keys that the sandbox's authority made."""
    return Registry.from_folder(
        ROOT / "config" / "banks",
        sandbox_bank_url=None,
        sandbox_bank_uk_url=served.base_url,
        client_key=ECKey.generate_key("P-256").as_dict(private=True),
        allow_http=False,
        bank_keys=served.folder.parent,
    )


@pytest.fixture(scope="module")
def prisms(
    banks: Registry, bank_id: str, forwarder: Forwarder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    specs, logs = shared_folder() / "specs" / "obie" / BANKS[bank_id], tmp_path_factory.mktemp("prism")
    at_the_bank = forwarder.url + urlsplit(banks.profile(bank_id).base_url).path.removesuffix("/pisp")
    with contextlib.ExitStack() as stack:
        yield {
            begins: stack.enter_context(
                running_prism(specs / f"{file}-openapi.json", logs / file, bank=at_the_bank + below)
            )
            for begins, (file, below) in FILES.items()
        }


@pytest.fixture
def judged(banks: Registry, bank_id: str, prisms: dict[str, str], forwarder: Forwarder) -> ThroughPrism:
    """What prism said, anew for each test."""
    forwarder.passed.clear()
    api = banks.profile(bank_id).base_url.removesuffix("/pisp")
    through = ThroughPrism(prisms, before=BEFORE)
    banks.line(bank_id).session.mount(api, through)
    return through


@pytest.fixture
def bank(banks: Registry, bank_id: str, judged: ThroughPrism) -> OpenBankingUkConnector:
    connector = banks.connector(bank_id)
    assert isinstance(connector, OpenBankingUkConnector)
    return connector


def key() -> str:
    return str(uuid.uuid4())


def approved(bank: OpenBankingUkConnector, served: ServedBank, staged: Staged) -> str:
    """The token of a customer who said yes at the bank."""
    assert isinstance(staged.sca, ScaOAuth)
    verifier, state, nonce = pkce.new_verifier(), secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    address = bank.authorise_url(
        staged.sca,
        redirect_uri=RETURN,
        state=state,
        nonce=nonce,
        code_challenge=pkce.challenge(verifier),
        timeout_s=WAIT_S,
    )
    authorised = bank.complete(
        staged.sca,
        answer=dict(parse_qsl(urlsplit(served.person().approve(address)).fragment)),
        code_verifier=verifier,
        redirect_uri=RETURN,
        state=state,
        nonce=nonce,
        timeout_s=WAIT_S,
    )
    assert authorised.access_token is not None
    return authorised.access_token


def nothing_wrong(judged: ThroughPrism, forwarder: Forwarder, *, calls: int) -> None:
    """Prism found no fault in any of so many calls, and each body came out as it went in."""
    assert judged.faults == []
    assert judged.passed == forwarder.passed
    assert len(judged.passed) == calls


def test_a_single_payment(
    bank: OpenBankingUkConnector, served: ServedBank, judged: ThroughPrism, forwarder: Forwarder
) -> None:
    made = order(refund_account=True, end_to_end_id=secrets.token_hex(12))
    staged = bank.initiate(bank.draft(made, request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    assert bank.consent_status(staged.consent_id, timeout_s=WAIT_S) is ConsentStatus.WAITING
    token = approved(bank, served, staged)
    assert bank.funds(staged.consent_id, access_token=token, timeout_s=WAIT_S).available is True
    submission = bank.draft_submission(made, consent_id=staged.consent_id, request_id=key())
    submitted = bank.submit(submission, access_token=token, psu=PSU, timeout_s=WAIT_S)
    assert submitted.refund_account is not None
    again = bank.submit(submission, access_token=token, psu=PSU, timeout_s=WAIT_S)
    assert again.bank_payment_id == submitted.bank_payment_id
    assert bank.consent_status(staged.consent_id, timeout_s=WAIT_S) is ConsentStatus.CONSUMED
    status = bank.status(submitted.bank_payment_id, access_token=None, timeout_s=WAIT_S)
    assert status.fact not in (Fact.NOT_FOUND, Fact.REJECTED)
    bank.details(submitted.bank_payment_id, timeout_s=WAIT_S)
    nothing_wrong(judged, forwarder, calls=8)


def test_a_scheduled_payment(
    bank: OpenBankingUkConnector, served: ServedBank, judged: ThroughPrism, forwarder: Forwarder
) -> None:
    later, day = bank.scheduled, clock().date() + dt.timedelta(days=7)
    made = order(refund_account=True, end_to_end_id=secrets.token_hex(12))
    staged = later.initiate(later.draft(made, execute_on=day, request_id=key()), psu=PSU, timeout_s=WAIT_S)
    token = approved(bank, served, staged)
    assert later.consent_status(staged.consent_id, timeout_s=WAIT_S) is ConsentStatus.AUTHORISED
    submission = later.draft_submission(made, execute_on=day, consent_id=staged.consent_id, request_id=key())
    submitted = later.submit(submission, access_token=token, psu=PSU, timeout_s=WAIT_S)
    status = later.status(submitted.bank_payment_id, access_token=None, timeout_s=WAIT_S)
    assert status.fact not in (Fact.NOT_FOUND, Fact.REJECTED)
    later.details(submitted.bank_payment_id, timeout_s=WAIT_S)
    nothing_wrong(judged, forwarder, calls=5)


def test_recurring_payments(
    bank: OpenBankingUkConnector, served: ServedBank, judged: ThroughPrism, forwarder: Forwarder
) -> None:
    again, today = bank.recurring, clock().date()
    # counted from the consent: of a calendar's first month only a share is left
    limits = (limit(alignment=Alignment.CONSENT),)
    wanted = consent(periodic_limits=limits, valid_from=today, valid_to=today + dt.timedelta(days=365))
    request = again.draft(wanted, request_id=key())
    staged = again.initiate(request, psu=PSU, timeout_s=WAIT_S)
    token = approved(bank, served, staged)
    told = again.told(staged.consent_id, asked=request.body, timeout_s=WAIT_S)
    assert (told.status, told.differences) == (ConsentStatus.AUTHORISED, ())
    assert told.payer is not None
    amount = Money(8420, "GBP")
    funds = again.funds(staged.consent_id, amount, access_token=token, psu=PSU, timeout_s=WAIT_S)
    assert funds.available is True
    for number in range(2):
        made = order(end_to_end_id=secrets.token_hex(12), remittance_unstructured=f"Invoice {number}")
        payment = again.draft_payment(made, consent=wanted, consent_id=staged.consent_id, request_id=key())
        submitted = again.submit(payment, access_token=token, psu=PSU, timeout_s=WAIT_S)
        status = again.status(submitted.bank_payment_id, access_token=None, timeout_s=WAIT_S)
        assert status.fact not in (Fact.NOT_FOUND, Fact.REJECTED)
        again.details(submitted.bank_payment_id, timeout_s=WAIT_S)
    again.revoke(staged.consent_id, timeout_s=WAIT_S)
    assert again.consent_status(staged.consent_id, timeout_s=WAIT_S) is not ConsentStatus.AUTHORISED
    nothing_wrong(judged, forwarder, calls=11)


def test_subscriptions_to_events(bank: OpenBankingUkConnector, judged: ThroughPrism, forwarder: Forwarder) -> None:
    made = bank.subscribe("https://quittance.example/banks/judge/events", timeout_s=WAIT_S)
    assert made in bank.subscriptions(timeout_s=WAIT_S)
    bank.unsubscribe(made.subscription_id, timeout_s=WAIT_S)
    assert bank.subscriptions(timeout_s=WAIT_S) == []
    nothing_wrong(judged, forwarder, calls=4)


def test_refusals_are_as_the_file_has_them(
    bank: OpenBankingUkConnector, served: ServedBank, judged: ThroughPrism, forwarder: Forwarder
) -> None:
    """What goes wrong in the files' own way is no fault: prism lets it pass."""
    made = order(end_to_end_id=secrets.token_hex(12))
    assert bank.consent_status("no-such-consent", timeout_s=WAIT_S) is ConsentStatus.NOT_FOUND
    assert bank.status("no-such-payment", access_token=None, timeout_s=WAIT_S).fact is Fact.NOT_FOUND
    staged = bank.initiate(bank.draft(made, request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    token = approved(bank, served, staged)
    other = bank.draft_submission(order(end_to_end_id="another"), consent_id=staged.consent_id, request_id=key())
    with pytest.raises(BankRefused):
        bank.submit(other, access_token=token, psu=PSU, timeout_s=WAIT_S)
    nothing_wrong(judged, forwarder, calls=4)


def test_prism_stops_a_wrong_request(bank: OpenBankingUkConnector, judged: ThroughPrism, forwarder: Forwarder) -> None:
    judged.change = lambda body: body.replace(b'"GBP"', b'"pounds"')
    with pytest.raises(BankRefused) as refused:
        bank.initiate(bank.draft(order(), request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    assert refused.value.http_status == 422
    [(call, said)] = judged.faults
    assert call == "POST /domestic-payment-consents"
    assert "Currency" in str(said["validation"])
    assert forwarder.passed == []


def test_prism_stops_a_wrong_answer(bank: OpenBankingUkConnector, judged: ThroughPrism, forwarder: Forwarder) -> None:
    forwarder.change = lambda body: body.replace(b'"Status":"', b'"Status":"no word of the standard: ')
    try:
        with pytest.raises(BankSilent):
            bank.initiate(bank.draft(order(), request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    finally:
        forwarder.change = lambda body: body
    assert "Status" in str(judged.faults)
    assert [one.status for one in judged.passed] == [500]


def test_a_signature_shows_that_bytes_were_changed(
    bank: OpenBankingUkConnector, judged: ThroughPrism, forwarder: Forwarder
) -> None:
    """The counter-proof of all others here: what is well made, so that prism lets it pass, but not what was signed."""
    judged.change = lambda body: body.replace(b'"GBP"', b'"EUR"')
    with pytest.raises(BankRefused):
        bank.initiate(bank.draft(order(), request_id=key(), redirect_uri=RETURN), psu=PSU, timeout_s=WAIT_S)
    assert [one.status for one in judged.passed] == [400]
    assert b"U015" in judged.passed[0].answered or b"UK.OBIE.Signature.Invalid" in judged.passed[0].answered
    nothing_wrong(judged, forwarder, calls=1)
