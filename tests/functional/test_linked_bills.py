"""Bills that are about each other, through the doors: nobody is led to pay two of them, and none of them is lost."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from app import invariants
from app.db import work
from app.db.work import WorkRow
from app.journey.decisions.models import Decision
from app.journey.intake.models import DeliveredBill
from app.journey.invoices.models import Invoice
from app.journey.payments.access import locked
from app.journey.payments.reasons import Reason
from app.journey.payments.states import PaymentStep, Source
from app.journey.payments.step import correct, doubt, step
from app.journey.route import HANDLERS
from app.services import Task
from connectors.contract import Fact
from tests.functional.test_corrections import (
    BILL,
    bill,
    corrections,
    of_invoice,
    on_a_statement,
    said,
    to_the_biller,
    withdrawn,
)
from tests.functional.test_tools import ask, made
from tests.support.journey import Journey

DAY_S = 86400.0


def bills(journey: Journey) -> dict[str, str]:
    """The state of every bill in the customer's space, by its number."""
    with journey.services.reading() as uow:
        return dict(uow.session.execute(select(Invoice.number, Invoice.state).order_by(Invoice.id)).all())


def numbered(journey: Journey, number: str) -> str:
    with journey.services.reading() as uow:
        return uow.session.scalars(select(Invoice.id).where(Invoice.number == number)).one()


def version(journey: Journey, number: str, of: str, amount: str = "90.00") -> str:
    """A new version is delivered, and its work done as far as it goes. Returns the id of the delivered bill."""
    acknowledged = journey.deliver(number=number, amount=amount, replaces=of)
    journey.worker.run_until_idle()
    return acknowledged.bill_id


def at_the_bank(journey: Journey, invoice_id: str) -> tuple[str, str]:
    """A payment that its customer has gone to the bank for, and has not approved. With the bank's address."""
    payment_id = journey.confirm(invoice_id)
    return payment_id, journey.browser.leave(payment_id)


def refused_by_the_bank(journey: Journey, payment_id: str) -> None:
    reject(journey, payment_id)
    journey.worker.run_until_idle()


def comes_alive(journey: Journey, payment_id: str) -> None:
    """The bank calls accepted what was closed as not done."""
    with journey.services.unit_of_work() as uow:
        payment = locked(uow.session, payment_id)
        payment.doubted_since = uow.now
        doubt(uow, payment)
        uow.commit()


def reject(journey: Journey, payment_id: str) -> None:
    """The bank's word, and nothing that follows from it."""
    with journey.services.unit_of_work() as uow:
        step(
            uow,
            locked(uow.session, payment_id),
            PaymentStep.BANK_REJECT,
            source=Source.BANK,
            evidence="bank:RJCT",
            reason=Reason.REJECTED_BY_BANK,
        )
        uow.commit()


# ------------------------------------------------------------------------------------------------ one after the other


def test_a_second_new_version_of_a_bill_stands_in_for_the_first_one(journey: Journey) -> None:
    """Systems of billers always name the original."""
    bill(journey)
    first = version(journey, "V2", BILL)
    second = version(journey, "V3", BILL, "80.00")
    assert bills(journey) == {BILL: "cleared", "V2": "cleared", "V3": "to_pay"}
    assert "€80.00 to pay, on 1 bill" in said(journey, "/bills")
    assert "This is the new version of bill V2" in said(journey, f"/bills/{numbered(journey, 'V3')}")
    assert to_the_biller(journey, second).corrects == first
    assert to_the_biller(journey, second).not_applied_because is None
    assert to_the_biller(journey, first).superseded_by == second


def test_no_new_version_is_opened_while_a_payment_of_any_earlier_one_may_be_executed(journey: Journey) -> None:
    old = bill(journey)
    payment_id, way = at_the_bank(journey, old)
    back = journey.at_bank(way)
    version(journey, "V2", BILL)
    version(journey, "V3", BILL, "80.00")
    version(journey, "V4", "V3", "70.00")
    assert bills(journey) == {BILL: "in_payment"}
    journey.browser.come_back(back)
    journey.wait(3)
    assert journey.payment(payment_id).state == "settled"  # and nobody waits any longer
    assert bills(journey) == {BILL: "paid", "V2": "cleared", "V3": "cleared", "V4": "to_pay"}
    assert str(of_invoice(journey, old).refund_owed) == "100.00"
    assert f"new version of bill {BILL}, which you have paid" in said(journey, f"/bills/{numbered(journey, 'V4')}")


