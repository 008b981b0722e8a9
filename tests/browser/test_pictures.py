"""Pictures of every page in every dress, for people to look at. Only when PICTURES names a folder: see conftest.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from app.demo.cast import CAMILLE, ENERGY, INTERNET, MUSIC, TRAMS, WATER, Company
from app.demo.loopback import TIMEOUT_S
from tests.browser.conftest import Screens
from tests.browser.screen import DESKTOP, PHONE, Language, Screen, Theme, programs_session
from tests.browser.world import World

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]

SIZES = {"phone": PHONE, "desktop": DESKTOP}
THEMES: tuple[Theme, ...] = ("light", "dark")
LANGUAGES: tuple[Language, ...] = ("en", "fr")

Where = Callable[[str], Path]


def _dresses(screen: Screen, *, ours: bool = True) -> Iterator[str]:
    """Puts the page into each of the eight, one after the other. The bank takes the language from its address."""
    page = screen.page
    for language in LANGUAGES:
        if ours:
            screen.open(f"/language/{language}?next={quote(screen.path, safe='')}")
        else:
            page.goto(page.url.partition("?")[0] + f"?lang={language}")
        for (name, size), theme in product(SIZES.items(), THEMES):
            page.set_viewport_size({"width": size[0], "height": size[1]})
            page.emulate_media(color_scheme=theme)
            yield f"{name}-{theme}-{language}"


def _take(screen: Screen, where: Where, name: str, *, ours: bool = True) -> None:
    for dress in _dresses(screen, ours=ours):
        screen.page.screenshot(path=where(f"{name}-{dress}"), full_page=True, animations="disabled")


def _take_all(screen: Screen, where: Where, pages: dict[str, str]) -> None:
    for name, path in pages.items():
        screen.open(path)
        _take(screen, where, name)


def test_pictures_of_a_stranger_and_of_a_visit(screen: Screen, pictures: Where, world: World) -> None:
    screen.allow("status of 404")
    _take_all(screen, pictures, {"sign-in": "/", "error-404-stranger": "/no/such/page"})
    screen.visit(CAMILLE)
    screen.open_bill(world.number_of(CAMILLE, slug=INTERNET.slug, ending="118204"))
    bill = screen.path
    screen.open_bill(world.number_of(CAMILLE, slug=WATER.slug, ending="40172-T"))
    late = screen.path
    _take_all(
        screen,
        pictures,
        {
            "visit-inbox-all": "/bills",
            "visit-inbox-paid": "/bills?show=paid",
            "visit-bill-discount": bill,
            "visit-bill-late": late,
            "visit-choose-bank": f"{bill}/bank",
            "visit-choose-bank-none": f"{bill}/bank?find=zzz",
            "visit-confirm": f"{bill}/pay?bank=horizon",
            "visit-receipts-empty": "/receipts",
            "visit-security": "/security",
            "error-404": "/bills/inv_00000000000000000000000000000000",
        },
    )


def test_pictures_of_a_new_person(screen: Screen, pictures: Where) -> None:
    screen.sign_up("Nele Neumann", "nele.pictures@example.org")
    _take_all(
        screen, pictures, {"new-inbox": "/bills", "new-to-pay": "/bills?show=to-pay", "new-security": "/security"}
    )


def test_pictures_of_bills_that_are_not_paid_here(screen: Screen, pictures: Where, world: World) -> None:
    debit = {"payee": None, "means": "direct_debit", "mandate": "M-2024-0815", "creditor_id": "FR72ZZZ123456"}
    past = {"issued_on": "2026-01-02", "due_on": "2026-01-20"}
    delivered = {
        "debit": world.deliver(CAMILLE, "39.90", **debit),
        "debit-past": world.deliver(CAMILLE, "39.90", **debit, **past),
        "card": world.deliver(CAMILLE, "12.00", payee=None, means="card"),
        "giro": world.deliver(CAMILLE, "450.00", currency="SEK", payee={"name": INTERNET.name, "account": "5050-1055"}),
        "sort-code": world.deliver(
            CAMILLE, "18.00", currency="GBP", payee={"name": INTERNET.name, "account": "31926819", "branch": "60-16-13"}
        ),
    }
    screen.visit(CAMILLE)
    _take_all(screen, pictures, {"not-here-inbox": "/bills"})
    for name, number in delivered.items():
        screen.open_bill(number)
        _take(screen, pictures, f"not-here-{name}")


def test_pictures_of_paying(screens: Screens, screen: Screen, pictures: Where, world: World) -> None:
    water = world.number_of(CAMILLE, slug=WATER.slug, ending="40172")
    internet = world.number_of(CAMILLE, slug=INTERNET.slug, ending="118204")
    lessons = world.number_of(CAMILLE, slug=MUSIC.slug, ending="0231")
    screen.visit(CAMILLE, "en")
    screen.open_confirm(internet)
    screen.make_passkey()
    _take(screen, pictures, "confirm")
    screen.open_confirm(internet)
    screen.sign()
    payment = screen.path.removesuffix("/leave")
    _take(screen, pictures, "leave")
    _take_all(screen, pictures, {"payment-at-bank": payment})
    screen.open(f"{payment}/leave")
    screen.go_to_bank()
    _take(screen, pictures, "bank-sign-in", ours=False)
    screen.sign_in_at_bank(CAMILLE)
    _take(screen, pictures, "bank-decision", ours=False)
    screen.decide_at_bank("approve")
    screen.expect_truth("done")
    done = screen.path
    screen.page.locator("main a[href^='/receipts/rcp_']").click()
    screen.at("/receipts/rcp_[0-9a-f]+")
    _take_all(screen, pictures, {"receipt": screen.path, "payment-done": done})

    _pay(screen, lessons, "refuse")
    screen.expect_truth("not-done")
    _take(screen, pictures, "payment-refused")
    _pay(screen, world.deliver(CAMILLE, "999.05"), "approve")
    screen.expect_truth("not-done")
    _take(screen, pictures, "payment-rejected")
    _pay(screen, world.deliver(CAMILLE, "999.07"), "approve")
    screen.expect_truth("accepted")
    _take(screen, pictures, "payment-accepted")
    _pay(screen, world.deliver(CAMILLE, "999.08"), "approve")
    screen.expect_truth("not-known")
    _take(screen, pictures, "payment-not-known")

    screen.open_confirm(water)
    screen.sign()
    waiting = screen.path.removesuffix("/leave")
    _take_all(
        screen,
        pictures,
        {
            "inbox-all": "/bills",
            "inbox-to-pay": "/bills?show=to-pay",
            "inbox-paid": "/bills?show=paid",
            "receipts": "/receipts",
            "security": "/security",
        },
    )
    for name, number in {"bill-in-payment": water, "bill-paid": internet, "bill-refused": lessons}.items():
        screen.open_bill(number)
        _take(screen, pictures, name)
    _elsewhere(screens, screen, pictures, waiting)
    screen.page.goto(f"{world.running.biller_url}/")
    screen.page.screenshot(path=pictures("demo-biller"), full_page=True, animations="disabled")


def _pay(screen: Screen, number: str, decision: str) -> None:
    screen.page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    screen.open_confirm(number)
    screen.sign()
    screen.pay_at_bank(CAMILLE, "approve" if decision == "approve" else "refuse")


def _elsewhere(screens: Screens, screen: Screen, pictures: Where, payment: str) -> None:
    hop = programs_session(screen.page.context, screen.world).get(
        f"{screen.world.url}{payment}/bank", allow_redirects=False, timeout=TIMEOUT_S
    )
    other = screens.new()
    other.page.goto(hop.headers["Location"])
    other.sign_in_at_bank(CAMILLE)
    other.decide_at_bank("refuse")
    expect(other.page.locator("h1")).to_have_count(1)
    _take(other, pictures, "elsewhere")


def test_pictures_of_companies(screens: Screens, screen: Screen, pictures: Where, world: World) -> None:
    """Every state of a connection: what its customer is shown."""
    screen.sign_up("Nele Neumann", "nele.companies@example.org")
    _take_all(
        screen,
        pictures,
        {
            "companies-none": "/companies",
            "companies-found": "/companies/find?find=s",
            "companies-not-found": "/companies/find?find=zzz",
            "codes-none": "/companies/code",
            "invite": "/companies/invite",
        },
    )
    pages = {company.slug: _company(screen, company) for company in (WATER, INTERNET, MUSIC, ENERGY, TRAMS)}
    _take_all(screen, pictures, {"company-new": pages[WATER.slug]})
    _press(screen, pages[TRAMS.slug], "address")
    _take(screen, pictures, "company-handed")
    leaked = screen.text(".hand-over")
    assert world.is_refused(MUSIC, to=leaked) == "not-connected"
    _press(screen, pages[WATER.slug], "ask", reference="X-1")
    _take(screen, pictures, "company-asked")
    _press(screen, pages[INTERNET.slug], "ask", reference="K-204417")
    _until_chip(screen, pages[INTERNET.slug], "Active")
    _take(screen, pictures, "company-active")
    _until_chip(screen, pages[WATER.slug], "Not confirmed")
    _take(screen, pictures, "company-refused")
    _press(screen, pages[INTERNET.slug], "mute")
    _take(screen, pictures, "company-muted")
    screen.open("/companies/code")
    screen.page.locator("form[action='/companies/code'] button").click()
    _take(screen, pictures, "codes")
    desk = screens.new()
    desk.page.goto(f"{world.running.biller_url}/")
    desk.page.locator(f"#code-{ENERGY.slug}").fill(screen.text(".code-big"))
    desk.page.locator(f"section[aria-labelledby={ENERGY.slug}] button").click()
    desk.page.locator("p[role=status]").wait_for()
    desk.page.screenshot(path=pictures("demo-biller-redeemed"), full_page=True, animations="disabled")
    _until_chip(screen, pages[ENERGY.slug], "Waits for you")
    _take(screen, pictures, "company-offered")
    _press(screen, pages[MUSIC.slug], "address")
    _press(screen, pages[MUSIC.slug], "block")
    _take(screen, pictures, "company-blocked")
    screen.open("/companies/invite?name=Régie+du+Val")
    screen.page.locator("form[action='/companies/invite'] button").click()
    _take(screen, pictures, "invited")
    screen.open("/companies")
    screen.page.wait_for_timeout(65_000)  # stray bills are looked at every minute
    _take_all(
        screen, pictures, {"companies": "/companies", "company-leak": pages[TRAMS.slug], "inbox-waiting": "/bills"}
    )
    _press(screen, pages[INTERNET.slug], "leave")
    _take(screen, pictures, "company-left")


def _company(screen: Screen, company: Company) -> str:
    screen.open(f"/companies/find?find={quote(company.name[:9])}")
    screen.page.locator("section[aria-labelledby=found] a", has_text=company.name).click()
    expect(screen.page.locator("h1")).to_have_text(company.name)
    return screen.path


def _press(screen: Screen, page: str, word: str, **fields: str) -> None:
    screen.open(f"/language/en?next={quote(page, safe='')}")
    for name, value in fields.items():
        screen.page.locator(f"#{name}").fill(value)
    screen.page.locator(f"main form[action$='/{word}'] button").click()
    screen.page.wait_for_load_state()


def _until_chip(screen: Screen, page: str, words: str) -> None:
    screen.open(f"/language/en?next={quote(page, safe='')}")
    while screen.page.locator("header.heading .chip").all_inner_texts() != [words]:
        screen.page.wait_for_timeout(500)
        screen.page.reload()
