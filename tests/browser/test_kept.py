"""A bill is approved now for a later day, until which its bank keeps the payment; and taken back before that."""

from __future__ import annotations

import secrets

import pytest

from app.demo.cast import JONAS, WATER
from tests.browser.conftest import Screens
from tests.browser.hand import CLICKS_MOST, Hand
from tests.browser.screen import DESKTOP, PHONE, Language
from tests.browser.world import World

pytestmark = pytest.mark.browser

#: what the payment's page says: of what is kept, and of what the bank dropped
KEPT: dict[Language, str] = {"en": "Horizon Bank keeps it", "fr": "Horizon Bank le garde"}
DROPPED: dict[Language, str] = {
    "en": "Horizon Bank cancelled the payment, as you wished.",
    "fr": "Horizon Bank a annulé le paiement, comme vous le vouliez.",
}


@pytest.mark.parametrize(("size", "language"), [(DESKTOP, "en"), (PHONE, "fr")], ids=["desktop-en", "phone-fr"])
def test_it_is_approved_now_kept_by_the_bank_and_taken_back(
    screens: Screens, world: World, size: tuple[int, int], language: Language
) -> None:
    screen = screens.new(size=size, language=language)
    email = f"{secrets.token_hex(4)}@example.org"
    screen.sign_up("Morgan Reed", email)
    number = world.deliver_to_new(email, "73.11", WATER)
    page, hand = screen.page, Hand(screen)
    screen.open("/bills")
    hand.press(screen.card(number).locator("h2 a"))
    hand.press(page.locator(".choices a[href$='/later']"))
    page.locator("#kept ~ p a[href*='bank=horizon']").click()  # which of the banks is theirs nobody knows yet
    page.wait_for_url("**/later?bank=horizon*")
    screen.check_page()
    hand.press(page.locator("ul[aria-labelledby=kept] a").first)
    assert hand.pressed <= CLICKS_MOST
    screen.check_page()
    screen.sign()
    screen.check_page()
    screen.pay_at_bank(JONAS)
    screen.expect_truth("kept")
    assert KEPT[language] in screen.text(".truth")
    screen.check_page()
    payment = screen.path
    screen.open("/bills")
    screen.check_page()
    screen.open_bill(number)
    screen.check_page()
    screen.open(payment)
    hand.press(page.locator("form[action$='/take-back'] button"))
    screen.expect_truth("not-done")
    assert DROPPED[language] in screen.text(".truth")
    screen.check_page()
