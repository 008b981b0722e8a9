"""What was settled and taken back: what is told of it ever after, and what may become of it."""

from __future__ import annotations

import datetime as dt

import pytest

from app import invariants
from app.journey.corrections.read import corrected_bill
from app.journey.invoices.models import Invoice
from app.journey.ledger.service import overpaid_of
from app.journey.payments.access import locked
from app.journey.payments.read import PaymentView, payment_view
from app.journey.payments.states import Source, Truth
from app.journey.payments.step import correct, doubt
from app.journey.receipts.read import ReceiptView, receipt_ids, receipt_view, receipts_of
from connectors.contract import Fact
from connectors.money import Money
from tests.unit.app.journey.house import ACCEPTED, DEBITED, REJECTED, House
from tests.unit.app.journey.payments.test_parts import pay, record, stand
from tests.unit.app.journey.payments.test_payment_doubt import look
from tests.unit.app.journey.refunds.test_refunds import credit


def is_sound(house: House) -> bool:
    return [str(each) for each in invariants.check(house.engine, now=house.clock.now, late=False)] == []


@pytest.fixture
def taken_back(house: House) -> House:
    """Settled, with its receipt; an hour later the bank says twice that it took it back, and an hour goes by."""
    house.settled()
    house.run("receipts.issue_receipt")
    house.clock.tick(hours=1)
    look(house, REJECTED)
    house.clock.tick(minutes=5)
    look(house, REJECTED)
    assert house.payment().state == "reversed"
    house.clock.tick(hours=1)
    return house


def shown(house: House) -> PaymentView:
    with house.services.reading() as uow:
        return payment_view(uow.session, "pay_1", now=uow.now)


def receipt(house: House) -> ReceiptView:
    with house.services.reading() as uow:
        [receipt_id] = receipt_ids(uow.session, payment_ids=["pay_1"]).values()
        [listed] = receipts_of(uow.session, customer_id=house.customer.id)
        view = receipt_view(uow.session, receipt_id=receipt_id, customer_id=house.customer.id)
    assert listed == view
    return view


def test_settled_again_it_has_one_receipt_on_the_word_that_stands(taken_back: House) -> None:
    house = taken_back
    assert receipt(house).void
    with house.begin() as uow:
        assert correct(
            uow, locked(uow.session, "pay_1"), Fact.CREDITED, source=Source.OPERATOR, evidence="op: a letter"
        )
        uow.commit()
    house.run("receipts.issue_receipt")
    view = receipt(house)
    assert (view.void, view.fact, view.source, view.arrival_confirmed) == (False, "credited", "operator", False)
    assert is_sound(house)


def test_whatever_the_bank_says_between_it_was_taken_back(taken_back: House) -> None:
    house = taken_back
    look(house, ACCEPTED)
    assert receipt(house).void
    view = shown(house)
    assert (view.truth, view.doubted, view.settled_at is not None) == (Truth.NOT_KNOWN, True, True)
    assert is_sound(house)
    look(house, REJECTED)
    assert receipt(house).void
    view = shown(house)
    assert (view.truth, view.reason, view.may_pay_again) == (Truth.NOT_DONE, "reversed", True)
    assert is_sound(house)


def test_that_it_was_executed_all_the_same_is_said_twice(taken_back: House) -> None:
    house = taken_back
    look(house, DEBITED)
    assert (house.payment().state, stand(house)) == ("unknown", ("in_payment", 0, 9900))
    house.clock.tick(minutes=4)
    look(house, DEBITED)
    assert house.payment().state == "unknown"
    house.clock.tick(minutes=1)
    look(house, DEBITED)
    assert (house.payment().state, stand(house)) == ("settled", ("paid", 9900, 0))
    assert not receipt(house).void
    assert is_sound(house)


def test_the_bank_is_asked_again_also_where_a_statement_shows_it(house: House) -> None:
    house.settled()
    while house.due():  # the late looks pass
        house.clock.now = max(house.clock.now, house.due()["pay_1"])
        house.follow(DEBITED)
    house.clock.tick(days=1)
    assert record(house, Fact.REJECTED)
    assert house.due() == {"pay_1": house.clock.now + dt.timedelta(hours=1)}
    house.follow_after(3600, DEBITED)
    assert house.payment().status_says == "opposite"  # a statement outweighs what it had said before
    house.clock.now = house.due()["pay_1"]
    house.follow(REJECTED)
    assert house.payment().status_says == "same"


def test_one_that_found_nothing_bars_parts_as_well_once_it_is_closed(house: House) -> None:
    house.bill()
    house.stage("pay_1")
    house.leave("pay_1")
    record(house, Fact.DEBITED, "pay_1")
    record(house, Fact.REJECTED, "pay_1")
    assert not house.invoice().may_have_been_paid
    house.clock.tick(hours=1)
    house.stage("pay_2")
    house.leave("pay_2")
    record(house, Fact.DEBITED, "pay_2")
    house.clock.tick(hours=1)
    with house.begin() as uow:
        doubt(uow, locked(uow.session, "pay_1"))
        uow.commit()
    record(house, Fact.REJECTED, "pay_1")
    assert house.invoice().may_have_been_paid
    assert is_sound(house)


def test_whose_discount_found_no_room_is_not_asked_for_it_once_it_does(house: House) -> None:
    house.bill(discount=500)
    pay(house, "pay_1")
    record(house, Fact.REJECTED)
    house.clock.tick(days=1)
    pay(house, "pay_2", "5.00")
    with house.begin() as uow:
        correct(uow, locked(uow.session, "pay_1"), Fact.DEBITED, source=Source.OPERATOR, evidence="op")
        uow.commit()
    assert stand(house) == ("paid", 9900, 0)
    record(house, Fact.REJECTED, "pay_2")
    assert stand(house) == ("paid", 9900, 0)  # 94.00 and all of the discount
    assert is_sound(house)


def test_as_much_of_a_discount_is_told_as_was_let_off(house: House) -> None:
    house.bill(discount=500)
    house.stage("pay_0", part="3.00")
    house.leave("pay_0")
    record(house, Fact.REJECTED, "pay_0")
    with house.begin() as uow:
        uow.session.get_one(Invoice, "inv_1").may_have_been_paid = False
        uow.commit()
    house.stage("pay_1")
    house.leave("pay_1")
    record(house, Fact.REJECTED, "pay_1")
    for payment_id in ("pay_0", "pay_1"):
        record(house, Fact.DEBITED, payment_id)
    with house.services.reading() as uow:
        bill = corrected_bill(uow.session, biller_id="blr_1", bill_id="bill_1")
    assert bill.discount_taken is not None
    assert (bill.amount_paid, bill.discount_taken.amount) == (Money(9700, "EUR"), Money(200, "EUR"))


def test_a_refund_is_not_taken_back_while_as_much_was_paid_on_top(house: House) -> None:
    house.bill()
    pay(house, "pay_0", "10.00")
    house.stage("pay_1")
    house.leave("pay_1")
    record(house, Fact.REJECTED, "pay_1")
    pay(house, "pay_2")
    record(house, Fact.DEBITED, "pay_1")
    credit(house, 4000)
    assert house.told().count("RefundOwed") == 1
    record(house, Fact.REJECTED, "pay_2")
    assert house.told().count("RefundOwed") == 1
    with house.services.reading() as uow:
        assert overpaid_of(uow.session, "inv_1") == 4000
    assert is_sound(house)
