"""An invoice says what its bill said, for the account that was vetted; its state follows the ledger, or all stops."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import NoResultFound

from app.db import work
from app.db.events import EventRow
from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict
from app.journey.invoices import service as invoices
from app.journey.invoices.models import Invoice
from app.journey.ledger.rules import Claim
from app.people.models import Biller, PayeeAccount
from consent.lifecycle import IllegalStep
from tests.support.bills import json_bill, ubl_bill
from tests.unit.app.journey.house import IBAN, House, money

CLAIM = Claim(invoice_id="inv_1", payment_id="pay_1", creditor="blr_1", amount=money(9700), discount=money(200))
OTHER = Claim(invoice_id="inv_1", payment_id="pay_2", creditor="blr_1", amount=money(9900), discount=money(0))

Move = Callable[[UnitOfWork, Claim], object]


def arrive(house: House, content: bytes, media_type: str = "application/json") -> Invoice:
    """The work that a delivered bill asks for."""
    bill_id = house.deliver(content=content, media_type=media_type)
    ask(house, bill_id)
    house.run("invoices.open_invoice")
    with house.services.reading() as uow:
        return uow.session.scalars(select(Invoice)).one()


def ask(house: House, bill_id: str) -> None:
    with house.begin() as uow:
        work.enqueue(
            uow.session, handler="invoices.open_invoice", key="open", payload={"bill_id": bill_id}, now=uow.now
        )
        uow.commit()


def fields(invoice: Invoice) -> dict[str, object]:
    return {column.key: getattr(invoice, column.key) for column in Invoice.__table__.columns if column.key != "id"}


def test_a_bill_becomes_an_invoice_of_the_same_words(house: House) -> None:
    house.add(
        Biller(id="blr_2", name="Another", country="FR", created_at=house.clock.now),
        PayeeAccount(id="acc_2", biller_id="blr_2", iban=IBAN, holder="Another SA", created_at=house.clock.now),
        PayeeAccount(
            id="acc_3",
            biller_id="blr_1",
            iban="DE89370400440532013000",
            holder="Lumen GmbH",
            created_at=house.clock.now,
        ),
    )
    invoice = arrive(
        house,
        json_bill(
            payee={"iban": IBAN, "name": "not as it was vetted"},
            order_reference="PO 7",
            note="Thank you.",
            early_payment={"until": "2026-11-20", "discount": "1.68"},
            late_fee={"amount": "5.00"},
            lines=[
                {"description": "Water", "quantity": "21 m³", "amount": "79.81"},
                {"description": "Service"},
            ],
        ),
    )
    assert invoice.id.startswith("inv_")
    assert fields(invoice) == {
        "bill_id": "bill_1",
        "own_bill_id": None,
        "customer_id": house.customer.id,
        "biller_id": "blr_1",
        "number": "1",
        "state": "to_pay",
        "currency": "EUR",
        "amount_minor": 8420,
        "credited_minor": 0,
        "retracted_minor": 0,
        "sequence": 0,
        "replaces_id": None,
        "discount_minor": 168,
        "discount_until": dt.date(2026, 11, 20),
        "later_discounts": [],
        "late_fee_minor": 500,
        "late_fee_from": dt.date(2026, 12, 2),
        "issued_on": dt.date(2026, 11, 1),
        "due_on": dt.date(2026, 12, 1),
        "expires_on": None,
        "extended_to": None,
        "is_amount_fixed": False,
        "is_set_aside": False,
        "may_have_been_paid": False,
        "held_back_minor": 0,
        "paid_minor": 0,
        "payee_name": "Lumen SA",  # the holder of the account, whatever the bill calls it
        "payee_iban": IBAN,
        "means": "credit_transfer",
        "means_details": {},
        "reference": "RF18539007547034",
        "number_letters": "1",
        "reference_letters": "rf18539007547034",
        "order_reference": "PO 7",
        "lines": [
            {"description": "Water", "quantity": "21 m³", "amount_minor": 7981, "vat_rate": None},
            {"description": "Service", "quantity": None, "amount_minor": None, "vat_rate": None},
        ],
        "note": "Thank you.",
        "terms": None,
        "received_at": house.clock.now,
        "opened_at": house.clock.now,
        "seen_at": None,
        "unseen_at": None,
    }
    assert house.balances() == {f"due:{invoice.id}": 8420, "biller:blr_1": -8420}
    assert house.told() == ["InvoiceOpened"]
    with house.services.reading() as uow:
        assert uow.session.scalars(select(EventRow.payload)).all() == [{"invoice_id": invoice.id}]


def test_a_bill_that_says_little_becomes_an_invoice_that_says_little(house: House) -> None:
    invoice = arrive(house, json_bill(payee={"iban": IBAN}, reference=None, due_on=None, number="N" * 100))
    said = fields(invoice)
    assert (said["discount_minor"], said["discount_until"], said["due_on"]) == (0, None, None)
    assert (said["order_reference"], said["note"], said["terms"], said["lines"]) == (None, None, None, [])
    assert said["reference"] == "N" * 100  # nobody pays without saying what for


def test_run_again_it_finds_the_invoice_and_changes_nothing(house: House) -> None:
    invoice = arrive(house, json_bill(payee={"iban": IBAN}))
    ask(house, "bill_1")
    house.run("invoices.open_invoice")
    with house.services.reading() as uow:
        assert uow.session.scalars(select(Invoice.id)).all() == [invoice.id]
        assert uow.session.scalar(select(func.count()).select_from(work.WorkRow).where(work.WorkRow.key == "open")) == 0
    assert house.balances() == {f"due:{invoice.id}": 8420, "biller:blr_1": -8420}
    assert house.told() == ["InvoiceOpened"]


def test_the_terms_are_shown_as_written(house: House) -> None:
    invoice = arrive(house, ubl_bill(iban=IBAN, terms="In thirty days.", reference="R" * 140), "application/xml")
    assert (invoice.terms, invoice.reference) == ("In thirty days.", "R" * 140)


def test_a_bill_without_an_account_is_never_opened(house: House) -> None:
    """The intake forbids it; if it came this far all the same, there is nobody to pay."""
    house.deliver(content=ubl_bill(iban=None), media_type="application/xml")
    ask(house, "bill_1")
    with pytest.raises((ValueError, NoResultFound)):
        house.run("invoices.open_invoice")
    assert house.balances() == {}
    assert house.told() == []


# ------------------------------------------------------------------------------------------------------------ the claim


def move(house: House, *steps: tuple[Move, Claim]) -> list[object]:
    done = []
    for what, claim in steps:
        with house.begin() as uow:
            done.append(what(uow, claim))
            uow.commit()
    return done


def released(uow: UnitOfWork, claim: Claim) -> None:
    """Closed, though its bank could have made it happen."""
    invoices.release(uow, claim, is_sure=False)


@pytest.mark.parametrize(
    ("steps", "state", "due"),
    [
        ([invoices.claim], "in_payment", 0),
        ([invoices.claim, released], "to_pay", 9900),
        ([invoices.claim, invoices.settle], "paid", 0),
        ([invoices.claim, invoices.settle, invoices.reopen], "to_pay", 9900),
        ([invoices.claim, released, invoices.correct], "paid", 0),
        ([invoices.claim, released, invoices.correct, invoices.reopen], "to_pay", 9900),
    ],
)
def test_the_state_follows_the_ledger(house: House, steps: list[Move], state: str, due: int) -> None:
    house.bill(discount=200)
    house.bill("2")  # another one, which nothing moves
    move(house, *[(step, CLAIM) for step in steps])
    assert house.invoice().state == state
    assert house.balances().get("due:inv_1", 0) == due
    assert house.invoice("inv_2").state == "to_pay"


def test_a_second_payment_does_not_get_the_bill(house: House) -> None:
    house.bill(discount=200)
    move(house, (invoices.claim, CLAIM))
    with house.begin() as uow:
        with pytest.raises(Conflict) as refused:
            invoices.claim(uow, OTHER)
        assert refused.value.code == "already-in-payment"
    assert house.balances() == {"inflight:pay_1": 9700, "adjust:blr_1": 200, "biller:blr_1": -9900}


def test_what_is_paid_twice_stays_paid_and_stays_so_when_one_of_them_is_taken_back(house: House) -> None:
    house.bill(discount=200)
    move(house, (invoices.claim, CLAIM), (released, CLAIM), (invoices.claim, OTHER), (invoices.settle, OTHER))
    assert move(house, (invoices.correct, CLAIM)) == [0]
    assert house.invoice().state == "paid"
    assert house.balances() == {"settled:blr_1": 9900 + 9700, "adjust:blr_1": -9700, "biller:blr_1": -9900}
    move(house, (invoices.reopen, CLAIM))
    assert house.invoice().state == "paid"
    assert house.balances() == {"settled:blr_1": 9900, "biller:blr_1": -9900}
    move(house, (invoices.reopen, OTHER))
    assert house.invoice().state == "to_pay"
    assert house.balances() == {"due:inv_1": 9900, "biller:blr_1": -9900}


def test_what_was_paid_on_top_pays_the_bill_when_what_had_paid_it_is_taken_back(house: House) -> None:
    house.bill(discount=200)
    move(house, (invoices.claim, CLAIM), (released, CLAIM), (invoices.claim, OTHER), (invoices.settle, OTHER))
    move(house, (invoices.correct, CLAIM), (invoices.reopen, OTHER))
    assert house.invoice().state == "paid"
    assert house.balances() == {"settled:blr_1": 9700, "adjust:blr_1": 200, "biller:blr_1": -9900}


def test_where_the_ledger_and_the_invoice_differ_everything_stops(house: House) -> None:
    house.bill()
    with house.begin() as uow:
        invoices.claim(uow, OTHER)
        uow.session.execute(update(Invoice).values(state="cleared"))
        uow.commit()
    with house.begin() as uow, pytest.raises(IllegalStep, match="FREE in CLEARED"):
        invoices.release(uow, OTHER, is_sure=False)
    assert house.balances() == {"inflight:pay_2": 9900, "biller:blr_1": -9900}
    assert house.invoice().state == "cleared"
