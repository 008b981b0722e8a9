"""What a customer allows at their bank: set up, used, exceeded, stopped at the bank, approved anew, and taken back.

With PICTURES it takes pictures of these pages, too (conftest.py).
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
import zoneinfo

import pytest
from playwright.sync_api import Locator, expect

from app.demo.cast import TRAMS, WATER
from tests.browser.conftest import Screens
from tests.browser.screen import DESKTOP, PHONE, PIN, Language, Screen
from tests.browser.world import World

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NAMES = {"albion": "Albion Bank", "caledonia": "Caledonia Bank"}
STANDS = {"en": "In force", "fr": "En vigueur"}


@pytest.fixture
def screen(screens: Screens) -> Screen:
    """The sandbox banks' certificates are of an authority that nobody else believes."""
    return screens.new(trusts_all=True)


def customer(screen: Screen) -> str:
    """Somebody new. Returns the e-mail address."""
    email = f"{secrets.token_hex(4)}@example.org"
    screen.sign_up("Morgan Reed", email)
    return email


def approve_there(screen: Screen, bank: str, decision: str = "approve") -> None:
    """At the bank, and back to the consent."""
    screen.page.locator("main a[href$='/bank']").click()
    screen.page.wait_for_url(f"**/{bank}/approve/**")
    sign_in_there(screen)
    screen.page.locator(f"button[name=decision][value={decision}]").click()
    screen.at(r"/consents/con_[0-9a-f]+\?back=1")


def sign_in_there(screen: Screen) -> None:
    screen.page.locator("input[name=customer]").first.check()
    screen.page.locator("#pin").fill(PIN)
    screen.page.locator("button.primary").click()
    screen.page.locator("#pin").wait_for(state="detached")


def set_up(screen: Screen, number: str) -> str:
    """From a bill to a consent at Albion Bank that stands, with £100.00 in each two weeks from today; its address."""
    screen.open_bill(number)
    screen.open(f"{screen.path}/bank")
    offer = screen.page.locator("a[href*='/consent?bank=albion']").first
    screen.page.locator("details", has=offer).locator("summary").click()
    offer.click()
    return agree(screen, "albion")


def set_up_another(screen: Screen, bank: str) -> str:
    """The same from the company's page, at another bank."""
    screen.open("/companies")
    screen.page.get_by_role("link", name=TRAMS.name).click()
    screen.page.locator("main a[href$='/consent']").click()
    screen.check_page()
    screen.page.locator(f"a[href$='/consent?bank={bank}']").click()
    return agree(screen, bank)


def agree(screen: Screen, bank: str) -> str:
    paris, london = (dt.datetime.now(zoneinfo.ZoneInfo(f"Europe/{city}")).date() for city in ("Paris", "London"))
    if screen.language == "fr" and paris != london:
        pytest.skip("the day has begun in Paris and not in London: a consent begins an hour after it is approved")
    screen.page.locator("#each").fill("60.00")
    screen.page.locator("#limit_month").fill("")  # by the calendar: the first one may have but a day left
    fortnight = screen.page.locator("#limit_fortnight")
    if not fortnight.is_visible():  # it is open late in a month, of which too little is left for one bill
        screen.page.locator("details", has=fortnight).locator("summary").click()
    fortnight.fill("100.00")
    screen.check_page()
    screen.page.locator("form[action$='/consent'] .button").first.click()
    expect(screen.page.locator("form[data-passkey=agree]")).to_be_visible()
    screen.check_page()
    screen.page.locator("form[data-passkey=agree] [data-go]").click()
    screen.at("/consents/con_[0-9a-f]+/leave")
    expect(screen.page.locator("main a[href$='/bank']")).to_be_visible()
    screen.check_page()
    approve_there(screen, bank)
    stands(screen)
    return screen.path.partition("?")[0]


def stands(screen: Screen, words: str | None = None) -> None:
    """The consent's page comes to say so, by itself or once it is looked at again."""
    expect(screen.page.locator("p.state")).to_have_text(words or STANDS[screen.language or "en"], timeout=30_000)


def stop_at_the_bank(screen: Screen, bank: str, bank_url: str) -> None:
    """All of it, on the bank's own page, as its customer."""
    screen.page.goto(f"{bank_url}/{bank}/yours")
    sign_in_there(screen)
    there = screen.page.locator("button[name=consent]")
    while left := there.count():
        there.first.click()
        expect(there).to_have_count(left - 1)


