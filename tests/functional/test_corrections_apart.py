"""What a biller says of its own bill later, when its customer has left or blocked it since."""

from __future__ import annotations

import json

import pytest

from app.errors import Conflict, Invalid
from app.invariants import check
from app.journey.connections import service as connections
from app.journey.connections.states import ConnectionStep
from app.journey.intake import holding
from tests.functional.billers.test_billers_payments import program_of
from tests.functional.test_corrections import (
    BILL,
    bill,
    corrections,
    credit,
    of_invoice,
    said,
    to_the_biller,
    withdrawn,
)
from tests.support import factories
from tests.support.bills import json_fields
from tests.support.journey import Journey

LEAVE, BLOCK, UNBLOCK = ConnectionStep.LEAVE, ConnectionStep.BLOCK, ConnectionStep.UNBLOCK
apart = pytest.mark.parametrize("step", [LEAVE, BLOCK], ids=["left", "blocked"])
WORDS = "I know where you live."


def change(journey: Journey, step: ConnectionStep) -> None:
    journey.clock.tick(minutes=5)  # what was said before was said before
    with journey.services.unit_of_work() as uow:
        connections.change(uow, customer_id=journey.customer.id, biller_id=journey.biller.id, step=step)
        uow.commit()
    journey.clock.tick(minutes=5)


def other_account(journey: Journey) -> dict[str, str]:
    return {"iban": next(each for each in factories.IBANS if each != journey.biller.iban)}


@apart
def test_a_credit_note_of_a_delivered_bill_lowers_it(journey: Journey, step: ConnectionStep) -> None:
    invoice_id = bill(journey)
    void = journey.confirm(invoice_id)
    change(journey, step)
    credit_id = credit(journey)
    assert credit(journey) == credit_id  # again it is the same one
    assert journey.truth(void) == "not_done"
    assert (str(of_invoice(journey, invoice_id).amount_due), to_the_biller(journey, credit_id).status) == (
        "70.00",
        "closed",
    )
    assert "€70.00 to pay, on 1 bill" in said(journey, "/bills")
    journey.pay(invoice_id)
    journey.wait(3)
    assert [entry["amount"] for entry in journey.ledger()] == ["70.00"]
    assert [str(each) for each in check(journey.services.engine, now=journey.clock())] == []


@apart
def test_in_a_file_of_many_as_well(journey: Journey, step: ConnectionStep) -> None:
    invoice_id = bill(journey)
    change(journey, step)
    note = json_fields(to=journey.address, number="C-1", amount="30.00", kind="credit_note", corrects=BILL, payee=None)
    new = json_fields(to=journey.address, number="V2", payee={"name": "x", "iban": journey.biller.iban})
    program = program_of(journey)
    content = "\n".join(json.dumps(each) for each in (new, note)).encode()
    answer = program.deliver(content, path="/api/v1/uploads", media_type="application/x-ndjson")
    journey.worker.run_until_idle()
    lines = program.get(f"/api/v1/uploads/{answer.get_json()['id']}/lines").get_json()["lines"]
    assert [each["outcome"] for each in lines] == ["refused", "delivered"]
    assert str(of_invoice(journey, invoice_id).amount_due) == "70.00"


@apart
@pytest.mark.parametrize("of", [None, "nobody's", "another customer's"])
def test_a_credit_note_of_no_bill_of_theirs_is_refused_as_ever(
    journey: Journey, step: ConnectionStep, of: str | None
) -> None:
    bill(journey)
    other = factories.make_customer(journey.services)
    elsewhere = factories.connect(journey.services, customer_id=other.id, biller_id=journey.biller.id)
    journey.bill(number="another customer's", to=elsewhere)
    change(journey, step)
    with pytest.raises(Invalid) as refused:
        credit(journey, of=of)
    with pytest.raises(Invalid) as nobody:
        credit(journey, of=of, to="aaaaaaaaaaaa@space.quittance.example")
    assert refused.value.code == nobody.value.code == "not-connected"
    away = nobody.value.detail.replace("aaaaaaaaaaaa@space.quittance.example", journey.address)
    assert refused.value.detail == away  # it tells nothing about people
    assert "Credits without a bill" not in said(journey, "/bills")


