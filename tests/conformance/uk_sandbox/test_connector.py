"""Our UK connector pays at each of the UK sandbox banks over TLS, as the files in config/banks describe them.

Neither side knows the other's code: where one is wrong about the standard, they do not understand each other.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import secrets
import time
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc.jwk import ECKey

from config.settings import ROOT
from connectors.capabilities import Alignment, Period, PeriodicLimit, RecurringConsent, RecurringKind, ToldConsent
from connectors.contract import Authorised, ConsentStatus, Fact, PaymentOrder, PsuContext, ScaOAuth, Staged
from connectors.errors import AccessLost, BankRefused, BeyondLimits, NotApproved
from connectors.money import Money
from connectors.openbanking_uk.connector import OpenBankingUkConnector
from connectors.registry import Registry
from connectors.sandbox_bank.openbanking_uk import brands as sandbox_brands
from connectors.security import pkce
from tests.support.thorough import spread
from tests.support.uk_served import ServedBank
from tests.support.uk_tpp import BRANDS
from tests.support.uk_wire import UkPerson

pytestmark = pytest.mark.faults

REDIRECT_URI = "http://localhost:8000/banks/return/one"
PSU = PsuContext(ip_address="192.0.2.7")
WAIT_S = 10


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedBank]:
    served = ServedBank(tmp_path_factory.mktemp("served"))
    try:
        served.start()
        yield served
    finally:
        served.close()


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


class Customer:
    """One payment, from the order to the money, with what must be kept of it between two steps."""

    def __init__(self, banks: Registry, served: ServedBank, bank_id: str, pence: int) -> None:
        connector = banks.connector(bank_id)
        assert isinstance(connector, OpenBankingUkConnector)
        self.connector = connector
        self.order = PaymentOrder(
            amount=Money(pence, "GBP"),
            creditor_name="Thames Water Works",
            creditor_iban="GB29NWBK60161331926819",
            end_to_end_id=secrets.token_hex(12),
            remittance_unstructured="Invoice 2026-1",
        )
        self._person = served.person()
        self._verifier = secrets.token_urlsafe(48)
        self._state, self._nonce = secrets.token_urlsafe(16), secrets.token_urlsafe(16)

    def stage(self) -> Staged:
        request = self.connector.draft(self.order, request_id=secrets.token_hex(16), redirect_uri=REDIRECT_URI)
        return self.connector.initiate(request, psu=PSU, timeout_s=WAIT_S)

    def at_the_bank(self, staged: Staged, *, decision: str = "approve") -> dict[str, str]:
        """What the browser brings back."""
        assert staged.sca is not None
        digest = hashlib.sha256(self._verifier.encode()).digest()
        address = self.connector.authorise_url(
            staged.sca,
            redirect_uri=REDIRECT_URI,
            state=self._state,
            nonce=self._nonce,
            code_challenge=base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            timeout_s=WAIT_S,
        )
        parts = urlsplit(self._person.approve(address, decision=decision))
        return dict(parse_qsl(parts.fragment or parts.query))

    def complete(self, staged: Staged, answer: dict[str, str]) -> str:
        """The customer's token."""
        assert staged.sca is not None
        return str(
            self.connector.complete(
                staged.sca,
                answer=answer,
                code_verifier=self._verifier,
                redirect_uri=REDIRECT_URI,
                state=self._state,
                nonce=self._nonce,
                timeout_s=WAIT_S,
            ).access_token
        )

    def submit(self, staged: Staged, access_token: str) -> str:
        request = self.connector.draft_submission(
            self.order, consent_id=staged.consent_id, request_id=secrets.token_hex(16)
        )
        submitted = self.connector.submit(request, access_token=access_token, psu=PSU, timeout_s=WAIT_S)
        return submitted.bank_payment_id

    def fact(self, payment_id: str) -> Fact:
        return self.connector.status(payment_id, access_token=None, timeout_s=WAIT_S).fact


