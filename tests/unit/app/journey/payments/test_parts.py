"""A bill that is paid in parts, one after the other: never more than is asked of it, whatever becomes of each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import Conflict, Invalid
from app.journey.corrections.service import withdraw
from app.journey.decisions.orders import price_of
from app.journey.invoices import service as invoices
from app.journey.invoices.access import must_take_parts
from app.journey.invoices.models import Invoice
from app.journey.payments.access import locked
from app.journey.payments.models import Payment
from app.journey.payments.read import decided_amounts, payment_view
from app.journey.payments.service import cancel, resolve
from app.journey.payments.states import PaymentStep, Source
from app.journey.payments.step import correct, doubt, step
from connectors.contract import Fact
from connectors.money import Money
from tests.unit.app.journey.house import House


def record(house: House, fact: Fact, payment_id: str = "pay_1") -> bool:
    """A line of the bank's statement."""
    with house.begin() as uow:
        payment = uow.session.get_one(Payment, payment_id, with_for_update=True)
        moved = correct(uow, payment, fact, source=Source.STATEMENT, evidence="camt:1/1")
        uow.commit()
    return moved


def pay(house: House, payment_id: str, part: str | None = None) -> None:
    house.decide(payment_id, part=part)
    house.bank.answers["initiate"] = house.staged(payment_id)
    house.run("payments.initiate")
    assert record(house, Fact.DEBITED, payment_id)


def stand(house: House) -> tuple[str, int, int]:
    """State, what is paid and what is left."""
    invoice = house.invoice()
    return invoice.state, invoice.paid_minor, invoice.left.minor


def test_one_part_after_the_other_and_then_the_rest(house: House) -> None:
    house.bill()
    house.decide("pay_1", part="40.00")
    assert stand(house) == ("in_payment", 0, 9900)
    assert house.balances() == {"due:inv_1": 5900, "inflight:pay_1": 4000, "biller:blr_1": -9900}
    with pytest.raises(Conflict) as refused:  # of two parts one is paid after the other
        house.decide("pay_2", part="10.00")
    assert refused.value.code == "already-in-payment"
    house.bank.answers["initiate"] = house.staged("pay_1")
    house.run("payments.initiate")
    record(house, Fact.DEBITED, "pay_1")
    assert stand(house) == ("to_pay", 4000, 5900)
    pay(house, "pay_2", "58.99")
    assert stand(house) == ("to_pay", 9899, 1)
    pay(house, "pay_3")
    assert stand(house) == ("paid", 9900, 0)
    assert house.balances() == {"settled:blr_1": 9900, "biller:blr_1": -9900}


@pytest.mark.parametrize("part", ["0", "99.00", "99.01", "-1", "1e1", "40,00", "", "0.001"])
def test_a_part_is_less_than_what_is_left(house: House, part: str) -> None:
    house.bill()
    with pytest.raises(Invalid) as refused:
        price_of(house.invoice(), day=house.clock.now.date(), part=part)
    assert refused.value.errors[0].pointer == "/part"


def test_early_payment_is_for_who_pays_all_at_once(house: House) -> None:
    house.bill(discount=200)
    today = house.clock.now.date()
    assert price_of(house.invoice(), day=today).discount == Money(200, "EUR")
    pay(house, "pay_1", "40.00")
    rest = price_of(house.invoice(), day=today)
    assert (rest.amount, rest.discount) == (Money(5900, "EUR"), Money(0, "EUR"))


def test_a_bill_with_a_fixed_amount_is_paid_in_one(house: House) -> None:
    house.bill()
    with house.begin() as uow:
        uow.session.get_one(Invoice, "inv_1").is_amount_fixed = True
        uow.commit()
    with pytest.raises(Conflict) as refused, house.services.reading() as uow:
        must_take_parts(uow.session.get_one(Invoice, "inv_1"))
    assert refused.value.code == "not-in-parts"


def test_once_a_payment_was_closed_that_the_bank_could_have_made_happen_the_rest_is_paid_in_one(house: House) -> None:
    """Should that one have happened after all, it takes all that is left or finds nothing."""
    house.bill()
    pay(house, "pay_1", "40.00")
    must_take_parts(house.invoice())
    house.stage("pay_2", part="10.00")
    house.leave("pay_2")
    house.not_found("pay_2")
    with pytest.raises(Conflict):
        must_take_parts(house.invoice())


def test_what_was_cancelled_before_its_link_was_given_out_takes_no_choice_away(house: House) -> None:
    house.bill()
    house.stage("pay_1", part="40.00")
    with house.begin() as uow:
        cancel(uow, signed_in=house.signed_in, payment_id="pay_1")
        uow.commit()
    assert house.payment().state == "cancelled"
    must_take_parts(house.invoice())
    pay(house, "pay_2", "30.00")
    pay(house, "pay_3")
    assert stand(house) == ("paid", 9900, 0)


