"""What a biller says of its own bill later, on each side of submit: through the doors, to the books."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from app.db.events import EventRow
from app.errors import Conflict, Invalid, NotFound
from app.journey.corrections.models import Correction
from app.journey.corrections.read import CorrectedBill, corrected_bill
from app.journey.corrections.service import withdraw
from app.journey.intake import holding
from app.journey.intake.service import deliver
from app.journey.intake.taking import Acknowledgement, ClientIdentity
from app.journey.invoices.models import Invoice
from app.journey.ledger.models import LedgerEntry
from app.journey.payments.access import locked
from app.journey.payments.states import Source
from app.journey.payments.step import correct
from app.journey.webhooks.models import WebhookMessage
from app.journey.webhooks.service import add_endpoint
from connectors.contract import Fact
from tests.support.bills import SELLER_VAT, cii_bill, pdf_bill, ubl_bill
from tests.support.journey import Journey

BILL = "2026-1"


def bill(journey: Journey, number: str = BILL, **changes: Any) -> str:
    return journey.bill(number=number, amount="100.00", **changes)


def credit(journey: Journey, amount: str = "30.00", *, number: str = "C-1", of: str | None = BILL, **more: Any) -> str:
    """A credit note in our JSON, delivered and applied. Returns the id of its bill."""
    acknowledged = journey.deliver(
        number=number, amount=amount, kind="credit_note", corrects=of, reference=None, **more
    )
    journey.worker.run_until_idle()
    return acknowledged.bill_id


def send(journey: Journey, content: bytes, media_type: str = "application/xml") -> Acknowledgement:
    client = ClientIdentity(client_id=journey.biller.client_id, biller_id=journey.biller.id)
    acknowledged = deliver(journey.services, client=client, content=content, media_type=media_type, to=None)
    journey.worker.run_until_idle()
    return acknowledged


def withdrawn(journey: Journey, invoice_id: str, reason: str = "The order was cancelled.") -> None:
    with journey.services.unit_of_work() as uow:
        bill_id = uow.session.get_one(Invoice, invoice_id).delivery.bill_id
        withdraw(uow, biller_id=journey.biller.id, bill_id=bill_id, reason=reason)
        uow.commit()
    journey.worker.run_until_idle()


def to_the_biller(journey: Journey, bill_id: str) -> CorrectedBill:
    with journey.services.reading() as uow:
        return corrected_bill(uow.session, bill_id=bill_id, biller_id=journey.biller.id)


def of_invoice(journey: Journey, invoice_id: str) -> CorrectedBill:
    return to_the_biller(journey, journey.invoice(invoice_id).delivery.bill_id)


def corrections(journey: Journey) -> list[Correction]:
    with journey.services.reading() as uow:
        return list(uow.session.scalars(select(Correction).order_by(Correction.id)))


def balances(journey: Journey, invoice_id: str) -> dict[str, int]:
    """What the ledger holds of a bill, by the kind of account; nothing is left out."""
    with journey.services.reading() as uow:
        found: dict[str, int] = {}
        for entry in uow.session.scalars(select(LedgerEntry).where(LedgerEntry.invoice_id == invoice_id)):
            kind = entry.account.partition(":")[0]
            found[kind] = found.get(kind, 0) + entry.amount_minor
        return {kind: minor for kind, minor in found.items() if minor}


def on_a_statement(journey: Journey, payment_id: str, fact: Fact) -> None:
    """A record of the bank that comes in another way than by asking for the status."""
    with journey.services.unit_of_work() as uow:
        payment = locked(uow.session, payment_id)
        assert correct(uow, payment, fact, source=Source.STATEMENT, evidence="camt:M1/1")
        uow.commit()
    journey.worker.run_until_idle()


def said(journey: Journey, path: str) -> str:
    main = journey.browser.page(path).select_one("main")
    assert main is not None
    return " ".join(main.get_text(" ").replace("\xa0", " ").split())


# ------------------------------------------------------------------------------------------------- before submit


def test_a_credit_note_before_anything_was_paid_lowers_what_is_asked(journey: Journey) -> None:
    invoice_id = bill(journey)
    credit_id = credit(journey, note="The meter was read wrongly.")
    assert journey.invoice(invoice_id).asked.minor == 7000
    assert balances(journey, invoice_id) == {"due": 7000, "biller": -10000, "adjust": 3000}
    page = said(journey, f"/bills/{invoice_id}")
    name = journey.biller.name
    assert f"{name} now asks for €70.00 instead of €100.00." in page
    assert f"What {name} said of this bill later" in page
    assert "Credit note C-1" in page
    assert "The meter was read wrongly." in page
    assert "€70.00 to pay, on 1 bill" in said(journey, "/bills")
    of = of_invoice(journey, invoice_id)
    assert (of.status, str(of.amount), str(of.amount_due), of.corrected_by) == ("open", "100.00", "70.00", (credit_id,))
    its = to_the_biller(journey, credit_id)
    assert (its.kind, its.status, its.corrects) == (
        "credit_note",
        "closed",
        journey.invoice(invoice_id).delivery.bill_id,
    )
    payment_id = journey.pay(invoice_id)
    journey.wait(3)
    assert journey.truth(payment_id) == "done"
    assert [entry["amount"] for entry in journey.ledger()] == ["70.00"]
    link = journey.browser.page(f"/bills/{invoice_id}").select_one("a[href^='/receipts/']")
    assert link is not None
    receipt = said(journey, str(link["href"]))
    assert "Credited before by" in receipt
    assert "−\u2060€30.00" in receipt


def test_a_correction_before_submit_voids_the_decision_and_the_customer_is_asked_again(journey: Journey) -> None:
    invoice_id = bill(journey)
    voided = journey.confirm(invoice_id)  # the bank holds the order; its link was given to nobody
    credit(journey)
    assert journey.payment(voided).state == "cancelled"
    assert journey.payment(voided).reason == "bill_corrected"
    page = said(journey, f"/payments/{voided}")
    assert f"{journey.biller.name} corrected the bill after you had confirmed this payment, so it was stopped." in page
    assert "Nothing left your account." in page
    assert "so that payment was stopped" in said(journey, f"/bills/{invoice_id}")
    assert journey.browser.get(f"/payments/{voided}/bank").headers["Location"] == f"/payments/{voided}"
    journey.pay(invoice_id)
    journey.wait(3)
    assert [entry["amount"] for entry in journey.ledger()] == ["70.00"]
    assert of_invoice(journey, invoice_id).status == "paid"
    assert of_invoice(journey, invoice_id).refund_owed.minor == 0


def test_a_correction_between_the_page_and_the_signature_shows_the_page_again(journey: Journey) -> None:
    invoice_id = bill(journey)
    token, started = journey.browser.start_paying(invoice_id)
    credit(journey)
    answer = journey.browser.decide(invoice_id, token, started.get_json())
    assert answer.status_code == 409
    text = " ".join(answer.get_data(as_text=True).replace("\xa0", " ").split())
    assert "Something in this payment has changed since you saw it." in text
    assert f"{journey.biller.name} took €30.00 off with credit note C-1." in text
    assert '<span class="figure">€70.00</span>' in text
    assert journey.ledger() == []


# -------------------------------------------------------------------------------------------------- after submit


def test_a_credit_note_after_the_payment_is_a_refund_owed_and_touches_no_receipt(journey: Journey) -> None:
    with journey.services.unit_of_work() as uow:
        add_endpoint(journey.services, uow, biller_id=journey.biller.id, url="https://lumen.example/hooks")
        uow.commit()
    invoice_id = bill(journey)
    payment_id = journey.pay(invoice_id)
    journey.wait(3)
    link = journey.browser.page(f"/bills/{invoice_id}").select_one("a[href^='/receipts/']")
    assert link is not None
    before = journey.browser.page(str(link["href"])).select_one(".sheet")
    credit(journey)
    assert journey.payment(payment_id).state == "settled"
    assert journey.invoice(invoice_id).state == "paid"
    assert balances(journey, invoice_id) == {"biller": -10000, "settled": 10000, "adjust": 3000, "owed": -3000}
    of = of_invoice(journey, invoice_id)
    assert (of.status, str(of.amount_due), str(of.refund_owed)) == ("paid", "0.00", "30.00")
    owes = f"{journey.biller.name} owes you €30.00. It took that off the bill after you had paid."
    assert owes in said(journey, f"/bills/{invoice_id}")
    assert owes in said(journey, str(link["href"]))
    assert "The bill shows what you are owed." in said(journey, f"/payments/{payment_id}")
    assert str(journey.browser.page(str(link["href"])).select_one(".sheet")) == str(before)
    with journey.services.reading() as uow:
        told = {
            message.type: json.loads(message.body)["data"]
            for message in uow.session.scalars(select(WebhookMessage).where(WebhookMessage.type.startswith("bill.")))
        }
    assert told["bill.refund_owed"] == {
        "bill_id": journey.invoice(invoice_id).delivery.bill_id,
        "number": BILL,
        "status": "paid",
        "refund_owed": "30.00",
        "currency": "EUR",
        "sequence": 1,
    }
    assert told["bill.corrected"]["correction"] == {
        "kind": "credit_note",
        "bill_id": corrections(journey)[0].bill_id,
        "number": "C-1",
        "taken_off": "30.00",
    }


def test_a_correction_while_the_customer_is_at_the_bank_waits_for_the_end_of_the_payment(journey: Journey) -> None:
    """Approved before the bank has dropped it: it is executed, and the difference is owed."""
    invoice_id = bill(journey)
    payment_id = journey.confirm(invoice_id)
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    journey.deliver(number="C-1", amount="30.00", kind="credit_note", corrects=BILL, reference=None)
    journey.worker.run_until_idle()
    assert balances(journey, invoice_id).get("due", 0) == 0
    page = said(journey, f"/bills/{invoice_id}")
    assert "If it goes through all the same" in page
    assert "€100.00 Payment under way" in page  # what was decided
    journey.browser.come_back(way_back)
    journey.wait(3)
    assert journey.payment(payment_id).state == "settled"
    assert [entry["amount"] for entry in journey.ledger()] == ["100.00"]
    assert str(of_invoice(journey, invoice_id).refund_owed) == "30.00"


def test_a_payment_that_the_bank_drops_leaves_the_lower_amount_to_pay(journey: Journey) -> None:
    invoice_id = bill(journey)
    payment_id = journey.confirm(invoice_id)
    journey.browser.leave(payment_id)
    journey.deliver(number="C-1", amount="30.00", kind="credit_note", corrects=BILL, reference=None)
    journey.worker.run_until_idle()
    journey.wait(120)
    assert journey.payment(payment_id).state == "cancelled"
    assert journey.payment(payment_id).reason == "bill_corrected"
    assert journey.invoice(invoice_id).state == "to_pay"
    assert balances(journey, invoice_id) == {"due": 7000, "biller": -10000, "adjust": 3000}
    assert journey.ledger() == []


# -------------------------------------------------------------------------------------------------- credit notes


def test_credit_notes_that_take_off_all_leave_nothing_to_pay(journey: Journey) -> None:
    invoice_id = bill(journey)
    credit(journey, "60.00")
    credit(journey, "40.00", number="C-2")
    assert journey.invoice(invoice_id).state == "cleared"
    assert of_invoice(journey, invoice_id).status == "closed"
    page = said(journey, f"/bills/{invoice_id}")
    assert "has credited all of this bill. You need not pay it." in page
    assert "Nothing to pay." in said(journey, "/bills")
    assert journey.browser.get(f"/bills/{invoice_id}/pay").headers["Location"] == f"/bills/{invoice_id}"


def test_more_than_the_bill_was_for_is_owed(journey: Journey) -> None:
    invoice_id = bill(journey)
    credit(journey, "120.00")
    assert balances(journey, invoice_id) == {"biller": -10000, "adjust": 12000, "owed": -2000}
    assert str(of_invoice(journey, invoice_id).refund_owed) == "20.00"
    assert "owes you €20.00. It credited more than the bill was for." in said(journey, f"/bills/{invoice_id}")


def test_delivered_twice_it_is_one_credit_note(journey: Journey) -> None:
    invoice_id = bill(journey)
    assert credit(journey) == credit(journey)
    assert journey.invoice(invoice_id).credited_minor == 3000
    with pytest.raises(Conflict, match="with other content"):
        credit(journey, "31.00")


@pytest.mark.parametrize("of", [None, "never-delivered"])
def test_a_credit_note_without_its_bill_is_taken_and_shown(journey: Journey, of: str | None) -> None:
    credit_id = credit(journey, of=of)
    [correction] = corrections(journey)
    assert (correction.state, correction.because) == ("standing", "unknown-preceding" if of else "no-preceding")
    page = said(journey, "/bills")
    assert "Credits without a bill" in page
    assert "credit note C-1" in page
    its = to_the_biller(journey, credit_id)
    assert (its.status, its.corrects, its.not_applied_because) == ("open", None, correction.because)
    assert journey.browser.get(f"/credits/{correction.id}/original").status_code == 200


def test_a_credit_note_that_came_before_its_bill_is_applied_to_it(journey: Journey) -> None:
    credit(journey)
    invoice_id = bill(journey)
    assert journey.invoice(invoice_id).asked.minor == 7000
    assert "Credits without a bill" not in said(journey, "/bills")


def test_the_new_amount_has_the_same_share_of_the_discount(journey: Journey) -> None:
    tiers = [{"until": "2026-11-30", "amount": "3.33"}, {"until": "2026-12-05", "amount": "1.67"}]
    invoice_id = bill(journey, discounts=tiers)
    credit(journey)
    # 3.33 × 70/100 and 1.67 × 70/100, rounded down
    assert [each.saves.minor for each in journey.invoice(invoice_id).discounts] == [233, 116]
    journey.pay(invoice_id)
    journey.wait(3)
    assert [entry["amount"] for entry in journey.ledger()] == ["67.67"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"currency": "GBP"}, "currency-differs"),
        ({"amount": "0.00"}, "nothing-to-credit"),
        ({"corrects": "C-1"}, "preceding-refused"),
        ({"corrects": None, "replaces": BILL}, "value-refused"),
        ({"kind": "debit_note"}, "value-refused"),
    ],
)
def test_what_cannot_be_a_credit_note_of_this_bill_is_refused(
    journey: Journey, changes: dict[str, Any], code: str
) -> None:
    bill(journey)
    wanted = {"number": "C-1", "amount": "30.00", "kind": "credit_note", "corrects": BILL, "reference": None, **changes}
    with pytest.raises(Invalid) as refused:
        journey.deliver(**wanted)
    assert refused.value.code == code
    assert corrections(journey) == []


def test_a_credit_note_of_a_credit_note_is_refused(journey: Journey) -> None:
    bill(journey)
    credit(journey)
    with pytest.raises(Invalid, match="is a credit note"):
        credit(journey, number="C-2", of="C-1")


def test_a_credit_note_in_cii_and_in_a_pdf(journey: Journey) -> None:
    invoice_id = bill(journey)

    def cii(number: str) -> bytes:
        made = cii_bill(
            number=number,
            type_code="381",
            amount="30.00",
            to=journey.address,
            seller_name=journey.biller.name,
            preceding_numbers=[BILL],
        )
        return made.replace(SELLER_VAT.encode(), journey.biller.vat_id.encode())

    assert send(journey, cii("C-1")).held == ()
    assert journey.invoice(invoice_id).asked.minor == 7000
    assert send(journey, pdf_bill(("factur-x.xml", cii("C-2"))), "application/pdf").held == ()
    assert journey.invoice(invoice_id).asked.minor == 4000
    [_, in_pdf] = corrections(journey)
    download = journey.browser.get(f"/credits/{in_pdf.id}/original")
    assert download.data.startswith(b"%PDF-")


def test_a_credit_note_in_ubl(journey: Journey) -> None:
    invoice_id = bill(journey)
    named: dict[str, Any] = {"seller_name": journey.biller.name, "to": journey.address}
    vat = journey.biller.vat_id
    ubl = ubl_bill(
        root="CreditNote", number="C-1", amount="30.00", preceding_numbers=[BILL], seller_vat=vat, iban=None, **named
    )
    assert send(journey, ubl).held == ()
    assert journey.invoice(invoice_id).asked.minor == 7000
    invoice_type = ubl_bill(
        number="C-2", type_code="381", amount="20.00", preceding_numbers=[BILL], seller_vat=vat, **named
    )
    send(journey, invoice_type)
    assert journey.invoice(invoice_id).asked.minor == 5000
    assert [each.kind for each in corrections(journey)] == ["credit_note", "credit_note"]
    several = ubl_bill(
        root="CreditNote", number="C-3", amount="5.00", preceding_numbers=[BILL, "2025-9"], seller_vat=vat, **named
    )
    send(journey, several)
    assert corrections(journey)[-1].because == "several-preceding"
    assert journey.invoice(invoice_id).asked.minor == 5000


def test_a_credit_note_that_somebody_must_look_at_takes_nothing_off_before_that(journey: Journey) -> None:
    invoice_id = bill(journey)
    alike = BILL.replace("-", "\u2010")
    held = journey.deliver(number=alike, kind="credit_note", corrects=BILL, amount="30.00")
    assert [doubt.code for doubt in held.held] == ["number-alike"]
    journey.worker.run_until_idle()
    assert journey.invoice(invoice_id).credited_minor == 0
    holding.release(journey.services, held_id=held.bill_id)
    journey.worker.run_until_idle()
    assert journey.invoice(invoice_id).credited_minor == 3000


def test_a_payment_that_is_taken_back_is_due_for_what_is_asked_and_no_refund_is_owed(journey: Journey) -> None:
    invoice_id = bill(journey)
    payment_id = journey.pay(invoice_id)
    journey.wait(3)
    credit(journey)
    assert str(of_invoice(journey, invoice_id).refund_owed) == "30.00"
    on_a_statement(journey, payment_id, Fact.REJECTED)
    of = of_invoice(journey, invoice_id)
    assert (of.status, str(of.amount_due), str(of.refund_owed)) == ("open", "70.00", "0.00")
    with journey.services.reading() as uow:
        facts = uow.session.scalars(select(EventRow.payload).where(EventRow.kind == "RefundOwed").order_by(EventRow.id))
        assert [fact["amount_minor"] for fact in facts] == [3000, 0]


def test_what_was_closed_and_executed_after_all_pays_what_is_asked_and_the_rest_is_owed(journey: Journey) -> None:
    """Stopped because of the credit note, and a statement shows it booked all the same (K5)."""
    invoice_id = bill(journey)
    payment_id = journey.confirm(invoice_id)
    credit(journey)
    assert journey.payment(payment_id).state == "cancelled"
    on_a_statement(journey, payment_id, Fact.DEBITED)
    of = of_invoice(journey, invoice_id)
    assert (of.status, str(of.amount_due), str(of.refund_owed)) == ("paid", "0.00", "30.00")


# ----------------------------------------------------------------------------------------------------- withdrawal


def test_a_withdrawn_bill_is_shown_with_the_reason_and_cannot_be_paid(journey: Journey) -> None:
    invoice_id = bill(journey)
    withdrawn(journey, invoice_id)
    withdrawn(journey, invoice_id, "Said again.")
    page = said(journey, f"/bills/{invoice_id}")
    assert f"{journey.biller.name} has withdrawn this bill. You need not pay it." in page
    assert "The order was cancelled." in page
    assert "Said again." not in page
    of = of_invoice(journey, invoice_id)
    assert (of.status, str(of.amount_due), of.withdrawal_reason) == ("closed", "0.00", "The order was cancelled.")
    credit(journey)  # some programs send both
    assert of_invoice(journey, invoice_id).refund_owed.minor == 0
    assert "Withdrawn" in said(journey, "/bills")


def test_a_withdrawal_after_the_payment_owes_all_of_it(journey: Journey) -> None:
    invoice_id = bill(journey)
    credit(journey)
    journey.pay(invoice_id)
    journey.wait(3)
    withdrawn(journey, invoice_id)
    of = of_invoice(journey, invoice_id)
    assert (of.status, str(of.refund_owed)) == ("paid", "70.00")
    assert "owes you €70.00" in said(journey, f"/bills/{invoice_id}")


def test_nobody_withdraws_somebody_elses_bill_or_a_credit_note(journey: Journey) -> None:
    bill_id = journey.invoice(bill(journey)).delivery.bill_id
    credit_id = credit(journey)
    with journey.services.unit_of_work() as uow:
        with pytest.raises(NotFound):
            withdraw(uow, biller_id="blr_other", bill_id=bill_id, reason="No.")
        with pytest.raises(Conflict, match="credit note"):
            withdraw(uow, biller_id=journey.biller.id, bill_id=credit_id, reason="No.")
        for reason in ("", " \u200b ", "x" * 501, "\x00"):
            with pytest.raises(Invalid):
                withdraw(uow, biller_id=journey.biller.id, bill_id=bill_id, reason=reason)


# ---------------------------------------------------------------------------------------------------- new version


def test_a_new_version_stands_in_for_the_old_one(journey: Journey) -> None:
    old = bill(journey)
    new = bill(journey, "2026-2", replaces=BILL)
    assert (journey.invoice(old).state, journey.invoice(new).state) == ("cleared", "to_pay")
    assert "has replaced this bill by a new version, number 2026-2." in said(journey, f"/bills/{old}")
    assert f"This is the new version of bill {BILL}" in said(journey, f"/bills/{new}")
    assert of_invoice(journey, old).superseded_by == journey.invoice(new).delivery.bill_id
    assert of_invoice(journey, new).corrects == journey.invoice(old).delivery.bill_id
    assert "€100.00 to pay, on 1 bill" in said(journey, "/bills")


def test_a_corrected_invoice_in_ubl_is_a_new_version(journey: Journey) -> None:
    old = bill(journey)
    send(
        journey,
        ubl_bill(
            number="2026-2",
            type_code="384",
            amount="90.00",
            preceding_numbers=[BILL],
            to=journey.address,
            iban=journey.biller.iban,
            seller_name=journey.biller.name,
            seller_vat=journey.biller.vat_id,
        ),
    )
    assert journey.invoice(old).state == "cleared"
    assert "€90.00 to pay, on 1 bill" in said(journey, "/bills")


def test_the_new_version_is_not_offered_while_the_old_one_may_still_be_paid(journey: Journey) -> None:
    old = bill(journey)
    payment_id = journey.confirm(old)
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    delivered = journey.deliver(number="2026-2", amount="90.00", replaces=BILL)
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        opened = select(Invoice).where(Invoice.bill_id == delivered.bill_id)
        assert uow.session.scalar(opened) is None
    journey.browser.come_back(way_back)
    journey.wait(3)
    journey.wait(60)
    with journey.services.reading() as uow:
        new = uow.session.scalars(opened).one()
    assert journey.invoice(old).state == "paid"
    assert str(of_invoice(journey, old).refund_owed) == "100.00"
    assert "which you have paid" in said(journey, f"/bills/{new.id}")


def test_a_replaced_bill_is_not_withdrawn(journey: Journey) -> None:
    old = bill(journey)
    bill(journey, "2026-2", replaces=BILL)
    with pytest.raises(Conflict, match="2026-2"):
        withdrawn(journey, old)
