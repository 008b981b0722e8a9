"""A hand that walks a decision from the inbox to the state in which it is acknowledged, and counts its clicks.

What counts is what leads on: a link, or a button that sends a form. What does not: what is typed or ticked within a
form before it is sent, the signature with the passkey, which is a gesture of its own, and what a bank asks on its own
pages.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cache

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from playwright.sync_api import Locator, expect

from app.demo.cast import WATER, Company
from config.settings import ROOT
from tests.browser.screen import Language, Screen
from tests.browser.world import World

CLICKS_MOST = 3
LINES = [
    {"description": "Drinking water, 21 m³", "quantity": "21", "amount": "61.11", "vat_rate": "5.5"},
    {"description": "Standing charge", "quantity": "1", "amount": "12.00", "vat_rate": "5.5"},
]
#: with its tax
AMOUNT = "77.13"


@cache
def _french() -> Catalog:
    with (ROOT / "app/translations/fr/LC_MESSAGES/messages.po").open("rb") as file:
        return read_po(file, locale="fr")


def words(language: Language, english: str) -> str:
    """How a sentence of the pages begins in this language, until what is filled in; with plain spaces."""
    message = _french().get(english)
    assert message is not None, english
    said = message.id if language == "en" else message.string
    text = said if isinstance(said, str) else next(iter(said or ()))
    return " ".join(text.partition("%(")[0].split())


@dataclass
class Hand:
    """With the mouse or a finger, or with the keyboard alone. It belongs to somebody new, who has a passkey."""

    screen: Screen
    world: World
    language: Language
    by_keyboard: bool
    email: str = ""
    pressed: int = 0

    def __post_init__(self) -> None:
        self.email = f"{secrets.token_hex(4)}@example.org"
        self.screen.sign_up("Morgan Reed", self.email)

    def bill(self, amount: str = AMOUNT, company: Company = WATER, **changes: object) -> str:
        """A new bill in the inbox; its number."""
        lines = {"lines": LINES} if amount == AMOUNT else {}
        return self.world.deliver_to_new(self.email, amount, company, **{**lines, **changes})

    # ------------------------------------------------------------------------------------------ what it does

    def press(self, what: Locator) -> None:
        """A link, or what sends a form: the next page is there, and whole, when this returns."""
        self.pressed += 1
        with self.screen.page.expect_navigation():
            self._do(what, "Enter")

    def choose(self, what: Locator) -> None:
        """Within a form."""
        self._do(what, "Space")

    def type(self, what: Locator, text: str) -> None:
        what.focus()
        what.fill(text)

    def sign(self) -> None:
        """With the passkey, on the page that shows all of it."""
        expect(self.screen.pay_form).to_be_visible()
        self.screen.check_page()
        self._do(self.screen.pay_form.locator("[data-go]"), "Enter")

    def _do(self, what: Locator, key: str) -> None:
        if not self.by_keyboard:
            what.click()
            return
        what.focus()
        self.screen.page.keyboard.press(key)

    # ------------------------------------------------------------------------------------------- where it is

    def begin(self, number: str) -> None:
        """From the inbox to the bill."""
        self.pressed = 0
        self.screen.open("/bills")
        self.press(self.screen.card(number).locator("h2 a"))
        self.screen.at("/bills/inv_[0-9a-f]+")

    def go(self, ending: str) -> None:
        """One of the choices on the bill's page."""
        self.press(self.screen.page.locator(f".choices a[href$='/{ending}']"))
        self.screen.check_page()

    def is_told(self, english: str, *, where: str = "main") -> None:
        """The page says so in the customer's language, within three clicks from the inbox, and is a page for
        everybody."""
        assert self.pressed <= CLICKS_MOST, f"{self.pressed} clicks"
        assert self.screen.language == self.language
        expect(self.screen.page.locator(where).first).to_be_visible()
        assert words(self.language, english) in self.screen.text(where)
        self.screen.check_page()

    def undo(self, what: Locator) -> None:
        """With one click."""
        before = self.pressed
        self.press(what)
        assert self.pressed == before + 1
        self.screen.check_page()
