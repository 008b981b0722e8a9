"""A bank that executes nothing before we confirm what its customer approved (STET): through the doors, to the books."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.journey.payments.models import Payment
from app.keys.installation import Keys
from app.services import Services
from config.settings import Settings
from connectors.sandbox_bank.context import EXTENSION
from tests.conftest import Clock
from tests.support import stet_bank
from tests.support.installation import make_services_over_tls
from tests.support.journey import Journey
from tests.support.sandbox_tpp import InProcess, Person
from tests.support.wsgi_adapter import WSGIAdapter

BANK = "phare"


@pytest.fixture
def bank_keys(settings: Settings) -> Path:
    return stet_bank.make_folder(settings.bank_keys / "sandbox-bank-stet")


@pytest.fixture
def bank(tmp_path: Path, bank_keys: Path, clock: Clock, naps: list[float]) -> Iterator[Flask]:
    def hang(seconds: float) -> None:
        naps.append(seconds)
        raise TimeoutError

    app = stet_bank.make_stet_bank(bank_keys, database=tmp_path / "stet.db", clock=clock, sleep=hang)
    yield app
    app.extensions[EXTENSION].store.close()


@pytest.fixture
def bank_wire(bank: Flask, bank_keys: Path) -> WSGIAdapter:
    return WSGIAdapter(bank, environ=stet_bank.with_certificate(bank_keys / "client.pem"))


@pytest.fixture
def services(settings: Settings, keys: Keys, bank_wire: WSGIAdapter, clock: Clock) -> Iterator[Services]:
    made = make_services_over_tls(settings, keys, bank_wire, standard="stet", base_url=stet_bank.BASE_URL, clock=clock)
    yield made
    made.engine.dispose()


@pytest.fixture
def at_phare(journey: Journey) -> Journey:
    journey.person = Person(transport=InProcess(journey.bank), base_url=stet_bank.BASE_URL)
    return journey


def decided(journey: Journey, *, amount: str = "84.20") -> str:
    """The payment's id. The bank holds the order."""
    answer = journey.browser.confirm(journey.bill(number=f"stet-{amount}", amount=amount), bank=BANK)
    assert answer.status_code == 303
    return answer.headers["Location"].split("/")[2]


def confirmations(journey: Journey) -> int:
    return sum(str(one.url).endswith("/confirmation") for one in journey.bank_wire.sent)


def ended(journey: Journey, payment_id: str) -> Payment:
    for _ in range(40):
        payment = journey.payment(payment_id)
        if payment.state not in ("awaiting_customer", "accepted", "unknown"):
            return payment
        journey.wait(60)
    raise AssertionError("it does not end")


def test_a_customer_who_is_back_has_paid(at_phare: Journey) -> None:
    payment_id = decided(at_phare)
    way_back = at_phare.at_bank(at_phare.browser.leave(payment_id))
    assert confirmations(at_phare) == 0
    assert at_phare.ledger() == []
    assert at_phare.browser.come_back(way_back).status_code == 303
    assert confirmations(at_phare) == 1
    at_phare.wait(3)
    assert at_phare.payment(payment_id).state == "settled"
    assert len(at_phare.ledger()) == 1


def test_a_customer_who_is_back_twice_has_paid_once(at_phare: Journey) -> None:
    payment_id = decided(at_phare)
    way_back = at_phare.at_bank(at_phare.browser.leave(payment_id))
    for _ in range(2):
        assert at_phare.browser.come_back(way_back).headers["Location"] == f"/payments/{payment_id}?back=1"
    at_phare.wait(3)
    assert (confirmations(at_phare), len(at_phare.ledger())) == (1, 1)


def test_a_customer_who_approved_and_never_came_back_has_paid_nothing(at_phare: Journey) -> None:
    payment_id = decided(at_phare)
    at_phare.at_bank(at_phare.browser.leave(payment_id))
    at_phare.wait(120)
    assert at_phare.payment(payment_id).state == "awaiting_customer"  # checked is not accepted
    assert ended(at_phare, payment_id).state == "rejected"
    assert (confirmations(at_phare), at_phare.ledger()) == (0, [])
    assert at_phare.truth(payment_id) == "not_done"


@pytest.mark.parametrize("amount", ["999.10", "999.11"])
def test_a_confirmation_whose_answer_was_lost_is_found_by_the_status(at_phare: Journey, amount: str) -> None:
    payment_id = decided(at_phare, amount=amount)
    way_back = at_phare.at_bank(at_phare.browser.leave(payment_id))
    assert at_phare.browser.come_back(way_back).status_code == 303
    assert ended(at_phare, payment_id).state == "settled"
    assert (confirmations(at_phare), len(at_phare.ledger())) == (1, 1)


def test_a_customer_who_says_no(at_phare: Journey) -> None:
    payment_id = decided(at_phare)
    way_back = at_phare.at_bank(at_phare.browser.leave(payment_id), decision="refuse")
    assert at_phare.browser.come_back(way_back).status_code == 303
    payment = ended(at_phare, payment_id)
    # the bank's address for failure is for a refusal and for any other failure
    assert (payment.state, payment.reason) == ("rejected", "not_approved")
    assert confirmations(at_phare) == 0


def test_an_address_for_success_that_was_made_up_confirms_nothing(at_phare: Journey) -> None:
    """Its customer knows it, and has approved nothing: the bank does not offer the confirmation."""
    payment_id = decided(at_phare)
    at_phare.person.go(at_phare.browser.leave(payment_id))
    sent = next(one for one in at_phare.bank_wire.sent if str(one.url).endswith("/payment-requests"))
    assert isinstance(sent.body, bytes)
    way_back = sent.body.decode().partition('"successfulReportUrl":"')[2].partition('"')[0]
    assert at_phare.browser.come_back(way_back).status_code == 303
    assert confirmations(at_phare) == 0
    assert ended(at_phare, payment_id).state != "settled"
    assert at_phare.ledger() == []