def test_all_that_was_paid_on_top_goes_into_what_becomes_free(house: House) -> None:
    house.bill()
    for payment_id, part in (("pay_1", "40.00"), ("pay_2", "30.00")):
        house.stage(payment_id, part=part)
        house.leave(payment_id)
        house.not_found(payment_id)
        house.clock.tick(minutes=1)
    house.stage("pay_3")
    house.leave("pay_3")  # it cannot be stopped here any more
    for payment_id in ("pay_1", "pay_2"):
        record(house, Fact.DEBITED, payment_id)
    record(house, Fact.REJECTED, "pay_3")
    assert stand(house) == ("to_pay", 7000, 2900)


def test_a_part_that_is_taken_back_is_due_again(house: House) -> None:
    house.bill()
    pay(house, "pay_1", "40.00")
    pay(house, "pay_2")
    assert stand(house) == ("paid", 9900, 0)
    record(house, Fact.REJECTED, "pay_1")
    assert stand(house) == ("to_pay", 5900, 4000)
    house.decide("pay_3")
    record(house, Fact.REJECTED, "pay_2")  # while the next one is under way
    assert stand(house) == ("in_payment", 0, 9900)
    assert house.balances() == {"due:inv_1": 5900, "inflight:pay_3": 4000, "biller:blr_1": -9900}


def test_a_part_that_was_closed_and_happened_after_all_is_a_part(house: House) -> None:
    house.bill()
    house.stage("pay_1", part="40.00")
    house.leave("pay_1")
    house.not_found("pay_1")
    pay(house, "pay_2", "50.00")
    assert record(house, Fact.DEBITED, "pay_1")
    assert stand(house) == ("to_pay", 9000, 900)
    pay(house, "pay_3")
    assert stand(house) == ("paid", 9900, 0)


def test_of_one_for_which_too_little_is_left_the_rest_is_owed_back(house: House) -> None:
    house.bill()
    house.stage("pay_1", part="60.00")
    house.leave("pay_1")
    house.not_found("pay_1")
    pay(house, "pay_2", "50.00")
    assert record(house, Fact.DEBITED, "pay_1")  # 110 of 99
    assert stand(house) == ("paid", 9900, 0)
    assert house.balances() == {"settled:blr_1": 11000, "adjust:blr_1": -1100, "biller:blr_1": -9900}
    with house.services.reading() as uow:
        views = [payment_view(uow.session, each, now=uow.now) for each in ("pay_1", "pay_2")]
        amounts = decided_amounts(uow.session, invoice_ids=["inv_1"])
    assert [view.on_top for view in views] == [Money(1100, "EUR"), None]
    assert amounts == {"inv_1": Money(9900, "EUR")}
    record(house, Fact.REJECTED, "pay_2")  # then the first one pays its whole part
    assert stand(house) == ("to_pay", 6000, 3900)


def test_of_one_for_which_nothing_is_left_all_is_owed_back(house: House) -> None:
    house.bill()
    house.stage("pay_1", part="60.00")
    house.leave("pay_1")
    house.not_found("pay_1")
    pay(house, "pay_2")
    assert record(house, Fact.DEBITED, "pay_1")
    assert house.balances() == {"settled:blr_1": 15900, "adjust:blr_1": -6000, "biller:blr_1": -9900}


def test_a_doubt_beside_a_part_keeps_the_rest_and_an_operators_no_frees_it(house: House) -> None:
    """Its company took so much off meanwhile that the doubted part is more than what is left."""
    house.bill()
    pay(house, "pay_1", "40.00")
    house.stage("pay_2", part="30.00")
    house.leave("pay_2")
    house.not_found("pay_2")
    with house.begin() as uow:
        invoices.credit(uow, correction_id="cor_1", invoice_id="inv_1", minor=5000)
        uow.commit()
    with house.begin() as uow:
        doubt(uow, locked(uow.session, "pay_2"))
        uow.commit()
    assert (house.payment("pay_2").state, stand(house)) == ("unknown", ("in_payment", 4000, 900))
    assert house.balances()["inflight:pay_2"] == 900
    house.clock.tick(days=2)
    with house.begin() as uow:
        resolve(uow, payment_id="pay_2", executed=False, because="A. Martin by telephone, ticket 4711")
        uow.commit()
    pay(house, "pay_3")
    assert (stand(house), house.payment("pay_3").amount) == (("paid", 4900, 0), Money(900, "EUR"))