def pay_under_it(screen: Screen, number: str) -> None:
    """From the inbox, with one signature, and nowhere else."""
    screen.open_bill(number)
    screen.page.locator("a[href*='/pay?consent=con_']").first.click()
    screen.at(r"/bills/inv_[0-9a-f]+/pay\?consent=con_[0-9a-f]+")
    screen.pay_form.locator("[data-go]").click()
    screen.at("/payments/pay_[0-9a-f]+")
    screen.expect_truth("done")


@pytest.mark.parametrize(
    ("size", "language"),
    [pytest.param(DESKTOP, "en", id="desktop-en", marks=pytest.mark.long), pytest.param(PHONE, "fr", id="phone-fr")],
)
def test_a_consent_is_set_up_used_exceeded_approved_anew_and_taken_back(
    screens: Screens, world: World, size: tuple[int, int], language: Language
) -> None:
    screen = screens.new(size=size, language=language, trusts_all=True)
    email = customer(screen)
    first, second, third = (world.deliver_to_new(email, amount, TRAMS) for amount in ("41.07", "52.08", "33.09"))

    consent = set_up(screen, first)
    pay_under_it(screen, first)
    world.wait_until_biller_knows(first)
    pay_under_it(screen, second)
    world.wait_until_biller_knows(second)
    screen.open(consent)
    assert "6.85" in screen.text("main").replace(",", ".")  # of 100.00, less 41.07 and 52.08
    screen.check_page()

    # the third is more than is left of the two weeks: said before the bank is asked, with what can be done
    screen.open_bill(third)
    expect(screen.page.locator("a[href*='/pay?consent=con_']")).to_have_count(0)
    screen.open(f"{screen.path}/bank")
    assert "6.85" in screen.text("main").replace(",", ".")
    screen.check_page()
    screen.open(f"{screen.path.removesuffix('/bank')}/pay?consent={consent.rpartition('/')[2]}")
    expect(screen.pay_form).to_have_count(0)
    screen.check_page()

    # stopped at the bank, and approved there again
    screen.open(consent)
    bank_url = f"https://localhost:{world.running.environment['QUITTANCE_UK_BANK_PORT']}"
    stop_at_the_bank(screen, "albion", bank_url)
    small = world.deliver_to_new(email, "1.11", TRAMS)
    screen.open(consent)
    expect(screen.page.locator("main a[href$='/renew']")).to_be_visible(timeout=30_000)
    screen.check_page()
    screen.page.locator("main a[href$='/renew']").click()
    screen.at("/consents/con_[0-9a-f]+/renew")
    approve_there(screen, "albion")
    stands(screen)
    pay_under_it(screen, small)

    # and taken back, here
    screen.open(consent)
    screen.page.locator("details.last-step summary").click()
    screen.page.locator("form[action$='/stop'] button").click()
    screen.at("/consents/con_[0-9a-f]+")
    expect(screen.page.locator("form[action$='/stop']")).to_have_count(0)
    screen.open_bill(third)
    expect(screen.page.locator("a[href*='/pay?consent=con_']")).to_have_count(0)


@pytest.mark.long
def test_two_banks_stand_side_by_side_and_one_is_removed(screen: Screen, world: World) -> None:
    email = customer(screen)
    paid, still_open = (world.deliver_to_new(email, amount, TRAMS) for amount in ("11.17", "12.18"))
    at_albion = set_up(screen, paid)
    pay_under_it(screen, paid)
    at_caledonia = set_up_another(screen, "caledonia")
    screen.open("/consents")
    for name in NAMES.values():
        assert name in screen.text("main")
    screen.check_page()
    screen.page.locator("a[href='/consents/banks/albion/remove']").click()
    screen.check_page()
    screen.page.locator("form[action='/consents/banks/albion/remove'] button").click()
    screen.at("/consents")
    screen.open(at_albion)
    expect(screen.page.locator("form[action$='/stop']")).to_have_count(0)
    screen.open(at_caledonia)
    stands(screen)
    screen.open("/receipts")
    assert paid in screen.text("main")
    pay_under_it(screen, still_open)


def test_who_stops_everything_starts_nothing(screen: Screen, world: World) -> None:
    email = customer(screen)
    bill = world.deliver_to_new(email, "13.19", TRAMS)
    consent = set_up(screen, bill)
    screen.open("/stop")
    screen.check_page()
    screen.page.locator("form[action='/stop'] button").click()
    screen.at("/stop")
    screen.check_page()
    screen.open(consent)
    expect(screen.page.locator("form[action$='/stop']")).to_have_count(0)
    screen.open_bill(bill)
    invoice = screen.path
    for path in (f"{invoice}/pay?consent={consent.rpartition('/')[2]}", f"{invoice}/pay?bank=albion"):
        screen.open(path)
        expect(screen.pay_form).to_have_count(0)


