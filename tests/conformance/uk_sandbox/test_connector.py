"""Our UK connector pays at each of the UK sandbox banks over TLS, as the files in config/banks describe them.

Neither side knows the other's code: where one is wrong about the standard, they do not understand each other.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
from joserfc.jwk import ECKey

from config.settings import ROOT
from connectors.contract import ConsentStatus, Fact, PaymentOrder, PsuContext, Staged
from connectors.errors import BankRefused, NotApproved
from connectors.money import Money
from connectors.openbanking_uk.connector import OpenBankingUkConnector
from connectors.registry import Registry
from tests.support.uk_served import ServedBank
from tests.support.uk_tpp import BRANDS

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


@pytest.mark.parametrize("bank_id", BRANDS)
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