def test_who_decided_without_knowing_gives_way(house: House) -> None:
    """The first try was closed, and its customer tries again: when the first one happens, the second is stopped."""
    house.bill()
    house.stage("pay_1", part="40.00")
    house.leave("pay_1")
    house.not_found("pay_1")
    house.clock.tick(minutes=1)
    house.stage("pay_2", part="40.00")
    assert record(house, Fact.DEBITED, "pay_1")
    assert house.payment("pay_2").state == "cancelled"
    assert stand(house) == ("to_pay", 4000, 5900)


def test_a_part_that_may_happen_after_all_holds_what_it_takes(house: House) -> None:
    house.bill()
    house.stage("pay_1", part="40.00")
    house.leave("pay_1")
    house.not_found("pay_1")
    house.clock.tick(minutes=1)
    house.stage("pay_2", part="40.00")
    house.leave("pay_2")  # it cannot be stopped here any more
    with house.begin() as uow:
        payment = uow.session.get_one(Payment, "pay_1", with_for_update=True)
        payment.transaction_status, payment.doubted_since = "ACSP", uow.now
        doubt(uow, payment)
        uow.commit()
    assert house.payment("pay_2").unwanted_since is not None
    assert stand(house) == ("in_payment", 0, 9900)
    assert house.balances()["due:inv_1"] == 1900
    record(house, Fact.REJECTED, "pay_2")
    assert stand(house) == ("in_payment", 0, 9900)  # the other one holds it still
    record(house, Fact.DEBITED, "pay_1")
    assert stand(house) == ("to_pay", 4000, 5900)


def test_what_its_biller_takes_off_comes_off_the_rest_first(house: House) -> None:
    house.bill()
    pay(house, "pay_1", "40.00")
    with house.begin() as uow:
        assert invoices.credit(uow, correction_id="cor_1", invoice_id="inv_1", minor=5000) == 5000
        uow.commit()
    assert stand(house) == ("to_pay", 4000, 900)
    with house.begin() as uow:
        invoices.credit(uow, correction_id="cor_2", invoice_id="inv_1", minor=900)
        uow.commit()
    assert stand(house) == ("paid", 4000, 0)  # all that is asked


def test_a_bill_that_is_taken_back_after_a_part_owes_that_part(house: House) -> None:
    house.bill()
    pay(house, "pay_1", "40.00")
    with house.begin() as uow:
        withdraw(uow, biller_id="blr_1", bill_id="bill_1", reason="It was a mistake.")
        uow.commit()
    assert stand(house) == ("paid", 4000, 0)
    with house.services.reading() as uow:
        assert invoices.refund_of(uow.session, "inv_1") == Money(4000, "EUR")
    record(house, Fact.REJECTED, "pay_1")
    assert stand(house) == ("cleared", 0, 0)
    with house.services.reading() as uow:
        assert invoices.refund_of(uow.session, "inv_1") == Money(0, "EUR")


NUMBERS = itertools.count()
PARTS = st.lists(
    st.tuples(st.integers(1, 9900), st.sampled_from(["settled", "closed", "after all", "taken back"])), max_size=6
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=PARTS)
def test_no_more_is_ever_paid_than_is_asked(house: House, parts: Sequence[tuple[int, str]]) -> None:
    number = next(NUMBERS)
    invoice_id = house.bill(f"n{number}")
    closed = []
    for at, (minor, fate) in enumerate(parts):
        payment_id = f"pay_{number}_{at}"
        try:
            house.decide(payment_id, invoice_id=invoice_id, part=str(Money(minor, "EUR")))
        except (Conflict, Invalid):
            continue
        house.bank.answers["initiate"] = house.staged(payment_id)
        house.run("payments.initiate")
        if fate in ("closed", "after all"):
            with house.begin() as uow:
                payment = uow.session.get_one(Payment, payment_id, with_for_update=True)
                step(uow, payment, PaymentStep.CUSTOMER_CANCEL, source=Source.CUSTOMER, evidence="x")
                uow.commit()
            closed += [payment_id] if fate == "after all" else []
        else:
            record(house, Fact.DEBITED, payment_id)
            if fate == "taken back":
                record(house, Fact.REJECTED, payment_id)
        house.clock.tick(seconds=1)
    for payment_id in closed:
        record(house, Fact.DEBITED, payment_id)
    invoice = house.invoice(invoice_id)
    assert 0 <= invoice.paid_minor <= 9900
    assert invoice.left.minor == 9900 - invoice.paid_minor == house.balances().get(f"due:{invoice_id}", 0)
    assert invoice.state == ("to_pay" if invoice.left.minor else "paid")
