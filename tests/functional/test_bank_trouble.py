"""What a bank can do to a payment (the sandbox bank's magic amounts), and what the customer is told meanwhile.

After each case our word and the bank's ledger must agree: settled means exactly one debit, not done means none.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from app.journey.payments.models import BankAttempt, BankCall
from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.contract import BankStatus, Fact
from tests.support.journey import Journey

pytestmark = pytest.mark.long_on_postgres


def sends(journey: Journey) -> int:
    with journey.services.reading() as uow:
        attempts = select(func.count()).select_from(BankAttempt).join(BankCall, BankCall.id == BankAttempt.call_id)
        return uow.session.scalar(attempts.where(BankCall.verb == "initiate")) or 0


def initiations(journey: Journey) -> list[bytes]:
    return [
        one.body if isinstance(one.body, bytes) else str(one.body).encode()
        for one in journey.bank_wire.sent
        if one.method == "POST" and "/payments/" in str(one.url)
    ]


def test_refused_at_initiation(journey: Journey) -> None:
    invoice_id = journey.bill(number="t1", amount="999.01")
    payment_id = journey.confirm(invoice_id)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("rejected", "bank_refused")
    assert journey.truth(payment_id) == "not_done"
    assert journey.invoice(invoice_id).state == "to_pay"


@pytest.mark.parametrize("amount", ["999.02", "999.03", "999.04"])
def test_no_answer_to_the_initiation_sends_the_same_bytes_again_and_then_gives_up(
    journey: Journey, amount: str
) -> None:
    """Nobody holds an approval link, so no money can have moved, whatever the bank has made of it."""
    invoice_id = journey.bill(number="t2", amount=amount)
    payment_id = journey.confirm(invoice_id)
    assert journey.payment(payment_id).state == "initiating"
    assert "Horizon Bank" in journey.browser.page(f"/payments/{payment_id}/leave").get_text()
    for _ in range(8):
        journey.wait(130)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("rejected", "bank_unreachable")
    assert len(set(initiations(journey))) == 1
    assert len(initiations(journey)) == sends(journey) == 6
    assert journey.invoice(invoice_id).state == "to_pay"
    assert journey.ledger() == []


def test_no_funds(journey: Journey) -> None:
    invoice_id = journey.bill(number="t5", amount="999.05")
    payment_id = journey.pay(invoice_id)
    journey.wait(5)
    assert journey.payment(payment_id).state == "rejected"
    assert journey.truth(payment_id) == "not_done"
    assert journey.invoice(invoice_id).state == "to_pay"
    assert journey.ledger() == []


def test_accepted_and_then_rejected(journey: Journey) -> None:
    invoice_id = journey.bill(number="t6", amount="999.06")
    payment_id = journey.pay(invoice_id)
    assert journey.truth(payment_id) == "accepted"
    assert journey.invoice(invoice_id).state == "in_payment"
    journey.wait(8)
    assert journey.truth(payment_id) == "not_done"
    assert journey.invoice(invoice_id).state == "to_pay"
    assert journey.ledger() == []


def test_settles_late(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill(number="t7", amount="999.07"))
    journey.wait(3)
    assert journey.truth(payment_id) == "accepted"
    journey.wait(5)
    journey.wait(15)
    assert journey.truth(payment_id) == "done"
    assert len(journey.ledger(journey.payment(payment_id).end_to_end_id)) == 1


@pytest.mark.parametrize("amount", ["999.08", "999.09", "999.12"])
def test_the_bank_does_not_tell_and_then_does(journey: Journey, amount: str) -> None:
    invoice_id = journey.bill(number="t8", amount=amount)
    payment_id = journey.pay(invoice_id)
    assert journey.payment(payment_id).state == "unknown"
    assert journey.truth(payment_id) == "not_known"
    assert journey.invoice(invoice_id).state == "in_payment"  # the claim stays: it must not be paid again
    warned = "Not known yet whether it is paid: do not pay it again"
    assert warned in journey.browser.page("/bills").get_text(" ")
    for seconds in (3, 6, 16, 50, 310):
        journey.wait(seconds)
    assert journey.truth(payment_id) == "done"
    assert warned not in journey.browser.page("/bills").get_text(" ")
    assert len(journey.ledger(journey.payment(payment_id).end_to_end_id)) == 1


@pytest.mark.parametrize("amount", ["999.10", "999.11"])
def test_a_lost_exchange_changes_nothing_about_the_truth(journey: Journey, amount: str) -> None:
    payment_id = journey.pay(journey.bill(number="t10", amount=amount))
    journey.wait(5)
    assert journey.truth(payment_id) == "done"


def test_credited_is_a_fact_of_its_own(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill(number="t14", amount="999.14"))
    journey.wait(5)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.transaction_status, payment.fact) == ("settled", "ACCC", "credited")


def test_a_status_that_goes_backwards_is_ignored(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill(number="t15", amount="999.15"))
    seen = [journey.payment(payment_id).state]
    for seconds in (3, 6, 16, 50):
        journey.wait(seconds)
        seen.append(journey.payment(payment_id).state)
    assert seen[-1] == "settled"
    assert "awaiting_customer" not in seen[seen.index("accepted") :]


def test_the_bank_is_asked_within_its_budget(journey: Journey) -> None:
    """A payment that stays accepted for hours: few questions, never a storm."""
    journey.pay(journey.bill(number="t16", amount="999.07"))
    asked = sum(1 for one in journey.bank_wire.sent if str(one.url).endswith("/status"))
    for _ in range(24):
        journey.wait(5 * 60)
    asked_in_two_hours = sum(1 for one in journey.bank_wire.sent if str(one.url).endswith("/status")) - asked
    assert asked_in_two_hours <= 8


def test_the_worker_carries_on_when_the_web_request_dies_after_the_decision(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.customers.decide.run_now", lambda *_, **__: False)
    payment_id = journey.confirm(journey.bill(number="t17"))
    waiting = journey.browser.page(f"/payments/{payment_id}/leave")
    assert waiting.select_one('meta[http-equiv="refresh"]') is not None
    journey.wait(3)
    assert journey.payment(payment_id).state == "awaiting_customer"


def test_the_worker_carries_on_when_the_web_request_dies_after_the_return(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.banks.redirect.run_now", lambda *_, **__: False)
    payment_id = journey.pay(journey.bill(number="t18"))
    assert journey.truth(payment_id) == "not_known"
    journey.wait(3)
    journey.wait(3)
    assert journey.truth(payment_id) == "done"


def test_settled_and_then_taken_back(journey: Journey) -> None:
    invoice_id = journey.bill(number="t19", amount="999.13")
    payment_id = journey.pay(invoice_id)
    journey.wait(3)
    assert journey.truth(payment_id) == "done"
    journey.wait(3700)
    assert journey.payment(payment_id).state == "settled"  # said once: it is asked once more before anybody is told
    journey.wait(300)
    journey.browser.sign_in()
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("reversed", "reversed")
    assert journey.truth(payment_id) == "not_done"
    assert journey.invoice(invoice_id).state == "to_pay"
    assert [entry["kind"] for entry in journey.ledger(payment.end_to_end_id)] in (
        ["debit", "reversal"],
        ["reversal", "debit"],
    )
    [row] = journey.browser.page("/receipts").select("a[href^='/receipts/rcp_']")
    assert "oid" in journey.browser.page(str(row["href"])).get_text()


def test_a_reversal_that_the_bank_says_once_and_not_again_is_none(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id = journey.pay(journey.bill(number="t21"))
    journey.wait(5)
    real = BerlinGroupConnector.status

    def status(*_: object, **__: object) -> BankStatus:
        monkeypatch.setattr(BerlinGroupConnector, "status", real)
        return BankStatus(
            transaction_status="RJCT", fact=Fact.REJECTED, reason_code=None, reason_text=None, raw_response=b"RJCT"
        )

    monkeypatch.setattr(BerlinGroupConnector, "status", status)
    journey.wait(3600)
    assert journey.payment(payment_id).doubted_since is not None
    journey.wait(300)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.doubted_since) == ("settled", None)
    assert journey.truth(payment_id) == "done"


def test_called_not_done_and_under_way_after_all_the_bill_is_not_offered(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = BerlinGroupConnector.status
    answers = [("RJCT", Fact.REJECTED), ("ACSP", Fact.ACCEPTED)]

    def status(self: BerlinGroupConnector, *asked: str, **how: Any) -> BankStatus:
        if not answers:
            return real(self, *asked, **how)
        word, fact = answers.pop(0)
        return BankStatus(
            transaction_status=word, fact=fact, reason_code=None, reason_text=None, raw_response=word.encode()
        )

    monkeypatch.setattr(BerlinGroupConnector, "status", status)
    invoice_id = journey.bill(number="t22")
    payment_id = journey.pay(invoice_id)
    assert journey.truth(payment_id) == "not_done"
    assert journey.invoice(invoice_id).state == "to_pay"
    journey.wait(3600)
    journey.browser.sign_in()
    assert journey.truth(payment_id) == "not_known"
    page = journey.browser.page(f"/payments/{payment_id}").get_text()
    assert "now says that it is under way after all" in page
    assert journey.browser.page(f"/bills/{invoice_id}").select(f"a[href='/bills/{invoice_id}/pay']") == []
    assert journey.invoice(invoice_id).state == "in_payment"
    journey.wait(10)
    assert journey.truth(payment_id) == "done"


def test_a_settled_payment_is_asked_about_four_times_more_and_no_more(journey: Journey) -> None:
    journey.pay(journey.bill(number="t20"))
    journey.wait(5)
    asked = sum(1 for one in journey.bank_wire.sent if str(one.url).endswith("/status"))
    for _ in range(20):
        journey.wait(12 * 3600)
    assert sum(1 for one in journey.bank_wire.sent if str(one.url).endswith("/status")) - asked == 4
