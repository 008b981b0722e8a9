"""No page says more than we know, no name is shown that was not vetted, and a session alone adds no passkey."""

from __future__ import annotations

import dataclasses

import pytest
from flask import Flask
from flask_babel import force_locale
from sqlalchemy import func, select

from app.factory import create_app
from app.journey.payments.access import locked
from app.journey.payments.models import Payment
from app.journey.payments.read import live_payments
from app.journey.payments.rules import end_to_end_id
from app.journey.payments.service import resolve
from app.journey.payments.states import Source
from app.journey.payments.step import correct, promise_nothing
from app.people.models import Passkey
from app.web.customers.filters import quantity
from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.contract import BankStatus, Fact
from connectors.errors import BankError, BankSilent, BankUnavailable
from tests.support.billers_spec import description
from tests.support.factories import make_customer, sign_in
from tests.support.journey import ORIGIN, Browser, Journey


def words(journey: Journey, path: str) -> str:
    return " ".join(journey.browser.page(path).get_text(" ").split())


def test_approved_in_a_closed_tab_nobody_says_that_nothing_was_paid(journey: Journey) -> None:
    invoice_id = journey.bill(number="h1")
    payment_id = journey.confirm(invoice_id)
    assert "Nothing has been paid" in words(journey, f"/bills/{invoice_id}")  # the link was given to nobody yet
    journey.at_bank(journey.browser.leave(payment_id))
    for path in (f"/bills/{invoice_id}", f"/payments/{payment_id}/leave"):
        said = words(journey, path)
        assert "Nothing has been paid" not in said
        assert "do not approve it again" in said


def test_a_broken_way_back_does_not_say_that_nothing_was_paid(journey: Journey) -> None:
    payment_id = journey.confirm(journey.bill(number="h2"))
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    answer = journey.browser.come_back(way_back + "&code=other")
    assert answer.status_code == 400
    said = answer.get_data(as_text=True)
    assert "nothing was paid" not in said
    assert "still counts" in said


def test_who_never_approved_is_not_told_that_they_had(journey: Journey) -> None:
    payment_id = journey.confirm(journey.bill(number="h3"))
    journey.at_bank(journey.browser.leave(payment_id), decision="refuse")  # and the tab is closed
    journey.wait(130)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("rejected", "not_approved")
    assert "after you had approved it" not in words(journey, f"/payments/{payment_id}")


def test_accepted_and_then_rejected_does_not_say_that_nothing_left(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill(number="h4", amount="999.06"))
    journey.wait(8)
    assert journey.payment(payment_id).reason == "rejected_by_bank"
    assert "Nothing left your account" not in words(journey, f"/payments/{payment_id}")


def test_the_payee_is_named_as_it_was_vetted_whatever_the_bill_says(journey: Journey) -> None:
    invoice_id = journey.bill(number="h5", payee={"name": "Direction générale", "iban": journey.biller.iban})
    assert journey.invoice(invoice_id).payee_name == journey.biller.name
    for path in (f"/bills/{invoice_id}", f"/bills/{invoice_id}/pay?bank=horizon"):
        assert "Direction générale" not in words(journey, path)


def test_a_stolen_session_adds_no_passkey(journey: Journey) -> None:
    browser = journey.browser
    token = browser.token("/security")
    asked = browser.post("/passkeys/add", token=token, data={}).get_json()
    assert asked["approve"] is True
    thief = Browser(browser.client)  # the cookie, and a device of its own
    made = {"id": "x", "rawId": "eA", "response": {}, "type": "public-key"}
    assert thief.post("/passkeys/add", token=token, data={**asked, "credential": made}).status_code == 403

    asked = browser.post("/passkeys/add", token=token, data={}).get_json()
    signed = {"ceremony": asked["ceremony"], "credential": browser.device.sign(asked["publicKey"])}
    started = browser.post("/passkeys/add", token=token, data=signed).get_json()
    second = Browser(browser.client)
    credential = second.device.make({**started["publicKey"], "excludeCredentials": []})
    done = second.post(
        "/passkeys/add/done", token=token, data={"ceremony": started["ceremony"], "credential": credential}
    )
    assert done.status_code == 200
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Passkey)) == 2


