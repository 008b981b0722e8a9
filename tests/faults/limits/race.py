"""Payments at once near a limit: many processes, each with a device of its own, decide through the product's own verb.

``python -m tests.faults.limits --tries 1000``. In each try two bills wait under a standing consent that has room for
one of them, with everything done but the last click: both are signed. Two processes click at the same moment. What is
overspent is counted from the claims, and so is what is exactly full: who pays nothing overspends nothing.

``naive`` is the same with one line changed: whether it fits is read, as it is anyway, and then it is written.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import multiprocessing
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.orm import Session

from app import invariants
from app.db.engine import make_engine, make_keys_engine
from app.db.unit_of_work import UnitOfWork
from app.demo.authenticator import Authenticator
from app.journey.consents import claims
from app.journey.decisions import orders
from app.journey.decisions import service as decisions
from app.journey.decisions.models import Decision
from app.journey.decisions.under_consent import NotCovered
from app.journey.intake.models import DeliveredBill
from app.journey.invoices.models import Invoice
from app.journey.ledger import service as ledger
from app.journey.route import ROUTE
from app.keys.customers import CustomerKeys
from app.people import passkeys
from app.people.customers import add_customer
from app.people.models import ApiClient, Biller, Customer
from app.people.passkeys import RelyingParty
from app.people.sessions import SignedIn
from app.services import utc_now
from connectors.capabilities import Alignment, Period
from connectors.contract import PsuContext
from consent.models import ConsentUsage
from consent.private import open_with
from consent.rules import Frame, Limit, Span
from consent.vault import Vault
from tests.support.factories import agree_standing, open_account, vet, write_down
from tests.support.installation import BASE_URL
from tests.unit.app.journey.house import IBAN, PROFILE

#: a quiet moment of a day: the race is between two processes, and no midnight is near
NOW = dt.datetime(2026, 11, 23, 10, 0, tzinfo=dt.UTC)
PARTY = RelyingParty("localhost", BASE_URL)
PSU = PsuContext(ip_address="192.0.2.7", user_agent="a browser")
MINOR = 60_00
FRAME = Frame(
    payee_name="Lumen SA",
    payee_iban=IBAN,
    currency="EUR",
    each_minor=MINOR,
    limits=(
        Limit(period=Period.MONTH, alignment=Alignment.CALENDAR, minor=MINOR),
        Limit(period=Period.WEEK, alignment=Alignment.CONSENT, minor=MINOR + 1),
    ),
    begins_on=dt.date(2026, 11, 1),
    ends_on=None,
)
#: who clicks at the same moment, and how many such pairs there are at once
PAIR, PAIRS = 2, 2
#: invariants that a race could break
WANTED = {"B1", "B2", "B4", "B7", "E1", "E2", "E6", "E10", "F1", "F2"}
#: nobody waits longer for the other one of the pair
WAIT_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is in the books after a race."""

    tries: int
    decided: int
    overspent: int  #: consents of which a period is over its limit
    full: int  #: … is used as far as it goes: by exactly one of the two
    broken: list[str]  #: invariants
    seconds: float  #: of the race itself, without the bills and signatures before it

    def __str__(self) -> str:
        return (
            f"{self.tries} tries by {PAIR * PAIRS} processes in {self.seconds:.0f} s: {self.overspent} overspent,"
            f" {self.full} exactly full, {self.decided} decided, broken: {', '.join(self.broken) or 'nothing'}"
        )


def race(url: str, *, tries: int, naive: bool = False) -> Found:
    """On an empty, migrated PostgreSQL."""
    engine = _opened(url)
    with _begin(engine) as uow:
        write_down(uow, Biller(id="blr_1", name="Lumen", country="FR", created_at=uow.now))
        vet(uow, "blr_1")
        open_account(uow, biller_id="blr_1", iban=IBAN, holder="Lumen SA")
        uow.session.add(ApiClient(client_id="cli_1", biller_id="blr_1", jwks={}, scope="bills:write", created_at=NOW))
        uow.commit()
    # nothing of this process, not its connections either; all forks of one that has nothing but this module
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__])
    ready, took = processes.Barrier(PAIR * PAIRS), processes.Value("d", 0.0)
    starts = [processes.Barrier(PAIR) for _ in range(PAIRS)]  # kept here: a child finds them by name
    made = []
    for pair, start in enumerate(starts):
        customer_id = _customer(engine, pair)
        mine = [_agree(engine, customer_id) for _ in range(pair, tries, PAIRS)]
        for number in range(PAIR):
            run = _Run(url=url, customer_id=customer_id, name=f"{pair}-{number}", consents=mine, naive=naive)
            made.append(processes.Process(target=_pay, args=(run, ready, start, took)))
    for process in made:
        process.start()
    for process in made:
        process.join()
    assert [process.exitcode for process in made] == [0] * len(made), "a process of the race failed"
    found = _look(engine, tries=tries, seconds=took.value)
    engine.dispose()
    return found


