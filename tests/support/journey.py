"""The main job through the doors, in one process: a browser with a passkey, a biller, the sandbox bank, a worker."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.audit.sequencer import number_waiting
from app.demo.authenticator import Authenticator
from app.journey.intake.service import Acknowledgement, ClientIdentity, deliver
from app.journey.invoices.models import Invoice
from app.journey.payments.models import Payment
from app.people.models import Customer
from app.services import Services
from app.worker import Worker
from tests.support import factories
from tests.support.bills import json_bill
from tests.support.factories import BillerMade
from tests.support.sandbox_tpp import InProcess, Person
from tests.support.wsgi_adapter import WSGIAdapter

ORIGIN = "http://localhost:8000"
_TOKEN = re.compile(r'<(?:meta name="csrf-token" content|input type="hidden" name="csrf_token" value)="([^"]+)">')


@dataclass
class Browser:
    """A customer's browser without script, but with a passkey."""

    client: FlaskClient
    device: Authenticator = field(default_factory=lambda: Authenticator(ORIGIN))

    @classmethod
    def of(cls, app: Flask) -> Browser:
        return cls(app.test_client())

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, base_url=ORIGIN)

    def page(self, path: str) -> BeautifulSoup:
        answer = self.get(path)
        assert answer.status_code == 200, (answer.status_code, path, answer.headers.get("Location"))
        return BeautifulSoup(answer.data, "html.parser")

    def token(self, path: str) -> str:
        """The form token of a page. It is asked for so often that the page is not taken apart for it."""
        answer = self.get(path)
        assert answer.status_code == 200, (answer.status_code, path, answer.headers.get("Location"))
        found = _TOKEN.search(answer.text)
        assert found is not None, f"{path} has no form token"
        return found[1]

    def post(self, path: str, *, token: str, form: dict[str, str] | None = None, data: Any = None) -> TestResponse:
        headers = {"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN, "X-CSRFToken": token}
        return self.client.post(path, base_url=ORIGIN, headers=headers, data=form, json=data)

    def sign_up(self, *, name: str = "Camille Laurent", email: str = "camille@example.org") -> None:
        token = self.token("/")
        started = self.post("/passkeys/new", token=token, data={"name": name, "email": email}).get_json()
        credential = self.device.make(started["publicKey"])
        done = self.post(
            "/passkeys/new/done",
            token=token,
            data={"ceremony": started["ceremony"], "credential": credential},
        )
        assert done.status_code == 200, done.get_json()

    def sign_in(self) -> TestResponse:
        token = self.token("/")
        started = self.post("/passkeys/use", token=token, data={}).get_json()
        credential = self.device.sign(started["publicKey"])
        return self.post(
            "/passkeys/use/done",
            token=token,
            data={"ceremony": started["ceremony"], "credential": credential, "next": "/bills"},
        )

    def start_paying(
        self, invoice_id: str, *, bank: str = "horizon", part: str | None = None, on: dt.date | None = None
    ) -> tuple[str, TestResponse]:
        """The confirm page and its ceremony. Returns the form token and the ceremony's answer."""
        token, shown = self.see_order(invoice_id, bank=bank, part=part, on=on)
        return token, self.start_signing(invoice_id, token, shown, bank=bank, part=part, on=on)

    def see_order(
        self, invoice_id: str, *, bank: str = "horizon", part: str | None = None, on: dt.date | None = None
    ) -> tuple[str, str]:
        """The confirm page: its form token, and the hash of the order that it shows; empty where none can be signed."""
        wanted = (f"&part={part}" if part else "") + (f"&on={on}" if on else "")
        page = self.page(f"/bills/{invoice_id}/pay?bank={bank}{wanted}")
        token, form = page.select_one('meta[name="csrf-token"]'), page.select_one("form[data-shown]")
        assert token is not None
        return str(token["content"]), str(form["data-shown"]) if form else ""

    def start_signing(
        self,
        invoice_id: str,
        token: str,
        shown: str,
        *,
        bank: str = "horizon",
        part: str | None = None,
        on: dt.date | None = None,
    ) -> TestResponse:
        """Ask for the challenge over the order that the page shows."""
        wanted = {"part": part, "on": str(on) if on else None}
        data = {"bank": bank, "shown": shown} | {name: value for name, value in wanted.items() if value}
        return self.post(f"/bills/{invoice_id}/pay/ceremony", token=token, data=data)

    def confirm(
        self, invoice_id: str, *, bank: str = "horizon", part: str | None = None, on: dt.date | None = None
    ) -> TestResponse:
        """Sign the order and decide. ``part``: of what is left only so much, like ``40.00``. ``on``: a later day, until
        which the bank is to keep it."""
        token, started = self.start_paying(invoice_id, bank=bank, part=part, on=on)
        assert started.status_code == 200, started.get_json()
        return self.decide(invoice_id, token, started.get_json())

    def decide(self, invoice_id: str, token: str, started: dict[str, Any]) -> TestResponse:
        credential = json.dumps(self.device.sign(started["publicKey"]))
        return self.post(
            f"/bills/{invoice_id}/pay",
            token=token,
            form={"credential": credential, "ceremony": started["ceremony"]},
        )

    def leave(self, payment_id: str) -> str:
        """Go to the bank. Returns the bank's address."""
        answer = self.get(f"/payments/{payment_id}/bank")
        assert answer.status_code == 303, answer.status_code
        return str(answer.headers["Location"])

    def come_back(self, url: str) -> TestResponse:
        """Follow the bank's way back to us."""
        parts = urlsplit(url)
        return self.get(f"{parts.path}?{parts.query}")


@dataclass
class Journey:
    """A customer who is connected with one biller. Steps are methods; tests look at what they did."""

    app: Flask
    services: Services
    worker: Worker
    clock: Any
    bank_wire: WSGIAdapter
    browser: Browser
    person: Person
    customer: Customer
    biller: BillerMade
    address: str
    bank: Flask
    bank_id: str = "horizon"

    @classmethod
    def begin(
        cls,
        *,
        app: Flask,
        services: Services,
        worker: Worker,
        bank: Flask,
        clock: Any,
        bank_wire: WSGIAdapter,
    ) -> Journey:
        browser = Browser.of(app)
        browser.sign_up()
        with services.reading() as uow:
            customer = uow.session.scalars(select(Customer).order_by(Customer.id.desc()).limit(1)).one()
        biller = factories.make_biller(services)
        address = factories.connect(services, customer_id=customer.id, biller_id=biller.id)
        person = Person(transport=InProcess(bank), base_url="http://127.0.0.1:8001")
        return cls(app, services, worker, clock, bank_wire, browser, person, customer, biller, address, bank)

    def deliver(self, **changes: Any) -> Acknowledgement:
        """The biller delivers a bill (its door has tests of its own)."""
        payee = {"name": self.biller.name, "iban": self.biller.iban}
        content = json_bill(**{"to": self.address, "payee": payee, **changes})
        client = ClientIdentity(client_id=self.biller.client_id, biller_id=self.biller.id)
        return deliver(self.services, client=client, content=content, media_type="application/json", to=None)

    def bill(self, **changes: Any) -> str:
        """Deliver and let it arrive. Returns the invoice's id."""
        acknowledged = self.deliver(**changes)
        self.worker.run_until_idle()
        with self.services.reading() as uow:
            return uow.session.scalars(select(Invoice.id).where(Invoice.bill_id == acknowledged.bill_id)).one()

    def confirm(self, invoice_id: str, *, part: str | None = None, on: dt.date | None = None) -> str:
        """Decide to pay. Returns the payment's id."""
        answer = self.browser.confirm(invoice_id, bank=self.bank_id, part=part, on=on)
        assert answer.status_code == 303, BeautifulSoup(answer.data, "html.parser").get_text(" ", strip=True)
        found = re.fullmatch(r"/payments/(pay_[0-9a-f]{32})/leave", answer.headers["Location"])
        assert found is not None
        return found.group(1)

    def at_bank(self, url: str, *, decision: str = "approve", account: str = "camille-current") -> str:
        """Decide at the bank. Returns where the bank sends the browser."""
        page = self.person.sign_in(self.person.go(url))
        last = self.person.submit(page, account=account, decision=decision)
        link = last.page.select_one("a#way-back")
        assert link is not None, last.content
        return str(link["href"])

    def pay(
        self, invoice_id: str, *, decision: str = "approve", part: str | None = None, on: dt.date | None = None
    ) -> str:
        """All the way to the return. Returns the payment's id."""
        payment_id = self.confirm(invoice_id, part=part, on=on)
        way_back = self.at_bank(self.browser.leave(payment_id), decision=decision)
        answer = self.browser.come_back(way_back)
        assert answer.status_code == 303, answer.status_code
        return payment_id

    def wait(self, seconds: float) -> None:
        """Time goes by and the worker does what is due."""
        self.clock.tick(seconds=seconds)
        self.worker.run_until_idle()
        number_waiting(self.services)

    def payment(self, payment_id: str) -> Payment:
        with self.services.reading() as uow:
            return uow.session.get_one(Payment, payment_id)

    def invoice(self, invoice_id: str) -> Invoice:
        with self.services.reading() as uow:
            return uow.session.get_one(Invoice, invoice_id)

    def ledger(self, end_to_end_id: str | None = None) -> list[dict[str, str]]:
        """What really moved at the bank."""
        query = {"end_to_end_id": end_to_end_id} if end_to_end_id else {}
        answer = self.bank.test_client().get(
            "/sandbox/ledger", query_string=query, headers={"Authorization": "Bearer ledger"}
        )
        entries: list[dict[str, str]] = answer.get_json()["entries"]
        return entries

    def truth(self, payment_id: str) -> str:
        """What the payment page says, by its shape."""
        found = self.browser.page(f"/payments/{payment_id}").select_one(".truth")
        assert found is not None
        [shape] = [name for name in found["class"] if name.startswith("truth-")]
        return shape.removeprefix("truth-").replace("-", "_")
