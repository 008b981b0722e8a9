"""One purchase from its order to what came back: the same six steps for all that happens, what is missing in words."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import event, select

from app.journey.invoices.models import Invoice
from app.journey.payments.models import Payment
from app.journey.receipts.models import Receipt
from connectors.contract import Fact
from consent.models import Standing
from consent.states import StandingStep
from tests.functional.billers.test_billers_payments import program_of
from tests.functional.test_answers import replies, say
from tests.functional.test_corrections import bill, credit, on_a_statement, withdrawn
from tests.functional.test_corrections_said import settled
from tests.support import factories
from tests.support.journey import Journey
from tests.support.own_bills import add
from tests.support.refunds import Owing

STEPS = ["order", "bill", "decision", "payment", "receipt", "back"]
CLICKS_MOST = 2


def steps(journey: Journey, invoice_id: str) -> dict[str, tuple[str, str]]:
    """Of each step its state, and its words."""
    page = journey.browser.page(f"/bills/{invoice_id}")
    found = {}
    for item in page.select("#purchase li"):
        stage, words = item.select_one("em"), " ".join(item.get_text(" ").replace("\xa0", " ").split())
        assert stage is not None
        assert stage.get_text(strip=True), "what a step is stands there in words"
        found[str(item["data-step"])] = (str(item["data-stage"]), words)
    assert list(found) == STEPS
    return found


def stages(journey: Journey, invoice_id: str) -> list[str]:
    return [stage for stage, _ in steps(journey, invoice_id).values()]


def test_a_bill_that_nobody_has_decided_about(journey: Journey) -> None:
    found = steps(journey, bill(journey))
    assert found["order"] == ("not_stated", "Order Not stated No order number is on this bill")
    assert found["bill"][0] == "done"
    assert found["decision"] == ("not_yet", "Your decision Not yet Not decided yet")
    assert found["payment"] == ("not_yet", "Payment Not yet Not paid yet")
    assert found["receipt"] == ("not_yet", "Receipt Not yet No receipt yet: nothing is paid")
    assert found["back"][0] == "not_needed"


def test_from_the_order_to_the_refund(journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-1", amount="100.00", order_reference="PO-4711")
    assert steps(journey, invoice_id)["order"] == ("done", "Order Done Number PO-4711")
    payment_id = journey.confirm(invoice_id)
    assert stages(journey, invoice_id) == ["done", "done", "done", "now", "not_yet", "not_needed"]
    assert "the bank has not said that it is paid" in steps(journey, invoice_id)["receipt"][1]
    journey.browser.come_back(journey.at_bank(journey.browser.leave(payment_id)))
    journey.wait(5)
    assert stages(journey, invoice_id) == ["done", "done", "done", "done", "done", "not_needed"]
    page = journey.browser.page(f"/bills/{invoice_id}")
    links = [str(link["href"]) for link in page.select("#purchase a")]
    assert f"/payments/{payment_id}" in links
    [receipt] = [link for link in links if link.startswith("/receipts/")]

    credit(journey, "30.00")
    assert steps(journey, invoice_id)["back"][0] == "now"  # the credit note is here, and nothing was promised
    assert "€30.00 is owed to you, and not promised yet" in steps(journey, invoice_id)["back"][1]
    owing = Owing(journey, program_of(journey), invoice_id)
    refund = owing.promise()
    assert steps(journey, invoice_id)["back"][0] == "now"
    account = owing.account_path(refund)
    owing.send(refund)
    assert "€30.00 sent back, says" in steps(journey, invoice_id)["back"][1]
    owing.say(refund, "arrived")
    assert stages(journey, invoice_id) == ["done"] * 6
    back = f"/bills/{invoice_id}#purchase"
    for path in (receipt, f"/payments/{payment_id}"):
        assert journey.browser.page(path).select_one(f'a[href="{back}"]'), path
    assert account.startswith(f"/bills/{invoice_id}/")


def test_a_payment_that_did_not_go_through(journey: Journey) -> None:
    invoice_id = bill(journey)
    journey.pay(invoice_id, decision="refuse")
    journey.wait(5)
    found = steps(journey, invoice_id)
    assert found["decision"][1].startswith("Your decision Not yet Not decided anew since the last payment")
    assert found["payment"][0] == "not_yet"
    assert "A payment of €100.00 did not go through" in found["payment"][1]


def test_what_was_signed_a_moment_ago(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bill is taken, and there is no payment yet."""
    invoice_id = bill(journey)
    with monkeypatch.context() as patch:
        patch.setattr("app.web.customers.decide.run_now", lambda *_, **__: False)
        journey.confirm(invoice_id)
    found = steps(journey, invoice_id)
    assert found["decision"] == ("done", "Your decision Done You signed a payment just now")
    assert found["payment"] == ("now", "Payment Under way Being prepared for your bank")
    assert found["receipt"][0] == "not_yet"
    journey.worker.run_until_idle()
    assert stages(journey, invoice_id)[2:4] == ["done", "now"]


