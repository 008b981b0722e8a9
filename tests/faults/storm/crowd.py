"""The people of the storm in one program: customers, billers, their receiver, and the observers.

Its argument is a JSON file that says where everything is. It makes the file ``ready`` when all customers are signed up.
A line on standard input ends the traffic; the end of standard input ends the program after a last look at all pages.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

from app.demo import files
from app.demo.api_client import BillersClient
from app.demo.biller_files import BILLERS_FILE, private_key
from app.demo.bills import JSON, UBL, DemoBill, Item
from app.demo.browser import LostError
from app.demo.cast import COMPANIES, Company, Person
from app.demo.loopback import new_session
from app.demo.truth import Truth
from connectors.sandbox_bank.openbanking_uk.scenarios import OWN as UK_SCENARIOS
from connectors.sandbox_bank.scenarios import SCENARIOS
from tests.faults.storm.history import History
from tests.faults.storm.people import BankSite, Bill, CountingBrowser, Customer
from tests.faults.storm.receiver import listen
from tests.faults.storm.watch import Observers

#: share of bills whose amount makes the sandbox bank do something special
SPECIAL = 0.18
#: share of bills in pounds
BRITISH = 0.45
CENTS_MIN, CENTS_MAX = 100, 4000
#: how many bills wait for a customer before billers pause
WAITING_MOST = 2


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where everything is; what the JSON file holds."""

    base_url: str
    bank_sites: list[dict[str, str]]
    receiver_port: int
    billers: str  #: folder with the billers' keys
    history: str
    ready: str
    seed: int
    customers: int
    environment: dict[str, str] = field(repr=False)


def main(place: Place) -> None:
    history = History(Path(place.history))
    billers = files.read_json(Path(place.billers) / BILLERS_FILE)
    secrets = {slug: known["webhook_secret"] for slug, known in billers.items()}
    listen(place.receiver_port, secrets, history, _dice(place, "receiver"))
    stop, end = threading.Event(), threading.Event()
    observers = Observers(
        history, {slug: _client(place, billers, slug) for slug in billers}, _dice(place, "observers"), end
    )
    customers = [_customer(place, number, history, stop, observers) for number in range(place.customers)]
    addresses = _connect(place, customers, billers)
    Path(place.ready).touch()
    _run(observers.run, "observer 1")
    _run(observers.run, "observer 2")
    for customer in customers:
        _run(customer.run, customer.name)
    deliver = Delivery(place, billers, customers, addresses, history, stop)
    _run(deliver.run, "billers")
    sys.stdin.readline()
    stop.set()
    sys.stdin.read()
    end.set()
    observers.look_at_all()
    history.note("http", outcomes=CountingBrowser.outcomes, samples=observers.samples, trouble=observers.trouble)


def _dice(place: Place, name: str) -> random.Random:
    return random.Random(f"{place.seed}:{name}")  # noqa: S311  (the same dice for the same seed)


def _run(do: Callable[[], None], name: str) -> None:
    threading.Thread(target=do, name=name, daemon=True).start()


def _client(place: Place, billers: dict[str, Any], slug: str) -> BillersClient:
    return BillersClient(
        place.base_url,
        client_id=billers[slug]["client_id"],
        private_key=private_key(Path(place.billers), slug),
        session=new_session(),
    )


def _customer(place: Place, number: int, history: History, stop: threading.Event, observers: Observers) -> Customer:
    customer = Customer(
        name=f"Storm{number}",
        base_url=place.base_url,
        bank_sites=[BankSite(**site) for site in place.bank_sites],
        dice=_dice(place, f"customer {number}"),
        history=history,
        stop=stop,
        watch=observers.add,
    )
    customer.sign_up()
    return customer


def _connect(place: Place, customers: list[Customer], billers: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Let every biller deliver to every customer, by the operator's verb. (customer's e-mail, biller) → address."""
    truth = Truth.of(place.environment)
    addresses = {
        (customer.email, company.slug): truth.connect(email=customer.email, vat_id=company.vat_id)
        for customer in customers
        for company in COMPANIES
        if company.slug in billers
    }
    truth.close()
    return addresses


class Delivery:
    """The billers: a bill for whoever has few, delivered until it is acknowledged, always the same bytes."""

    def __init__(
        self,
        place: Place,
        billers: dict[str, Any],
        customers: list[Customer],
        addresses: dict[tuple[str, str], str],
        history: History,
        stop: threading.Event,
    ) -> None:
        self._clients = {slug: _client(place, billers, slug) for slug in billers}
        self._customers, self._addresses, self._history, self._stop = customers, addresses, history, stop
        self._dice = _dice(place, "billers")
        self._number = 0

    def run(self) -> None:
        while not self._stop.is_set():
            hungry = [customer for customer in self._customers if customer.wallet.qsize() < WAITING_MOST]
            if not hungry:
                self._stop.wait(0.1)
                continue
            self._deliver_to(self._dice.choice(hungry))

    def _deliver_to(self, customer: Customer) -> None:
        company = self._company()
        self._number += 1
        bill = _bill(f"ST-{self._number:06d}", company, _person(customer), self._dice)
        content = bill.content(self._addresses[customer.email, company.slug])
        while not self._stop.is_set():
            try:
                told = self._clients[company.slug].deliver(content, bill.media_type)
            except requests.HTTPError as error:
                if error.response.status_code < 500 and error.response.status_code not in (401, 429):
                    raise  # a fault of the storm itself
            except requests.RequestException:
                pass
            else:
                self._history.note("delivered", bill=told["id"], number=bill.number, slug=company.slug)
                customer.wallet.put(Bill(told["id"], bill.number, company.slug))
                return
            self._stop.wait(0.5)

    def _company(self) -> Company:
        """Of the bills, a part is British: they are paid at other banks, which are submitted to."""
        currency = "GBP" if self._dice.random() < BRITISH else "EUR"
        known = [each for each in COMPANIES if each.slug in self._clients and each.currency == currency]
        return self._dice.choice(known)


def _person(customer: Customer) -> Person:
    return Person(
        key=customer.name,
        name=customer.name,
        email=customer.email,
        locale="en",
        time_zone="Europe/London",
        street="1, rue de l’Orage",
        postcode="67000",
        city="Strasbourg",
        country="FR",
    )


def _bill(number: str, company: Company, person: Person, dice: random.Random) -> DemoBill:
    today = dt.datetime.now(dt.UTC).date()
    special = dice.random() < SPECIAL
    scenarios = SCENARIOS if company.currency == "EUR" else {**SCENARIOS, **UK_SCENARIOS}
    cents = dice.choice(sorted(scenarios)) if special else dice.randrange(CENTS_MIN, CENTS_MAX)
    early = () if special or dice.random() < 0.9 else ((10, "2.00"), (12, "1.00"))[: dice.choice((1, 2))]
    return DemoBill(
        number=number,
        company=company,
        customer=person,
        customer_number=person.key,
        issued_on=today,
        due_on=today + dt.timedelta(days=14),
        period=(today - dt.timedelta(days=30), today),
        items=(Item(text="Leistung", price=str(Decimal(cents) / 100), rate=None),),
        media_type=dice.choice((UBL, JSON)),
        order_reference=number,
        terms="" if early else "Zahlbar innerhalb von 14 Tagen.",
        early=early,
        exempt_because="Umsatzsteuerfrei nach § 4 Nr. 21 UStG",
    )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the storm ends us
    while True:
        try:
            main(Place(**json.loads(Path(sys.argv[1]).read_text("utf-8"))))
            break
        except LostError:
            time.sleep(0.5)
