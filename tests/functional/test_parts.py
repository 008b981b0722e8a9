"""A bill is paid in parts through the doors: what is signed, what the bank has, what its customer and biller read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from app.journey.corrections.read import CorrectedBill, corrected_bill
from app.journey.decisions.models import Decision
from app.journey.webhooks.models import WebhookMessage
from app.journey.webhooks.service import add_endpoint
from tests.functional.test_answers import cancel_before_the_bank
from tests.support.journey import Journey

NBSP = "\u00a0"


def paid(journey: Journey, invoice_id: str, part: str | None = None) -> str:
    """Paid, and settled."""
    payment_id = journey.pay(invoice_id, part=part)
    journey.wait(60)
    journey.wait(600)
    return payment_id


def text(journey: Journey, path: str) -> str:
    return journey.browser.page(path).get_text(" ", strip=True).replace(NBSP, " ")


def to_the_biller(journey: Journey, invoice_id: str) -> CorrectedBill:
    with journey.services.reading() as uow:
        bill_id = journey.invoice(invoice_id).delivery.bill_id
        return corrected_bill(uow.session, bill_id=bill_id, biller_id=journey.biller.id)


def decision_of(journey: Journey, payment_id: str) -> Decision:
    with journey.services.reading() as uow:
        return uow.session.scalars(select(Decision).where(Decision.payment_id == payment_id)).one()


def test_whoever_cancels_a_part_is_led_to_another_part_and_whoever_cancels_all_of_it_is_not(journey: Journey) -> None:
    for part, leads in (("40.00", 1), (None, 0)):
        invoice_id = journey.bill(number=f"B-{leads}", amount="100.00")
        payment_id = cancel_before_the_bank(journey, invoice_id, part)
        page = journey.browser.page(f"/payments/{payment_id}")
        assert len(page.select(f".actions a[href='/bills/{invoice_id}/part']")) == leads
        assert journey.browser.get(f"/bills/{invoice_id}/part").status_code == 200


def test_a_bill_is_paid_in_two_parts_and_everybody_reads_so(journey: Journey) -> None:
    with journey.services.unit_of_work() as uow:
        add_endpoint(journey.services, uow, biller_id=journey.biller.id, url="https://biller.example/hook")
        uow.commit()
    invoice_id = journey.bill(amount="100.00")
    page = text(journey, f"/bills/{invoice_id}/pay?bank=horizon&part=40,00")
    assert "€60.00 is left to pay after this payment." in page
    first = paid(journey, invoice_id, part="40.00")
    one = decision_of(journey, first)
    assert (one.amount_minor, one.discount_minor, one.rest_minor, one.paid_minor, one.parts_paid) == (
        4000,
        0,
        6000,
        0,
        [],
    )
    assert (one.evidence["order"]["amount_minor"], one.evidence["order"]["rest_minor"]) == ("4000", "6000")
    told = to_the_biller(journey, invoice_id)
    assert (told.status, str(told.amount_paid), str(told.amount_due)) == ("open", "40.00", "60.00")
    assert "€60.00" in text(journey, f"/bills/{invoice_id}")
    assert "€60.00" in text(journey, "/bills")
    said = text(journey, f"/payments/{first}")
    assert "A part is paid" in said
    assert "See what is left to pay" in said
    page = text(journey, f"/bills/{invoice_id}/pay?bank=horizon")
    assert "€40.00 of €100.00 is paid already." in page
    assert "With this payment all of it is paid." in page
    second = paid(journey, invoice_id)
    assert "A part is paid" not in text(journey, f"/payments/{first}") + text(journey, f"/payments/{second}")
    two = decision_of(journey, second)
    assert (two.amount_minor, two.rest_minor, two.paid_minor, two.parts_paid) == (6000, 0, 4000, [first])
    assert two.evidence["order"]["parts_paid"] == first
    told = to_the_biller(journey, invoice_id)
    assert (told.status, str(told.amount_paid), str(told.amount_due)) == ("paid", "100.00", "0.00")
    assert "€100.00" in text(journey, f"/bills/{invoice_id}")
    with journey.services.reading() as uow:
        bodies = [
            json.loads(body)
            for body in uow.session.scalars(select(WebhookMessage.body).order_by(WebhookMessage.event_id))
        ]
    settled = [body["data"] for body in bodies if body["type"] == "payment.settled"]
    assert [(each["payment_id"], each["amount"]) for each in settled] == [(first, "40.00"), (second, "60.00")]
    with journey.services.reading() as uow:
        assert len(journey.ledger()) == 2


def test_receipts_of_parts_sum_to_the_bill(journey: Journey) -> None:
    invoice_id = journey.bill(amount="100.00")
    for part in ("33.33", "33.33", None):
        paid(journey, invoice_id, part=part)
    page = journey.browser.page("/receipts")
    rows = []
    for link in page.select('a[href^="/receipts/rcp_"]'):
        receipt = text(journey, str(link["href"]))
        if receipt not in rows:
            rows.append(receipt)
    assert len(rows) == 3
    assert "Left to pay then −⁠ €66.67".replace("⁠ ", "") in rows[-1].replace("⁠", "").replace("− ", "−")
    assert "Paid before, in parts" in rows[0]


@pytest.mark.parametrize("part", ["100.00", "0.00", "abc", "1e3", "-5.00", "12.345", "1.000"])
def test_what_is_no_part_leads_back_to_the_bill_and_nothing_is_signed(journey: Journey, part: str) -> None:
    invoice_id = journey.bill(amount="100.00")
    answer = journey.browser.get(f"/bills/{invoice_id}/pay?bank=horizon&part={part}")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(f"/bills/{invoice_id}/part?bank=horizon&part=")
    page = text(journey, answer.headers["Location"])
    assert "Write an amount that is less than €100.00." in page
    token, shown = journey.browser.see_order(invoice_id)
    refused = journey.browser.start_signing(invoice_id, token, shown, part=part)
    assert refused.status_code == 422


def test_a_part_that_was_seen_and_is_not_what_is_signed_is_asked_about(journey: Journey) -> None:
    invoice_id = journey.bill(amount="100.00")
    token, shown = journey.browser.see_order(invoice_id, part="40.00")
    refused: Any = journey.browser.start_signing(invoice_id, token, shown, part="41.00").get_json()
    assert refused["code"] == "order-changed"
    token, started = journey.browser.start_paying(invoice_id, part="40.00")
    journey.pay(invoice_id, part="10.00")  # in another tab
    journey.wait(60)
    answer = journey.browser.decide(invoice_id, token, started.get_json())
    assert answer.status_code == 409  # it would leave less than was signed
    assert journey.invoice(invoice_id).left.minor == 9000
