"""The main job through the doors, on both databases: a delivered bill is paid at the bank and everybody learns it."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import func, select

from app.journey.decisions.models import Decision
from app.journey.intake.models import DeliveredBill
from app.journey.payments.models import BankCall, Payment
from app.journey.receipts.models import Receipt
from app.people.passkeys import linked_challenge
from consent.models import Consent, Sealed, Trip
from tests.support.journey import Browser, Journey


def test_a_bill_is_paid_and_everybody_learns_it(journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-1", amount="84.20")
    inbox = journey.browser.page("/bills").get_text(" ", strip=True)
    assert "Lumen Énergie" in inbox
    assert "84.20" in inbox

    payment_id = journey.pay(invoice_id)
    assert journey.truth(payment_id) in ("accepted", "not_known")
    journey.wait(5)

    assert journey.truth(payment_id) == "done"
    payment = journey.payment(payment_id)
    assert (payment.state, payment.fact, payment.transaction_status) == ("settled", "debited", "ACSC")
    assert journey.invoice(invoice_id).state == "paid"
    [entry] = journey.ledger(payment.end_to_end_id)
    assert (entry["amount"], entry["currency"], entry["kind"]) == ("84.20", "EUR", "debit")
    assert entry["creditorIban"] == journey.biller.iban
    with journey.services.reading() as uow:
        receipt = uow.session.scalars(select(Receipt)).one()
        assert receipt.payment_id == payment_id
        assert uow.session.scalars(select(Consent.state)).one() == "consumed"
    page = journey.browser.page(f"/receipts/{receipt.id}").get_text(" ", strip=True)
    assert receipt.number in page
    assert payment.end_to_end_id in page


def test_the_decision_keeps_the_signature_over_exactly_what_was_shown(journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-2", amount="120.00")
    journey.pay(invoice_id)
    with journey.services.reading() as uow:
        decision = uow.session.scalars(select(Decision)).one()
    order = decision.evidence["order"]
    assert order == {
        "invoice": invoice_id,
        "payee": decision.payee_name,
        "iban": journey.biller.iban,
        "amount_minor": "12000",
        "currency": "EUR",
        "reference": decision.reference,
        "day": "2026-11-23",
        "bank": "horizon",
    }
    assert linked_challenge(decision.evidence["salt"], order) is not None
    assert {"signature", "authenticator_data", "client_data_json", "public_key"} <= decision.evidence.keys()


def test_the_exact_bytes_are_stored_before_they_are_sent(journey: Journey) -> None:
    journey.pay(journey.bill(number="2026-3", amount="10.00"))
    with journey.services.reading() as uow:
        call = uow.session.scalars(select(BankCall).where(BankCall.verb == "initiate")).one()
    [sent] = [one for one in journey.bank_wire.sent if one.method == "POST" and "/payments/" in str(one.url)]
    assert sent.body == call.body
    assert sent.headers["X-Request-ID"] == call.request_id


def test_early_payment_is_honoured_exactly_and_fixed_at_decision(journey: Journey) -> None:
    today = journey.clock().date()
    invoice_id = journey.bill(
        number="2026-4", amount="236.75", early_payment={"until": today.isoformat(), "discount": "4.74"}
    )
    payment_id = journey.confirm(invoice_id)
    journey.clock.tick(days=0, minutes=10)
    url = journey.browser.leave(payment_id)
    journey.browser.come_back(journey.at_bank(url))
    journey.wait(5)
    payment = journey.payment(payment_id)
    assert payment.amount_minor == 232_01
    assert [entry["amount"] for entry in journey.ledger(payment.end_to_end_id)] == ["232.01"]


def test_the_day_after_the_discount_the_full_amount_is_asked(journey: Journey) -> None:
    today = journey.clock().date()
    invoice_id = journey.bill(
        number="2026-5",
        amount="236.75",
        early_payment={"until": (today - dt.timedelta(days=1)).isoformat(), "discount": "4.74"},
    )
    payment_id = journey.confirm(invoice_id)
    assert journey.payment(payment_id).amount_minor == 236_75


def test_refused_at_the_bank_nothing_moves_and_it_may_be_paid_again(journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-6", amount="50.00")
    payment_id = journey.pay(invoice_id, decision="refuse")
    journey.wait(5)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("rejected", "refused_at_bank")
    assert journey.truth(payment_id) == "not_done"
    assert journey.ledger(payment.end_to_end_id) == []
    assert journey.invoice(invoice_id).state == "to_pay"

    second = journey.pay(invoice_id)
    journey.wait(5)
    assert journey.payment(second).state == "settled"
    assert len(journey.ledger()) == 1


def test_never_back_from_the_bank_is_found_out_by_asking(journey: Journey) -> None:
    payment_id = journey.confirm(journey.bill(number="2026-7", amount="50.00"))
    journey.at_bank(journey.browser.leave(payment_id))  # approved, and the browser is closed
    assert journey.payment(payment_id).state == "awaiting_customer"
    journey.wait(130)
    assert journey.payment(payment_id).state == "settled"


def test_never_gone_to_the_bank_is_over_without_asking(journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-8", amount="50.00")
    payment_id = journey.confirm(invoice_id)
    asked = len(journey.bank_wire.sent)
    journey.wait(21 * 60)
    assert journey.payment(payment_id).state == "expired"
    assert journey.invoice(invoice_id).state == "to_pay"
    assert len(journey.bank_wire.sent) == asked


def test_gone_and_never_decided_is_over_by_the_banks_word(journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-9", amount="50.00")
    payment_id = journey.confirm(invoice_id)
    journey.browser.leave(payment_id)
    journey.wait(16 * 60)
    journey.wait(60 * 60)
    assert journey.payment(payment_id).state in ("rejected", "expired")
    assert journey.invoice(invoice_id).state == "to_pay"


def test_stopped_before_leaving(journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-10", amount="50.00")
    payment_id = journey.confirm(invoice_id)
    token = journey.browser.token("/bills")
    assert journey.browser.post(f"/payments/{payment_id}/cancel", token=token).status_code == 303
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("cancelled", "stopped_by_customer")
    assert journey.invoice(invoice_id).state == "to_pay"
    # the link is closed with it
    assert journey.browser.get(f"/payments/{payment_id}/bank").headers["Location"] == f"/payments/{payment_id}"


def test_too_late_to_stop_once_the_link_was_given(journey: Journey) -> None:
    payment_id = journey.confirm(journey.bill(number="2026-11", amount="50.00"))
    journey.browser.leave(payment_id)
    token = journey.browser.token("/bills")
    assert journey.browser.post(f"/payments/{payment_id}/cancel", token=token).status_code == 303
    assert journey.payment(payment_id).state == "awaiting_customer"


def test_two_tabs_one_payment(journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-12", amount="50.00")
    one = journey.browser.start_paying(invoice_id)
    two = journey.browser.start_paying(invoice_id)
    first = journey.browser.decide(invoice_id, one[0], one[1].get_json())
    second = journey.browser.decide(invoice_id, two[0], two[1].get_json())
    assert first.status_code == 303
    assert first.headers["Location"].endswith("/leave")
    # the second tab is shown the bill with the payment that is under way
    assert second.headers["Location"] == f"/bills/{invoice_id}"
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Payment)) == 1


def test_the_same_signature_twice_is_one_decision(journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-13", amount="50.00")
    token, started = journey.browser.start_paying(invoice_id)
    journey.browser.decide(invoice_id, token, started.get_json())
    journey.browser.decide(invoice_id, token, started.get_json())
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Decision)) == 1


def test_a_person_who_fails_the_fingerprint_pays_nothing(journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-14", amount="50.00")
    token, started = journey.browser.start_paying(invoice_id)
    journey.browser.device.verifies = False
    assert journey.browser.decide(invoice_id, token, started.get_json()).status_code == 403
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Decision)) == 0
    assert journey.invoice(invoice_id).state == "to_pay"


def test_a_signature_made_yesterday_pays_nothing_today(journey: Journey) -> None:
    """The day is part of what is signed: past midnight the customer is asked again."""
    invoice_id = journey.bill(number="2026-15", amount="50.00")
    journey.clock.now = journey.clock.now.replace(hour=23, minute=59)  # the same in London
    journey.browser.sign_in()
    token, started = journey.browser.start_paying(invoice_id)
    journey.clock.tick(minutes=2)
    assert journey.browser.decide(invoice_id, token, started.get_json()).status_code == 409
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Decision)) == 0


def test_secrets_of_a_trip_are_gone_when_it_is_over(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill(number="2026-16", amount="50.00"))
    journey.wait(5)
    with journey.services.reading() as uow:
        trip = uow.session.scalars(select(Trip)).one()
        assert uow.session.scalars(select(Sealed.id).where(Sealed.id.like(f"trip:{trip.id}%"))).all() == []
    assert journey.payment(payment_id).state == "settled"


def test_delivering_the_same_bytes_again_changes_nothing(journey: Journey) -> None:
    first = journey.deliver(number="2026-17")
    again = journey.deliver(number="2026-17")
    assert (first.created, again.created) == (True, False)
    assert again.bill_id == first.bill_id
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(DeliveredBill)) == 1


def test_another_customer_sees_nothing_of_it(journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-18", amount="50.00")
    payment_id = journey.pay(invoice_id)
    journey.wait(5)
    stranger = Browser.of(journey.app)
    stranger.sign_up(name="Somebody Else", email="else@example.org")
    with journey.services.reading() as uow:
        receipt_id = uow.session.scalars(select(Receipt.id)).one()
    for path in (
        f"/bills/{invoice_id}",
        f"/bills/{invoice_id}/pay",
        f"/bills/{invoice_id}/original",
        f"/payments/{payment_id}",
        f"/payments/{payment_id}/state",
        f"/payments/{payment_id}/leave",
        f"/payments/{payment_id}/bank",
        f"/receipts/{receipt_id}",
    ):
        assert stranger.get(path).status_code == 404, path
    assert "50.00" not in stranger.page("/bills").get_text()