@apart
def test_a_new_version_is_refused_and_says_what_is_taken(journey: Journey, step: ConnectionStep) -> None:
    invoice_id = bill(journey)
    change(journey, step)
    with pytest.raises(Invalid) as refused:
        journey.deliver(number="V2", amount="90.00", replaces=BILL)
    assert refused.value.code == "not-connected"
    assert "a credit note that names it, or its withdrawal (POST /bills/{its id}/withdrawal)" in refused.value.detail
    assert "A new version is not." in refused.value.detail
    withdrawn(journey, invoice_id)
    assert journey.invoice(invoice_id).state == "cleared"


def test_what_a_blocked_company_says_lowers_the_bill_and_has_no_words(journey: Journey) -> None:
    first, second = bill(journey), journey.bill(number="2026-2")
    credit(journey, "1.00", number="C-0", note="Before the block.")
    change(journey, BLOCK)
    credit(journey, number=f"{WORDS} 1", note=WORDS)
    withdrawn(journey, second, WORDS)
    for path in (f"/bills/{first}", f"/bills/{second}", "/bills", f"/bills/{first}/pay?bank=horizon"):
        assert "know where" not in said(journey, path)
    page = said(journey, f"/bills/{first}")
    assert "€69.00 instead of €100.00" in page
    assert "Before the block." in page
    assert "Credit note C-0, download it" in page
    assert page.count("download it") == 1
    shown = journey.browser.page(f"/bills/{first}")
    for steps in shown.select("#purchase"):  # which name the kinds of what came back, and no words
        steps.decompose()
    assert shown.get_text().count("Credit note") == 2
    assert "has withdrawn this bill." in said(journey, f"/bills/{second}")
    before, since = (each.id for each in corrections(journey) if each.kind == "credit_note")
    assert journey.browser.get(f"/credits/{before}/original").status_code == 200
    assert journey.browser.get(f"/credits/{since}/original").status_code == 404
    change(journey, UNBLOCK)
    assert WORDS in journey.browser.get(f"/credits/{since}/original").get_data(as_text=True)
    assert WORDS in said(journey, f"/bills/{first}")
    assert WORDS in said(journey, f"/bills/{second}")


def test_what_changed_before_the_signature_is_told_without_the_words(journey: Journey) -> None:
    invoice_id = bill(journey)
    change(journey, BLOCK)
    token, started = journey.browser.start_paying(invoice_id)
    credit(journey, number=WORDS, note=WORDS)
    answer = journey.browser.decide(invoice_id, token, started.get_json())
    page = " ".join(answer.get_data(as_text=True).replace("\xa0", " ").split())
    assert answer.status_code == 409
    assert f"{journey.biller.name} took €30.00 off." in page
    assert WORDS not in page


@apart
def test_a_held_correction_is_announced_no_longer(journey: Journey, step: ConnectionStep) -> None:
    invoice_id = bill(journey)
    held = journey.deliver(number="V2", amount="80.00", replaces=BILL, payee=other_account(journey))
    assert "has sent number V2, which corrects this bill" in said(journey, f"/bills/{invoice_id}")
    change(journey, step)
    assert "V2" not in said(journey, f"/bills/{invoice_id}")
    with pytest.raises(Conflict, match="no longer connected"):
        holding.release(journey.services, held_id=held.bill_id)


@apart
def test_a_held_credit_note_of_a_delivered_bill_is_released(journey: Journey, step: ConnectionStep) -> None:
    invoice_id = bill(journey)
    journey.bill(number="C-1")
    change(journey, step)
    held = journey.deliver(number="c\u20101", amount="30.00", kind="credit_note", corrects=BILL, reference=None)
    assert [each.code for each in held.held] == ["number-alike"]
    holding.release(journey.services, held_id=held.bill_id)
    journey.worker.run_until_idle()
    assert str(of_invoice(journey, invoice_id).amount_due) == "70.00"


@apart
@pytest.mark.parametrize("what", ["credit note", "bill in another currency"])
def test_a_held_credit_note_of_what_it_cannot_lower_is_not_released(
    journey: Journey, step: ConnectionStep, what: str
) -> None:
    """What it names came after it, so the door could not see that it does not fit."""
    journey.bill(number="C-1")
    held = journey.deliver(number="c\u20101", amount="30.00", kind="credit_note", corrects="X", reference=None)
    assert [each.code for each in held.held] == ["number-alike"]
    if what == "credit note":
        credit(journey, number="X", of="C-1")
    else:
        journey.bill(number="X", currency="GBP")
    change(journey, step)
    with pytest.raises(Conflict, match="no longer connected"):
        holding.release(journey.services, held_id=held.bill_id)
