"""Each way of paying a bill on one's own terms: from the inbox to the acknowledged state in three clicks, and back."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from app.demo.cast import WATER
from tests.browser.conftest import Screens
from tests.browser.screen import DESKTOP, PHONE, Language
from tests.browser.test_answers import CLICKS_MOST, Hand
from tests.browser.world import World

pytestmark = pytest.mark.browser

#: what the bill's page says then
PLANNED: dict[str, dict[Language, str]] = {
    "later": {"en": "You plan to pay on", "fr": "Vous prévoyez de payer le"},
    "parts": {"en": "You plan to pay in 2 parts", "fr": "Vous prévoyez de payer en 2 fois"},
}


def open_choice(hand: Hand, number: str, ending: str) -> None:
    hand.screen.open("/bills")
    hand.press(hand.screen.card(number).locator("h2 a"))
    hand.press(hand.screen.page.locator(f".choices a[href$='/{ending}']"))
    hand.screen.check_page()


@pytest.mark.parametrize(("size", "language"), [(DESKTOP, "fr"), (PHONE, "en")], ids=["desktop-fr", "phone-en"])
def test_another_day_parts_another_bank_and_several_bills(
    screens: Screens, world: World, size: tuple[int, int], language: Language
) -> None:
    screen = screens.new(size=size, language=language)
    email = f"{secrets.token_hex(4)}@example.org"
    screen.sign_up("Morgan Reed", email)
    number, second = (world.deliver_to_new(email, amount, WATER) for amount in ("73.11", "12.40"))
    page = screen.page
    ways: dict[str, Callable[[Hand], None]] = {
        "later": lambda hand: hand.press(page.locator("button[name=day]").first),
        "parts": lambda hand: hand.press(page.locator("button[name=split][value='2']")),
    }
    for ending, choose in ways.items():
        hand = Hand(screen, by_keyboard=ending == "parts")
        open_choice(hand, number, ending)
        choose(hand)
        screen.at("/bills/inv_[0-9a-f]+")
        assert hand.pressed <= CLICKS_MOST
        assert PLANNED[ending][language] in screen.text(".said h2").replace("\xa0", " ")
        screen.check_page()
        hand.press(page.locator(".said button"))
        expect(page.locator(".said")).to_have_count(0)
        assert hand.pressed == CLICKS_MOST + 1

    hand = Hand(screen)
    open_choice(hand, number, "bank")  # from another account: the bank is chosen here, the account there
    expect(page.locator(".banks a").first).to_be_visible()

    hand = Hand(screen)
    screen.open("/bills")
    hand.press(page.locator("main a[href='/together']"))
    screen.check_page()
    for each in page.locator("input[name=bill]").all():
        hand.choose(each)
    hand.press(page.locator("main form button.button:not([name=leave])"))
    screen.at("/together")
    assert hand.pressed <= CLICKS_MOST
    expect(page.locator("#round")).to_be_visible()
    screen.check_page()
    screen.open("/bills")
    assert second in screen.text("main")
    screen.check_page()
    screen.open("/together")
    hand.press(page.locator("button[name=leave]"))
    screen.at("/bills")
    expect(page.locator("#round")).to_have_count(0)
