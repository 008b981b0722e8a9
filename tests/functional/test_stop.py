"""A customer stops everything: then nothing of theirs is begun by any door, and they are told truly what became of what
was under way. They lift it with a passkey; and passkeys can be removed, but the last."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app.db.unit_of_work import UnitOfWork
from app.demo.authenticator import Authenticator
from app.journey.consents.rules import KEY_LIFE
from app.journey.decisions.models import Decision
from app.journey.notices.models import Notice
from app.journey.payments.models import BankCall
from app.journey.payments.reasons import Reason
from app.people import passkeys, stops
from app.people.customers import lock_customer
from app.people.models import CustomerSession, Passkey, Stop, ToolToken
from app.services import Services
from app.web.customers import stop as door
from connectors.contract import Authorised
from consent import sign_ins
from consent.models import Consent, ConsentHistory, Sealed, SignIn, Standing
from consent.states import StandingStep
from tests.support import factories
from tests.support.installation import BASE_URL
from tests.support.journey import ORIGIN, Browser, Journey

SAFE = {"GET", "HEAD", "OPTIONS"}


def stop(journey: Journey, *, look: bool = True) -> None:
    """The one button; then the worker does what follows from it."""
    answer = journey.browser.post("/stop", token=journey.browser.token("/stop"))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/stop")
    if look:
        journey.worker.run_until_idle()


def lift(journey: Journey, device: Authenticator | None = None) -> TestResponse:
    token = journey.browser.token("/stop")
    started = journey.browser.post("/stop/lift/ceremony", token=token, data={}).get_json()
    signed = (device or journey.browser.device).sign(started["publicKey"])
    form = {"ceremony": started["ceremony"], "credential": json.dumps(signed)}
    return journey.browser.post("/stop/lift", token=token, form=form)


def words(journey: Journey, path: str = "/stop") -> str:
    return journey.browser.page(path).get_text(" ", strip=True)


def part(journey: Journey, name: str) -> str:
    """What one part of the page says; empty where it has no such part."""
    found = journey.browser.page("/stop").select_one(f'section[aria-labelledby="{name}"]')
    return found.get_text(" ", strip=True) if found else ""


def count(journey: Journey, *tables: type[Any]) -> int:
    with journey.services.reading() as uow:
        return sum(uow.session.scalar(select(func.count()).select_from(each)) or 0 for each in tables)


def is_stopped(journey: Journey) -> bool:
    with journey.services.reading() as uow:
        return stops.is_stopped(uow.session, journey.customer.id)


# ------------------------------------------------------------------------------------- every way to begin something

Start = Callable[[Journey, str, str], TestResponse]


def sign_first(journey: Journey, invoice_id: str, token: str) -> TestResponse:
    """Signed before everything was stopped, and sent after it."""
    with journey.services.unit_of_work() as uow:  # the stop, for a moment not yet there
        found = uow.session.scalars(select(Stop)).one()
        kept = found.at, found.session_id
        uow.session.delete(found)
        uow.commit()
    page, started = journey.browser.start_paying(invoice_id)
    with journey.services.unit_of_work() as uow:
        again = Stop(id=found.id, customer_id=found.customer_id, at=kept[0], session_id=kept[1])
        uow.session.add(again)
        uow.commit()
    return journey.browser.decide(invoice_id, page, started.get_json())


#: endpoint → what begins something there, of a bill that is due
STARTS: dict[str, Start] = {
    "pay_ceremony": lambda journey, invoice_id, token: journey.browser.start_signing(invoice_id, token, ""),
    "pay": sign_first,
    "confirm": lambda journey, invoice_id, _: journey.browser.get(f"/bills/{invoice_id}/pay?bank=horizon"),
    "sign_in_at_bank": lambda journey, invoice_id, _: journey.browser.get(
        f"/bills/{invoice_id}/bank/sign-in?bank=horizon"
    ),
}
#: and what begins nothing that could be paid, each because of what it does
BEGINS_NOTHING = {
    *("sign_out", "demo_sign_in", "end_session", "passkey_remove", "passkey_remove_ceremony"),  # who can sign in
    *("passkey_new", "passkey_new_done", "passkey_add", "passkey_add_done", "passkey_use", "passkey_use_done"),
    # a way back in leads to a passkey, and to nothing else
    *("use_recovery_code", "ask_for_words", "show_words", "ask_to_open"),
    *("way_in_passkey", "way_in_passkey_done", "way_in_end_others", "way_in_stop"),
    *("make_recovery_codes", "recovery_codes_ceremony", "change_address", "change_address_ceremony"),
    *("stop_everything", "lift", "lift_ceremony", "cancel", "take_back"),  # they end something, or end the stop itself
    *("find_bank", "find_another_bank", "is_it_real"),  # they look
    *("payee_checked",),  # a check of a payee, without which nobody could decide afterwards
    *("read_own_bill", "keep_own_bill", "discard_own_bill", "remove_own_bill"),  # bills
    *("say_answer", "take_answer_back"),  # what is said of a bill moves no money
    "ask_funds",  # a bank is asked about money that stays where it is; nor that while a stop stands: test_funds.py
    "move_bill",  # the order in which bills stand
    *("plan_day", "plan_parts", "withdraw_plan", "pay_together"),  # nor what is planned or chosen: a signature decides
    *("say_money", "add_payday", "remove_payday", "forget_money"),  # what is said of one's money moves none
    *("draw_words", "choose_messages", "ask_address", "prove_address"),  # messages
    *("add_device", "remove_device"),  # where they are shown as well
    *("make_calendar", "end_calendar"),  # calendars read
    *("accept_company", "ask_company", "hand_address", "change_company", "leaks_read"),  # who may deliver
    *("make_code", "withdraw_code", "invite"),
    *("stop_consent", "add_bank", "remove_bank", "pay_first"),  # what is allowed at banks ends; what comes first
    *("make_tool", "tool_ceremony", "end_tool"),  # programs read
    *("say_of_payment", "say_of_dispute"),  # whether it was easy
    *("export_ceremony", "take_export"),  # papers go out, which while a stop stands they do not: test_export.py
    *("erase_ceremony", "erase", "keep_space"),  # which stops everything itself: test_erasure.py
    *("bring_archive", "remove_papers"),  # papers of other places, which are never paid here
    "say_of_refund",  # what is said of a refund, and an account that is taken back
    "check_terms",  # which draws a page
}
#: of standing consents, at a bank that takes such: tests/functional/test_consents.py
STARTS_ELSEWHERE = {"agree_ceremony", "agree"}
#: of several bills under such: tests/functional/test_signed_together.py
STARTS_ELSEWHERE |= {"together_ceremony", "pay_signed"}
#: an account for a refund, which nobody releases while everything is stopped: tests/functional/test_refunds.py
STARTS_ELSEWHERE |= {"type_refund_account", "release_refund_account", "release_refund_account_ceremony"}


def test_every_post_of_the_customers_door_is_known_here(app: Flask) -> None:
    """A new one belongs to those that are refused while everything is stopped, or to those that begin nothing."""
    posts = {
        rule.endpoint.partition(".")[2]
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("customers.") and (rule.methods or set()) - SAFE
    }
    assert posts - STARTS.keys() - STARTS_ELSEWHERE == BEGINS_NOTHING & posts == BEGINS_NOTHING


@pytest.mark.parametrize("endpoint", STARTS)
def test_nothing_is_begun(journey: Journey, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice_id = journey.bill()
    if endpoint == "sign_in_at_bank":
        bank = replace(journey.services.banks.profile("horizon"), sign_in_first=True)
        monkeypatch.setattr("app.web.customers.decide.usable_bank", lambda _: bank)
    token = journey.browser.token("/bills")
    stop(journey)
    before = count(journey, Decision, BankCall, SignIn)
    answer = STARTS[endpoint](journey, invoice_id, token)
    if answer.status_code == 303:
        assert answer.headers["Location"] == "/stop"
    else:
        assert answer.status_code == 409
        said = answer.get_json()["detail"] if answer.is_json else answer.get_data(as_text=True)
        assert "Everything is stopped" in said
        assert "lift" in said
    journey.wait(60)
    assert count(journey, Decision, BankCall, SignIn) == before
    assert journey.invoice(invoice_id).state == "to_pay"
    assert journey.ledger() == []


# ----------------------------------------------------------------------------------------- what was under way by then


def test_decided_and_not_sent_yet(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice_id = journey.bill()
    with monkeypatch.context() as patch:
        patch.setattr("app.web.customers.decide.run_now", lambda *_, **__: False)
        payment_id = journey.confirm(invoice_id)
    stop(journey)
    journey.wait(60)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason, payment.bank_payment_id) == ("rejected", Reason.STOPPED_ALL, None)
    assert count(journey, BankCall) == 1  # its bytes were stored
    assert "Not paid" in part(journey, "stopped")
    assert "Everything was stopped after you had confirmed this payment" in words(journey, f"/payments/{payment_id}")
    assert journey.ledger() == []


@pytest.mark.parametrize("looked", [True, False])
def test_the_bank_has_it_and_nobody_has_the_link(journey: Journey, looked: bool) -> None:
    """Whether the worker has looked by then or not."""
    payment_id = journey.confirm(journey.bill())
    stop(journey, look=looked)
    if not looked:
        assert "Being stopped" in part(journey, "stopped")
    answer = journey.browser.get(f"/payments/{payment_id}/bank")
    assert answer.headers["Location"] == f"/payments/{payment_id}"  # and not the bank
    journey.wait(60)
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("cancelled", Reason.STOPPED_ALL)
    assert "Not paid" in part(journey, "stopped")
    assert part(journey, "confirm") == part(journey, "out") == ""


def test_it_waits_at_the_bank_for_an_approval(journey: Journey) -> None:
    """It is called stopped only once the bank has said so."""
    payment_id = journey.confirm(journey.bill())
    journey.browser.leave(payment_id)
    stop(journey, look=False)
    assert "we are asking the bank to drop it" in part(journey, "confirm")
    assert "Nothing that could be stopped here." in part(journey, "stopped")
    journey.worker.run_until_idle()
    journey.wait(150)
    assert journey.payment(payment_id).state == "cancelled"
    assert part(journey, "confirm") == ""
    assert "Not paid" in part(journey, "stopped")


def test_it_was_approved_before(journey: Journey) -> None:
    """Past the point of no return: nobody says otherwise."""
    payment_id = journey.pay(journey.bill())
    stop(journey)
    assert "cannot be taken back" in part(journey, "out")
    journey.wait(60)
    assert (journey.truth(payment_id), journey.payment(payment_id).state) == ("done", "settled")
    assert "Paid" in part(journey, "out")
    assert len(journey.ledger()) == 1


def test_what_had_ended_before_is_not_told(journey: Journey) -> None:
    journey.pay(journey.bill())
    journey.wait(60)
    stop(journey)
    assert part(journey, "out") == ""
    assert "No payment was under way" in part(journey, "stopped")


def test_who_is_at_the_bank_and_comes_back_with_a_code_has_it_exchanged_by_nobody(journey: Journey) -> None:
    payment_id = journey.confirm(journey.bill())
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    stop(journey, look=False)
    journey.browser.come_back(way_back)
    journey.wait(150)
    with journey.services.reading() as uow:
        verbs = set(uow.session.scalars(select(BankCall.verb).where(BankCall.payment_id == payment_id)))
    assert "complete" not in verbs
    assert journey.payment(payment_id).state == "settled"  # it was approved there: the bank's word counts (K5)


# ------------------------------------------------------------------------------------------- what else ends with it


def test_everybody_else_is_signed_out_and_what_they_hold_is_worth_nothing(journey: Journey, app: Flask) -> None:
    other = Browser(app.test_client(), device=journey.browser.device)
    other.sign_in()
    sign_in_id = signed_in_at_bank(journey)
    with journey.services.unit_of_work() as uow:
        token = {"name": "my own", "scope": "read", "created_at": uow.now}
        uow.session.add(ToolToken(token_hash="x", customer_id=journey.customer.id, **token))
        uow.commit()
    payment_id = journey.confirm(journey.bill())
    stop(journey, look=False)
    assert other.get("/bills").status_code == 303
    assert journey.browser.get("/bills").status_code == 200
    with journey.services.reading() as uow:
        assert uow.session.get_one(ToolToken, "x").ended_at is not None
        assert uow.session.get(SignIn, sign_in_id) is None
        boxes = set(uow.session.scalars(select(Sealed.id).where(Sealed.id.not_like("customer:%"))))
    assert not {each for each in boxes if each.startswith(("sign_in:", "trip:"))}
    assert payment_id


def signed_in_at_bank(journey: Journey) -> str:
    """A sign-in that is good, with its token."""
    vault, invoice_id = journey.services.vault, journey.bill(number="S-1")
    with journey.services.unit_of_work() as uow:
        made = sign_ins.plan(
            uow.session,
            vault,
            customer_id=journey.customer.id,
            bank_id="horizon",
            invoice_id=invoice_id,
            return_url="https://space.example/back",
            state_in_path=True,
            now=uow.now,
        )
        sign_ins.keep(uow.session, vault, made, Authorised(access_token="t", expires_in_s=3600), now=uow.now)
        uow.commit()
        return made.id


def test_standing_consents_are_taken_back_in_the_same_moment(journey: Journey) -> None:
    with journey.services.unit_of_work() as uow:
        whose, biller_id = journey.customer.id, journey.biller.id
        standing = factories.agree_standing(uow, customer_id=whose, biller_id=biller_id, bank_id="horizon")
        consent = uow.session.get_one(Consent, standing.consent_id)
        journey.services.vault.put(
            uow.session, f"consent:{consent.id}:token", "t", now=uow.now, expires_at=uow.now + dt.timedelta(days=9)
        )
        uow.commit()
    stop(journey, look=False)
    with journey.services.reading() as uow:
        assert uow.session.get_one(Consent, consent.id).state == "revoking"
        last = uow.session.get_one(Standing, consent.id).sequence
        line = uow.session.get_one(ConsentHistory, (consent.id, last))
        assert (line.step, line.before, line.after, line.source) == ("revoke", "authorised", "revoking", "customer")
        assert uow.session.get(Sealed, f"consent:{consent.id}:token") is None
    assert "The bank has not confirmed yet" in part(journey, "confirm")
    assert "Stopped here: nothing is paid under it from here any more." in part(journey, "stopped")
    assert "Nothing that could be stopped here." not in part(journey, "stopped")
    assert "+33 1 99 00 01 01" in part(journey, "call")


@pytest.mark.parametrize("sent", [True, False])
def test_the_bank_has_confirmed_nothing_where_it_never_told_an_id(journey: Journey, sent: bool) -> None:
    """Once its key is good no more nobody asks any more, and what was sent may be there all the same."""
    with journey.services.unit_of_work() as uow:
        whose, biller_id = journey.customer.id, journey.biller.id
        standing = factories.agree_standing(uow, customer_id=whose, biller_id=biller_id, bank_id="horizon", steps=())
        standing.sent_at = uow.now - KEY_LIFE - dt.timedelta(minutes=1) if sent else None
        uow.commit()
    stop(journey)
    with journey.services.reading() as uow:
        assert uow.session.get_one(Consent, standing.consent_id).state == "revoked"
    assert "Consent for" in part(journey, "stopped")
    assert ("has not confirmed yet" in part(journey, "stopped")) is sent
    assert ("Consent for" in part(journey, "confirm")) is sent


def test_a_consent_that_was_being_taken_back_already_is_shown(journey: Journey) -> None:
    with journey.services.unit_of_work() as uow:
        whose, biller_id = journey.customer.id, journey.biller.id
        steps = (StandingStep.STAGE, StandingStep.AUTHORISE, StandingStep.REVOKE)
        factories.agree_standing(uow, customer_id=whose, biller_id=biller_id, bank_id="horizon", steps=steps)
        uow.commit()
    journey.clock.tick(seconds=1)
    stop(journey, look=False)
    assert part(journey, "confirm").count("The bank has not confirmed yet") == 1


def test_pressed_again_it_ends_who_came_since_and_is_one_stop(journey: Journey, app: Flask) -> None:
    stop(journey)
    other = Browser(app.test_client(), device=journey.browser.device)
    other.sign_in()
    assert "You stopped everything." in other.page("/bills").get_text(" ")
    stop(journey)
    assert other.get("/bills").status_code == 303
    assert count(journey, Stop) == 1
    with journey.services.reading() as uow:
        assert list(uow.session.scalars(select(Notice.kind))) == ["all_stopped"]


def test_a_visit_of_the_demo_stops_nothing(journey: Journey, services: Services, app: Flask) -> None:
    visitor = app.test_client()
    value = factories.sign_in(services, journey.customer, read_only=True)
    visitor.set_cookie("__Host-session-8000", value, domain="localhost", secure=True)
    browser = Browser(visitor)
    page = browser.page("/stop")
    assert not page.select('form[action="/stop"]')
    assert browser.post("/stop", token=browser.token("/stop")).status_code == 403
    assert not is_stopped(journey)


def test_a_page_of_another_site_stops_nothing(journey: Journey) -> None:
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert journey.browser.client.post("/stop", base_url=BASE_URL, headers=headers).status_code == 403
    assert not is_stopped(journey)


# ------------------------------------------------------------------------------------------------------------- lifting


def test_lifted_with_a_passkey_bills_can_be_paid_again_and_what_was_stopped_stays_so(journey: Journey) -> None:
    """Even when nobody had looked at it before it was lifted."""
    invoice_id, other_id = journey.bill(), journey.bill(number="2")
    payment_id = journey.confirm(invoice_id)
    stop(journey, look=False)
    journey.clock.tick(seconds=1)
    assert lift(journey).status_code == 303
    journey.clock.tick(seconds=1)
    answer = journey.browser.get(f"/payments/{payment_id}/bank")
    assert answer.headers["Location"] == f"/payments/{payment_id}"  # and not the bank
    journey.wait(60)
    assert journey.payment(payment_id).reason == Reason.STOPPED_ALL
    for each in (invoice_id, other_id):
        journey.pay(each)
    journey.wait(60)
    assert len(journey.ledger()) == 2
    assert "lifted with a passkey" in part(journey, "earlier")
    assert "You stopped everything." not in words(journey, "/bills")
    with journey.services.reading() as uow:
        assert set(uow.session.scalars(select(Notice.kind))) >= {"all_stopped", "stop_lifted"}


def test_who_signed_before_it_was_lifted_signed_nothing(journey: Journey) -> None:
    """The form of before comes after it: it is asked for anew."""
    invoice_id = journey.bill()
    token, started = journey.browser.start_paying(invoice_id)
    credential = json.dumps(journey.browser.device.sign(started.get_json()["publicKey"]))
    stop(journey)
    lift(journey)
    form = {"credential": credential, "ceremony": started.get_json()["ceremony"]}
    journey.clock.tick(seconds=1)
    answer = journey.browser.post(f"/bills/{invoice_id}/pay", token=token, form=form)
    assert answer.status_code != 303
    assert count(journey, Decision) == 0


def test_nobody_lifts_it_without_a_passkey_of_the_customer(journey: Journey) -> None:
    stop(journey)
    token = journey.browser.token("/stop")
    asked = journey.browser.post("/stop/lift/ceremony", token=token, data={}).get_json()
    other = journey.browser.post("/passkeys/use", token=token, data={}).get_json()
    signed = json.dumps(journey.browser.device.sign(other["publicKey"]))
    for form in (
        {},
        {"ceremony": asked["ceremony"], "credential": "{}"},
        {"ceremony": other["ceremony"], "credential": signed},  # of another purpose
        {"ceremony": asked["ceremony"], "credential": signed},  # over another challenge
    ):
        assert journey.browser.post("/stop/lift", token=token, form=form).status_code in (403, 422)
    assert is_stopped(journey)
    assert lift(journey).status_code == 303
    assert not is_stopped(journey)
    answer = journey.browser.post("/stop/lift/ceremony", token=token, data={})
    assert (answer.status_code, answer.get_json()["code"]) == (409, "not-stopped")


def test_what_was_signed_for_one_stop_lifts_no_later_one(journey: Journey) -> None:
    stop(journey)
    token = journey.browser.token("/stop")
    asked = journey.browser.post("/stop/lift/ceremony", token=token, data={}).get_json()
    signed = json.dumps(journey.browser.device.sign(asked["publicKey"]))
    assert lift(journey).status_code == 303
    stop(journey)
    form = {"ceremony": asked["ceremony"], "credential": signed}
    assert journey.browser.post("/stop/lift", token=token, form=form).status_code == 422
    assert is_stopped(journey)


# ------------------------------------------------------------------------------------------------------------- passkeys


def add_passkey(journey: Journey) -> Authenticator:
    """Another device; one that is there approves it."""
    browser, new = journey.browser, Authenticator(ORIGIN)
    token = browser.token("/security")
    asked = browser.post("/passkeys/add", token=token, data={}).get_json()
    proof = {"ceremony": asked["ceremony"], "credential": browser.device.sign(asked["publicKey"])}
    made = browser.post("/passkeys/add", token=token, data=proof).get_json()
    done = {"ceremony": made["ceremony"], "credential": new.make(made["publicKey"])}
    journey.clock.tick(seconds=1)  # the newest is the last one shown
    assert browser.post("/passkeys/add/done", token=token, data=done).status_code == 200
    return new


def passkeys_shown(journey: Journey, path: str = "/security") -> list[str]:
    return [str(form["data-of"]) for form in journey.browser.page(path).select("form[data-of]")]


def remove(journey: Journey, passkey: str, by: Authenticator) -> TestResponse:
    token = journey.browser.token("/security")
    started = journey.browser.post("/security/passkeys/remove/ceremony", token=token, data={"passkey": passkey})
    if started.status_code != 200:
        return started
    asked = started.get_json()
    signed = json.dumps(by.sign(asked["publicKey"]))
    form = {"ceremony": asked["ceremony"], "credential": signed, "next": "/stop"}
    return journey.browser.post("/security/passkeys/remove", token=token, form=form)


def known(journey: Journey) -> int:
    return count(journey, Passkey)


def test_a_passkey_is_removed_by_another_one_and_opens_nothing_any_more(journey: Journey, app: Flask) -> None:
    first = journey.browser.device
    second = add_passkey(journey)
    thief = Browser(app.test_client(), device=second)
    thief.sign_in()
    assert thief.get("/bills").status_code == 200
    oldest, newest = passkeys_shown(journey)
    assert passkeys_shown(journey, "/security") == [oldest, newest]
    answer = remove(journey, newest, by=first)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/stop")
    assert known(journey) == 1
    assert thief.get("/bills").status_code == 303
    assert thief.sign_in().status_code == 403
    assert journey.browser.get("/bills").status_code == 200
    assert passkeys_shown(journey) == []  # the last one
    journey.wait(1)
    with journey.services.reading() as uow:
        assert set(uow.session.scalars(select(Notice.kind))) == {"passkey_added", "passkey_removed"}


def test_who_is_signed_in_with_the_one_that_goes_stays_who_has_just_signed_with_another(journey: Journey) -> None:
    first = journey.browser.device
    second = add_passkey(journey)  # and is signed in with it from now on
    oldest, newest = passkeys_shown(journey)
    assert remove(journey, newest, by=first).status_code == 303
    assert journey.browser.get("/bills").status_code == 200
    with journey.services.reading() as uow:
        [here] = uow.session.scalars(select(CustomerSession)).all()
        [left] = uow.session.scalars(select(Passkey)).all()
        assert here.credential_id == left.credential_id
    assert second is not first
    assert oldest != newest


def test_what_the_one_that_goes_has_approved_comes_to_nothing(journey: Journey) -> None:
    """Somebody has the cookie, and a passkey that they made: with it they approve another one, and wait."""
    first, theirs, later = journey.browser.device, add_passkey(journey), Authenticator(ORIGIN)
    token = journey.browser.token("/security")
    asked = journey.browser.post("/passkeys/add", token=token, data={}).get_json()
    proof = {"ceremony": asked["ceremony"], "credential": theirs.sign(asked["publicKey"])}
    begun = journey.browser.post("/passkeys/add", token=token, data=proof).get_json()
    assert remove(journey, passkeys_shown(journey)[1], by=first).status_code == 303
    done = {"ceremony": begun["ceremony"], "credential": later.make(begun["publicKey"])}
    answer = journey.browser.post("/passkeys/add/done", token=journey.browser.token("/security"), data=done)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "ceremony-over")
    assert known(journey) == 1


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_new_passkey_waits_for_whoever_removes_one(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would take its ceremony while the ceremonies are being forgotten, which skips what somebody takes."""
    token, real = journey.browser.token("/security"), passkeys.take
    asked = journey.browser.post("/passkeys/add", token=token, data={}).get_json()
    proof = {"ceremony": asked["ceremony"], "credential": journey.browser.device.sign(asked["publicKey"])}
    begun = journey.browser.post("/passkeys/add", token=token, data=proof).get_json()
    held: list[bool] = []

    def take(uow: UnitOfWork, **asked_for: Any) -> Any:
        with journey.services.unit_of_work() as other:
            other.session.execute(text("SET LOCAL lock_timeout = '100ms'"))
            try:
                lock_customer(other.session, journey.customer.id)
            except OperationalError:
                held.append(True)
        return real(uow, **asked_for)

    monkeypatch.setattr(passkeys, "take", take)
    done = {"ceremony": begun["ceremony"], "credential": Authenticator(ORIGIN).make(begun["publicKey"])}
    assert journey.browser.post("/passkeys/add/done", token=token, data=done).status_code == 200
    assert held == [True]


