"""The running demo that the browser tests look at: real processes on free ports; bills are delivered as billers do."""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import update

from app.demo import files, runfile
from app.demo.api_client import BillersClient
from app.demo.biller_files import BILLERS_FILE, client_of, folder_of
from app.demo.cast import INTERNET, Company, Person
from app.demo.loopback import TIMEOUT_S, new_session
from app.demo.processes import free_ports
from app.demo.runfile import Running
from app.demo.truth import Truth
from app.journey.invoices.models import Invoice
from config.settings import ROOT

START_S, STOP_S = 90.0, 30.0
TICK_S = 0.05
PORTS = ("PORT", "BANK_PORT", "UK_BANK_PORT", "STET_BANK_PORT", "NEXTGEN_BANK_PORT", "BILLER_PORT")


@dataclass
class World:
    """One demo. ``url`` begins with http://localhost, the name that passkeys need."""

    data: Path
    running: Running
    supervisor: subprocess.Popen[bytes]
    _programs: dict[str, BillersClient] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.running.base_url

    @property
    def bank_url(self) -> str:
        return self.running.bank_url

    def biller_state(self) -> dict[str, Any]:
        """What the demo biller knows: its page for programs."""
        answer = new_session().get(f"{self.running.biller_url}/state.json", timeout=TIMEOUT_S)
        answer.raise_for_status()
        state: dict[str, Any] = answer.json()
        return state

    def number_of(self, person: Person, *, slug: str, ending: str) -> str:
        """The number of a bill that the demo delivered to ``person`` on its first day."""
        bills = self.biller_state()["billers"][slug]["bills"]
        found = [
            bill["number"] for bill in bills if bill["customer"] == person.name and bill["number"].endswith(ending)
        ]
        assert len(found) == 1, (person.name, ending, bills)
        return str(found[0])

    def wait_until_biller_knows(self, number: str, kind: str = "payment.settled", *, within_s: float = 30) -> None:
        """Wait for the signed message about this bill. Raises AssertionError when it does not come."""
        deadline = time.monotonic() + within_s
        while True:
            billers = self.biller_state()["billers"].values()
            messages = [message for biller in billers for message in biller["messages"]]
            told = [each for each in messages if each["type"] == kind and each["data"].get("number") == number]
            if told:
                assert len(told) == 1, told
                return
            assert time.monotonic() < deadline, f"no {kind} about {number}: {messages}"
            time.sleep(TICK_S)

    def deliver(self, person: Person, amount: str, **changes: Any) -> str:
        """A new bill of exactly this amount in the inbox, from a biller that both customers have; its number.

        A change that is None leaves the field out.
        """
        return self._deliver(INTERNET, to=self.address_of(person), amount=amount, **changes)

    def deliver_content(self, content: bytes, media_type: str) -> None:
        """A bill of the same biller in one of the standards' formats, as its program sends it."""
        self._deliver_content(INTERNET, content, media_type)

    def address_of(self, person: Person) -> str:
        """Where that biller delivers to ``person``."""
        told = files.read_json(folder_of(self.data) / BILLERS_FILE)[INTERNET.slug]
        return str(told["addresses"][person.key])

    def end_request(self, number: str, *, on: dt.date) -> None:
        """Set the last day of a request to pay, past all doors: one that is over is not taken, and no test waits."""
        truth = Truth.of(self.running.environment)
        try:
            with truth.services.unit_of_work() as uow:
                uow.session.execute(update(Invoice).where(Invoice.number == number).values(expires_on=on))
                uow.commit()
        finally:
            truth.close()

    def deliver_to_new(self, email: str, amount: str, company: Company, **changes: Any) -> str:
        """The same for somebody who signed up, from any of the billers: the operator connects the two first."""
        truth = Truth.of(self.running.environment)
        try:
            address = truth.connect(email=email, vat_id=company.vat_id)
        finally:
            truth.close()
        return self._deliver(company, to=address, amount=amount, **changes)

    def owe(self, email: str, company: Company, number: str, amount: str) -> str:
        """The company credits more than one of its bills was for. Returns the id of that bill, once it owes that."""
        truth = Truth.of(self.running.environment)
        try:
            address = truth.connect(email=email, vat_id=company.vat_id)
        finally:
            truth.close()
        note = {"kind": "credit_note", "number": f"C-{number}", "corrects": number, "amount": amount, "to": address}
        note |= {"currency": company.currency, "issued_on": dt.datetime.now(dt.UTC).date().isoformat()}
        self._programs[company.slug].deliver(json.dumps(note).encode(), "application/json")
        self.wait_until_biller_knows(number, "bill.refund_owed")
        messages = self.biller_state()["billers"][company.slug]["messages"]
        [told] = [
            each["data"] for each in messages if each["type"] == "bill.refund_owed" and each["data"]["number"] == number
        ]
        return str(told["bill_id"])

    def at_the_desk(self, company: Company, what: str, **form: str) -> None:
        """Somebody at the desk of a company presses one of the buttons of its page."""
        data = {"biller": company.slug, **form}
        answer = new_session().post(
            f"{self.running.biller_url}/{what}", data=data, timeout=TIMEOUT_S, allow_redirects=False
        )
        assert "refund-said" in answer.headers["Location"], answer.headers["Location"]

    def refund_of(self, company: Company, bill_id: str) -> dict[str, Any]:
        """As its program sees it in a list."""
        [found] = [each for each in self._programs[company.slug].refunds() if each["bill_id"] == bill_id]
        return dict(found)

    def deliver_at(self, company: Company, *, to: str, amount: str, **changes: Any) -> str:
        """The same at an address that a customer's page shows."""
        return self._deliver(company, to=to, amount=amount, **changes)

    def is_refused(self, company: Company, *, to: str) -> str:
        """The code with which a bill to this address is refused."""
        try:
            self._deliver(company, to=to, amount="1.00")
        except requests.HTTPError as error:
            return str(error.response.json()["code"])
        raise AssertionError(f"a bill of {company.name} to {to} was taken")

    def _deliver(self, company: Company, *, to: str, amount: str, **changes: Any) -> str:
        today = dt.datetime.now(dt.UTC).date()
        number = f"FT-T-{secrets.token_hex(4).upper()}"
        bill = {
            "to": to,
            "number": number,
            "issued_on": today.isoformat(),
            "due_on": (today + dt.timedelta(days=14)).isoformat(),
            "currency": company.currency,
            "amount": amount,
            "payee": {"name": company.name, "iban": company.iban},
            "reference": number,
            "lines": [{"description": "Fibre 1 Gbit/s", "quantity": "1", "amount": amount}],
            **changes,
        }
        bill = {name: value for name, value in bill.items() if value is not None}
        self._deliver_content(company, json.dumps(bill).encode(), "application/json")
        return str(bill["number"])

    def _deliver_content(self, company: Company, content: bytes, media_type: str) -> None:
        program = self._programs.get(company.slug)
        if program is None:
            program = self._programs[company.slug] = client_of(folder_of(self.data), self.url, company.slug)
        self._wait_until_open(company, str(program.deliver(content, media_type)["id"]))

    def _wait_until_open(self, company: Company, bill_id: str) -> None:
        """The biller is told ``bill.delivered`` once the bill stands in the customer's space."""
        deadline = time.monotonic() + START_S
        while True:
            messages = self.biller_state()["billers"][company.slug]["messages"]
            if any(message["data"].get("bill_id") == bill_id for message in messages):
                return
            assert time.monotonic() < deadline, f"{bill_id} was delivered and nobody was told"
            time.sleep(TICK_S)


