"""Some lines of a bill are disputed: what they come to is held back, and the rest can be paid as a part."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app import invariants
from app.errors import AppError, Conflict, Invalid
from app.journey.answers import service as answers
from app.journey.answers.read import sayable
from app.journey.corrections.service import withdraw
from app.journey.decisions.models import Decision
from app.journey.decisions.orders import price_of
from app.journey.invoices import service as invoices
from app.journey.invoices.access import must_be_free, must_not_be_set_aside
from app.journey.invoices.models import Invoice
from app.journey.invoices.read import invoice_view, open_total
from app.journey.matching.read import bill_of
from connectors.contract import Fact
from connectors.money import Money
from tests.unit.app.journey.answers.test_answers import answer, biller_says, say, take_back
from tests.unit.app.journey.decisions.test_decision_service import decide, passkey_of, start
from tests.unit.app.journey.house import House
from tests.unit.app.journey.payments.test_parts import pay, record

#: net, and per cent of VAT: with it 60.00, 24.01 (rounded up) and 15.00
LINES: tuple[tuple[int | None, str | None], ...] = ((5000, "20"), (2275, "5.5"), (1500, "0"))
dispute = functools.partial(say, kind="disputed", reason="wrong_amount")


def bill(house: House, lines: Sequence[tuple[int | None, str | None]] = LINES, number: str = "1", **values: Any) -> str:
    invoice_id = house.bill(number, discount=200)
    with house.begin() as uow:
        invoice = uow.session.get_one(Invoice, invoice_id)
        invoice.lines = [
            {"description": "x", "quantity": None, "amount_minor": minor, "vat_rate": rate} for minor, rate in lines
        ]
        for name, value in values.items():
            setattr(invoice, name, value)
        uow.commit()
    return invoice_id


def stands(house: House) -> tuple[bool, int]:
    """Whether the bill is set aside, and what of it is held back."""
    assert [str(each) for each in invariants.check(house.engine, now=house.clock(), late=False)] == []
    invoice = house.invoice()
    return invoice.is_set_aside, invoice.held_back_minor


def price(house: House, part: str | None = None) -> tuple[int, int, int]:
    """What is paid, let off and left."""
    found = price_of(house.invoice(), day=house.clock.now.date(), part=part)
    return found.amount.minor, found.discount.minor, found.rest.minor


def test_what_the_lines_come_to_is_held_back_and_the_rest_is_paid(house: House) -> None:
    bill(house)
    assert price(house) == (9700, 200, 0)
    dispute(house, lines=(2,))
    assert stands(house) == (False, 2401)
    must_not_be_set_aside(house.invoice())
    assert price(house) == (7499, 0, 2401)  # early payment is for who pays all at once
    with house.services.reading() as uow:
        today = house.clock.now.date()
        view = invoice_view(uow.session, invoice_id="inv_1", customer_id=house.customer.id, today=today)
        total = open_total(uow.session, customer_id=house.customer.id, today=today, now=uow.now)
        asked = bill_of(view)
    assert (view.held_back, view.to_pay, view.payable, view.figure) == (Money(2401, "EUR"), *[Money(7499, "EUR")] * 3)
    assert view.discount is None
    assert ([each.minor for each in total.amounts], total.count, total.held_back, total.set_aside) == ([7499], 1, 1, 0)
    assert asked is not None
    assert asked.order.amount == Money(7499, "EUR")  # what standing consents are asked about
    device = passkey_of(house, house.customer)
    started = start(house)
    decide(house, started, device.sign(started.public_key))
    with house.services.reading() as uow:
        decided = uow.session.scalars(select(Decision)).one()
    assert (decided.amount_minor, decided.discount_minor, decided.rest_minor) == (7499, 0, 2401)
    assert (decided.evidence["order"]["amount_minor"], decided.evidence["order"]["rest_minor"]) == ("7499", "2401")
    assert stands(house) == (False, 2401)
    house.bank.answers["initiate"] = house.staged(decided.payment_id)
    house.hurry("payments.initiate")
    house.run("payments.initiate")
    record(house, Fact.DEBITED, decided.payment_id)
    assert stands(house) == (True, 0)  # nothing but these lines is left
    assert house.invoice().left.minor == 2401
    with pytest.raises(Conflict):
        must_not_be_set_aside(house.invoice())


@pytest.mark.parametrize("part", ["75.00", "99.00", "0.00"])
def test_a_part_is_no_more_than_what_is_not_held_back_and_the_error_says_how_much(house: House, part: str) -> None:
    bill(house)
    dispute(house, lines=(2,))
    with pytest.raises(Invalid) as wrong:
        price(house, part)
    assert wrong.value.errors[0].pointer == "/part"
    assert "74.99 EUR at the most" in wrong.value.detail
    assert price(house, "74.99") == (7499, 0, 2401)
    assert price(house, "40.00") == (4000, 0, 5900)


def test_who_signed_before_they_disputed_a_line_is_asked_again(house: House) -> None:
    bill(house)
    device = passkey_of(house, house.customer)
    started = start(house)
    dispute(house, lines=(1,))
    with pytest.raises(Conflict, match="changed"):
        decide(house, started, device.sign(started.public_key))
    rest = start(house)
    dispute(house, lines=(1, 2))
    with pytest.raises(Invalid, match=r"14\.99 EUR at the most"):
        decide(house, rest, device.sign(rest.public_key))
    assert (house.invoice().state, stands(house)) == ("to_pay", (False, 8401))


@pytest.mark.parametrize("how", ["taken back", "refused", "corrected"])
def test_once_the_dispute_has_an_end_all_that_is_left_is_to_pay(house: House, how: str) -> None:
    bill(house)
    one = dispute(house, lines=(1,))
    pay(house, "pay_1")
    assert (stands(house), house.invoice().left.minor) == ((True, 0), 6000)
    if how == "taken back":
        take_back(house, one)
    elif how == "refused":
        biller_says(house, one, accepts=False, words="We looked.")
    else:
        with house.begin() as uow:
            withdraw(uow, biller_id="blr_1", bill_id="bill_1", reason="No.")
            uow.commit()
    assert stands(house) == (False, 0)
    assert house.invoice().left.minor == (0 if how == "corrected" else 6000)
    assert answer(house, one).state == {"refused": "refused", "corrected": "accepted"}.get(how, "withdrawn")


@pytest.mark.parametrize(
    ("lines", "chosen", "more"),
    [
        (LINES, (1, 2, 3), {}),  # all of them are the whole bill
        (LINES, (), {}),
        ([(5000, "20"), (4900, None)], (2,), {}),  # nobody knows what it comes to
        ([(9000, "20"), (1, "0")], (1,), {}),  # all that is left
        (LINES, (1,), {"is_amount_fixed": True}),  # it is to be paid in one
    ],
)
def test_where_the_rest_cannot_be_paid_by_itself_the_whole_bill_is_set_aside(
    house: House, lines: Sequence[tuple[int | None, str | None]], chosen: tuple[int, ...], more: dict[str, Any]
) -> None:
    bill(house, lines, **more)
    one = dispute(house, lines=chosen)
    assert stands(house) == (True, 0)
    take_back(house, one)
    assert stands(house) == (False, 0)


def test_what_parts_have_paid_counts(house: House) -> None:
    bill(house)
    pay(house, "pay_1", "39.00")
    dispute(house, lines=(1,))
    assert stands(house) == (True, 0)  # 60.00 are left, and that is what the line comes to
    dispute(house, lines=(2,))
    assert (stands(house), price(house)) == ((False, 2401), (3599, 0, 2401))


def test_once_a_payment_of_the_rest_was_closed_nothing_is_paid_while_the_dispute_stands(house: House) -> None:
    """Should it have happened after all, it pays the rest, and no other one did."""
    bill(house)
    one = dispute(house, lines=(1,))
    house.stage("pay_1")
    house.leave("pay_1")
    record(house, Fact.REJECTED)
    assert stands(house) == (True, 0)
    record(house, Fact.DEBITED, "pay_1")
    assert (stands(house), house.invoice().left.minor) == ((True, 0), 6000)
    take_back(house, one)
    assert stands(house) == (False, 0)


def test_what_the_bank_takes_back_can_be_paid_again_and_no_more(house: House) -> None:
    bill(house)
    dispute(house, lines=(1,))
    pay(house, "pay_1")
    record(house, Fact.REJECTED, "pay_1")
    assert (stands(house), price(house)) == ((False, 6000), (3900, 0, 6000))


def test_of_a_paid_bill_nothing_is_held_back_until_its_payment_is_taken_back(house: House) -> None:
    bill(house)
    pay(house, "pay_1")
    dispute(house, lines=(1,))
    assert stands(house) == (True, 0)
    record(house, Fact.REJECTED, "pay_1")
    assert (stands(house), price(house)) == ((False, 6000), (3900, 0, 6000))


def test_what_may_be_said_tells_what_each_line_comes_to(house: House) -> None:
    bill(house)
    with house.services.reading() as uow:
        may = sayable(uow.session, invoice_id="inv_1", customer_id=house.customer.id, today=house.clock.now.date())
    assert may.is_apart
    assert may.worths == (Money(6000, "EUR"), Money(2401, "EUR"), Money(1500, "EUR"))


NUMBERS = itertools.count()
WORTH = {1: 6000, 2: 2401, 3: 1500}
STEPS = st.one_of(
    st.tuples(st.just("dispute"), st.sets(st.integers(1, 3), min_size=1, max_size=2)),
    st.tuples(st.just("pay"), st.sampled_from([None, None, "10.00", "33.33", "74.99"])),
    st.tuples(st.sampled_from(["take back", "reverse", "close"]), st.none()),
    st.tuples(st.just("credit"), st.integers(1, 4000)),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=2, max_size=8))
def test_no_sequence_of_decisions_pays_a_disputed_line(house: House, steps: list[tuple[str, Any]]) -> None:
    run = next(NUMBERS)
    inv = bill(house, number=f"n{run}")
    said, disputed = "", 0
    settled: list[str] = []
    for at, (what, how) in enumerate(steps):
        house.clock.tick(seconds=61)  # within a minute the clock does not tell what came first
        payment_id = f"pay_{run}_{at}"
        try:
            if what == "dispute":
                said = dispute(house, invoice_id=inv, lines=tuple(how))
                disputed = sum(WORTH[line] for line in how)
            elif what == "take back" and said:
                take_back(house, said)
                said, disputed = "", 0
            elif what == "credit":
                with house.begin() as uow:
                    invoices.credit(uow, correction_id=f"cor_{run}_{at}", invoice_id=inv, minor=how)
                    answers.end_by_correction(uow, uow.session.get_one(Invoice, inv))
                    uow.commit()
                said, disputed = "", 0
            elif what == "reverse" and settled:
                record(house, Fact.REJECTED, settled.pop())
            elif what in ("pay", "close"):
                must_be_free(house.invoice(inv))
                must_not_be_set_aside(house.invoice(inv))
                house.decide(payment_id, invoice_id=inv, part=how)
                house.bank.answers["initiate"] = house.staged(payment_id)
                house.run("payments.initiate")
                record(house, Fact.DEBITED if what == "pay" else Fact.REJECTED, payment_id)
                settled += [payment_id] if what == "pay" else []
                assert house.invoice(inv).left.minor >= disputed
        except AppError:
            continue
        invoice = house.invoice(inv)
        held, left = invoice.held_back_minor, invoice.left.minor
        assert held in (0, disputed)
        assert invoice.is_set_aside == bool(disputed and not held)
        assert not held or held < left
        assert left == max(9900 - invoice.credited_minor - invoice.paid_minor, 0)
        assert invoice.paid_minor + held <= max(9900 - invoice.credited_minor, invoice.paid_minor)
    broken = map(str, invariants.check(house.engine, now=house.clock(), late=False))
    assert [each for each in broken if not each.startswith("F10:")] == []  # no document says here what came off
