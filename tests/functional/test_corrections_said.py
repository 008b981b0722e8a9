"""What is said of corrections, to customers and billers: every amount is the right one, and nothing is hidden."""

from __future__ import annotations

from app.journey.corrections.read import CORRECTIONS_MOST
from tests.functional.test_corrections import BILL, bill, credit, of_invoice, said, withdrawn
from tests.support import factories
from tests.support.journey import Journey

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
