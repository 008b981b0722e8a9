"""Linking a correction with its bill: what is written down, what is waited for, and for how long."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import Engine, select

from app.db.work import WorkRow
from app.journey.corrections.models import Correction
from app.journey.corrections.service import withdraw
from app.journey.intake.events import CorrectionDelivered
from app.journey.invoices.events import CorrectionDue, InvoiceOpened
from app.people.models import Biller, Customer
from connectors.contract import Authorised
from connectors.money import Money
from tests.conftest import Clock
from tests.support.bills import json_bill
from tests.unit.app.journey.house import IBAN, House, SubmittingBank

APPLY = "corrections.apply_correction"
SECOND = dt.timedelta(seconds=1)


def send(house: House, number: str = "C-1", **changes: Any) -> str:
    """A delivered correction, and the work that it asks for."""
    written = {"number": number, "amount": "30.00", "payee": {"iban": IBAN}, **changes}
    if "replaces" not in written:
        written = {"kind": "credit_note", "corrects": "1", "note": "The meter was read wrongly.", **written}
    minor = Money.parse(str(written["amount"]), "EUR").minor
    row = house.deliver_row(number, minor=minor, content=json_bill(**written))
    row.kind = written.get("kind", "invoice")
    row.corrects_number = written.get("replaces", written.get("corrects"))
    with house.begin() as uow:
        uow.session.add(row)
        uow.session.flush()
        uow.record(CorrectionDelivered(bill_id=row.id))
        uow.commit()
    return str(row.id)


def correction(house: House) -> Correction:
    with house.services.reading() as uow:
        return uow.session.scalars(select(Correction)).one()


def asked_again(house: House) -> list[dt.timedelta]:
    """When the work is done again, from now."""
    with house.services.reading() as uow:
        rows = uow.session.scalars(select(WorkRow.run_at).where(WorkRow.handler == APPLY))
        return [run_at - house.clock.now for run_at in rows]


def test_a_credit_note_is_linked_posted_and_told(house: House) -> None:
    house.bill()
    bill_id = send(house)
    house.clock.tick(seconds=5)
    house.run(APPLY)
    one = correction(house)
    assert one.id.startswith("cor_")
    assert (one.kind, one.state, one.biller_id, one.customer_id) == (
        "credit_note",
        "applied",
        "blr_1",
        house.customer.id,
    )
    assert (one.bill_id, one.invoice_id, one.number, one.names) == (bill_id, "inv_1", "C-1", "1")
    assert (str(one.amount), str(one.taken), one.because) == ("30.00", "30.00", None)
    assert one.reason == "The meter was read wrongly."
    assert (one.said_at, one.applied_at) == (house.clock.now - 5 * SECOND, house.clock.now)
    assert house.told() == ["CorrectionDelivered", "BillCorrected"]
    assert asked_again(house) == []
    assert house.balances() == {"due:inv_1": 6900, "adjust:blr_1": 3000, "biller:blr_1": -9900}


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"corrects": "another"}, "unknown-preceding"),
        ({"corrects": None}, "no-preceding"),
        ({"corrects": "2"}, "other-preceding"),  # of another customer
        ({"corrects": "3"}, "other-preceding"),  # a credit note
    ],
)
def test_what_cannot_be_linked_stands_and_says_why(house: House, changes: dict[str, Any], because: str) -> None:
    house.bill()
    other = Customer(id="cus_2", name="O", email="o@x.org", time_zone="UTC", locale="en", created_at=house.clock.now)
    house.add(other)
    others, note = house.deliver_row("2", minor=9900, content=b"{}"), house.deliver_row("3", minor=1, content=b"{}")
    others.customer_id, note.kind = "cus_2", "credit_note"
    house.add(others, note)
    send(house, **changes)
    house.run(APPLY)
    one = correction(house)
    assert (one.state, one.because, one.invoice_id, one.applied_at, one.taken_minor) == (
        "standing",
        because,
        None,
        None,
        0,
    )
    assert asked_again(house) == []
    assert house.told() == ["CorrectionDelivered"]


def test_another_billers_bill_of_the_same_number_is_not_meant(house: House) -> None:
    house.add(Biller(id="blr_2", name="Another", country="FR", created_at=house.clock.now))
    row = house.deliver_row("1", minor=9900, content=b"{}")
    row.biller_id = "blr_2"
    house.add(row)
    send(house)
    house.run(APPLY)
    assert correction(house).because == "unknown-preceding"


def test_a_bill_that_is_not_opened_yet_is_waited_for_less_and_less_often(house: House) -> None:
    house.deliver()
    send(house)
    house.run(APPLY)
    assert asked_again(house) == [SECOND]
    for seconds, pause in ((1, 1), (99, 10), (900, 100), (10**5, 3600)):
        house.clock.tick(seconds=seconds)
        house.run(APPLY)
        assert asked_again(house) == [pause * SECOND]
    assert correction(house).because == "unknown-preceding"


def test_the_new_version_is_opened_once_no_payment_holds_the_old_one(house: House) -> None:
    house.away()
    send(house, "2", replaces="1")
    house.run(APPLY)
    assert (correction(house).kind, correction(house).state) == ("new_version", "applied")
    assert (house.invoice().credited_minor, house.invoice().state) == (9900, "in_payment")
    assert asked_again(house) == [3600 * SECOND]  # should nobody say that the payment has ended
    assert InvoiceOpened.__name__ not in house.told()
    house.not_found()
    assert house.invoice().state == "cleared"
    assert house.told().count(CorrectionDue.__name__) == 1
    house.run(APPLY)
    assert house.told().count(InvoiceOpened.__name__) == 1
    house.clock.tick(seconds=3600)
    house.run(APPLY)
    assert asked_again(house) == []
    assert house.told().count(InvoiceOpened.__name__) == 1


def test_what_is_ours_to_submit_is_withheld(engine: Engine, customer: Customer, clock: Clock) -> None:
    house = House(engine, clock, customer, bank=SubmittingBank())
    house.come_back(house.away())
    house.exchange(Authorised(access_token="t0ken", expires_in_s=600))
    assert house.payment().state == "authorised"
    send(house)
    house.run(APPLY)
    assert (house.payment().state, house.payment().reason) == ("rejected", "bill_corrected")
    assert house.history()[-1][2:] == ("worker", f"corrected by {correction(house).id}")
    assert "access" not in house.secrets()
    assert house.balances() == {"due:inv_1": 6900, "adjust:blr_1": 3000, "biller:blr_1": -9900}


def test_a_withdrawal_said_again_is_the_same_one(house: House) -> None:
    house.bill()
    with house.begin() as uow:
        first = withdraw(uow, biller_id="blr_1", bill_id="bill_1", reason=" Cancelled \n by us. ")
        uow.commit()
    with house.begin() as uow:
        assert withdraw(uow, biller_id="blr_1", bill_id="bill_1", reason="Again.").id == first.id
        uow.commit()
    one = correction(house)
    assert (one.kind, one.number, one.names, one.bill_id) == ("withdrawal", "1", "1", None)
    assert (one.reason, one.amount_minor, one.taken_minor) == ("Cancelled by us.", 9900, 9900)
    assert house.told() == ["BillCorrected"]