def test_parts(journey: Journey) -> None:
    invoice_id = bill(journey)
    first = journey.pay(invoice_id, part="40.00")
    journey.wait(5)
    found = steps(journey, invoice_id)
    assert [found[key][0] for key in ("decision", "payment", "receipt")] == ["now"] * 3
    assert "Not decided yet for the €60.00 that are left" in found["decision"][1]
    assert "€40.00 paid" in found["payment"][1]
    assert "€60.00 not paid yet" in found["payment"][1]
    assert "No receipt yet for what is left" in found["receipt"][1]
    journey.pay(invoice_id)
    journey.wait(5)
    assert stages(journey, invoice_id)[2:5] == ["done"] * 3
    assert len(journey.browser.page(f"/bills/{invoice_id}").select("#purchase [href^='/receipts/']")) == 2
    assert journey.payment(first).state == "settled"


def test_a_receipt_of_a_payment_that_was_taken_back_is_void(journey: Journey) -> None:
    invoice_id = bill(journey)
    payment_id = settled(journey, invoice_id)
    journey.wait(3)
    on_a_statement(journey, payment_id, Fact.REJECTED)
    found = steps(journey, invoice_id)
    assert "then taken back by the bank" in found["payment"][1]
    assert "void: the bank took the payment back" in found["receipt"][1]
    assert [found[key][0] for key in ("payment", "receipt")] == ["missing", "not_yet"]  # it is to be paid anew


def test_what_was_said_instead_of_paying(journey: Journey) -> None:
    invoice_id = bill(journey)
    answer_id = say(journey, invoice_id, "disputed", reason="not_received")
    found = steps(journey, invoice_id)
    assert found["decision"][0] == "now"
    assert "You dispute it · " in found["decision"][1]
    assert found["payment"] == ("not_yet", "Payment Not yet Not paid: you answered the bill otherwise")
    replies(journey, answer_id, accepts=False, said="It was delivered.")
    assert "said no" in steps(journey, invoice_id)["decision"][1]
    other = bill(journey, "2026-2")
    say(journey, other, "paid-elsewhere")
    found = steps(journey, other)
    assert found["payment"] == ("outside", "Payment Outside Quittance Paid elsewhere, as you said: no payment is here")
    assert found["receipt"][0] == "not_needed"


def test_a_bill_that_its_company_took_back_and_one_that_is_not_paid_here(journey: Journey) -> None:
    invoice_id = bill(journey)
    withdrawn(journey, invoice_id)
    found = steps(journey, invoice_id)
    assert f"Withdrawn by {journey.biller.name}" in found["bill"][1]
    assert [found[key][0] for key in ("decision", "payment", "receipt")] == ["not_needed"] * 3
    debit = journey.bill(number="2026-2", means="direct_debit", mandate="M-1", payee=None)
    found = steps(journey, debit)
    assert [found[key][0] for key in ("decision", "payment", "receipt")] == ["not_needed", "outside", "not_needed"]