def _opened(url: str) -> Engine:
    """With keys that all processes share: in this database as well, where nothing is to be kept from anybody."""
    keys = CustomerKeys(make_keys_engine(url), Vault({"k1": bytes(32)}, active="k1"), clock=utc_now)
    return open_with(make_engine(url), keys)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What one process is to do: to pay a bill under each of these consents."""

    url: str
    customer_id: str
    name: str
    consents: list[str]
    naive: bool


def _pay(run: _Run, ready: Barrier, start: Barrier, took: Any) -> None:
    engine = _opened(run.url)
    with Session(engine, expire_on_commit=False) as session:
        customer = session.get_one(Customer, run.customer_id)
    if run.naive:
        claims._take = _written_after_it_was_read
    device = _device(engine, customer)
    signed = [
        _sign(engine, customer, device, consent_id, f"{run.name}-{number}")
        for number, consent_id in enumerate(run.consents)
    ]
    ready.wait(WAIT_S)
    started = time.monotonic()
    for each in signed:
        start.wait(WAIT_S)
        with contextlib.suppress(NotCovered), _begin(engine) as uow:
            decisions.decide(
                uow, signed_in=_session(customer), party=PARTY, banks={PROFILE.id: PROFILE}, psu=PSU, **each
            )
            uow.commit()
    with took.get_lock():
        took.value = max(took.value, time.monotonic() - started)
    engine.dispose()


def _written_after_it_was_read(
    session: Session, consent_id: str, frame: Frame, span: Span, *, minor: int, days: Collection[dt.date]
) -> None:
    """Whether it fits was read a moment ago (rules.first_breach)."""
    del frame, days
    is_span = (
        ConsentUsage.consent_id == consent_id,
        ConsentUsage.number == span.number,
        ConsentUsage.first == span.first,
    )
    session.execute(update(ConsentUsage).where(*is_span).values(used_minor=ConsentUsage.used_minor + minor))


# ------------------------------------------------------------------------------------------------ what is there before


@contextlib.contextmanager
def _begin(engine: Engine) -> Iterator[UnitOfWork]:
    with UnitOfWork(engine, route=ROUTE, clock=lambda: NOW) as uow:
        yield uow


def _session(customer: Customer) -> SignedIn:
    return SignedIn(customer, "ses_1", read_only=False)


def _customer(engine: Engine, number: int) -> str:
    with _begin(engine) as uow:
        made = add_customer(
            uow, name="Camille", email=f"c{number}@example.org", locale="en", time_zone="Europe/Paris", demo=False
        )
        uow.commit()
        return made.id


def _agree(engine: Engine, customer_id: str) -> str:
    with _begin(engine) as uow:
        standing = agree_standing(uow, customer_id=customer_id, biller_id="blr_1", bank_id=PROFILE.id, frame=FRAME)
        uow.commit()
        return standing.consent_id


def _device(engine: Engine, customer: Customer) -> Authenticator:
    """One for each process: a passkey lets its payments by one after the other."""
    made = Authenticator(BASE_URL)
    with _begin(engine) as uow:
        started = passkeys.start_making(uow, party=PARTY, purpose="new", customer_id=None, email="e", name="n", data={})
        ceremony = passkeys.take(uow, token=started.ceremony, purpose="new", customer_id=None)
        credential = made.make(started.public_key)
        passkeys.finish_making(uow, party=PARTY, ceremony=ceremony, credential=credential, customer=customer, name="n")
        uow.commit()
    return made


def _sign(engine: Engine, customer: Customer, device: Authenticator, consent_id: str, number: str) -> dict[str, Any]:
    """A bill, and all that is sent by the last click."""
    with _begin(engine) as uow:
        invoice = _bill(uow, customer.id, number)
        order = orders.order_now(
            uow,
            customer=customer,
            invoice=invoice,
            bank=PROFILE,
            check=None,
            wanted=orders.Wanted(consent_id=consent_id),
        )
        started = passkeys.start_payment(uow, party=PARTY, customer_id=customer.id, order=order)
        uow.commit()
    return {
        "invoice_id": invoice.id,
        "ceremony": started.ceremony,
        "credential": device.sign(started.public_key),
    }


def _bill(uow: UnitOfWork, customer_id: str, number: str) -> Invoice:
    bill = DeliveredBill(
        id=f"bill_{number}",
        biller_id="blr_1",
        customer_id=customer_id,
        client_id="cli_1",
        number=number,
        currency="EUR",
        amount_minor=MINOR,
        media_type="application/json",
        content=b"{}",
        sha256="0" * 64,
        delivered_at=uow.now,
    )
    invoice = Invoice(
        id=f"inv_{number}",
        bill_id=bill.id,
        customer_id=customer_id,
        biller_id="blr_1",
        number=number,
        currency="EUR",
        amount_minor=MINOR,
        discount_minor=0,
        issued_on=uow.now.date(),
        payee_name="Lumen SA",
        payee_iban=IBAN,
        reference=number,
        lines=[],
        received_at=uow.now,
        opened_at=uow.now,
    )
    for row in (bill, invoice):
        uow.session.add(row)
        uow.session.flush()
    ledger.bill(uow, invoice_id=invoice.id, creditor="blr_1", amount=invoice.amount)
    return invoice


# ---------------------------------------------------------------------------------------------------- what is there now


def _look(engine: Engine, *, tries: int, seconds: float) -> Found:
    with engine.connect() as connection:
        (overspent, full) = connection.execute(
            text(
                "SELECT count(DISTINCT consent_id) FILTER (WHERE used_minor > limit_minor),"
                " count(*) FILTER (WHERE used_minor = limit_minor) FROM consent_usage"
            )
        ).one()
        decided = connection.scalar(select(func.count()).select_from(Decision)) or 0
    broken = [each.invariant.name for each in invariants.check(engine, now=NOW) if each.invariant.name in WANTED]
    return Found(tries=tries, decided=decided, overspent=overspent, full=full, broken=broken, seconds=seconds)
