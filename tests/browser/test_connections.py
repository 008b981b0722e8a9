"""Who may send bills, as a person decides it in a browser, and a company at its desk."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from app.demo.cast import CAMILLE, ENERGY, INTERNET, TRAMS, WATER, Company
from tests.browser.conftest import Screens
from tests.browser.screen import DESKTOP, PATIENCE_MS, PHONE, Language, Screen, Theme
from tests.browser.world import World

pytestmark = pytest.mark.browser

#: the demo's companies look into their lists every few seconds
ANSWERS_S = 60.0
TICK_S = 0.5

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "active": "Active",
        "refused": "Not confirmed",
        "offered": "Waits for you",
        "muted": "Muted",
        "left": "Left",
    },
    "fr": {
        "active": "Active",
        "refused": "Non confirmée",
        "offered": "Vous attend",
        "muted": "En sourdine",
        "left": "Quittée",
    },
}


@pytest.mark.parametrize(
    ("size", "language", "theme"),
    [
        pytest.param(PHONE, "fr", "dark", id="phone-fr-dark"),
        pytest.param(DESKTOP, "en", "light", id="desktop-en-light", marks=pytest.mark.long),
    ],
)
def test_a_person_says_who_may_send_bills(
    screens: Screens, world: World, size: tuple[int, int], language: Language, theme: Theme
) -> None:
    screen = screens.new(size=size, language=language, theme=theme)
    words = WORDS[language]
    screen.sign_up("Noa Petit", f"noa-{language}@example.org")

    # two clicks from home
    screen.page.locator("nav.menu a[href='/companies']").click()
    screen.at("/companies")
    expect(screen.page.locator(".empty")).to_be_visible()
    screen.check_page()

    # asked from inside, with a reference that it does not know, and then with the right one
    find(screen, WATER)
    screen.check_page()
    assert "Noa Petit" in screen.text("dl.facts")  # what the company learns, before it does
    ask(screen, "X-1")
    expect(screen.page.locator("ol.steps")).to_be_visible()
    screen.check_page()
    wait_for(screen, words["refused"])
    screen.check_page()
    ask(screen, "K-204417")
    wait_for(screen, words["active"])
    address = screen.text("dl.facts .code >> nth=1")
    assert address.endswith("@space.quittance.example")
    screen.check_page()

    # muted, and not
    _button(screen, "mute").click()
    expect(_chip(screen)).to_have_text(words["muted"])
    screen.check_page()
    _button(screen, "unmute").click()
    expect(_chip(screen)).to_have_text(words["active"])

    # a code, read out on the telephone to somebody at the company's desk
    screen.open("/companies/code")
    screen.check_page()
    screen.page.locator("form[action='/companies/code'] button").click()
    code = screen.text(".code-big")
    screen.check_page()
    _redeem(screens, world, ENERGY, code)
    screen.open("/companies")
    _until(screen, lambda: screen.page.locator("section[aria-labelledby=offered] li").count() == 1)
    expect(screen.page.locator("section[aria-labelledby=offered] .chip")).to_have_text(words["offered"])
    screen.check_page()
    screen.page.locator("section[aria-labelledby=offered] a").click()
    screen.check_page()
    _button(screen, "accept").click()
    expect(_chip(screen)).to_have_text(words["active"])

    # a bill of it arrives
    number = world.deliver_at(ENERGY, to=screen.text("dl.facts .code >> nth=-1"), amount="12.30")
    screen.open("/bills")
    expect(screen.card(number)).to_be_visible()
    screen.open_bill(number)
    screen.page.locator("h1 a").click()  # from a bill to its company

    # left: the bill stays, and the company is told no more than that
    _button(screen, "leave").click()
    expect(_chip(screen)).to_have_text(words["left"])
    screen.check_page()
    screen.open("/bills")
    expect(screen.card(number)).to_be_visible()

    # an address of its own for another one, then blocked, and not
    find(screen, INTERNET)
    _button(screen, "address").click()
    assert screen.text(".hand-over").endswith("@space.quittance.example")
    screen.check_page()
    _button(screen, "block").click()
    expect(_button(screen, "unblock")).to_be_visible()
    screen.check_page()
    _button(screen, "unblock").click()
    expect(_chip(screen)).to_have_text(words["left"])

    # one that is not here
    screen.open("/companies/find?find=zzz")
    screen.check_page()
    screen.page.locator(".empty a").click()
    screen.page.locator("#reference").fill("R-1")
    screen.page.locator("form[action='/companies/invite'] button").click()
    expect(screen.page.locator("section[aria-labelledby=sent] li")).to_have_count(1)
    screen.check_page()
    screen.open("/companies")
    screen.check_page()


@pytest.mark.long
def test_an_address_that_somebody_else_uses_is_seen(screens: Screens, world: World) -> None:
    screen = screens.new()
    screen.sign_up("Noa Petit", "noa-leak@example.org")
    find(screen, TRAMS)
    _button(screen, "address").click()
    address = screen.text(".hand-over")
    assert world.is_refused(INTERNET, to=address) == "not-connected"
    screen.open("/companies")
    _until(screen, lambda: screen.page.locator(".notice.leak").count() == 1, within_s=120)
    assert INTERNET.name in screen.text(".notice.leak")
    screen.check_page()
    screen.page.locator(".notice.leak a").click()
    assert TRAMS.name in screen.text("section.leak")
    screen.check_page()
    screen.page.locator("section.leak button").click()
    screen.open("/companies")
    expect(screen.page.locator(".notice.leak")).to_have_count(0)


def test_a_visit_looks_at_companies_and_is_told_that_it_changes_nothing(screens: Screens) -> None:
    screen = screens.new()
    screen.visit(CAMILLE, "en")
    screen.open("/companies")
    expect(screen.page.locator("section[aria-labelledby=open] li")).to_have_count(3)
    screen.page.locator("section[aria-labelledby=open] a").first.click()
    expect(screen.page.locator("main form")).to_have_count(0)
    assert "This is a demo visit: it looks and changes nothing." in screen.text("main")
    screen.check_page()


# -------------------------------------------------------------------------------------------------------------- hands


def find(screen: Screen, company: Company) -> None:
    screen.open("/companies")
    screen.page.locator("#find").fill(company.name.lower()[:8])
    screen.page.keyboard.press("Enter")
    screen.at(r"/companies/find\?find=.+")
    screen.page.locator("section[aria-labelledby=found] a", has_text=company.name).click()
    expect(screen.page.locator("h1")).to_have_text(company.name)


def ask(screen: Screen, reference: str) -> None:
    screen.page.locator("#reference").fill(reference)
    screen.page.locator("form[action$='/ask'] button").click()


def _button(screen: Screen, word: str) -> Locator:
    return screen.page.locator(f"main form[action$='/{word}'] button")


def _chip(screen: Screen) -> Locator:
    return screen.page.locator("header.heading .chip")


def wait_for(screen: Screen, words: str) -> None:
    """The company answers in its own time; the person looks again."""
    _until(screen, lambda: _chip(screen).inner_text() == words)


def _until(screen: Screen, wanted: Callable[[], bool], *, within_s: float = ANSWERS_S) -> None:
    deadline = time.monotonic() + within_s
    while not wanted():
        assert time.monotonic() < deadline, screen.text("main")
        time.sleep(TICK_S)
        screen.page.reload()


def _redeem(screens: Screens, world: World, company: Company, code: str) -> None:
    """At the desk of the company, in another browser."""
    desk = screens.new()
    desk.page.goto(f"{world.running.biller_url}/")
    desk.page.locator(f"#code-{company.slug}").fill(code)
    desk.page.locator(f"section[aria-labelledby={company.slug}] button").click()
    expect(desk.page.locator("p[role=status]")).to_be_visible(timeout=PATIENCE_MS)
    desk.check_bank_page()