@pytest.mark.parametrize(
    ("means", "due_on", "said"),
    [
        ("direct_debit", "2026-12-14", "Direct debit due on 14 December 2026; we will not know whether it happened"),
        ("direct_debit", "2026-11-23", "Direct debit due on 23 November 2026; we will not know whether it happened"),
        ("direct_debit", "2026-01-20", "Was to be collected on 20 January 2026; we do not know whether it was"),
        ("direct_debit", None, "By direct debit, on a day that the bill does not name; we will not know whether it"),
        ("card", "2026-12-14", "Not paid from here, due on 14 December 2026; we will not know whether it was paid"),
        ("card", "2026-01-20", "Not paid from here, it was due on 20 January 2026; we do not know whether it was paid"),
        ("card", None, "Not paid from here; we are not told whether it is paid"),
    ],
)
def test_what_is_paid_elsewhere_is_told_by_its_day(journey: Journey, means: str, due_on: str | None, said: str) -> None:
    """Of a day that is to come nothing is told in the past; the clock begins on the 23rd of November."""
    invoice_id = journey.bill(number="2026-2", means=means, payee=None, due_on=due_on, issued_on="2026-01-02")
    stage, words = steps(journey, invoice_id)["payment"]
    assert stage == "outside"
    assert words.startswith(f"Payment Outside Quittance {said}")
    assert words.count("2026") == (1 if due_on else 0)


def test_what_is_late_is_missing_and_what_is_still_to_come_is_not(journey: Journey) -> None:
    late = journey.bill(number="2026-2", due_on="2026-11-20", issued_on="2026-11-01")
    assert stages(journey, late)[2:5] == ["not_yet", "missing", "not_yet"]
    due = journey.bill(number="2026-3", due_on="2026-11-23")
    assert stages(journey, due)[2:5] == ["not_yet", "not_yet", "not_yet"]


def test_a_bill_that_its_customer_added_has_the_same_steps(journey: Journey) -> None:
    found = steps(journey, add(journey.browser))
    assert "added by you" in found["bill"][1]
    assert found["payment"][0] == "not_yet"


def test_everything_is_two_clicks_from_home(journey: Journey) -> None:
    """Every bill, payment, receipt and consent of a customer, whatever became of it."""
    paid = bill(journey)
    settled(journey, paid)
    parts = bill(journey, "2026-2")
    for part in ("10.00", "20.00"):
        journey.pay(parts, part=part)
        journey.wait(3)
    refused = bill(journey, "2026-3")
    journey.pay(refused, decision="refuse")
    journey.wait(3)
    withdrawn(journey, bill(journey, "2026-4"))
    with journey.services.unit_of_work() as uow:
        for over in (False, True):
            taken = (StandingStep.STAGE, StandingStep.AUTHORISE, *((StandingStep.REVOKE,) if over else ()))
            factories.agree_standing(uow, customer_id=journey.customer.id, biller_id=journey.biller.id, steps=taken)
        uow.commit()
    with journey.services.reading() as uow:
        wanted = {
            f"/{page}/{found}"
            for page, column, of in (
                ("bills", Invoice.id, Invoice.customer_id),
                ("payments", Payment.id, Payment.customer_id),
                ("receipts", Receipt.id, Receipt.customer_id),
                ("consents", Standing.consent_id, Standing.customer_id),
            )
            for found in uow.session.scalars(select(column).where(of == journey.customer.id))
        }
    assert {path.split("/")[1] for path in wanted} == {"bills", "payments", "receipts", "consents"}
    seen, ring = {"/bills"}, {"/bills"}
    for _ in range(CLICKS_MOST):
        ring = {path for at in ring for path in _links(journey, at)} - seen
        seen |= ring
    assert wanted - seen == set()


def _links(journey: Journey, path: str) -> set[str]:
    answer = journey.browser.get(path)
    if answer.status_code != 200 or answer.mimetype != "text/html":
        return set()
    page = BeautifulSoup(answer.data, "html.parser")
    return {
        re.sub(r"[#?].*", "", str(link["href"]))
        for link in page.select("a[href^='/']")
        if not str(link["href"]).startswith("/language")
    }


def test_the_steps_cost_no_query(journey: Journey) -> None:
    """They are told of what the page reads anyway: the whole page stays under what it took before."""
    invoice_id = bill(journey)
    settled(journey, invoice_id)
    asked: list[str] = []
    event.listen(journey.services.engine, "before_cursor_execute", lambda _c, _k, said, *_: asked.append(said))
    journey.browser.page(f"/bills/{invoice_id}")
    assert sum("FROM receipt" in said for said in asked) == 1
