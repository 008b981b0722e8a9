"""A bill paid under a standing consent at the sandbox bank, through the pages: one signature, and nobody goes there."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.demo.processes import free_ports
from app.journey.invoices.models import Invoice
from app.journey.payments.models import Payment
from app.journey.route import HANDLERS, ROUTE
from app.keys.installation import Keys
from app.services import Services, build_services
from app.worker import Worker
from config.settings import Settings
from connectors.capabilities import Alignment, Period, PeriodicLimit
from connectors.money import Money
from tests.conftest import Clock
from tests.support.installation import make_settings
from tests.support.standing import BANK, World, approve, begin, bill_for, keep
from tests.support.uk_bank import make_folder
from tests.support.uk_socket import CountedBank, serve_counted

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

pytestmark = [pytest.mark.slow, pytest.mark.long_on_postgres, pytest.mark.timeout(400)]

WEEK = PeriodicLimit(period=Period.WEEK, alignment=Alignment.CONSENT, amount=Money.parse("160.00", "GBP"))


@pytest.fixture
def clock() -> Clock:
    """From now on: the certificates are made by the true time. At noon, so that no day ends meanwhile."""
    made = Clock()
    made.now = dt.datetime.now(dt.UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    return made


@pytest.fixture
def uk_bank(tmp_path: Path, clock: Clock) -> Iterator[CountedBank]:
    folder = make_folder(tmp_path / "bank-keys" / "sandbox-bank-uk")
    with serve_counted(folder, tmp_path / f"{uuid.uuid4().hex}.sqlite3", clock=clock) as bank:
        yield bank


@pytest.fixture
def settings(tmp_path: Path, database_url: str, uk_bank: CountedBank) -> Settings:
    (closed,) = free_ports(1)
    return make_settings(
        tmp_path,
        database_url=database_url,
        bank_keys=uk_bank.folder.parent,
        uk_bank_port=uk_bank.port,
        bank_port=closed,
    )


@pytest.fixture
def services(settings: Settings, keys: Keys, clock: Clock) -> Iterator[Services]:
    made = build_services(settings, route=ROUTE, handlers=HANDLERS, clock=clock)
    yield made
    made.engine.dispose()


@dataclass
class Deaf:
    """The bank, and a network on which answers to payments get lost."""

    app: Flask
    lost: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_payment = environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"].endswith("/domestic-vrps")
        if not (is_payment and self.lost):
            return self.app(environ, start_response)
        self.lost -= 1
        answered: list[Any] = []
        list(self.app(environ, lambda *said: answered.append(said)))  # type: ignore[arg-type]
        assert answered[0][0].startswith("201")
        start_response("502 Bad Gateway", [("Content-Type", "text/plain")])
        return [b"no answer"]


@dataclass
class House:
    """The customer agreed on one standing consent with the limits of these tests, and approved it at the bank."""

    world: World
    consent_id: str
    bank_consent_id: str

    def page(self, invoice_id: str, on: dt.date | None = None) -> Any:
        later = f"&on={on}" if on else ""
        return self.world.browser.page(f"/bills/{invoice_id}/pay?consent={self.consent_id}{later}")

    def start(self, invoice_id: str, on: dt.date | None = None) -> tuple[str, TestResponse]:
        page = self.page(invoice_id, on)
        token, form = page.select_one('meta[name="csrf-token"]')["content"], page.select_one("form[data-shown]")
        shown = form["data-shown"] if form else ""
        asked = {"bank": BANK, "shown": shown, "consent": self.consent_id} | ({"on": str(on)} if on else {})
        path = f"/bills/{invoice_id}/pay/ceremony"
        return token, self.world.browser.post(path, token=token, data=asked)

    def pay(self, invoice_id: str, on: dt.date | None = None) -> str:
        """One signature. Returns the payment's id."""
        token, started = self.start(invoice_id, on)
        assert started.status_code == 200, started.text
        decided = self.world.browser.decide(invoice_id, token, started.get_json())
        assert decided.status_code == 303
        _, _, payment_id = decided.location.rpartition("/payments/")
        assert payment_id.startswith("pay_")
        return payment_id

    def another_bill(self, number: str, **what: Any) -> str:
        world = self.world
        delivered = world.program.deliver(bill_for(world.address, number=number, today=world.clock().date(), **what))
        assert delivered.status_code == 201
        world.worker.run_until_idle()
        with world.services.reading() as uow:
            return uow.session.scalars(select(Invoice.id).where(Invoice.number == number)).one()

    def payment(self, payment_id: str) -> Payment:
        with self.world.services.reading() as uow:
            return uow.session.get_one(Payment, payment_id)

    def words(self, payment_id: str) -> str:
        return " ".join(self.world.browser.page(f"/payments/{payment_id}").get_text(" ").split())

    def until(self, is_so: Callable[[], bool]) -> None:
        for _ in range(20):
            if is_so():
                return
            self.world.wait(seconds=2)
        pytest.fail("it did not come to that")

    def at_the_bank(self) -> list[dict[str, Any]]:
        return self.world.bank.rows("payment")