def test_demo_customers_are_gone_when_the_demo_is_off(journey: Journey) -> None:
    visited = make_customer(journey.services, demo=True)
    token = sign_in(journey.services, visited, read_only=True)
    settings = dataclasses.replace(journey.services.settings, demo=False)
    live = create_app(dataclasses.replace(journey.services, settings=settings)).test_client()
    live.set_cookie("__Host-session", token, domain="localhost", secure=True)
    assert live.get("/bills", base_url=ORIGIN.replace("http", "https")).status_code == 303


def test_links_are_not_made_from_a_strangers_host_name(journey: Journey) -> None:
    assert journey.browser.client.get("/bills//x", headers={"Host": "evil.example"}).status_code == 400


# ----------------------------------------------------------------------------------------------- on whose word it rests


def receipt_words(journey: Journey, payment_id: str) -> str:
    journey.worker.run_until_idle()
    link = journey.browser.page(f"/payments/{payment_id}").select_one("main a[href^='/receipts/rcp_']")
    assert link is not None
    return words(journey, str(link["href"]))


def at_bank(journey: Journey, invoice_id: str) -> str:
    """The customer has the link, and has not come back."""
    payment_id = journey.confirm(invoice_id)
    journey.browser.leave(payment_id)
    return payment_id


def refused(journey: Journey, invoice_id: str) -> str:
    payment_id = journey.pay(invoice_id, decision="refuse")
    journey.wait(5)
    assert journey.payment(payment_id).state == "rejected"
    return payment_id


def booked(journey: Journey, payment_id: str, fact: Fact = Fact.CREDITED) -> None:
    """A statement of account has it so."""
    with journey.services.unit_of_work() as uow:
        correct(uow, locked(uow.session, payment_id), fact, source=Source.STATEMENT, evidence="camt:M1/R1")
        uow.commit()
    journey.worker.run_until_idle()


def by_operator(journey: Journey, payment_id: str, *, executed: bool) -> None:
    with journey.services.unit_of_work() as uow:
        resolve(uow, payment_id=payment_id, executed=executed, because="Letter of Horizon Bank, 23 November, no. 7")
        uow.commit()


@pytest.mark.parametrize(("amount", "credited"), [("50.00", False), ("999.14", True)])
def test_the_banks_status_is_said_to_be_the_banks(journey: Journey, amount: str, credited: bool) -> None:
    payment_id = journey.pay(journey.bill(number="w1", amount=amount))
    journey.wait(600)
    said, proof = words(journey, f"/payments/{payment_id}"), receipt_words(journey, payment_id)
    assert "Horizon Bank confirms that the amount left your account" in said
    assert "Horizon Bank confirmed that the amount left the payer’s account" in proof
    assert credited is ("your account and reached the payee’s" in said) is ("and that it reached the payee’s" in proof)
    assert credited is ("not part of what was confirmed" not in proof)
    assert "statement of account" not in said + proof


def test_a_statement_is_not_said_to_be_the_banks_status(journey: Journey) -> None:
    payment_id = at_bank(journey, journey.bill(number="w2"))
    booked(journey, payment_id)
    said, proof = words(journey, f"/payments/{payment_id}"), receipt_words(journey, payment_id)
    assert "A statement of account shows that the payment was carried out. It reached the payee’s account." in said
    assert "A statement of account showed that the payment was carried out. It reached the payee’s account." in proof
    assert "Horizon Bank confirm" not in said + proof


def test_a_statement_of_the_payers_account_shows_no_more_than_that_it_left(journey: Journey) -> None:
    payment_id = at_bank(journey, journey.bill(number="w3"))
    booked(journey, payment_id, Fact.DEBITED)
    said, proof = words(journey, f"/payments/{payment_id}"), receipt_words(journey, payment_id)
    assert "A statement of account shows that the amount left your account." in said
    assert "not part of what was confirmed" in proof
    assert "reached the payee" not in said
    assert "Horizon Bank confirm" not in said + proof


def test_an_operators_word_is_said_to_be_the_banks_writing(journey: Journey) -> None:
    payment_id = at_bank(journey, journey.bill(number="w4"))
    by_operator(journey, payment_id, executed=True)
    said, proof = words(journey, f"/payments/{payment_id}"), receipt_words(journey, payment_id)
    assert "We have it from Horizon Bank in writing that the amount left your account." in said
    assert "Horizon Bank confirmed in writing that the amount left the payer’s account. That it reached" in proof
    assert "Horizon Bank confirms" not in said