@pytest.mark.parametrize(
    ("size", "language"),
    [pytest.param(DESKTOP, "en", id="desktop-en", marks=pytest.mark.long), pytest.param(PHONE, "fr", id="phone-fr")],
)
def test_several_bills_are_signed_at_once(
    screens: Screens, world: World, size: tuple[int, int], language: Language
) -> None:
    """Three clicks from the inbox, besides the ticks; and what the consent does not cover keeps its place."""
    screen = screens.new(size=size, language=language, trusts_all=True)
    email = customer(screen)
    first, second = (world.deliver_to_new(email, amount, TRAMS) for amount in ("21.07", "32.08"))
    other = world.deliver_to_new(email, "14.50", WATER)
    set_up(screen, first)
    page = screen.page

    screen.open("/bills")
    page.locator("main a[href='/together']").click()
    for number in (first, second, other):
        page.locator("label.tick", has_text=number).locator("input").check()
    page.locator("main form button.button:not([name=leave])").last.click()
    screen.at("/together")
    expect(page.locator("#round")).to_be_visible()
    screen.check_page()
    page.locator("main a[href='/together/sign']").click()
    screen.at("/together/sign")
    said = screen.text("main").replace(",", ".")
    for told in (first, second, other, "53.15", "46.85"):  # in all, and what is left of 100.00
        assert told in said
    screen.check_page()

    # as if the first one had been another bill when the page was drawn: it is drawn anew, and names it
    screen.allow("status of 409")
    screen.pay_form.evaluate("form => { form.dataset.shown = form.dataset.shown.replace(':', ':0'); }")
    screen.pay_form.locator("[data-go]").click()
    screen.at(r"/together/sign\?bills=2&changed=inv_\w+")
    expect(page.locator("main div[role=alert]")).to_contain_text(first)

    screen.pay_form.locator("[data-go]").click()
    screen.at(r"/together\?signed=2")
    expect(page.locator("main [role=status].good")).to_be_visible()
    screen.check_page()
    for number in (first, second):
        world.wait_until_biller_knows(number)
    screen.open("/together")
    expect(page.locator("main a[href='/together/sign']")).to_have_count(0)
    assert other in screen.text("#round ~ ol")


def test_the_bank_is_asked_whether_the_money_is_there(screens: Screens, world: World) -> None:
    """In both languages, with and without script; and then the bill is decided from the very page that answered."""
    screen = screens.new(size=PHONE, language="fr", trusts_all=True)
    email = customer(screen)
    number = world.deliver_to_new(email, "15.17", TRAMS)
    consent = set_up(screen, number).rpartition("/")[2]
    screen.open_bill(number)
    confirm = f"{screen.path}/pay?consent={consent}"
    screen.open(confirm)
    expect(screen.page.locator("dt", has_text="L’argent est-il là\N{NARROW NO-BREAK SPACE}?")).to_have_count(1)
    screen.check_page()
    ask(screen)
    expect(said(screen)).to_contain_text("l’argent est là. Cela ne réserve rien, et rien n’a été payé.")
    expect(said(screen)).to_be_in_viewport()
    screen.check_page()

    screen.switch_language()
    screen.at(re.escape(confirm))
    expect(said(screen)).to_have_count(0)
    ask(screen)
    expect(said(screen)).to_contain_text("the money is there. It reserves nothing, and nothing was paid.")
    screen.check_page()

    plain = screens.new(script=False, trusts_all=True, state=screen.page.context.storage_state())
    plain.open(confirm)
    ask(plain)
    expect(said(plain)).to_contain_text("the money is there.")

    screen.pay_form.locator("[data-go]").click()
    screen.at("/payments/pay_[0-9a-f]+")
    screen.expect_truth("done")
    screen.open(f"/consents/{consent}")
    asked = screen.page.locator("#history ~ ul li", has_text="You asked Albion Bank whether the money")
    expect(asked).to_have_count(3)
    screen.check_page()


def ask(screen: Screen) -> None:
    screen.page.locator("#funds button").click()
    screen.at(r"/bills/inv_[0-9a-f]+/pay/funds\?consent=con_[0-9a-f]+#funds")


def said(screen: Screen) -> Locator:
    return screen.page.locator("#funds [role=status]")
