"""What is said of corrections, to customers and billers: every amount is the right one, and nothing is hidden."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from app.journey.corrections.read import CORRECTIONS_MOST
from app.journey.intake import holding
from app.journey.payments.access import locked
from app.journey.payments.read import voided_often
from app.journey.payments.reasons import Reason
from app.journey.payments.states import PaymentStep, Source
from app.journey.payments.step import step
from app.journey.webhooks.models import WebhookMessage
from app.journey.webhooks.service import add_endpoint
from connectors.contract import Fact
from tests.functional.test_corrections import BILL, balances, bill, credit, of_invoice, on_a_statement, said, withdrawn
from tests.support import factories
from tests.support.journey import Journey

EARLY = {"until": "2026-11-30", "discount": "3.33"}


def settled(journey: Journey, invoice_id: str) -> str:
    payment_id = journey.pay(invoice_id)
    journey.wait(3)
    assert journey.payment(payment_id).state == "settled"
    return payment_id


def rejected(journey: Journey, payment_id: str) -> None:
    """The bank says that it will not happen."""
    with journey.services.unit_of_work() as uow:
        payment, why = locked(uow.session, payment_id), Reason.REJECTED_BY_BANK
        step(uow, payment, PaymentStep.BANK_REJECT, source=Source.BANK, evidence="bank:RJCT", reason=why)
        uow.commit()
    journey.worker.run_until_idle()


def listen(journey: Journey) -> None:
    with journey.services.unit_of_work() as uow:
        add_endpoint(journey.services, uow, biller_id=journey.biller.id, url="https://lumen.example/hooks")
        uow.commit()


def told(journey: Journey, kind: str) -> list[dict[str, Any]]:
    with journey.services.reading() as uow:
        messages = uow.session.scalars(
            select(WebhookMessage).where(WebhookMessage.type == kind).order_by(WebhookMessage.id)
        )
        return [json.loads(message.body)["data"] for message in messages]


# ------------------------------------------------------------------------------------------------------ many of them


def test_a_hundred_credit_notes_hide_no_withdrawal(journey: Journey) -> None:
    invoice_id = bill(journey)
    for number in range(CORRECTIONS_MOST):
        journey.deliver(number=f"C-{number}", amount="0.01", kind="credit_note", corrects=BILL, reference=None)
    journey.worker.run_until_idle()
    withdrawn(journey, invoice_id, "Fraud: do not pay.")
    page = said(journey, f"/bills/{invoice_id}")
    assert f"{journey.biller.name} has withdrawn this bill. You need not pay it." in page
    assert "Fraud: do not pay." in page
    of = of_invoice(journey, invoice_id)
    assert (of.withdrawal_reason, of.withdrawn_at) == ("Fraud: do not pay.", journey.clock())
    assert len(of.corrected_by) == CORRECTIONS_MOST


def test_the_list_of_a_bill_keeps_what_was_said_last(journey: Journey) -> None:
    invoice_id = bill(journey)
    for number in range(CORRECTIONS_MOST + 1):
        journey.deliver(number=f"C-{number}-", amount="0.01", kind="credit_note", corrects=BILL, reference=None)
    journey.worker.run_until_idle()
    page = said(journey, f"/bills/{invoice_id}")
    assert "Credit note C-0-" not in page
    assert page.index("Credit note C-1-") < page.index(f"Credit note C-{CORRECTIONS_MOST}-")


def test_credits_without_a_bill_leave_room_for_those_of_other_billers(journey: Journey) -> None:
    other = factories.make_biller(journey.services, name="Another One")
    address = factories.connect(journey.services, customer_id=journey.customer.id, biller_id=other.id)
    own, own_address = journey.biller, journey.address
    journey.biller, journey.address = other, address
    credit(journey, number="OTHER", of=None)
    journey.biller, journey.address = own, own_address
    for number in range(CORRECTIONS_MOST + 3):
        journey.deliver(number=f"S-{number}-", amount="1.00", kind="credit_note", reference=None)
    journey.worker.run_until_idle()
    page = said(journey, "/bills")
    assert "Another One , credit note OTHER" in page
    assert f"credit note S-{CORRECTIONS_MOST + 2}-" in page
    assert "credit note S-0-" not in page
    assert f"and {CORRECTIONS_MOST} more from {own.name}" in page
    more = journey.browser.page("/bills").select_one("a[href*='credits=all']")
    assert more is not None
    whole = said(journey, str(more["href"]))
    assert "credit note S-3-" in whole
    assert "and 3 more from" in whole
    assert "credit note OTHER" in whole


# -------------------------------------------------------------------------------------------------------- what is owed


def test_a_withdrawal_owes_what_was_paid_and_not_the_discount_besides(journey: Journey) -> None:
    listen(journey)
    invoice_id = bill(journey, early_payment=EARLY)
    settled(journey, invoice_id)
    withdrawn(journey, invoice_id)
    assert str(of_invoice(journey, invoice_id).refund_owed) == "96.67"
    assert "owes you €96.67." in said(journey, f"/bills/{invoice_id}")
    assert [each["refund_owed"] for each in told(journey, "bill.refund_owed")] == ["96.67"]


def test_a_withdrawal_of_what_is_under_way_owes_it_once_it_is_paid(journey: Journey) -> None:
    listen(journey)
    invoice_id = bill(journey, early_payment=EARLY)
    journey.pay(invoice_id)  # accepted, not settled yet
    withdrawn(journey, invoice_id)
    assert told(journey, "bill.refund_owed") == []
    journey.wait(3)
    assert journey.invoice(invoice_id).state == "paid"
    assert str(of_invoice(journey, invoice_id).refund_owed) == "96.67"
    assert [each["refund_owed"] for each in told(journey, "bill.refund_owed")] == ["96.67"]


def test_a_new_version_owes_what_was_paid_of_the_earlier_one(journey: Journey) -> None:
    invoice_id = bill(journey, early_payment=EARLY)
    settled(journey, invoice_id)
    bill(journey, "2026-2", replaces=BILL)
    assert str(of_invoice(journey, invoice_id).refund_owed) == "96.67"


def test_a_credit_note_owes_what_it_says_and_a_withdrawal_the_rest_of_what_was_paid(journey: Journey) -> None:
    invoice_id = bill(journey, early_payment=EARLY)
    settled(journey, invoice_id)
    credit(journey)
    assert str(of_invoice(journey, invoice_id).refund_owed) == "30.00"
    withdrawn(journey, invoice_id)
    assert str(of_invoice(journey, invoice_id).refund_owed) == "96.67"


def test_a_withdrawal_never_lowers_what_credit_notes_owe(journey: Journey) -> None:
    invoice_id = bill(journey, early_payment=EARLY)
    settled(journey, invoice_id)
    credit(journey, "99.00")
    withdrawn(journey, invoice_id)
    assert str(of_invoice(journey, invoice_id).refund_owed) == "99.00"


def test_nothing_is_owed_of_a_withdrawn_bill_whose_payment_the_bank_took_back(journey: Journey) -> None:
    listen(journey)
    invoice_id = bill(journey, early_payment=EARLY)
    payment_id = settled(journey, invoice_id)
    withdrawn(journey, invoice_id)
    on_a_statement(journey, payment_id, Fact.REJECTED)
    assert of_invoice(journey, invoice_id).refund_owed.minor == 0
    assert journey.invoice(invoice_id).state == "cleared"
    assert [each["refund_owed"] for each in told(journey, "bill.refund_owed")] == ["96.67", "0.00"]


def test_what_was_paid_twice_is_told_apart_from_what_was_taken_off(journey: Journey) -> None:
    """So that the webhook and the bill say the same."""
    listen(journey)
    invoice_id = bill(journey)
    first = journey.confirm(invoice_id)
    journey.worker.run_until_idle()
    journey.browser.leave(first)
    rejected(journey, first)
    settled(journey, invoice_id)
    on_a_statement(journey, first, Fact.DEBITED)
    credit(journey)
    of = of_invoice(journey, invoice_id)
    assert (str(of.refund_owed), str(of.paid_twice)) == ("30.00", "100.00")
    assert [each["refund_owed"] for each in told(journey, "bill.refund_owed")] == ["30.00"]
    assert len(told(journey, "payment.settled")) == 2


def test_a_message_tells_of_its_own_fact_and_which_is_the_later(journey: Journey) -> None:
    """Two credit notes and a withdrawal before anything is told."""
    listen(journey)
    invoice_id = bill(journey)
    settled(journey, invoice_id)
    for number, amount in (("C-1", "30.00"), ("C-2", "20.00")):
        journey.deliver(number=number, amount=amount, kind="credit_note", corrects=BILL, reference=None)
    journey.worker.run_until_idle()
    withdrawn(journey, invoice_id)
    corrected, refunds = told(journey, "bill.corrected"), told(journey, "bill.refund_owed")
    said_of = sorted((each["sequence"], each["amount"], each["correction"]["taken_off"]) for each in corrected)
    assert said_of == [(2, "70.00", "30.00"), (4, "50.00", "20.00"), (6, "0.00", "50.00")]
    assert sorted((each["sequence"], each["refund_owed"], each["status"]) for each in refunds) == [
        (1, "30.00", "paid"),
        (3, "50.00", "paid"),
        (5, "100.00", "paid"),
    ]
    assert of_invoice(journey, invoice_id).sequence == 6


def test_an_older_process_gives_back_nothing_that_was_credited_meanwhile(journey: Journey) -> None:
    """It would make all due again that its payment held: the database refuses."""
    invoice_id = bill(journey)
    journey.pay(invoice_id)
    credit(journey)
    assert balances(journey, invoice_id)["owed"] == -3000
    released = text("UPDATE ledger_balance SET balance_minor = balance_minor + 10000 WHERE account = :due")
    with pytest.raises(IntegrityError, match="never_due_and_owed"), journey.services.engine.begin() as connection:
        connection.execute(released, {"due": f"due:{invoice_id}"})


# ------------------------------------------------------------------------------------------------------ on the pages


def test_what_was_decided_stands_large_and_not_what_was_billed(journey: Journey) -> None:
    invoice_id = bill(journey)
    credit(journey)
    settled(journey, invoice_id)
    for path in (f"/bills/{invoice_id}", "/bills"):
        page = said(journey, path)
        assert "€70.00 Paid" in page
        assert "€100.00 Paid" not in page


def test_a_withdrawn_bill_shows_what_is_under_way(journey: Journey) -> None:
    invoice_id = bill(journey, early_payment=EARLY)
    journey.at_bank(journey.browser.leave(journey.confirm(invoice_id)))
    withdrawn(journey, invoice_id)
    assert "€96.67 Payment under way" in said(journey, f"/bills/{invoice_id}")
    assert "€0.00" not in said(journey, "/bills")


def test_a_held_correction_is_said_on_the_bill_and_before_the_signature(journey: Journey) -> None:
    invoice_id = bill(journey)
    held = journey.deliver(number="2026\u20101", amount="90.00", replaces=BILL)
    assert held.held
    words = f"{journey.biller.name} has sent number 2026\u20101, which corrects this bill"
    assert words in said(journey, f"/bills/{invoice_id}")
    assert words in said(journey, f"/bills/{invoice_id}/pay?bank=horizon")
    holding.discard(journey.services, held_id=held.bill_id)
    assert words not in said(journey, f"/bills/{invoice_id}")


def test_a_credit_note_for_a_replaced_bill_says_on_both_that_it_took_nothing_off(journey: Journey) -> None:
    old = bill(journey)
    new = bill(journey, "2026-2", replaces=BILL)
    credit(journey)
    assert "It took nothing off: nothing was asked of this bill any more." in said(journey, f"/bills/{old}")
    words = f"sent credit note C-1 over €30.00 for bill {BILL}, which this one replaces. It took nothing off this bill"
    assert words in said(journey, f"/bills/{new}")
    assert words in said(journey, f"/bills/{new}/pay?bank=horizon")


def test_an_operator_sees_who_stops_payments_again_and_again(journey: Journey) -> None:
    invoice_id = bill(journey)
    for number in ("C-1", "C-2"):
        journey.confirm(invoice_id)
        credit(journey, "0.01", number=number)
    once = bill(journey, "2026-2")
    journey.confirm(once)
    credit(journey, "0.01", number="C-3", of="2026-2")
    with journey.services.reading() as uow:
        found = voided_often(uow.session)
    assert [(each.invoice_id, each.biller_name, each.number, each.times) for each in found] == [
        (invoice_id, journey.biller.name, BILL, 2)
    ]