@pytest.mark.parametrize("bank_id", spread(list(BRANDS), every=4))
def test_a_payment_is_made(banks: Registry, served: ServedBank, bank_id: str) -> None:
    customer = Customer(banks, served, bank_id, 84_20)
    staged = customer.stage()
    assert customer.connector.consent_status(staged.consent_id, timeout_s=WAIT_S) is ConsentStatus.WAITING
    access_token = customer.complete(staged, customer.at_the_bank(staged))
    assert customer.connector.consent_status(staged.consent_id, timeout_s=WAIT_S) is ConsentStatus.AUTHORISED
    payment_id = customer.submit(staged, access_token)
    assert customer.connector.consent_status(staged.consent_id, timeout_s=WAIT_S) is ConsentStatus.CONSUMED
    until = time.monotonic() + WAIT_S
    while customer.fact(payment_id) is not Fact.DEBITED:
        assert time.monotonic() < until
        time.sleep(0.3)


def approved(connector: OpenBankingUkConnector, sca: ScaOAuth, person: UkPerson) -> Authorised:
    """What comes of a customer's yes at the bank."""
    verifier, state, nonce = pkce.new_verifier(), secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    address = connector.authorise_url(
        sca,
        redirect_uri=REDIRECT_URI,
        state=state,
        nonce=nonce,
        code_challenge=pkce.challenge(verifier),
        timeout_s=WAIT_S,
    )
    parts = urlsplit(person.approve(address))
    return connector.complete(
        sca,
        answer=dict(parse_qsl(parts.fragment or parts.query)),
        code_verifier=verifier,
        redirect_uri=REDIRECT_URI,
        state=state,
        nonce=nonce,
        timeout_s=WAIT_S,
    )


class Standing:
    """A consent for payments again and again, at one bank, and how its customer approves it."""

    def __init__(self, banks: Registry, served: ServedBank, bank_id: str) -> None:
        connector = banks.connector(bank_id)
        assert isinstance(connector, OpenBankingUkConnector)
        self.connector, self.recurring = connector, connector.recurring
        self._served, self._bank_id = served, bank_id
        self.wanted = RecurringConsent(
            creditor_name="Thames Water Works",
            creditor_iban="GB29NWBK60161331926819",
            maximum_individual=Money(50_00, "GBP"),
            periodic_limits=(
                PeriodicLimit(period=Period.WEEK, alignment=Alignment.CONSENT, amount=Money(60_00, "GBP")),
            ),
            kind=RecurringKind.OTHER,
            valid_from=dt.datetime.now(dt.UTC).date(),
        )
        request = self.recurring.draft(self.wanted, request_id=secrets.token_hex(16))
        self.asked = request.body
        self.staged = self.recurring.initiate(request, psu=PSU, timeout_s=WAIT_S)

    def approve(self, *, account: str = "camille-current") -> Authorised:
        assert self.staged.sca is not None
        person = self._served.person()
        person.account = account
        return approved(self.connector, self.staged.sca, person)

    def told(self) -> ToldConsent:
        return self.recurring.told(self.staged.consent_id, asked=self.asked, timeout_s=WAIT_S)

    def pay(self, pence: int, access_token: str | None) -> Fact:
        order = PaymentOrder(
            amount=Money(pence, "GBP"),
            creditor_name=self.wanted.creditor_name,
            creditor_iban=self.wanted.creditor_iban,
            end_to_end_id=secrets.token_hex(12),
        )
        request = self.recurring.draft_payment(
            order, consent=self.wanted, consent_id=self.staged.consent_id, request_id=secrets.token_hex(16)
        )
        assert access_token is not None
        return self.recurring.submit(request, access_token=access_token, psu=PSU, timeout_s=WAIT_S).status.fact

    def stop_at_the_bank(self) -> None:
        headers = {"Authorization": f"Bearer {self._served.ledger_token}"}
        url = f"{self._served.base_url}/sandbox/{self._bank_id}/consents/{self.staged.consent_id}/cancel"
        answer = self._served.transport().send("POST", url, headers=headers, data=b"", certificate=None)
        assert answer.status == 204