VERSIONS = pytest.mark.parametrize(
    ("before", "waiting"),
    [
        pytest.param({"V2": BILL}, {"V3": BILL, "V4": BILL}, id="of the original"),
        pytest.param({"V1": BILL, "V2": "V1"}, {"V3": "V2", "V4": BILL}, id="of the original and of others"),
        pytest.param({"V2": "V0"}, {"V3": "V0", "V4": "V0"}, id="of one that never came"),
        pytest.param({"V1": "V0", "V2": "V1"}, {"V3": "V2", "V4": "V0"}, id="of one that never came and of others"),
    ],
)


def wait_for_a_payment(journey: Journey, before: dict[str, str], waiting: dict[str, str]) -> str:
    """New versions, each of the bill that it names, come one after the other; a payment of V2 is approved before those
    that wait. Returns the payment's id."""
    bill(journey)
    for number, of in before.items():
        version(journey, number, of)
    payment_id, way = at_the_bank(journey, numbered(journey, "V2"))
    journey.at_bank(way)
    for number, of in waiting.items():
        version(journey, number, of)
    assert not waiting.keys() & bills(journey).keys()
    return payment_id


@VERSIONS
def test_what_waits_for_a_payment_is_opened_at_once_when_that_ends(
    journey: Journey, before: dict[str, str], waiting: dict[str, str]
) -> None:
    refused_by_the_bank(journey, wait_for_a_payment(journey, before, waiting))
    found = bills(journey)
    assert [found[number] for number in ("V2", *waiting)] == ["cleared", "cleared", "to_pay"]


def test_the_new_version_of_a_withdrawn_bill_waits_for_its_payment_as_well(journey: Journey) -> None:
    old = bill(journey)
    _, way = at_the_bank(journey, old)
    back = journey.at_bank(way)
    withdrawn(journey, old)
    new = version(journey, "V2", BILL)
    assert bills(journey) == {BILL: "in_payment"}
    journey.browser.come_back(back)
    journey.wait(3)
    journey.wait(60)
    assert bills(journey) == {BILL: "paid", "V2": "to_pay"}
    of = of_invoice(journey, old)
    assert (of.superseded_by, of.withdrawal_reason) == (new, "The order was cancelled.")
    assert to_the_biller(journey, new).corrects == of.id
    assert f"new version of bill {BILL}, which you have paid" in said(journey, f"/bills/{numbered(journey, 'V2')}")
    version(journey, "V3", BILL, "80.00")
    assert bills(journey) == {BILL: "paid", "V2": "cleared", "V3": "to_pay"}


def test_a_held_new_version_that_names_the_original_is_said_on_the_last_one(journey: Journey) -> None:
    bill(journey)
    version(journey, "V-2", BILL)
    assert journey.deliver(number="V\u20102", amount="80.00", replaces=BILL).held
    page = said(journey, f"/bills/{numbered(journey, 'V-2')}")
    assert "which corrects this bill, and somebody at Quittance must look at it first" in page


# ------------------------------------------------------------------------------------- a payment that comes alive again


def test_the_earlier_bill_is_paid_after_all_and_the_payment_of_the_new_version_is_stopped(journey: Journey) -> None:
    old = bill(journey)
    first, _ = at_the_bank(journey, old)
    refused_by_the_bank(journey, first)
    version(journey, "V2", BILL)
    new = numbered(journey, "V2")
    second = journey.confirm(new)
    journey.worker.run_until_idle()
    assert journey.payment(second).state == "awaiting_customer"
    on_a_statement(journey, first, Fact.DEBITED)
    assert (journey.payment(second).state, journey.payment(second).reason) == ("cancelled", "earlier_bill")
    assert bills(journey) == {BILL: "paid", "V2": "to_pay"}
    page = said(journey, f"/payments/{second}")
    assert "A payment of the bill that this one replaces went through, or may have, so this one was stopped" in page
    assert f"new version of bill {BILL}, which you have paid" in page
    assert str(of_invoice(journey, old).refund_owed) == "100.00"
    third = journey.confirm(new)  # who has read it may pay it all the same
    journey.worker.run_until_idle()
    assert journey.payment(third).state == "awaiting_customer"
    assert "which you have paid" in said(journey, f"/payments/{third}/leave")
    journey.browser.come_back(journey.at_bank(journey.browser.leave(third)))
    journey.wait(3)
    assert bills(journey) == {BILL: "paid", "V2": "paid"}
    on_a_statement(journey, first, Fact.REJECTED)
    assert bills(journey) == {BILL: "cleared", "V2": "paid"}


