"""Choosing the bank: each one of `config/banks` in three keystrokes, by keyboard alone, with script and without."""

from __future__ import annotations

import re
import secrets

import pytest
from playwright.sync_api import expect

from app.demo.cast import CAMILLE, INTERNET, TRAMS, Company
from config.settings import ROOT
from connectors import profile
from connectors.profile import BankProfile
from tests.browser.conftest import Screens
from tests.browser.screen import PHONE, Screen
from tests.browser.world import World

pytestmark = pytest.mark.browser

KEYSTROKES = 3
#: further down nobody sees it without scrolling
AMONG_THE_FIRST = 3
#: from the place where the typing ended to the bank
TABS_MOST = 6
#: words of names that tell one bank from another as little as "the" does
GENERAL = {"bank", "banque", "banca", "caisse", "caja", "crédit", "the", "de", "dei", "del", "des", "du", "la", "le"}
#: an account at the sandbox bank that nobody has, so that it stands nowhere but where it was typed
ACCOUNT, ITS_OWN_PART = "FR76 9999 0000 0187 6543 2101 234", b"18765432101"
PLACEHOLDERS = {f"{{sandbox_bank{which}_url}}": "https://bank.example" for which in ("", "_uk", "_stet", "_nextgen")}


def shipped() -> list[BankProfile]:
    """Every file: a bank that is added is tested from then on."""
    paths = sorted((ROOT / "config" / "banks").glob("*.toml"))
    read = (profile.read(path, sandboxes=PLACEHOLDERS, allow_http=False) for path in paths)
    return [bank for bank in read if bank is not None]


def keystrokes(bank: BankProfile) -> str:
    """What somebody types who looks for it: the beginning of the word by which it is called."""
    words: list[str] = re.findall(r"\w+", bank.name)
    telling = [word for word in words if word.lower() not in GENERAL] or words
    typed = telling[0][:KEYSTROKES].lower()
    assert typed.isascii()  # one key for each, on any keyboard
    return typed


def customer_with_bill(screen: Screen, world: World, company: Company) -> str:
    """Somebody new, who has paid from no bank yet. Returns the address of the page to choose one."""
    email = f"{secrets.token_hex(4)}@example.org"
    screen.sign_up("Morgan Reed", email)
    screen.open_bill(world.deliver_to_new(email, "31.40", company))
    return f"{screen.path}/bank"


def type_into_search(screen: Screen, typed: str) -> None:
    """By the keyboard alone: the page has put it there."""
    expect(screen.page.locator("#find:focus")).to_have_count(1)
    screen.page.keyboard.type(typed)


def press_tab_until(screen: Screen, href_ends: str) -> None:
    for _ in range(TABS_MOST):
        screen.page.keyboard.press("Tab")
        if str(screen.page.locator(":focus").get_attribute("href")).endswith(href_ends):
            return
    raise AssertionError(f"{href_ends} is more than {TABS_MOST} tabs away at {screen.path}")


def test_no_shipped_bank_is_left_out_below() -> None:
    """Each file is read, and each of its banks takes a currency of the two bills."""
    files = {path.stem for path in (ROOT / "config" / "banks").glob("*.toml")}
    assert {bank.id for bank in shipped() if {INTERNET.currency, TRAMS.currency} & {*bank.currencies}} == files


