"""A refund on the page of its bill: promised, sent to an account that its customer releases, and there."""

from __future__ import annotations

import secrets

import pytest
from playwright.sync_api import expect

from app.demo.cast import WATER
from tests.browser.conftest import Screens
from tests.browser.screen import DESKTOP, PHONE, Language
from tests.browser.world import World

pytestmark = pytest.mark.browser

SAID: dict[str, dict[Language, str]] = {
    "owed": {"en": "owes you", "fr": "vous doit"},
    "released": {"en": "You released your account ····5555", "fr": "Vous avez communiqué votre compte ····5555"},
    "read": {"en": "read it", "fr": "l’a lu le"},
    "received": {"en": "You said that", "fr": "Vous avez dit que"},
}


@pytest.mark.parametrize(("size", "language"), [(DESKTOP, "en"), (PHONE, "fr")], ids=["desktop-en", "phone-fr"])
def test_it_is_promised_sent_to_another_account_and_there(
    screens: Screens, world: World, size: tuple[int, int], language: Language
) -> None:
    screen = screens.new(size=size, language=language)
    email = f"{secrets.token_hex(4)}@example.org"
    screen.sign_up("Morgan Reed", email)
    number = world.deliver_to_new(email, "73.11", WATER)
    bill_id = world.owe(email, WATER, number, "103.11")
    refund = screen.page.locator("section[aria-labelledby=refund]")

    screen.open_bill(number)
    path = screen.path
    assert SAID["owed"][language] in screen.text("section[aria-labelledby=refund]")
    screen.check_page()
    world.at_the_desk(WATER, "promise", bill=bill_id)
    screen.open(path)
    expect(refund.locator("[data-refund=promised]")).to_be_visible()
    screen.check_page()

    refund.locator("a[href$='/account']").click()
    screen.page.locator("#iban").fill("GB33 BUKB 2020 1555 5555 56")
    screen.allow("422")
    screen.page.locator("form:has(#iban) button").click()
    expect(screen.page.locator("#iban-wrong")).to_be_visible()
    screen.check_page()
    screen.page.locator("#iban").fill("GB33 BUKB 2020 1555 5555 55")
    screen.page.locator("form:has(#iban) button").click()
    expect(screen.page.locator("#who")).to_be_visible()
    screen.check_page()
    screen.page.locator("[data-go]").click()
    screen.at("/bills/inv_[0-9a-f]+#refund")
    assert SAID["released"][language] in screen.text("section[aria-labelledby=refund]")
    screen.check_page()

    world.at_the_desk(WATER, "sent", refund=world.refund_of(WATER, bill_id)["id"])
    screen.open(path)
    expect(refund.locator("[data-refund=sent]")).to_be_visible()
    assert SAID["read"][language] in screen.text("section[aria-labelledby=refund]")
    screen.check_page()
    screen.page.locator("main header h1 a").click()
    expect(screen.page.locator("section[aria-labelledby=accounts]")).to_be_visible()
    screen.check_page()
    screen.open(path)
    refund.locator("details.sure summary").click()
    screen.check_page()
    refund.locator("form[action$='/arrived'] button").click()
    expect(refund.locator("[data-refund=received]")).to_be_visible()
    assert SAID["received"][language] in screen.text("section[aria-labelledby=refund]")
    screen.check_page()
