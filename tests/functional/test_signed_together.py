# ruff: noqa: F811  (fixtures are arguments)
"""Several bills under a standing consent at the sandbox bank, signed at once: one signature, all of them or none."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from app import invariants
from app.audit import entries
from app.audit.kinds import Kind
from app.db.events import EventRow
from app.journey.decisions.models import Decision
from app.journey.invoices.models import Invoice
from app.journey.payments.models import Payment
from app.people import passkeys
from app.people.models import Stop
from consent.models import LimitClaim
from tests.functional.test_answers import token_of, words
from tests.functional.test_paid_under_consent import House, clock, services, settings, uk_bank  # noqa: F401
from tests.functional.test_paid_under_consent import house as both  # noqa: F401
from tests.support import factories
from tests.support.evidence import signed_by
from tests.support.installation import BASE_URL
from tests.support.journey import Browser
from tests.support.standing import approve, bill_for, keep

pytestmark = [pytest.mark.slow, pytest.mark.long_on_postgres, pytest.mark.timeout(400)]

SIGN = "/together/sign"


@pytest.fixture
def house(both: House) -> House:
    """With one consent alone: up to £90.00 for one payment, and £160.00 a week."""
    browser, path = both.world.browser, f"/consents/{both.world.consent_id}"
    assert browser.post(f"{path}/stop", token=browser.token(path)).status_code == 303
    both.world.worker.run_until_idle()
    return both


def choose(house: House, *bills: str) -> TestResponse:
    browser = house.world.browser
    form: Any = {"bill": list(bills)}
    return browser.post("/together", token=token_of(browser.page("/together")), form=form)


def two(house: House) -> tuple[str, str]:
    """Two bills that the consent covers both, of £160.00 a week."""
    found = house.another_bill("2026-2", amount="60.00"), house.another_bill("2026-3", amount="35.50")
    assert choose(house, *found).location == SIGN
    return found


def start(house: House, shown: str | None = None) -> tuple[str, TestResponse]:
    """The page was drawn, and its button pressed."""
    page = house.world.browser.page(SIGN)
    form = page.select_one("form[data-shown]")
    token = token_of(page)
    said = shown if shown is not None else str(form["data-shown"]) if form else ""
    return token, house.world.browser.post(f"{SIGN}/ceremony", token=token, data={"shown": said})


def send(house: House, token: str, started: TestResponse, path: str = SIGN) -> TestResponse:
    assert started.status_code == 200, started.text
    begun, browser = started.get_json(), house.world.browser
    credential = json.dumps(browser.device.sign(begun["publicKey"]))
    return browser.post(path, token=token, form={"credential": credential, "ceremony": begun["ceremony"]})


def sign(house: House) -> TestResponse:
    return send(house, *start(house))


def decided(house: House) -> list[Decision]:
    with house.world.services.reading() as uow:
        return list(uow.session.scalars(select(Decision).order_by(Decision.invoice_id)))


def nothing(house: House, *bills: str) -> None:
    """Was written of any of them."""
    assert [each for each in decided(house) if each.invoice_id in bills] == []
    with house.world.services.reading() as uow:
        payments = select(func.count()).select_from(Payment).where(Payment.invoice_id.in_(bills))
        assert uow.session.scalar(payments) == 0
        claims = select(LimitClaim.payment_id)
        known = {each.payment_id for each in decided(house)}
        assert set(uow.session.scalars(claims)) <= known
        told = uow.session.scalars(select(EventRow.payload).where(EventRow.kind == "PaymentDecided"))
        assert {each["payment_id"] for each in told} == known


def state(house: House, invoice_id: str) -> str:
    with house.world.services.reading() as uow:
        return uow.session.get_one(Invoice, invoice_id).state


def in_order(house: House) -> None:
    services = house.world.services
    assert [str(each) for each in invariants.check(services.engine, now=services.clock(), late=False)] == []


def test_three_clicks_and_one_signature_for_all_that_the_consent_covers(house: House) -> None:
    bills = two(house)
    page = house.world.browser.page(SIGN)
    said = words(page)
    assert "Check and sign 2 bills at once" in said
    assert "You pay £95.50" in said
    for told in (
        *("1. Thames Water Works, £60.00", "2. Thames Water Works, £35.50", "Bill 2026-2", "Bill 2026-3"),
        *("Sort code 60-16-13, account 31926819", "····4417", "Consent for Thames Water Works", "Today, "),
        *("£95.50 for 2 bills, from", "£64.50 left of £160.00, the limit for a week", "Up to £90.00 for one payment"),
    ):
        assert told in said, told
    answer = sign(house)
    assert (answer.status_code, answer.location) == (303, "/together?signed=2"), words(answer)
    assert [each.invoice_id for each in decided(house)] == sorted(bills)
    assert {state(house, each) for each in bills} == {"in_payment"}
    after = house.world.browser.page(answer.location)
    assert "Signed. These payments are under way." in words(after)
    assert words(after).count("payment under way") == 2
    links = [str(each["href"]) for each in after.select("#round ~ ol a")]
    assert set(links) == {f"/payments/{each.payment_id}" for each in decided(house)}
    assert all("Cancel this payment" in words(house.world.browser.page(each)) for each in links)
    in_order(house)
    ids = [each.payment_id for each in decided(house)]
    house.until(lambda: all(house.payment(each).state == "settled" for each in ids))
    assert len(house.at_the_bank()) == 2
    in_order(house)


def test_anybody_can_check_each_decision_by_its_own_evidence(house: House) -> None:
    bills = two(house)
    sign(house)
    for each in decided(house):
        order = signed_by(each.evidence, host="localhost", origin=BASE_URL)
        said = {
            "invoice": each.invoice_id,
            "payee": each.payee_name,
            "iban": each.payee_iban,
            "amount_minor": str(each.amount_minor),
            "day": each.pay_on.isoformat(),
            "bank": each.bank_id,
            "consent": each.consent_id,
        }
        assert said.items() <= order.items()
        assert [one["invoice"] for one in each.evidence["orders"]] == list(bills)
        forged = {**each.evidence, "orders": [{**one, "amount_minor": "1"} for one in each.evidence["orders"]]}
        with pytest.raises(Exception, match="challenge"):
            signed_by({**forged, "order": forged["orders"][0]}, host="localhost", origin=BASE_URL)


def test_one_that_is_cancelled_leaves_the_other_alone(house: House) -> None:
    first, second = two(house)
    sign(house)
    of = {each.invoice_id: each.payment_id for each in decided(house)}
    browser = house.world.browser
    browser.post(f"/payments/{of[first]}/cancel", token=browser.token(f"/payments/{of[first]}"))
    house.until(lambda: house.payment(of[second]).state == "settled")
    assert (state(house, first), state(house, second)) == ("to_pay", "paid")
    assert len(house.at_the_bank()) == 1


def test_what_does_not_fit_besides_the_others_goes_one_after_the_other(house: House) -> None:
    """£84.20 and £60.00 fit into £160.00 a week, and £35.50 besides them does not."""
    bills = (
        house.world.invoice_id,
        house.another_bill("2026-2", amount="60.00"),
        house.another_bill("2026-3", amount="35.50"),
    )
    assert choose(house, *bills).location == "/together"
    page = words(house.world.browser.page("/together"))
    assert "Sign 2 bills at once" in page
    said = words(house.world.browser.page(SIGN))
    assert "You pay £144.20" in said
    assert "£19.70 too much: £15.80 is left of the limit for a week" in said
    sign(house)
    assert {each.invoice_id for each in decided(house)} == set(bills[:2])
    assert state(house, bills[2]) == "to_pay"
    assert "Next: check and pay" in words(house.world.browser.page("/together"))
    in_order(house)


@pytest.mark.long
def test_what_is_left_beside_them_is_said_by_all_that_is_signed(house: House) -> None:
    """Also by what comes after the bill: £80.00 and £50.00 are signed, and £85.00 between them is not."""
    amounts = {"2026-2": "80.00", "2026-3": "85.00", "2026-4": "50.00"}
    bills = [house.another_bill(number, amount=amount) for number, amount in amounts.items()]
    choose(house, *bills)
    said = words(house.world.browser.page(SIGN))
    assert "You pay £130.00" in said
    assert "£30.00 left of £160.00, the limit for a week" in said
    assert "£55.00 too much: £30.00 is left of the limit for a week" in said


def test_what_one_consent_does_not_cover_besides_goes_under_the_next_one(both: House) -> None:
    """Each bill in the first way that still holds: £500.00 for one payment and £5000.00 a month, or the smaller one."""
    amounts = {"2026-2": "60.00", "2026-3": "70.00", "2026-4": "80.00"}
    bills = [both.another_bill(number, amount=amount) for number, amount in amounts.items()]
    assert choose(both, *bills).location == SIGN
    assert sign(both).status_code == 303
    assert len(decided(both)) == 3
    in_order(both)


def test_fewer_than_two_are_not_signed_together(house: House) -> None:
    bills = house.world.invoice_id, house.another_bill("2026-2", amount="90.01")
    assert choose(house, *bills).location == "/together"
    assert "at once" not in words(house.world.browser.page("/together")).partition("What happens then")[0]
    answer = house.world.browser.get(SIGN)
    assert (answer.status_code, answer.location) == (303, "/together")
    _, started = start_anyhow(house, token_of(house.world.browser.page("/together")))
    assert (started.status_code, started.get_json()["code"]) == (409, "order-changed")
    assert decided(house) == []


def test_what_asks_for_a_word_of_its_own_is_not_among_them(house: House) -> None:
    """Here a request to pay whose last day is over."""
    first, second = two(house)
    today = house.world.clock().date()
    with house.world.services.unit_of_work() as uow:
        over = update(Invoice).where(Invoice.id == first)
        uow.session.execute(over.values(expires_on=today - dt.timedelta(days=1)))
        uow.commit()
    third = house.another_bill("2026-4", amount="20.00")
    assert choose(house, first, second, third).location == "/together"
    said = words(house.world.browser.page(SIGN))
    assert "Check and sign 2 bills at once" in said
    assert "There is something to be read first that is about this bill alone." in said
    assert sign(house).status_code == 303
    assert {each.invoice_id for each in decided(house)} == {second, third}


def collected_besides(house: House, invoice_id: str) -> None:
    with house.world.services.unit_of_work() as uow:
        besides = {"besides": "direct_debit"}
        uow.session.execute(update(Invoice).where(Invoice.id == invoice_id).values(means_details=besides))
        uow.commit()


def test_what_its_company_collects_as_well_is_not_signed_among_others_whatever_is_sent(house: House) -> None:
    """Neither by a page that was drawn before, nor by a signature that was given before: no order has changed."""
    first, second = two(house)
    third = house.another_bill("2026-4", amount="20.00")
    choose(house, first, second, third)
    form = house.world.browser.page(SIGN).select_one("form[data-shown]")
    assert form is not None
    token, started = start(house)
    collected_besides(house, second)
    told = "It is about Thames Water Works, 2026-3. Its company says that it collects it as well"
    _, refused = start(house, shown=str(form["data-shown"]))
    assert told in drawn_anew(house, refused)
    answer = send(house, token, started)
    assert answer.status_code == 409
    assert told in words(answer)
    nothing(house, first, second, third)
    assert sign(house).status_code == 303
    assert {each.invoice_id for each in decided(house)} == {first, third}
    in_order(house)


def test_a_discount_of_the_day_is_taken_and_shown(house: House) -> None:
    until = (house.world.clock().date() + dt.timedelta(days=3)).isoformat()
    early = {"until": until, "discount": "1.00"}
    first = house.another_bill("2026-2", amount="50.00", early_payment=early)
    second = house.another_bill("2026-3", amount="35.50")
    choose(house, first, second)
    said = words(house.world.browser.page(SIGN))
    assert "£1.00 less for paying by" in said
    assert "You pay £84.50" in said
    sign(house)
    assert {each.amount_minor for each in decided(house)} == {4900, 3550}


def test_bills_of_two_companies_under_a_consent_each(house: House) -> None:
    world = house.world
    iban = "GB33BUKB20201555555555"
    biller = factories.make_biller(world.services, name="Fenland Rail", iban=iban)
    address = factories.connect(world.services, customer_id=world.customer.id, biller_id=biller.id)
    program = replace(
        world.program,
        http=world.app.test_client(),
        biller_id=biller.id,
        iban=iban,
        vat_id=biller.vat_id,
        client_id=biller.client_id,
        key=ECKey.import_key(biller.private_jwk),
    )
    payee = {"name": "Fenland Rail", "iban": iban}
    today = world.clock().date()
    delivered = program.deliver(bill_for(address, number="F-1", today=today, amount="12.00", payee=payee))
    assert delivered.status_code == 201, delivered.text
    world.worker.run_until_idle()
    with world.services.reading() as uow:
        other = uow.session.scalars(select(Invoice).where(Invoice.number == "F-1")).one()
    agreed = replace(world.agreed, creditor_name=other.payee_name or "", creditor_iban=iban)
    approved = approve(world.services, world.tls, agreed, exchange=True)
    consent_id = keep(
        world.services, customer_id=world.customer.id, biller_id=biller.id, agreed=agreed, approved=approved
    )
    own = house.another_bill("2026-2", amount="60.00")
    assert choose(house, own, other.id).location == SIGN
    said = words(world.browser.page(SIGN))
    for told in (
        "You pay £72.00",
        "£60.00 for 1 bill",
        "£12.00 for 1 bill",
        "£100.00 left of £160.00",
        "£4,988.00 left",
    ):
        assert told in said, told
    assert sign(house).status_code == 303
    assert {each.invoice_id: each.consent_id for each in decided(house)} == {
        own: house.consent_id,
        other.id: consent_id,
    }
    ids = [each.payment_id for each in decided(house)]
    house.until(lambda: all(house.payment(each).state == "settled" for each in ids))
    assert len(house.at_the_bank()) == 2
    in_order(house)


# ------------------------------------------------------------------------------------------- what changes meanwhile


def test_nobody_signs_what_they_were_not_shown(house: House) -> None:
    first, second = two(house)
    page = house.world.browser.page(SIGN)
    form = page.select_one("form[data-shown]")
    assert form is not None
    third = house.another_bill("2026-4", amount="20.00")
    choose(house, first, second, third)  # in another tab
    _, started = start(house, shown=str(form["data-shown"]))
    said = started.get_json()
    assert (started.status_code, said["code"], said["about"]) == (409, "order-changed", third)
    anew = words(house.world.browser.page(f"{SIGN}?bills=2&changed={third}"))  # as the script goes on
    assert "Something in these payments has changed since you saw them. It is about Thames Water Works, 2026-4." in anew
    assert "You pay £115.50" in anew


def drawn_anew(house: House, started: TestResponse) -> str:
    """What the page says that the script goes to, once the challenge was refused."""
    said, browser = started.get_json(), house.world.browser
    assert (started.status_code, said["code"]) == (409, "order-changed")
    answer = browser.get(f"{SIGN}?bills=2&changed={said['about']}")
    return words(answer) if answer.status_code == 200 else words(browser.page(answer.location))


def test_before_the_signature_the_bill_that_was_corrected_is_named(house: House) -> None:
    first, second = two(house)
    form = house.world.browser.page(SIGN).select_one("form[data-shown]")
    assert form is not None
    world = house.world
    asked = {"kind": "credit_note", "corrects": "2026-3", "amount": "5.00", "reference": None}
    delivered = world.program.deliver(bill_for(world.address, number="C-1", today=world.clock().date(), **asked))
    assert delivered.status_code == 201
    world.worker.run_until_idle()
    _, started = start(house, shown=str(form["data-shown"]))
    said = drawn_anew(house, started)
    assert "It is about Thames Water Works, 2026-3. Nothing was paid just now." in said
    assert "You pay £90.50" in said
    nothing(house, first, second)


@pytest.mark.long
def test_before_the_signature_the_bill_that_is_not_covered_any_more_is_named_with_why(house: House) -> None:
    first, second = two(house)
    third = house.another_bill("2026-4", amount="10.00")
    choose(house, first, second, third)
    form = house.world.browser.page(SIGN).select_one("form[data-shown]")
    assert form is not None
    house.pay(house.world.invoice_id)  # £84.20 of £160.00
    _, started = start(house, shown=str(form["data-shown"]))
    said = drawn_anew(house, started)
    assert "It is about Thames Water Works, 2026-3. £29.70 too much: £5.80 is left of the limit for a week" in said
    assert "Check and sign 2 bills at once" in said


def test_before_the_signature_the_bill_that_was_paid_is_named_also_where_too_few_are_left(house: House) -> None:
    first, second = two(house)
    form = house.world.browser.page(SIGN).select_one("form[data-shown]")
    assert form is not None
    house.pay(second)
    _, started = start_anyhow(house, token_of(house.world.browser.page("/together")), shown=str(form["data-shown"]))
    said = drawn_anew(house, started)
    assert "It is about Thames Water Works, 2026-3. A payment of it is under way. Nothing was paid just now." in said
    nothing(house, first)


@pytest.mark.long
def test_a_name_that_is_made_up_names_nothing(house: House) -> None:
    two(house)
    not_chosen = house.world.invoice_id
    for about in ("inv_x", "", "%3Cb%3E", not_chosen):
        said = words(house.world.browser.page(f"{SIGN}?bills=2&changed={about}"))
        assert "Something in these payments has changed since you saw them." in said
        assert "It is about" not in said


def test_one_that_was_paid_meanwhile_names_itself_and_nothing_is_written_of_the_other(house: House) -> None:
    first, second = two(house)
    third = house.another_bill("2026-4", amount="20.00")
    choose(house, first, second, third)
    token, started = start(house)
    house.pay(second)
    answer = send(house, token, started)
    assert answer.status_code == 409
    said = words(answer)
    assert "A payment of one of these bills is already under way." in said
    assert "It is about Thames Water Works, 2026-3. A payment of it is under way." in said
    nothing(house, first, third)
    assert "You pay £80.00" in said  # what is left of them, drawn anew
    in_order(house)


def test_when_too_few_are_left_the_page_says_so_and_keeps_the_place(house: House) -> None:
    first, second = two(house)
    token, started = start(house)
    house.pay(second)
    answer = send(house, token, started)
    assert answer.status_code == 409
    assert "It is about Thames Water Works, 2026-3." in words(answer)
    assert re.search(r"Next: check and pay £\S+ to Thames Water Works", words(answer))
    nothing(house, first)


def test_a_limit_that_was_used_meanwhile_refuses_all_of_them(house: House) -> None:
    first, second = two(house)
    token, started = start(house)
    house.pay(house.world.invoice_id)  # £84.20 of £160.00: the first still fits, and the second not besides
    answer = send(house, token, started)
    assert answer.status_code == 409
    assert "It is about Thames Water Works, 2026-3." in words(answer)
    nothing(house, first, second)
    in_order(house)


def test_the_next_day_it_is_another_order(house: House) -> None:
    bills = two(house)
    house.world.clock.tick(seconds=12 * 3600 - 120)
    house.world.browser.sign_in()
    choose(house, *bills)
    token, started = start(house)
    house.world.clock.tick(seconds=180)
    answer = send(house, token, started)
    assert answer.status_code == 409
    nothing(house, *bills)


def test_the_same_signature_is_taken_once_and_nowhere_else(house: House) -> None:
    first, second = two(house)
    token, started = start(house)
    alone = send(house, token, started, path=f"/bills/{first}/pay?consent={house.consent_id}")
    assert alone.status_code == 422
    nothing(house, first, second)
    assert send(house, token, started).status_code == 303
    again = send(house, token, started)
    assert (again.status_code, again.location) == (303, "/together")  # where each is under way: nothing says otherwise
    assert "nothing was paid" not in words(house.world.browser.page("/together"))
    assert len(decided(house)) == 2
    in_order(house)


def test_while_all_is_stopped_nothing_is_begun(house: House) -> None:
    bills = two(house)
    token, started = start(house)
    who = house.world.customer
    with house.world.services.unit_of_work() as uow:
        stop = Stop(id="stp_1", customer_id=who.id, session_id="ses_1", at=uow.now)
        uow.session.add(stop)
        uow.session.flush()
        entries.write(uow, Kind.CUSTOMER_STOPPED, stop)
        uow.commit()
    assert house.world.browser.get(SIGN).location == "/stop"
    _, refused = start_anyhow(house, token)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "stopped-all")
    assert send(house, token, started).location == "/stop"
    nothing(house, *bills)


def start_anyhow(house: House, token: str, shown: str = "") -> tuple[str, TestResponse]:
    return token, house.world.browser.post(f"{SIGN}/ceremony", token=token, data={"shown": shown})


def test_a_consent_that_was_taken_back_covers_nothing(house: House) -> None:
    bills = two(house)
    token, started = start(house)
    browser = house.world.browser
    path = f"/consents/{house.consent_id}"
    assert browser.post(f"{path}/stop", token=browser.token(path)).status_code == 303
    answer = send(house, token, started)
    assert answer.status_code == 409
    nothing(house, *bills)
    assert house.world.browser.get(SIGN).location == "/together"


def test_a_body_that_is_no_such_page(house: House) -> None:
    two(house)
    browser = house.world.browser
    token = browser.token(SIGN)
    bodies: list[Any] = [None, [], {"shown": 7}, {"shown": None}, {"shown": ": :"}, "x"]
    for body in bodies:
        answer = browser.post(f"{SIGN}/ceremony", token=token, data=body)
        assert answer.status_code == 409, body
    assert decided(house) == []


def test_a_form_without_a_signature(house: House) -> None:
    bills = two(house)
    browser = house.world.browser
    answer = browser.post(SIGN, token=browser.token(SIGN), form={"credential": "{}", "ceremony": "x"})
    assert answer.status_code == 422
    assert browser.post(SIGN, token=browser.token(SIGN), form={}).status_code == 422
    nothing(house, *bills)


def test_nobody_else_sees_or_signs_them(house: House) -> None:
    bills = two(house)
    _, started = start(house)
    stranger = Browser.of(house.world.app)
    stranger.sign_up(name="Noor", email="noor@example.org")
    assert stranger.get(SIGN).location == "/together"
    begun = started.get_json()
    credential = json.dumps(house.world.browser.device.sign(begun["publicKey"]))
    answer = stranger.post(
        SIGN, token=stranger.token("/together"), form={"credential": credential, "ceremony": begun["ceremony"]}
    )
    assert answer.status_code == 422
    nothing(house, *bills)


def test_who_has_no_passkey_makes_one_first_or_goes_back(house: House) -> None:
    two(house)
    with house.world.services.unit_of_work() as uow:
        for passkey in passkeys.passkeys_of(uow.session, house.world.customer.id):
            uow.session.delete(passkey)
        uow.commit()
    page = house.world.browser.page(SIGN)
    first = page.select_one("section[aria-labelledby=key]")
    assert first is not None
    assert first.select_one("[data-passkey=add] [data-go]") is not None
    assert [str(link["href"]) for link in first.select("a")] == ["/together"]
    assert page.select_one("[data-passkey=pay]") is None