def test_whoever_has_gone_to_the_bank_for_the_new_version_is_asked_not_to_approve(journey: Journey) -> None:
    old = bill(journey)
    first, _ = at_the_bank(journey, old)
    refused_by_the_bank(journey, first)
    version(journey, "V2", BILL)
    second, _ = at_the_bank(journey, numbered(journey, "V2"))
    with journey.services.unit_of_work() as uow:  # on a statement; and the worker has not done anything yet
        assert correct(uow, locked(uow.session, first), Fact.DEBITED, source=Source.STATEMENT, evidence="camt:M1/1")
        uow.commit()
    page = said(journey, f"/payments/{second}")
    assert "Please do not approve this one: you could pay twice." in page
    assert "Go on to" not in page
    journey.worker.run_until_idle()
    assert (journey.payment(second).state, journey.payment(second).reason) == ("cancelled", "earlier_bill")


def test_what_was_signed_before_the_earlier_bill_was_paid_is_shown_again(journey: Journey) -> None:
    old = bill(journey)
    first, _ = at_the_bank(journey, old)
    refused_by_the_bank(journey, first)
    version(journey, "V2", BILL)
    new = numbered(journey, "V2")
    token, started = journey.browser.start_paying(new)
    on_a_statement(journey, first, Fact.DEBITED)
    answer = journey.browser.decide(new, token, started.get_json())
    assert answer.status_code == 409
    assert "which you have paid" in answer.get_data(as_text=True)
    assert journey.browser.confirm(new).status_code == 303


def test_nobody_signs_a_warning_that_their_page_did_not_show(journey: Journey) -> None:
    """The earlier bill is paid after the page was drawn and before its button is pressed."""
    old = bill(journey)
    first, _ = at_the_bank(journey, old)
    refused_by_the_bank(journey, first)
    version(journey, "V2", BILL)
    new = numbered(journey, "V2")
    token, shown = journey.browser.see_order(new)
    assert "which you have paid" not in said(journey, f"/bills/{new}/pay?bank=horizon")
    on_a_statement(journey, first, Fact.DEBITED)
    answer = journey.browser.start_signing(new, token, shown)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "order-changed")
    again = said(journey, f"/bills/{new}/pay?bank=horizon&changed")
    assert "Something in this payment has changed since you saw it. Nothing was paid." in again
    assert "which you have paid" in again
    _, shown = journey.browser.see_order(new)
    started = journey.browser.start_signing(new, token, shown)
    assert journey.browser.decide(new, token, started.get_json()).status_code == 303
    with journey.services.reading() as uow:
        decision = uow.session.scalars(select(Decision).where(Decision.invoice_id == new)).one()
    assert decision.earlier_paid == [first]
    assert decision.evidence["order"]["earlier_paid"] == first


def test_another_payment_of_the_earlier_bill_than_the_one_that_was_known_comes_first(journey: Journey) -> None:
    """It was taken back, and paid once more: there are as many as there were, and it is another one."""
    old = bill(journey)
    first, _ = at_the_bank(journey, old)
    refused_by_the_bank(journey, first)
    second_of_old, _ = at_the_bank(journey, old)
    refused_by_the_bank(journey, second_of_old)
    version(journey, "V2", BILL)
    new = numbered(journey, "V2")
    on_a_statement(journey, first, Fact.DEBITED)
    third = journey.confirm(new)
    journey.worker.run_until_idle()
    on_a_statement(journey, first, Fact.REJECTED)
    assert journey.payment(third).state == "awaiting_customer"
    on_a_statement(journey, second_of_old, Fact.DEBITED)
    assert (journey.payment(third).state, journey.payment(third).reason) == ("cancelled", "earlier_bill")