def test_what_a_statement_adds_is_not_put_into_the_banks_mouth(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill(number="w5"))
    journey.wait(600)
    assert journey.payment(payment_id).fact == "debited"
    booked(journey, payment_id)
    said = words(journey, f"/payments/{payment_id}")
    assert "Horizon Bank confirms that the amount left your account. It reached the payee’s account." in said


# ------------------------------------------------------------------------------------------------------ an empty inbox


def test_the_demo_says_that_its_bills_are_on_their_way(journey: Journey) -> None:
    assert "No bills yet" in words(journey, "/bills")
    visited = make_customer(journey.services, demo=True)
    token = sign_in(journey.services, visited, read_only=True)
    visitor = Browser.of(journey.app)
    visitor.client.set_cookie("__Host-session-8000", token, domain="localhost", secure=True)
    page = visitor.page("/bills")
    assert "The sample bills are on their way" in page.get_text()
    assert "No bills yet" not in page.get_text()
    assert page.select('.empty a[href="/bills"]')
    assert "The sample bills" not in visitor.page("/bills?show=paid").get_text()


# ---------------------------------------------------------------------------------------- what is offered, by the bill


def test_nobody_is_asked_to_pay_what_another_payment_holds_or_has_paid(journey: Journey) -> None:
    invoice_id = journey.bill(number="o1")
    payment_id = refused(journey, invoice_id)
    cancelled = journey.confirm(invoice_id)
    journey.browser.post(
        f"/payments/{cancelled}/cancel", token=journey.browser.token(f"/payments/{cancelled}/leave"), form={}
    )
    for closed in (payment_id, cancelled):
        assert "Check and pay €" in words(journey, f"/payments/{closed}")
        assert "of the bill is still to be paid, by " in words(journey, f"/payments/{closed}")
    assert "Cancelled by you" in words(journey, f"/payments/{cancelled}")

    other = journey.confirm(invoice_id)
    for closed in (payment_id, cancelled):
        said = words(journey, f"/payments/{closed}")
        assert "pay again" not in said
        assert "still to be paid" not in said
        assert "Another payment of this bill is under way. Please do not pay this bill again." in said

    journey.browser.come_back(journey.at_bank(journey.browser.leave(other)))
    journey.wait(600)
    assert journey.invoice(invoice_id).state == "paid"
    for closed in (payment_id, cancelled):
        said = words(journey, f"/payments/{closed}")
        assert "pay again" not in said
        assert "still to be paid" not in said
        assert "Another payment has paid this bill: nothing is left to pay." in said


def reversed_and_paid_otherwise(journey: Journey) -> str:
    invoice_id = journey.bill(number="o2")
    first = journey.pay(invoice_id)
    journey.wait(600)
    booked(journey, first, Fact.REJECTED)
    said = words(journey, f"/payments/{first}")
    assert "Ask Horizon Bank what happened, with the references below, before you pay again." in said
    assert "of the bill is still to be paid, by " in said
    assert "Check and pay €" in said
    journey.pay(invoice_id)
    assert "Another payment of this bill is under way" in words(journey, f"/payments/{first}")
    journey.wait(600)
    assert journey.invoice(invoice_id).state == "paid"
    return first


def test_a_reversed_payment_of_a_bill_that_another_one_paid_says_so(journey: Journey) -> None:
    said = words(journey, f"/payments/{reversed_and_paid_otherwise(journey)}")
    assert "Another payment has paid this bill: nothing is left to pay." in said
    assert "still to be paid" not in said
    assert "pay again" not in said