def test_no_passkey_goes_by_its_own_signature_nor_the_last_one_nor_a_strangers(journey: Journey) -> None:
    with journey.services.reading() as uow:
        [only] = map(passkeys.public_id, passkeys.passkeys_of(uow.session, journey.customer.id))
    token = journey.browser.token("/security")
    shown = {"passkey": only}
    answer = journey.browser.post("/security/passkeys/remove/ceremony", token=token, data=shown)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "last-passkey")
    add_passkey(journey)
    asked = journey.browser.post("/security/passkeys/remove/ceremony", token=token, data=shown).get_json()
    signed = journey.browser.device.sign({**asked["publicKey"], "allowCredentials": [{"id": only}]})
    form = {"ceremony": asked["ceremony"], "credential": json.dumps(signed)}
    assert journey.browser.post("/security/passkeys/remove", token=token, form=form).status_code == 403
    for wrong in ("", "x", None, 7, "AAAA"):
        answer = journey.browser.post("/security/passkeys/remove/ceremony", token=token, data={"passkey": wrong})
        assert answer.status_code == 404
    assert journey.browser.post("/security/passkeys/remove", token=token, form={"passkey": "x"}).status_code == 422
    assert known(journey) == 2


def test_two_who_remove_each_others_passkey_leave_one(journey: Journey) -> None:
    first, second = journey.browser.device, add_passkey(journey)
    oldest, newest = passkeys_shown(journey)
    token = journey.browser.token("/security")
    forms = []
    for passkey, by in ((oldest, second), (newest, first)):
        asked = journey.browser.post("/security/passkeys/remove/ceremony", token=token, data={"passkey": passkey})
        started = asked.get_json()
        signed = json.dumps(by.sign(started["publicKey"]))
        forms.append({"ceremony": started["ceremony"], "credential": signed})
    answers = [journey.browser.post("/security/passkeys/remove", token=token, form=form).status_code for form in forms]
    assert answers[0] == 303
    assert answers[1] in (403, 404, 409, 422)
    assert known(journey) == 1


