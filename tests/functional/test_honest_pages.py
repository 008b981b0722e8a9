"""No page says more than we know, no name is shown that was not vetted, and a session alone adds no passkey."""

from __future__ import annotations

import dataclasses

from sqlalchemy import func, select

from app.factory import create_app
from app.people.models import Passkey
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