@contextmanager
def running_world(data: Path) -> Iterator[World]:
    """Start `quittance demo` on free ports with its data in ``data``; stop it as Ctrl-C does."""
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("QUITTANCE_")}
    environment |= {f"QUITTANCE_{name}": port for name, port in ports.items()} | {"QUITTANCE_DATA": str(data)}
    log = data.with_suffix(".log")
    with log.open("wb") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "demo"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        running = _wait_until_ready(data, supervisor, log)
        yield _with_all_bills(World(data=data, running=running, supervisor=supervisor))
    finally:
        supervisor.send_signal(signal.SIGINT)
        try:
            supervisor.wait(STOP_S)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.wait()


def _wait_until_ready(data: Path, supervisor: subprocess.Popen[bytes], log: Path) -> Running:
    deadline = time.monotonic() + START_S
    while True:
        running = runfile.find(data)
        if running is not None and running.ready:
            return running
        if supervisor.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the demo did not start: {log.read_text('utf-8', 'replace')}")
        time.sleep(TICK_S)


def _with_all_bills(world: World) -> World:
    """Wait until the bills of the first day stand in their spaces."""
    deadline = time.monotonic() + START_S
    while True:
        state = world.biller_state()
        told = sum(len(biller["messages"]) for biller in state["billers"].values())
        if state["all_delivered"] and told >= sum(len(biller["bills"]) for biller in state["billers"].values()) > 0:
            return world
        if time.monotonic() > deadline:
            raise RuntimeError(f"the demo did not deliver its bills: {state}")
        time.sleep(TICK_S)