# ---------------------------------------------------------------------------------------------------------------- pages


@pytest.mark.parametrize("page", ["/bills", "/receipts", "/companies", "/messages", "/security"])
def test_it_is_one_click_away_on_every_page(journey: Journey, page: str) -> None:
    assert journey.browser.page(page).select('footer a[href="/stop"]')


def test_while_everything_is_stopped_every_page_says_so(journey: Journey) -> None:
    stop(journey)
    for page in ("/bills", "/receipts", "/companies", "/messages", "/security", "/stop"):
        banner = journey.browser.page(page).select_one("aside.visit")
        assert banner is not None
        assert "You stopped everything." in banner.get_text(" ", strip=True)


def test_a_bank_whose_file_names_nobody_is_said_to_have_no_number(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    journey.confirm(journey.bill())
    stop(journey)
    assert "+33 1 99 00 01 01" in part(journey, "call")
    monkeypatch.setattr(door, "_help_view", lambda bank_id: door.HelpView(bank_id))
    assert "We have no number of this bank" in part(journey, "call")


def test_another_customer_notices_nothing(journeys: Callable[[], Journey]) -> None:
    one, two = journeys(), journeys()
    stop(one)
    assert two.browser.get("/bills").status_code == 200
    assert not is_stopped(two)


def test_both_languages_say_it(journey: Journey) -> None:
    journey.confirm(journey.bill())
    stop(journey)
    for code in ("fr", "en"):
        journey.browser.get(f"/language/{code}?next=/stop")
        page = BeautifulSoup(journey.browser.get("/stop").data, "html.parser")
        assert page.html is not None
        assert page.html["lang"] == code
        assert len(page.select("section.part")) >= 4
