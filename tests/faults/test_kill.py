"""kill -9 at every step of a payment, on real processes: nothing is lost, nothing is paid twice, nobody is told a lie.

For each step the seed chooses who is killed and how many milliseconds into the step. The walk itself checks all sides
of its own payment; at the end everything that ever happened here is held against the bank's books.
FAULTS_SEED=7 chooses others.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.engine import make_engine, make_keys_engine
from app.demo.browser import Browser
from app.demo.walk import STEPS
from app.demo.walks import walk
from app.journey.decisions.models import Decision
from app.journey.intake.models import DeliveredBill
from app.journey.invoices.models import Invoice
from app.journey.payments.models import Payment
from app.keys.customers import CustomerKeys
from app.keys.installation import Keys
from app.services import utc_now
from consent.private import open_with
from consent.vault import Vault
from tests.support.demo import Demo, running_demo
from tests.support.thorough import spread

pytestmark = [pytest.mark.faults, pytest.mark.slow]

SEED = os.environ.get("FAULTS_SEED", "1")
DELAY_MOST_MS = 250
VICTIMS = ("web workers", "worker", "sandbox-bank")


@dataclass(frozen=True)
class Kill:
    step: str
    victim: str
    after_ms: int

    def __str__(self) -> str:
        return f"{self.victim} {self.after_ms} ms into {self.step}"


def chosen_kills() -> list[Kill]:
    """One for each step."""
    dice = random.Random(SEED)  # noqa: S311  (the same choice for the same seed is the point)
    return [Kill(step, dice.choice(VICTIMS), dice.randrange(DELAY_MOST_MS)) for step in STEPS]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("kill") / "var") as demo:
        yield demo


@pytest.fixture(scope="module")
def walked() -> list[Kill]:
    """Those that were tried so far."""
    return []


@pytest.mark.parametrize(
    "planned", spread([pytest.param(each, id=str(each)) for each in chosen_kills()], every=6, first=2)
)
def test_a_kill_changes_nothing_of_what_is_true(demo: Demo, planned: Kill, walked: list[Kill]) -> None:
    walked.append(planned)
    timer = threading.Timer(planned.after_ms / 1000, demo.kill, (planned.victim,))

    def on_step(name: str) -> None:
        if name == planned.step:
            timer.start()

    try:
        walk(demo.running, demo.data, on_step=on_step, say=lambda _: None)
    finally:
        if timer.ident is not None:
            timer.join()


def test_at_the_end_our_books_and_the_banks_are_the_same(demo: Demo, walked: list[Kill]) -> None:
    bookings = booked(demo)
    keys = Keys.load(demo.data / "keys")
    theirs = CustomerKeys(
        make_keys_engine(f"sqlite:///{demo.data / 'customer-keys.sqlite3'}"),
        Vault(keys.vault, active=keys.vault_active),
        clock=utc_now,
    )
    engine = open_with(make_engine(f"sqlite:///{demo.data / 'quittance.sqlite3'}"), theirs)
    with Session(engine.execution_options(read_only=True)) as session:
        bills = set(session.scalars(select(DeliveredBill.id)))
        decisions = set(session.scalars(select(Decision.payment_id)))
        payments = session.scalars(select(Payment)).all()
        invoices = {invoice.id: invoice for invoice in session.scalars(select(Invoice))}
    engine.dispose()
    assert len(payments) == len(walked) > 0
    assert {invoice.bill_id for invoice in invoices.values()} == bills  # no bill is lost
    assert {payment.id for payment in payments} == decisions  # no decision is lost
    # at most one debit per decision, and we call paid what the bank has booked, and nothing else
    assert bookings == {
        payment.end_to_end_id: [str(payment.amount)] for payment in payments if payment.state == "settled"
    }
    paid = {payment.invoice_id for payment in payments if payment.state == "settled"}
    assert {invoice.id for invoice in invoices.values() if invoice.state == "paid"} == paid


def booked(demo: Demo) -> dict[str, list[str]]:
    """EndToEndId → the amounts that left the account for it."""
    token = (demo.data / "sandbox-bank" / "ledger-token").read_text("utf-8").strip()
    bank = Browser(demo.running.bank_url, until=time.monotonic() + 30)  # it may just have been killed
    entries = bank.get_json("/sandbox/ledger", headers={"Authorization": f"Bearer {token}"})["entries"]
    amounts: dict[str, list[str]] = {}
    for entry in entries:
        assert entry["kind"] == "debit"
        amounts.setdefault(entry["endToEndId"], []).append(entry["amount"])
    return amounts
