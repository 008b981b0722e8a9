"""A bill is answered instead of paid: from the inbox to the acknowledged state in three clicks, and back again."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, expect

from app.demo.cast import WATER
from tests.browser.conftest import Screens
from tests.browser.screen import DESKTOP, PHONE, Language, Screen
from tests.browser.world import World

pytestmark = pytest.mark.browser

LINES = [
    {"description": "Drinking water, 21 m³", "quantity": "21", "amount": "61.11"},
    {"description": "Standing charge", "quantity": "1", "amount": "12.00"},
]
#: what the list says then
CHIPS: dict[str, dict[Language, str]] = {
    "more-time": {"en": "More time asked until", "fr": "Délai demandé jusqu’au"},
    "paid-elsewhere": {"en": "You said: paid elsewhere", "fr": "Vous avez dit : payée autrement"},
    "declined": {"en": "You said: not owed", "fr": "Vous avez dit : pas due"},
    "disputed": {"en": "You dispute 1 line", "fr": "Vous contestez 1 ligne"},
}
CLICKS_MOST = 3


@dataclass
class Hand:
    """Presses links and buttons, and counts that: with the mouse or a finger, or with the keyboard alone."""

    screen: Screen
    by_keyboard: bool = False
    pressed: int = 0

    def press(self, what: Locator) -> None:
        """A link, or what sends a form: the next page is there, and whole, when this returns."""
        self.pressed += 1
        with self.screen.page.expect_navigation():
            self._do(what, "Enter")

    def choose(self, what: Locator) -> None:
        """Within a form."""
        self._do(what, "Space")

    def _do(self, what: Locator, key: str) -> None:
        if not self.by_keyboard:
            what.click()
            return
        what.focus()
        self.screen.page.keyboard.press(key)


def answer(hand: Hand, number: str, kind: str) -> None:
    """From the inbox to what the bill's page says then."""
    screen = hand.screen
    screen.open("/bills")
    hand.press(screen.card(number).locator("h2 a"))
    hand.press(screen.page.locator(f".choices a[href$='/answers/{kind}']"))
    screen.at(f"/bills/inv_[0-9a-f]+/answers/{kind}")
    screen.check_page()
    if kind == "more-time":  # more than the company gives at once, so that it waits for the reply
        day = screen.page.locator("input[name=until]")
        day.fill(day.get_attribute("max") or "")
    if kind in ("declined", "disputed"):
        hand.choose(screen.page.locator("input[name=reason]").first)
    if kind == "disputed":
        hand.choose(screen.page.locator("input[name=line]").last)
    hand.press(screen.page.locator("main form button.button"))
    screen.at("/bills/inv_[0-9a-f]+")
    expect(screen.page.locator(".said")).to_be_visible()


@pytest.mark.parametrize(("size", "language"), [(DESKTOP, "en"), (PHONE, "fr")], ids=["desktop-en", "phone-fr"])
def test_each_answer_takes_three_clicks_and_one_takes_it_back(
    screens: Screens, world: World, size: tuple[int, int], language: Language
) -> None:
    screen = screens.new(size=size, language=language)
    email = f"{secrets.token_hex(4)}@example.org"
    screen.sign_up("Morgan Reed", email)
    number = world.deliver_to_new(email, "73.11", WATER, lines=LINES)
    screen.open_bill(number)
    sizes = {
        (box["width"], box["height"])
        for box in map(Locator.bounding_box, screen.page.locator(".choices a").all())
        if box
    }
    assert len(sizes) == 1  # none is larger than another
    screen.check_page()
    for kind, chips in CHIPS.items():
        hand = Hand(screen, by_keyboard=kind == "declined")
        answer(hand, number, kind)
        assert hand.pressed <= CLICKS_MOST
        said = chips[language].replace("\xa0", " ")
        assert said in screen.text("main .sum")
        assert bool(screen.page.locator("main a[href$='/pay']").count()) == (kind == "more-time")
        screen.check_page()
        if kind == "disputed":
            break
        hand.press(screen.page.locator(".said button:not([name=pay])"))
        expect(screen.page.locator(".said")).to_have_count(0)
        assert hand.pressed == CLICKS_MOST + 1

    screen.open("/bills")
    assert CHIPS["disputed"][language] in screen.text("li.card")
    screen.check_page()
    screen.open_bill(number)
    screen.page.locator(".said button[name=pay]").click()
    screen.at("/bills/inv_[0-9a-f]+/bank")  # one click from paying it after all
    screen.open_bill(number)
    expect(screen.page.locator(".choices a[href$='/pay']")).to_be_visible()


@pytest.mark.parametrize(("size", "language"), [(DESKTOP, "en"), (PHONE, "fr")], ids=["desktop-en", "phone-fr"])
def test_a_line_is_disputed_and_the_rest_can_be_paid(
    screens: Screens, world: World, size: tuple[int, int], language: Language
) -> None:
    """The last line comes to 12.00 and its tax: 12.66."""
    screen = screens.new(size=size, language=language)
    email = f"{secrets.token_hex(4)}@example.org"
    screen.sign_up("Morgan Reed", email)
    lines = [{**line, "vat_rate": "5.5"} for line in LINES]
    number = world.deliver_to_new(email, "77.13", WATER, lines=lines)
    hand = Hand(screen)
    answer(hand, number, "disputed")
    assert hand.pressed == CLICKS_MOST
    screen.check_page()
    held, rest = {"en": ("€12.66", "€64.47"), "fr": ("12,66 €", "64,47 €")}[language]
    assert rest in screen.text("main .sum .figure")
    first = screen.text(".choices li:first-child")
    assert held in first
    assert rest in first
    screen.page.locator(".choices li:first-child a").click()
    screen.at("/bills/inv_[0-9a-f]+/bank")
    assert rest in screen.text("main")
    screen.open("/bills")
    assert held in screen.text("li.card")
    assert rest in screen.text("li.card")
    screen.check_page()
    screen.open_bill(number)
    screen.page.locator(".said button").click()
    expect(screen.page.locator(".said")).to_have_count(0)


@pytest.mark.parametrize(("size", "language"), [(DESKTOP, "en"), (PHONE, "fr")], ids=["desktop-en", "phone-fr"])
def test_instalments_are_proposed_in_three_clicks_and_agreed_at_once_inside_the_policy(
    screens: Screens, world: World, size: tuple[int, int], language: Language
) -> None:
    screen = screens.new(size=size, language=language)
    email = f"{secrets.token_hex(4)}@example.org"
    screen.sign_up("Morgan Reed", email)
    number = world.deliver_to_new(email, "73.11", WATER, lines=LINES)
    for count, stands in (
        (4, ".said form[action$='/take-back']"),
        (2, ".notice.good"),
    ):  # the company gives three at once
        hand = Hand(screen)
        screen.open("/bills")
        hand.press(screen.card(number).locator("h2 a"))
        hand.press(screen.page.locator(".choices a[href$='/parts']"))
        screen.check_page()
        hand.press(screen.page.locator(f"button[name=after][value^='{count} ']"))
        screen.at("/bills/inv_[0-9a-f]+")
        expect(screen.page.locator(stands)).to_be_visible()
        assert hand.pressed <= CLICKS_MOST
        screen.check_page()