def test_no_new_version_is_decided_while_the_earlier_bill_may_be_paid(journey: Journey) -> None:
    """The bank calls accepted what it had refused."""
    token = made(journey.browser)
    old = bill(journey)
    first, _ = at_the_bank(journey, old)
    refused_by_the_bank(journey, first)
    version(journey, "V2", BILL)
    new = numbered(journey, "V2")
    comes_alive(journey, first)
    assert bills(journey) == {BILL: "in_payment", "V2": "to_pay"}
    wait = f"A payment of bill {BILL}, which this one replaces, is under way. Please wait"
    for path in (f"/bills/{new}", f"/bills/{new}/pay?bank=horizon"):
        assert wait in said(journey, path)
        assert "passkey" not in said(journey, path)
    assert f"A payment of its earlier version, {BILL}, is under way: please wait" in said(journey, "/bills")
    assert journey.browser.get(f"/bills/{new}/bank").headers["Location"] == f"/bills/{new}"  # no way to pay is shown
    read = ask(journey.app, f"/my/v1/bills/{new}/ways", token).get_json()
    assert (read["bill"]["held"], read["bill"]["payable_today"], read["ways"]) == ("earlier_in_payment", None, [])
    _, started = journey.browser.start_paying(new)
    assert (started.status_code, started.get_json()["code"]) == (409, "earlier-in-payment")
    refused_by_the_bank(journey, first)
    assert ask(journey.app, f"/my/v1/bills/{new}/ways", token).get_json()["bill"]["held"] is None
    assert journey.browser.confirm(new).status_code == 303


# ------------------------------------------------------------------------------------------------------------- rings


def test_two_bills_that_replace_each_other_are_both_opened_and_the_later_word_counts(journey: Journey) -> None:
    first = journey.deliver(number="V2", amount="90.00", replaces="V3")
    second = journey.deliver(number="V3", amount="80.00", replaces="V2")
    journey.worker.run_until_idle()
    journey.wait(1)
    assert bills(journey) == {"V2": "cleared", "V3": "to_pay"}
    assert to_the_biller(journey, first.bill_id).not_applied_because == "replaces-each-other"
    assert to_the_biller(journey, second.bill_id).corrects == first.bill_id
    assert "€80.00 to pay, on 1 bill" in said(journey, "/bills")


def test_so_are_those_that_came_one_after_the_other(journey: Journey) -> None:
    version(journey, "V2", "V3")
    version(journey, "V3", "V2", "80.00")
    assert bills(journey) == {"V2": "cleared", "V3": "to_pay"}
    assert [(each.number, each.because) for each in corrections(journey)] == [
        ("V2", "replaces-each-other"),
        ("V3", None),
    ]


def test_a_longer_ring_with_a_further_version_of_one_in_it(journey: Journey) -> None:
    for number, of in (("V1", "V3"), ("V2", "V1"), ("V3", "V2"), ("V4", "V1")):
        journey.deliver(number=number, amount="90.00", replaces=of)
    journey.worker.run_until_idle()
    for _ in range(4):
        journey.wait(2)
    found = bills(journey)
    assert set(found) == {"V1", "V2", "V3", "V4"}
    assert sorted(found.values()) == ["cleared", "cleared", "cleared", "to_pay"]
    assert found["V1"] == "cleared"


def test_a_bill_that_is_on_its_way_for_a_day_is_noticed(journey: Journey) -> None:
    """Unless it waits for a payment, of the bill that it replaces or of one that this replaces."""
    _, way = at_the_bank(journey, bill(journey))
    journey.at_bank(way)  # approved, and its customer never comes back
    version(journey, "V2", BILL)
    version(journey, "V3", "V2")
    journey.clock.tick(seconds=DAY_S + 1)
    assert "L7" not in late(journey)
    journey.deliver(number="V4", replaces="V5")
    assert "L7" not in late(journey)
    journey.clock.tick(seconds=DAY_S + 1)
    assert "L7" in late(journey)


def test_nor_is_one_that_waited_for_a_payment_until_just_now(journey: Journey) -> None:
    payment_id, way = at_the_bank(journey, bill(journey))
    journey.at_bank(way)
    version(journey, "V2", BILL)
    assert bills(journey) == {BILL: "in_payment"}
    journey.clock.tick(seconds=DAY_S + 1)
    reject(journey, payment_id)
    assert bills(journey) == {BILL: "cleared"}
    assert "L7" not in late(journey)
    journey.clock.tick(seconds=3601)
    assert "L7" in late(journey)


