"""A customer disputes some lines of a bill by its pages, and pays the rest: what is said before, after and to whom."""

from __future__ import annotations

from typing import Any

import pytest

from app.journey.corrections.read import corrected_bill
from tests.functional.test_answers import cancel_before_the_bank, offered, replies, say, shown, take_back
from tests.functional.test_corrections import bill, credit
from tests.functional.test_parts import decision_of, paid
from tests.functional.test_tools import ask, made
from tests.support.journey import Journey

#: with VAT 60.00, 24.01 (rounded up), and a line of which nobody knows
LINES = [
    {"description": "Line rental", "amount": "50.00", "vat_rate": "20"},
    {"description": "Film package", "amount": "22.75", "vat_rate": "5.5"},
    {"description": "A favour", "amount": "16.00"},
]


def to_the_biller(journey: Journey, invoice_id: str) -> tuple[str, str, str, str]:
    with journey.services.reading() as uow:
        bill_id = journey.invoice(invoice_id).delivery.bill_id
        told = corrected_bill(uow.session, bill_id=bill_id, biller_id=journey.biller.id)
    return told.status, str(told.amount_paid), str(told.amount_due), str(told.held_back)


def test_the_form_says_before_what_is_held_back(journey: Journey) -> None:
    invoice_id = bill(journey, lines=LINES, early_payment={"until": "2026-12-24", "discount": "2.00"})
    assert "Tax and other charges €11.25 Amount of the bill €100.00" in shown(journey, f"/bills/{invoice_id}")
    path = f"/bills/{invoice_id}/answers/disputed"
    form = journey.browser.page(path)
    assert [each.get_text(" ", strip=True).replace("\xa0", " ") for each in form.select(".tick.line")] == [
        "Line rental With tax at most €60.00 €50.00",
        "Film package With tax at most €24.01 €22.75",
        "A favour With tax: the bill does not say €16.00",
    ]
    page = shown(journey, path)
    assert "only what they come to with tax is held back" in page
    assert "The rest of €100.00 can be paid meanwhile, by itself." in page
    assert "The €2.00 for early payment comes off only for paying all at once." in page
    other = bill(journey, number="2026-2", lines=[{"description": "x", "amount": "50.00"}] * 2)
    page = shown(journey, f"/bills/{other}/answers/disputed")
    assert "Also if you choose lines: the bill does not say what they come to with tax." in page


def test_the_rest_is_paid_while_a_line_is_disputed_and_everybody_reads_so(journey: Journey) -> None:
    invoice_id = bill(journey, lines=LINES)
    say(journey, invoice_id, "disputed", line="2", reason="not_received")  # the third click from the inbox
    page = shown(journey, f"/bills/{invoice_id}")
    assert "€24.01 held back while you dispute it, €75.99 to pay by 1 December 2026." in page
    assert "While it stands, €24.01 is held back, the most that this comes to with tax. You can pay the rest." in page
    assert "Pay the rest €75.99 now; €24.01 stays held back" in page
    assert {"pay", "part"} <= set(offered(journey, invoice_id))
    inbox = shown(journey, "/bills")
    assert "€75.99 to pay, on 1 bill" in inbox
    assert "Not counted: what you dispute of 1 bill. The rest of it is in the sum." in inbox
    assert "€24.01 held back" in inbox
    assert to_the_biller(journey, invoice_id) == ("open", "0.00", "100.00", "24.01")
    page = shown(journey, f"/bills/{invoice_id}/pay?bank=horizon")
    assert "You pay €75.99" in page
    assert "€24.01 is held back while you dispute it: that is not paid." in page
    payment_id = paid(journey, invoice_id)
    decided = decision_of(journey, payment_id)
    assert (decided.amount_minor, decided.rest_minor) == (7599, 2401)
    assert to_the_biller(journey, invoice_id) == ("open", "75.99", "24.01", "0.00")
    page = shown(journey, f"/bills/{invoice_id}")
    assert "While it stands, nothing is paid for this bill from here. Nothing else of it is left to pay." in page
    assert "pay" not in offered(journey, invoice_id)
    take_back(journey, invoice_id)
    assert "With this payment all of it is paid." in shown(journey, f"/bills/{invoice_id}/pay?bank=horizon")


