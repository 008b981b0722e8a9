"""Every step of the table on real rows: the claim on the invoice is held exactly while nobody may pay again."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib

import pytest
from sqlalchemy import delete, select

from app.db.events import EventRow
from app.db.unit_of_work import UnitOfWork
from app.journey.decisions.models import Decision
from app.journey.intake.models import DeliveredBill
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.ledger import service as ledger
from app.journey.ledger.models import LedgerBalance, LedgerEntry
from app.journey.ledger.rules import Claim
from app.journey.payments.models import Payment, PaymentHistory
from app.journey.payments.states import (
    CLOSED,
    MEANING,
    NOT_DONE,
    PAYMENT,
    SETTLED_ONCE,
    PaymentState,
    PaymentStep,
    Source,
)
from app.journey.payments.step import step
from app.people.models import ApiClient, Biller, Customer
from connectors.money import Money
from consent.lifecycle import IllegalStep
from consent.models import Consent, Trip
from consent.states import ConsentState
from tests.conftest import Clock
from tests.unit.conftest import Begin

TOLD = {
    PaymentState.ACCEPTED: "PaymentAccepted",
    PaymentState.SETTLED: "PaymentSettled",
    PaymentState.REJECTED: "PaymentFailed",
    PaymentState.CANCELLED: "PaymentFailed",
    PaymentState.EXPIRED: "PaymentFailed",
    PaymentState.UNKNOWN: "PaymentUnknown",
    PaymentState.REVERSED: "PaymentReversed",
}
#: what a consent is when its payment stands there
CONSENT_OF = {
    PaymentState.ACCEPTED: ConsentState.AUTHORISED,
    PaymentState.SETTLED: ConsentState.CONSUMED,
    PaymentState.REJECTED: ConsentState.REJECTED,
    PaymentState.CANCELLED: ConsentState.REJECTED,
    PaymentState.EXPIRED: ConsentState.EXPIRED,
    PaymentState.REVERSED: ConsentState.CONSUMED,
}
EARLIER = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
CLAIM = Claim(
    invoice_id="inv_1",
    payment_id="pay_1",
    creditor="blr_1",
    amount=Money(9900, "EUR"),
    discount=Money(0, "EUR"),
)


@dataclasses.dataclass(frozen=True)
class World:
    begin: Begin
    payment_id: str

    def stand(self, uow: UnitOfWork, state: PaymentState) -> tuple[Payment, Invoice]:
        """The payment in this state, with the invoice and the consent that go with it."""
        payment = uow.session.get_one(Payment, self.payment_id)
        invoice = uow.session.get_one(Invoice, payment.invoice_id)
        payment.state = state
        invoice.state = InvoiceState.PAID if state is PaymentState.SETTLED else InvoiceState.IN_PAYMENT
        invoice.paid_minor = 9900 if state is PaymentState.SETTLED else 0
        if state in NOT_DONE:
            invoice.state = InvoiceState.TO_PAY
        payment.settled_at = EARLIER if state in SETTLED_ONCE else None
        uow.session.execute(delete(LedgerEntry))
        uow.session.execute(delete(LedgerBalance))
        ledger.bill(uow, invoice_id="inv_1", creditor="blr_1", amount=CLAIM.amount)
        ledger.initiate(uow, CLAIM)
        if state in CLOSED:
            ledger.release(uow, CLAIM)
        elif state in SETTLED_ONCE:
            ledger.settle(uow, CLAIM)
        if state is PaymentState.REVERSED:
            ledger.reverse(uow, CLAIM)
        uow.session.get_one(Consent, payment.consent_id).state = CONSENT_OF.get(
            state, ConsentState.AWAITING_AUTHORISATION
        )
        uow.session.flush()
        return payment, invoice


@pytest.fixture
def world(begin: Begin, customer: Customer, clock: Clock) -> World:
    ids = {"customer_id": customer.id, "biller_id": "blr_1"}
    money = {"currency": "EUR", "amount_minor": 9900}
    payee = {"payee_name": "Lumen", "payee_iban": "FR1420041010050500013M02606"}
    now = clock.now
    rows = [
        Biller(id="blr_1", name="Lumen", country="FR", created_at=now),
        ApiClient(client_id="cli_1", biller_id="blr_1", jwks={}, scope="bills:write", created_at=now),
        DeliveredBill(
            id="bill_1",
            client_id="cli_1",
            number="1",
            media_type="application/json",
            content=b"{}",
            sha256=hashlib.sha256(b"{}").hexdigest(),
            delivered_at=now,
            **ids,
            **money,
        ),
        Invoice(
            id="inv_1",
            bill_id="bill_1",
            number="1",
            issued_on=now.date(),
            lines=[],
            received_at=now,
            opened_at=now,
            **ids,
            **money,
            **payee,
        ),
        Decision(
            id="dec_1",
            customer_id=customer.id,
            invoice_id="inv_1",
            verb="pay_now",
            discount_minor=0,
            pay_on=now.date(),
            bank_id="horizon",
            payment_id="pay_1",
            evidence={},
            psu={},
            decided_at=now,
            **money,
            **payee,
        ),
        Consent(
            id="con_1",
            customer_id=customer.id,
            kind="single",
            bank_id="horizon",
            bank_consent_id="1",
            sca={},
            created_at=now,
            expires_at=now,
        ),
        Trip(
            id="trp_1",
            customer_id=customer.id,
            bank_id="horizon",
            state_hash="0",
            redirect_uri="https://b",
            created_at=now,
        ),
        Payment(
            id="pay_1",
            decision_id="dec_1",
            invoice_id="inv_1",
            bank_id="horizon",
            consent_id="con_1",
            trip_id="trp_1",
            end_to_end_id="pay1",
            state="prepared",
            created_at=now,
            updated_at=now,
            **ids,
            **money,
        ),
    ]
    with begin() as uow:
        for row in rows:
            uow.session.add(row)
            uow.session.flush()
        uow.commit()
    return World(begin, "pay_1")


def test_every_step_moves_claim_consent_and_news_together(world: World, clock: Clock) -> None:
    for (before, taken), after in PAYMENT.table.items():
        with world.begin() as uow:
            payment, invoice = world.stand(uow, before)
            assert step(uow, payment, taken, source=Source.BANK, evidence="bank:TEST") is True
            uow.session.flush()
            uow.session.refresh(invoice)
            held = invoice.state != InvoiceState.TO_PAY
            where = f"{before.name} {taken.name} {after.name}"
            assert payment.state == after, where
            assert held is not MEANING[after].may_pay_again, where
            assert (invoice.state == InvoiceState.PAID) is (after is PaymentState.SETTLED), where
            told = list(uow.session.scalars(select(EventRow.kind)))
            assert told == ([TOLD[after]] if after in TOLD else []), where
            assert (payment.settled_at == clock.now) is (after is PaymentState.SETTLED), where
            line = uow.session.get_one(PaymentHistory, (payment.id, payment.sequence))
            assert (line.before, line.after, line.evidence) == (before, after, "bank:TEST"), where


def test_a_known_repeat_changes_and_tells_nothing(world: World) -> None:
    for state, taken in PAYMENT.ignored:
        with world.begin() as uow:
            payment, _ = world.stand(uow, state)
            assert step(uow, payment, taken, source=Source.BANK, evidence="bank:TEST") is False
            assert payment.state == state
            assert uow.session.scalars(select(EventRow.kind)).all() == []


def test_a_step_that_is_not_in_the_table_changes_and_tells_nothing(world: World) -> None:
    illegal = [
        (state, taken)
        for state in PaymentState
        for taken in PaymentStep
        if (state, taken) not in PAYMENT.table.keys() | PAYMENT.ignored
    ]
    for state, taken in illegal:
        with world.begin() as uow:
            payment, _ = world.stand(uow, state)
            with pytest.raises(IllegalStep):
                step(uow, payment, taken, source=Source.BANK, evidence="bank:TEST")
            assert payment.state == state
            assert uow.session.scalars(select(EventRow.kind)).all() == []