def test_executed_after_all_beside_another_payment(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paid twice only once both are executed; until then nobody is sent to approve the other one."""
    monkeypatch.setattr(BerlinGroupConnector, "cancel", lambda *_, **__: None)  # the bank does not drop it
    invoice_id = journey.bill(number="o3")
    first = refused(journey, invoice_id)
    other = journey.confirm(invoice_id)
    link = journey.browser.leave(other)
    version = journey.browser.get(f"/payments/{other}/state").get_json()["version"]
    booked(journey, first)
    assert journey.payment(other).state == "awaiting_customer"

    page = journey.browser.page(f"/payments/{other}")
    assert "Please do not approve it; we are asking Horizon Bank to drop it." in " ".join(page.get_text(" ").split())
    assert "nothing has left your account" not in page.get_text(" ")
    assert page.select_one(f"a[href='/payments/{other}/leave']") is None
    assert journey.browser.get(f"/payments/{other}/state").get_json()["version"] != version
    said = words(journey, f"/payments/{first}")
    assert "now paid twice" not in said
    assert "Should it go through as well, the bill is paid twice" in said
    said = words(journey, f"/bills/{invoice_id}")
    assert "Please do not approve the one that is under way." in said
    assert "waits for your approval" not in said
    assert held_or_paid_by(journey, invoice_id) == other

    journey.browser.come_back(journey.at_bank(link))
    journey.wait(600)
    assert journey.payment(other).state == "settled"
    assert "This bill is now paid twice" in words(journey, f"/payments/{first}")
    said = words(journey, f"/bills/{invoice_id}")
    assert "A payment of this bill happened after all, besides another one: Lumen Énergie owes you €" in said
    assert "paid twice" not in words(journey, f"/payments/{other}")
    assert held_or_paid_by(journey, invoice_id) == other


def held_or_paid_by(journey: Journey, invoice_id: str) -> str:
    with journey.services.reading() as uow:
        return live_payments(uow.session, invoice_ids=[invoice_id])[invoice_id]


def test_executed_after_all_and_the_other_one_ends_it_is_simply_paid(journey: Journey) -> None:
    invoice_id = journey.bill(number="o4")
    first = refused(journey, invoice_id)
    other = at_bank(journey, invoice_id)
    booked(journey, first)
    journey.wait(600)
    assert (journey.payment(other).state, journey.invoice(invoice_id).state) == ("cancelled", "paid")
    for path in (f"/payments/{first}", f"/bills/{invoice_id}"):
        assert "paid twice" not in words(journey, path)
    said = words(journey, f"/payments/{other}")
    assert "Another payment of this bill went through, so this one was stopped." in said
    assert "pay again" not in said


# ------------------------------------------------------------------------------------------- promises, and what is over


def test_a_promise_that_is_renewed_early_is_not_said_to_be_over(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    trouble: list[BankError] = [BankSilent("no answer")]

    def status(*_: object, **__: object) -> BankStatus:
        raise trouble[-1]

    monkeypatch.setattr(BerlinGroupConnector, "status", status)
    payment_id = journey.pay(journey.bill(number="n1"))
    promised = journey.payment(payment_id).know_by
    assert promised is not None
    trouble.append(BankUnavailable("the bank put us off with 429", retry_after_s=5 * 3600))
    journey.wait(60)
    assert journey.clock() < promised
    assert journey.payment(payment_id).promises_broken == 1
    said = words(journey, f"/payments/{payment_id}")
    assert "by now" not in said
    assert "It takes longer than we said: Horizon Bank has not told us yet." in said


def test_where_nobody_can_be_asked_any_more_the_page_promises_no_time(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def status(*_: object, **__: object) -> BankStatus:
        raise BankSilent("no answer")

    monkeypatch.setattr(BerlinGroupConnector, "status", status)
    payment_id = journey.pay(journey.bill(number="n4"))
    with journey.services.unit_of_work() as uow:
        promise_nothing(uow.session.get_one(Payment, payment_id), now=uow.now)
        uow.commit()
    said = words(journey, f"/payments/{payment_id}")
    assert "Horizon Bank can no longer tell us what became of this payment, so we promise no time" in said
    assert "Please do not pay this bill again" in said
    assert "We keep asking" not in said
    assert "will know by" not in said


def test_sent_back_by_a_statement_does_not_say_that_nothing_left(journey: Journey) -> None:
    payment_id = at_bank(journey, journey.bill(number="n2"))
    booked(journey, payment_id, Fact.REJECTED)
    assert journey.payment(payment_id).reason == "rejected_by_bank"
    said = words(journey, f"/payments/{payment_id}")
    assert "Nothing left your account" not in said
    assert "after you had approved it" not in said
    assert "A statement of account shows that the payment was sent back." in said


def test_not_carried_out_by_an_operators_word(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    def status(*_: object, **__: object) -> BankStatus:
        raise BankSilent("no answer")

    monkeypatch.setattr(BerlinGroupConnector, "status", status)
    payment_id = journey.pay(journey.bill(number="n3"))
    journey.wait(26 * 3600)
    by_operator(journey, payment_id, executed=False)
    said = words(journey, f"/payments/{payment_id}")
    assert "We have it from Horizon Bank in writing that the payment was not carried out." in said
    assert "Horizon Bank knows no such payment" not in said
    assert "Nothing left your account" not in said  # it had been approved


def test_of_what_its_customer_refused_both_pages_say_that_nothing_left_and_neither_that_it_may_come(
    journey: Journey,
) -> None:
    invoice_id = journey.bill(number="n4")
    payment_id = refused(journey, invoice_id)
    bill, payment = words(journey, f"/bills/{invoice_id}"), words(journey, f"/payments/{payment_id}")
    assert "The last payment of this bill did not go through. Nothing left your account." in bill
    assert "Nothing left your account." in payment
    # though it is asked about again for some days: the bank has said that it is not carried out
    assert journey.payment(payment_id).next_look_at is not None
    for said in (bill, payment):
        assert "turn up" not in said
        assert "all the same" not in said
    # the rule, and nothing of what its bank may do
    assert "After a payment that did not go through, what is left of a bill is paid in one, not in parts." in bill


def test_of_what_its_bank_does_not_know_both_pages_say_the_same_as_long_as_it_is_so(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def status(*_: object, **__: object) -> BankStatus:
        return BankStatus(
            transaction_status="RESOURCE_UNKNOWN",
            fact=Fact.NOT_FOUND,
            reason_code=None,
            reason_text=None,
            raw_response=b"",
        )

    monkeypatch.setattr(BerlinGroupConnector, "status", status)
    invoice_id = journey.bill(number="n5")
    payment_id = journey.confirm(invoice_id)
    journey.browser.leave(payment_id)
    for _ in range(12):
        journey.wait(3600)
    assert journey.payment(payment_id).reason == "not_known_at_bank"
    journey.browser.sign_in()
    pages = (f"/bills/{invoice_id}", f"/payments/{payment_id}")
    unknown = "Horizon Bank knows no such payment, and nobody can approve it any more."
    again = "We look again in the coming days; should it turn up after all, it is said here."
    assert all(f"{unknown} {again}" in words(journey, page) for page in pages)
    for _ in range(10):
        journey.wait(24 * 3600)
    journey.browser.sign_in()
    for page in pages:  # nobody looks any more
        assert unknown in words(journey, page)
        assert again not in words(journey, page)


def test_spans_of_time_on_a_bill_have_words(app: Flask) -> None:
    def written(language: str, *quantities: str) -> list[str]:
        with app.test_request_context("/"), force_locale({"en": "en_GB", "fr": "fr_FR"}[language]):
            return [quantity(each) for each in quantities]

    assert written("en", "3 MON", "1 MON", "0.5 MON", "1.00 ANN") == ["3 months", "1 month", "0.5 months", "1 year"]
    assert written("fr", "3 MON", "1 DAY", "0.5 DAY", "2 ANN") == ["3 mois", "1 jour", "0,5 jour", "2 ans"]


def test_billers_are_told_that_failed_is_not_for_ever(app: Flask) -> None:
    schema = description(app)["components"]["schemas"]["Payment"]["properties"]
    assert "will not happen" not in schema["status"]["description"]
    assert "webhook" in schema["status"]["description"]
    assert schema["end_to_end_id"]["example"] == end_to_end_id(schema["id"]["example"])


# ---------------------------------------------------------------------------------------------------------------- help


def test_help_is_at_the_same_place_of_every_page_and_open_to_everybody(journey: Journey) -> None:
    stranger = Browser.of(journey.app)
    for browser, path in (
        (stranger, "/"),
        (stranger, "/help"),
        (journey.browser, "/bills"),
        (journey.browser, "/help"),
    ):
        links = browser.page(path).select(".foot a[href='/help']")
        assert len(links) == 1, path
    assert stranger.page("/help").select("main a") == []  # what can be done is done by whoever is signed in
    assert [each["href"] for each in journey.browser.page("/help").select("main a")] == [
        "/stop",
        "/receipts",
        "/consents",
        "/real",
        "/security",
    ]


def test_whom_its_operator_has_named_is_reached_from_there(journey: Journey) -> None:
    named = dataclasses.replace(
        journey.services.settings, help_email="help@bills.example", help_phone="+44 20 7946 0000"
    )
    app = create_app(dataclasses.replace(journey.services, settings=named))
    page = Browser.of(app).page("/help")
    assert [each["href"] for each in page.select("aside a")] == ["tel:+442079460000", "mailto:help@bills.example"]
    assert "nobody answers here" in words(journey, "/help")