@pytest.fixture
def house(app: Flask, services: Services, worker: Worker, clock: Clock, uk_bank: CountedBank) -> Iterator[House]:
    world = begin(app=app, services=services, worker=worker, clock=clock, bank=uk_bank)
    agreed = replace(world.agreed, maximum_individual=Money.parse("90.00", "GBP"), periodic_limits=(WEEK,))
    approved = approve(services, world.tls, agreed, exchange=True)
    with services.reading() as uow:
        biller_id = uow.session.scalars(select(Invoice.biller_id)).one()
    assert biller_id is not None
    consent_id = keep(services, customer_id=world.customer.id, biller_id=biller_id, agreed=agreed, approved=approved)
    yield House(world, consent_id, approved.bank_consent_id)
    world.tls.close()


def test_one_signature_and_no_visit_to_the_bank(house: House) -> None:
    invoice_id = house.world.invoice_id
    page = house.page(invoice_id).get_text(" ")
    assert "····4417" in page
    assert "£160.00 left of £160.00" in " ".join(page.split())
    assert "£75.80 left of it after this payment" in " ".join(page.split())
    payment_id = house.pay(invoice_id)
    assert house.payment(payment_id).state == "authorised"
    assert "Cancel this payment" in house.words(payment_id)
    house.until(lambda: house.payment(payment_id).state == "settled")
    assert len(house.at_the_bank()) == 1
    assert house.payment(payment_id).trip_id is None
    words = house.words(payment_id)
    assert "With your consent Consent for Thames Water Works" in words
    assert "Approved at your bank" not in words


def test_the_second_one_over_the_limit_is_refused_before_the_bank_is_asked(house: House) -> None:
    house.pay(house.world.invoice_id)
    house.world.worker.run_until_idle()
    second = house.another_bill("2026-2")
    asked = len(house.world.bank.came)
    page = " ".join(house.page(second).get_text(" ").split())
    assert "£8.40 too much: £75.80 is left of the limit for a week, which resets on" in page
    assert house.page(second).select_one("form[data-shown]") is None
    _, started = house.start(second)
    assert (started.status_code, started.get_json()["code"]) == (409, "not-covered")
    assert len(house.world.bank.came) == asked
    anew = house.world.browser.page(f"/bills/{second}/pay?consent={house.consent_id}&changed")  # as the script goes on
    told = anew.select_one("[role=alert]")
    assert told is not None
    assert "£8.40 too much" in told.get_text(" ")
    assert "before you sign" not in anew.get_text(" ")


def test_a_lost_answer_and_one_payment_at_the_bank(house: House) -> None:
    deaf = Deaf(house.world.bank.app, lost=1)
    house.world.bank.app = deaf  # type: ignore[assignment]
    payment_id = house.pay(house.world.invoice_id)
    house.world.worker.run_until_idle()
    assert house.payment(payment_id).state == "unknown"
    assert "Please do not pay this bill again" in house.words(payment_id)
    house.until(lambda: house.payment(payment_id).state == "settled")
    assert len(house.world.bank.submissions) == 2
    assert len(house.at_the_bank()) == 1


def test_a_consent_that_was_stopped_at_the_bank(house: House) -> None:
    """The bank refuses the payment, the customer is told, and nothing more is started under it."""
    person, url = house.world.person(), f"{house.world.bank.base_url}/{BANK}/yours"
    person.submit(person.visit(url)[0], url, customer=person.customer, pin="1234")
    token = person.visit(url)[0].page.select_one("input[name=form_token]")
    assert token is not None
    stopped = person.open("POST", f"{url}/stop", {"form_token": str(token["value"]), "consent": house.bank_consent_id})
    assert stopped.status == 303
    payment_id = house.pay(house.world.invoice_id)
    house.world.worker.run_until_idle()
    payment = house.payment(payment_id)
    assert (payment.state, payment.reason) == ("rejected", "consent_ended")
    assert house.at_the_bank() == []
    assert "cannot be used any more, so this payment was not carried out" in house.words(payment_id)
    assert "Your bank lets nothing be paid under it at the moment." in house.page(house.world.invoice_id).get_text(" ")
    _, started = house.start(house.world.invoice_id)
    assert started.status_code == 409


def test_it_is_cancelled_before_it_is_sent(house: House) -> None:
    payment_id = house.pay(house.world.invoice_id)
    browser = house.world.browser
    browser.post(f"/payments/{payment_id}/cancel", token=browser.token(f"/payments/{payment_id}"))
    house.world.worker.run_until_idle()
    assert house.payment(payment_id).state == "cancelled"
    assert house.world.bank.submissions == []