@pytest.mark.parametrize(
    ("company", "script"),
    [
        pytest.param(INTERNET, True, id="EUR-script"),
        pytest.param(TRAMS, False, id="GBP-no-script"),
        pytest.param(INTERNET, False, id="EUR-no-script", marks=pytest.mark.long),
        pytest.param(TRAMS, True, id="GBP-script", marks=pytest.mark.long),
    ],
)
def test_each_bank_is_three_keystrokes_away(
    screens: Screens, screen: Screen, world: World, company: Company, script: bool
) -> None:
    choose = customer_with_bill(screen, world, company)
    if not script:
        screen = screens.new(script=False, state=screen.page.context.storage_state())
    banks = [bank for bank in shipped() if company.currency in bank.currencies]
    assert banks
    for bank in banks:
        screen.open(choose)
        type_into_search(screen, keystrokes(bank))
        if not script:
            screen.page.keyboard.press("Enter")
            screen.at(r"/bills/inv_[0-9a-f]+/bank\?find=.*")
        shown = screen.page.locator("#banks li:visible")
        names = shown.locator("strong").all_inner_texts()
        assert bank.name in names[:AMONG_THE_FIRST], (keystrokes(bank), names)
        press_tab_until(screen, f"bank={bank.id}")
        screen.page.keyboard.press("Enter")
        screen.at(rf"/bills/inv_[0-9a-f]+/pay\?bank={bank.id}")
        assert bank.name in screen.text("main .facts")


def test_an_account_number_finds_the_bank_and_is_kept_nowhere(screen: Screen, world: World) -> None:
    screen.open(customer_with_bill(screen, world, INTERNET))
    addresses: list[str] = []
    screen.page.on("request", lambda request: addresses.append(request.url))
    type_into_search(screen, ACCOUNT)
    screen.page.keyboard.press("Enter")
    screen.at(r"/bills/inv_[0-9a-f]+/pay\?bank=horizon")

    screen.page.get_by_role("link", name="Pay from another bank").click()
    type_into_search(screen, ACCOUNT.replace("9999 0", "4444 4"))  # a bank that is not here
    screen.page.keyboard.press("Enter")
    expect(screen.page.get_by_role("status").first).to_contain_text("has accounts that begin so")
    screen.check_page()
    assert screen.page.locator("#find").input_value() == ""
    ending = ACCOUNT[-12:].replace(" ", "")
    assert ending not in screen.page.content().replace(" ", "")
    assert not [address for address in addresses if ending in address or "9999" in address]
    kept = [path for path in [*world.data.rglob("*"), world.data.with_suffix(".log")] if path.is_file()]
    plain = ACCOUNT.replace(" ", "").encode()
    told = [path for path in kept if ITS_OWN_PART in (held := path.read_bytes()) or plain in held]
    assert told == []


def test_a_bank_that_is_not_here_leaves_other_ways(screen: Screen, world: World) -> None:
    screen.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    screen.visit(CAMILLE)  # a visit may search, too
    screen.open_bill(world.deliver(CAMILLE, "17.20"))
    bill = screen.path
    screen.open(f"{bill}/bank")
    screen.check_page()
    type_into_search(screen, "zzz")
    expect(screen.page.locator("[data-none]")).to_be_visible()
    screen.page.keyboard.press("Enter")
    screen.at(r"/bills/inv_[0-9a-f]+/bank\?find=zzz#banks-title")
    expect(screen.page.get_by_role("status").first).to_contain_text("cannot be reached through Quittance yet")
    screen.check_page()
    by_hand = screen.text("section[aria-labelledby=by-hand]")
    for said in (INTERNET.name, INTERNET.iban[-3:], "€17.20", "do not pay it here as well"):
        assert said in by_hand
    screen.page.get_by_role("link", name="Show all banks").click()
    screen.at(re.escape(f"{bill}/bank"))

    # a bank of another currency is known, and told apart
    type_into_search(screen, "albion")
    screen.page.keyboard.press("Enter")
    screen.at(r"/bills/inv_[0-9a-f]+/bank\?find=albion#banks-title")
    assert "payments in this currency (euro)" in screen.text(".banks-not").lower()
    screen.check_page()

    # many of them are folded away beside those that can pay
    screen.open(f"{bill}/bank?find=ban")
    useless = screen.page.locator(".banks-not li")
    assert not useless.first.is_visible()
    assert screen.page.locator("#banks li").first.is_visible()
    screen.page.locator(".banks-more summary").click()
    expect(useless.first).to_be_visible()
    assert str(useless.count()) in screen.text(".banks-more summary")
    screen.check_page()