WITH_RECURRING = [brand for brand in BRANDS if brand != "clyde"]
#: what a bank says of a consent that its customer stopped there: 3.1 has no word for it, and Mersey says nothing
STOPPED = dict.fromkeys(("caledonia", "humber", "mersey"), ConsentStatus.AUTHORISED)


@pytest.mark.parametrize("bank_id", WITH_RECURRING)
def test_a_standing_consent_is_used_lost_and_approved_again(banks: Registry, served: ServedBank, bank_id: str) -> None:
    standing = Standing(banks, served, bank_id)
    given = standing.approve()
    told = standing.told()
    assert (told.status, told.differences) == (ConsentStatus.AUTHORISED, ())
    assert told.payer is not None
    assert (told.payer.identification, told.payer.name) == ("99999910000041", "Camille Laurent")
    assert told.created_at is not None
    assert standing.pay(40_00, given.access_token) is Fact.ACCEPTED
    with pytest.raises(BeyondLimits) as beyond:
        standing.pay(20_01, given.access_token)
    assert beyond.value.parameter == "PeriodicLimits[0]"
    standing.stop_at_the_bank()
    assert standing.told().status is STOPPED.get(bank_id, ConsentStatus.CANCELLED)
    with pytest.raises(AccessLost) as lost:
        standing.pay(1_00, given.access_token)
    assert lost.value.http_status == 401
    again = standing.approve(account="camille-savings")
    told = standing.told()
    assert told.payer is not None
    assert (told.status, told.payer.identification) == (ConsentStatus.AUTHORISED, "99999910000058")
    assert standing.pay(20_00, again.access_token) is Fact.ACCEPTED, "what was paid before still counts, to the penny"
    with pytest.raises(BeyondLimits):
        standing.pay(1, again.access_token)
    standing.recurring.revoke(standing.staged.consent_id, timeout_s=WAIT_S)
    assert standing.told().status is ConsentStatus.NOT_FOUND


@pytest.mark.parametrize("bank_id", ["severn", "caledonia"])
def test_a_short_token_is_renewed_until_the_consent_ends(banks: Registry, served: ServedBank, bank_id: str) -> None:
    """With a key of DPoP and a nonce; and by a certificate."""
    standing = Standing(banks, served, bank_id)
    given = standing.approve()
    assert (given.expires_in_s, given.refresh_token is not None) == (600, True)
    assert given.refresh_token is not None
    renewed = standing.recurring.renew(given.refresh_token, timeout_s=WAIT_S)
    assert renewed.refresh_token not in (None, given.refresh_token)
    assert standing.pay(10_00, renewed.access_token) is Fact.ACCEPTED
    standing.stop_at_the_bank()
    with pytest.raises(AccessLost) as lost:
        standing.recurring.renew(str(renewed.refresh_token), timeout_s=WAIT_S)
    assert lost.value.code == "invalid_grant"


@pytest.mark.parametrize("bank_id", BRANDS)
def test_the_file_and_the_bank_say_the_same(banks: Registry, bank_id: str) -> None:
    profile, brand = banks.profile(bank_id), sandbox_brands.BRANDS[bank_id]
    assert profile.help_phone == brand.help_phone
    assert profile.limit_days in ("unsure", brand.zone.key)


@pytest.mark.parametrize("bank_id", BRANDS)
def test_a_refusal_brings_no_token(banks: Registry, served: ServedBank, bank_id: str) -> None:
    customer = Customer(banks, served, bank_id, 84_20)
    staged = customer.stage()
    answer = customer.at_the_bank(staged, decision="refuse")
    assert "code" not in answer
    with pytest.raises(BankRefused) as refused:
        customer.complete(staged, answer)
    if "response" in answer:  # the no itself is signed
        assert isinstance(refused.value, NotApproved)
        assert refused.value.code == "access_denied"
    assert customer.connector.consent_status(staged.consent_id, timeout_s=WAIT_S) is ConsentStatus.REJECTED