@pytest.mark.parametrize("part", ["76.00", "100.00"])
def test_no_part_takes_what_is_held_back(journey: Journey, part: str) -> None:
    invoice_id = bill(journey, lines=LINES)
    say(journey, invoice_id, "disputed", line="2", reason="not_received")
    answer = journey.browser.get(f"/bills/{invoice_id}/pay?bank=horizon&part={part}")
    assert answer.status_code == 303
    page = shown(journey, answer.headers["Location"])
    assert "Write €75.99 at the most: €24.01 is held back while you dispute it." in page
    token, seen = journey.browser.see_order(invoice_id)
    refused: Any = journey.browser.start_signing(invoice_id, token, seen, part=part)
    assert (refused.status_code, "75.99 EUR at the most" in refused.get_json()["detail"]) == (422, True)
    paid(journey, invoice_id, part="70.00")
    assert to_the_biller(journey, invoice_id) == ("open", "70.00", "30.00", "24.01")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("3", "The rest cannot be paid by itself: the bill does not say what these lines come to with tax."),
        (["1", "2"], "While it stands, €84.01 is held back, the most that this comes to with tax."),
    ],
)
def test_where_the_rest_cannot_be_paid_the_page_says_why(journey: Journey, line: Any, why: str) -> None:
    invoice_id = bill(journey, lines=LINES)
    say(journey, invoice_id, "disputed", line=line, reason="not_received")
    assert why in shown(journey, f"/bills/{invoice_id}")


def test_after_a_payment_of_the_rest_that_failed_at_the_bank_the_page_says_why_it_waits(journey: Journey) -> None:
    invoice_id = bill(journey, lines=LINES)
    say(journey, invoice_id, "disputed", line="1", reason="not_received")
    journey.pay(invoice_id, decision="refuse")
    journey.wait(600)
    assert journey.invoice(invoice_id).is_set_aside
    assert "after a payment that did not go through, what is left of a bill is paid in one, not in parts" in shown(
        journey, f"/bills/{invoice_id}"
    )


def test_after_one_that_was_cancelled_before_the_bank_the_rest_can_be_paid(journey: Journey) -> None:
    invoice_id = bill(journey, lines=LINES)
    say(journey, invoice_id, "disputed", line="1", reason="not_received")
    cancel_before_the_bank(journey, invoice_id)
    assert "€60.00 held back while you dispute it, €40.00 to pay by" in shown(journey, f"/bills/{invoice_id}")
    paid(journey, invoice_id)
    assert to_the_biller(journey, invoice_id) == ("open", "40.00", "60.00", "0.00")  # all that is left is set aside


def test_what_was_signed_before_a_line_was_disputed_is_not_decided(journey: Journey) -> None:
    invoice_id = bill(journey, lines=LINES)
    token, started = journey.browser.start_paying(invoice_id)
    say(journey, invoice_id, "disputed", line="2", reason="not_received")
    answer = journey.browser.decide(invoice_id, token, started.get_json())
    assert answer.status_code == 409
    assert journey.invoice(invoice_id).state == "to_pay"


def test_the_companys_no_and_its_credit_note_free_what_was_held_back(journey: Journey) -> None:
    invoice_id = bill(journey, lines=LINES)
    replies(journey, say(journey, invoice_id, "disputed", line="1", reason="not_received"), accepts=False, said="No.")
    assert to_the_biller(journey, invoice_id) == ("open", "0.00", "100.00", "0.00")
    say(journey, invoice_id, "disputed", line="1", reason="not_received")
    credit(journey, "60.00")
    assert to_the_biller(journey, invoice_id) == ("open", "0.00", "40.00", "0.00")
    assert "€40.00 to pay, on 1 bill" in shown(journey, "/bills")


def test_a_program_reads_what_can_be_paid(journey: Journey) -> None:
    invoice_id = bill(journey, lines=LINES)
    say(journey, invoice_id, "disputed", line="2", reason="not_received")
    [one] = ask(journey.app, "/my/v1/bills", made(journey.browser)).get_json()["bills"]
    assert (one["left"]["amount"], one["held_back"]["amount"]) == ("100.00", "24.01")
    assert (one["payable_today"]["amount"], one["held"]) == ("75.99", None)


def test_it_is_said_in_french(journey: Journey) -> None:
    invoice_id = bill(journey, lines=LINES)
    journey.browser.get("/language/fr?next=/bills")
    say(journey, invoice_id, "disputed", line="2", reason="not_received")
    page = shown(journey, f"/bills/{invoice_id}")
    assert "24,01 € contestés, non payés pour l’instant ; 75,99 € à payer au plus tard le 1er décembre 2026." in page
    assert "Payer le reste 75,99 € maintenant ; 24,01 € contestés, non payés pour l’instant" in page
