"""The one thing that Quittance is for, as a person does it: look at a bill, sign, approve at the bank, have it paid."""

from __future__ import annotations

import re
import unicodedata

import pytest
from playwright.sync_api import expect

from app.demo.cast import CAMILLE, ENERGY, INTERNET, JONAS, MUSIC, WATER, Person
from tests.browser.conftest import Screens
from tests.browser.screen import DESKTOP, PATIENCE_MS, PHONE, Language, Screen, Theme
from tests.browser.world import World

pytestmark = pytest.mark.browser

VISIT_MAY_NOT_PAY = {
    "en": "This is a demo visit: it can look but not pay.",
    "fr": "Ceci est une visite de démonstration : elle peut regarder, mais pas payer.",
}
PAID = {"en": "Paid", "fr": "Payé"}
RECEIPT = {"en": "Receipt of payment", "fr": "Reçu de paiement"}


@pytest.mark.parametrize(
    ("size", "language", "theme", "person", "slug", "ending"),
    [
        pytest.param(PHONE, "fr", "dark", CAMILLE, WATER.slug, "40172", id="phone-fr-dark"),
        pytest.param(DESKTOP, "en", "light", JONAS, ENERGY.slug, "55810", id="desktop-en-light"),
        pytest.param(PHONE, "en", "light", JONAS, MUSIC.slug, "0418", id="phone-en-light", marks=pytest.mark.long),
        pytest.param(
            DESKTOP, "fr", "dark", CAMILLE, INTERNET.slug, "118204", id="desktop-fr-dark", marks=pytest.mark.long
        ),
    ],
)
def test_a_visitor_makes_a_passkey_and_pays_a_bill(
    screens: Screens,
    world: World,
    size: tuple[int, int],
    language: Language,
    theme: Theme,
    person: Person,
    slug: str,
    ending: str,
) -> None:
    screen = screens.new(size=size, language=language, theme=theme)
    number = world.number_of(person, slug=slug, ending=ending)

    screen.open("/")
    assert screen.language == language
    screen.check_page()
    screen.visit(person, language)
    screen.check_page()

    screen.open_confirm(number, on_the_way=screen.check_page)
    assert VISIT_MAY_NOT_PAY[language] in screen.text("section[aria-labelledby=key]")
    expect(screen.pay_form).to_have_count(0)
    screen.check_page()
    screen.make_passkey()
    expect(screen.page.locator("aside.visit")).to_have_count(0)
    screen.check_page()
    amount, payee = screen.text(".sum .figure"), screen.text("dl.facts strong >> nth=0")

    screen.sign()
    assert screen.text(".crossing-facts strong.amount") == amount
    assert payee in screen.text(".crossing-facts")
    screen.check_page()

    _approve(screen, person, amount=amount, payee=payee)

    # nobody reloads: the page follows the payment by itself
    screen.at(r"/payments/pay_[0-9a-f]+\?back=1")
    screen.expect_truth("done")
    expect(screen.page.locator("h1")).to_have_text(PAID[language])
    assert amount in screen.text(".truth .lede")
    screen.check_page()

    screen.page.locator("main a[href^='/receipts/rcp_']").click()
    screen.at("/receipts/rcp_[0-9a-f]+")
    expect(screen.page.locator("h1")).to_have_text(RECEIPT[language])
    assert screen.text("tfoot .figure") == amount
    assert number in screen.text(".sheet .lede")
    screen.check_page()

    world.wait_until_biller_knows(number)
    assert [bill["paid"] for bill in world.biller_state()["billers"][slug]["bills"] if bill["number"] == number] == [
        True
    ]
    if (size, language) in ((PHONE, "fr"), (DESKTOP, "en")):
        _the_pages_around(screen, number)


def _approve(screen: Screen, person: Person, *, amount: str, payee: str) -> None:
    """At the bank, which is another site and asks for itself."""
    screen.go_to_bank()
    assert screen.page.url.startswith("http://127.0.0.1:")
    assert _sepa(payee) in screen.text("main")
    screen.check_bank_page()
    screen.sign_in_at_bank(person)
    assert _digits(screen.text("dl .amount dd")) == _digits(amount)
    assert _sepa(payee) in screen.text("dl")
    screen.check_bank_page()
    screen.decide_at_bank("approve")


def _sepa(name: str) -> str:
    """A name as banks carry it: their payments know no accents (EPC217-08)."""
    return "".join(each for each in unicodedata.normalize("NFD", name) if not unicodedata.combining(each))


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _the_pages_around(screen: Screen, number: str) -> None:
    """What is left: the lists, security, and a page that is not there."""
    screen.open("/bills?show=paid")
    expect(screen.card(number)).to_be_visible()
    screen.check_page()
    for path in ("/bills?show=to-pay", "/receipts", "/consents", "/messages", "/calendar", "/security", "/stop"):
        screen.open(path)
        screen.check_page()
    screen.allow("status of 404")
    screen.open("/bills/inv_00000000000000000000000000000000")
    screen.check_page()


def test_the_keyboard_comes_along_in_the_order_of_the_page(screen: Screen, world: World) -> None:
    """Skip link, brand, menu, language, sign out, and then the page; the skip link goes past all of that."""
    screen.visit(JONAS)
    screen.open("/bills")
    focused = screen.page.locator(":focus")
    order: list[str | None] = []
    for _ in range(10):
        screen.page.keyboard.press("Tab")
        order.append(focused.get_attribute("href") or focused.inner_text())
    assert order == [
        "#main",
        "/bills",
        "/bills",
        "/receipts",
        "/companies",
        "/consents",
        "/messages",
        "/security",
        "/language/fr?next=/bills",
        "Sign out",
    ]
    screen.open("/receipts")
    screen.page.keyboard.press("Tab")
    expect(screen.page.locator("a.skip:focus")).to_be_in_viewport(timeout=PATIENCE_MS)
    screen.page.keyboard.press("Enter")
    expect(screen.page.locator("main:focus")).to_have_count(1)
    screen.page.keyboard.press("Tab")
    assert screen.page.evaluate("document.activeElement.closest('main') !== null")


def test_a_payment_is_signed_by_keyboard_alone(screen: Screen, world: World) -> None:
    """From the inbox to the bank without a pointer."""
    number = world.deliver(JONAS, "12.30")
    screen.visit(JONAS)
    screen.card(number).locator("a.button").first.focus()
    screen.page.keyboard.press("Enter")
    screen.at("/bills/inv_[0-9a-f]+/(pay|bank)")
    screen.choose_bank()
    screen.page.locator("[data-passkey=add] [data-go]").focus()
    screen.page.keyboard.press("Enter")
    expect(screen.pay_form).to_be_visible()
    screen.pay_form.locator("[data-go]").focus()
    screen.page.keyboard.press("Enter")
    expect(screen.to_bank).to_be_visible()
    screen.to_bank.focus()
    screen.page.keyboard.press("Enter")
    screen.page.wait_for_url(f"{world.bank_url}/sca/**")