@VERSIONS
def test_nor_one_that_waits_for_a_payment_of_another_bill_than_it_names(
    journey: Journey, before: dict[str, str], waiting: dict[str, str]
) -> None:
    payment_id = wait_for_a_payment(journey, before, waiting)
    journey.clock.tick(seconds=DAY_S + 1)
    assert "L7" not in late(journey)
    reject(journey, payment_id)
    journey.clock.tick(seconds=3601)
    assert "L7" in late(journey)
    journey.worker.run_until_idle()
    assert "L7" not in late(journey)


def test_a_payment_of_its_new_version_is_no_reason_for_a_bill_to_wait(journey: Journey) -> None:
    version(journey, "V2", BILL)
    _, way = at_the_bank(journey, numbered(journey, "V2"))
    journey.at_bank(way)
    journey.deliver(number=BILL, amount="100.00")
    journey.clock.tick(seconds=DAY_S + 1)
    assert bills(journey) == {"V2": "in_payment"}
    assert "L7" in late(journey)


def late(journey: Journey) -> set[str]:
    return {each.invariant.name for each in invariants.check(journey.services.engine, now=journey.services.clock())}


# ------------------------------------------------------------------------------- new versions of a bill that never came


def test_of_two_new_versions_of_a_bill_that_never_came_the_later_one_is_to_pay(journey: Journey) -> None:
    first = version(journey, "V2", BILL)
    second = version(journey, "V3", BILL, "80.00")
    assert bills(journey) == {"V2": "cleared", "V3": "to_pay"}
    assert "€80.00 to pay, on 1 bill" in said(journey, "/bills")
    assert "This is the new version of bill V2" in said(journey, f"/bills/{numbered(journey, 'V3')}")
    assert to_the_biller(journey, first).superseded_by == second
    journey.deliver(number=BILL, amount="100.00")
    journey.worker.run_until_idle()
    assert bills(journey) == {BILL: "cleared", "V2": "cleared", "V3": "to_pay"}
    version(journey, "V4", BILL, "70.00")
    assert bills(journey) == {BILL: "cleared", "V2": "cleared", "V3": "cleared", "V4": "to_pay"}


def test_also_when_the_later_one_was_looked_at_first(journey: Journey) -> None:
    """As if the earlier one had been written down by a slower server."""
    version(journey, "V3", BILL, "80.00")
    earlier = journey.deliver(number="V2", amount="90.00", replaces=BILL)
    with journey.services.unit_of_work() as uow:
        delivered = uow.session.get_one(DeliveredBill, earlier.bill_id)
        delivered.delivered_at -= dt.timedelta(seconds=1)
        uow.commit()
    journey.worker.run_until_idle()
    assert bills(journey) == {"V2": "cleared", "V3": "to_pay"}


# ------------------------------------------------------------------------- the earlier bill comes after its new version


def test_a_bill_that_comes_after_its_new_version_is_never_to_pay(journey: Journey) -> None:
    new = bill(journey, "V2", replaces=BILL)
    journey.deliver(number=BILL, amount="100.00")
    open_only(journey)
    assert bills(journey) == {"V2": "to_pay", BILL: "cleared"}
    assert f"This is the new version of bill {BILL}" in said(journey, f"/bills/{new}")
    journey.worker.run_until_idle()
    assert bills(journey) == {"V2": "to_pay", BILL: "cleared"}
    assert [each.number for each in corrections(journey)] == ["V2"]
    version(journey, "V3", BILL, "80.00")
    assert bills(journey) == {"V2": "cleared", BILL: "cleared", "V3": "to_pay"}


def test_also_when_nobody_has_looked_at_the_new_version_yet(journey: Journey) -> None:
    journey.deliver(number="V2", amount="90.00", replaces=BILL)
    journey.deliver(number="V3", amount="80.00", replaces=BILL)
    journey.deliver(number=BILL, amount="100.00")
    open_only(journey)
    assert bills(journey) == {BILL: "cleared"}
    journey.worker.run_until_idle()
    journey.wait(2)
    found = bills(journey)
    assert found == {BILL: "cleared", "V2": "cleared", "V3": "to_pay"}


def open_only(journey: Journey) -> None:
    """Do the work of the bill that is to be opened, and nothing else."""
    with journey.services.unit_of_work() as uow:
        key = uow.session.scalars(select(WorkRow.key).where(WorkRow.handler == "invoices.open_invoice")).one()
        claim = work.claim_key(uow.session, key=key, now=uow.now)
        uow.commit()
    assert claim is not None
    HANDLERS[claim.handler](Task(services=journey.services, claim=claim))
