"""A bank whose customers sign in there before it takes a payment: from the confirm page there and back, and to the end.

With PICTURES it takes pictures of these pages, too (conftest.py).
"""

from __future__ import annotations

import secrets

import pytest
from playwright.sync_api import expect

from app.demo.cast import CAMILLE, INTERNET
from tests.browser.conftest import PICTURES, Screens
from tests.browser.screen import PIN, Screen
from tests.browser.test_pictures import Where, _take
from tests.browser.world import World

pytestmark = [pytest.mark.browser]

NAME = "Tuulipankki"


@pytest.fixture
def screen(screens: Screens) -> Screen:
    """The sandbox bank's certificate is of an authority that nobody else believes."""
    return screens.new(trusts_all=True)


def somebody(screen: Screen) -> str:
    """Somebody new, who is signed in nowhere. Returns the e-mail address."""
    email = f"{secrets.token_hex(4)}@example.org"
    screen.sign_up("Morgan Reed", email)
    return email


def to_the_confirm_page(screen: Screen, number: str) -> None:
    screen.open_bill(number)
    screen.open(f"{screen.path}/pay?bank=tuulipankki")


def signs_in_there(screen: Screen, decision: str = "sign-in") -> str:
    """Returns where the bank is."""
    screen.page.get_by_role("link", name=f"Sign in at {NAME}").click()
    screen.page.wait_for_url("**/first/**")
    bank_url = screen.page.url.partition("/first/")[0]
    if decision == "sign-in":
        screen.page.locator(f"input[name=customer][value={CAMILLE.key}]").check()
        screen.page.locator("#pin").fill(PIN)
    screen.page.locator(f"button[value={decision}]").click()
    screen.at(r"/bills/inv_[0-9a-f]+/pay\?bank=tuulipankki&back=1")
    return bank_url


def test_signing_in_there_comes_first_and_pays_nothing(screen: Screen, world: World) -> None:
    email = somebody(screen)
    number = world.deliver_to_new(email, "33.07", INTERNET)
    to_the_confirm_page(screen, number)
    expect(screen.page.locator("#first")).to_have_text(f"First, sign in at {NAME}")
    assert "Nothing is paid or approved by that." in screen.text("main")
    expect(screen.pay_form).to_have_count(0)
    screen.check_page()

    signs_in_there(screen, "refuse")
    assert f"You are not signed in at {NAME}. Nothing was paid." in screen.text("main [role=status]")
    screen.check_page()

    screen.page.get_by_role("link", name=f"Sign in at {NAME}").click()
    screen.page.wait_for_url("**/first/**")
    screen.check_bank_page()
    screen.page.go_back()
    bank_url = signs_in_there(screen)
    assert f"You are signed in at {NAME}." in screen.text("main")
    expect(screen.page.locator("#first")).to_have_count(0)
    screen.check_page()
    assert screen.page.locator("main [role=status]:has-text('not signed in')").count() == 0

    screen.page.reload()  # coming back once more changes nothing
    screen.sign()
    assert f"Next: the app of {NAME}" in screen.text("h1")
    screen.to_bank.click()
    screen.expect_truth("at-bank")
    payment = screen.path
    screen.page.goto(f"{bank_url}/tuulipankki/app")
    screen.page.get_by_role("link", name="€33.07").click()
    screen.sign_in_at_bank(CAMILLE)
    screen.page.locator("button[name=decision][value=approve]").click()
    screen.page.locator("#way-back").wait_for()
    screen.open(payment.partition("?")[0])
    screen.expect_truth("done")
    world.wait_until_biller_knows(number)

    # the next bill needs no other sign-in
    to_the_confirm_page(screen, world.deliver_to_new(email, "33.08", INTERNET))
    expect(screen.pay_form).to_be_visible()


def test_who_comes_back_in_another_browser_is_signed_in_nowhere(screens: Screens, screen: Screen, world: World) -> None:
    to_the_confirm_page(screen, world.deliver_to_new(somebody(screen), "34.07", INTERNET))
    confirm = screen.path
    screen.page.get_by_role("link", name=f"Sign in at {NAME}").click()
    screen.page.wait_for_url("**/first/**")
    screen.page.locator(f"input[name=customer][value={CAMILLE.key}]").check()
    screen.page.locator("#pin").fill(PIN)
    screen.page.route("**/banks/tuulipankki/return/**", lambda route: route.abort())
    screen.allow("net::ERR_FAILED")
    with screen.page.expect_request("**/banks/tuulipankki/return/**") as way_back:
        screen.page.locator("button[value=sign-in]").click()
    other = screens.new()
    other.page.goto(way_back.value.url)
    expect(other.page.locator("h1")).to_have_text("You are not signed in at your bank")
    assert "Nothing was changed and nothing was paid" in other.text("main")
    other.check_page()
    screen.open(confirm)
    expect(screen.page.locator("#first")).to_be_visible()


@pytest.mark.skipif(not PICTURES, reason="PICTURES names no folder")
@pytest.mark.slow
def test_pictures_of_signing_in_first(screens: Screens, screen: Screen, pictures: Where, world: World) -> None:
    to_the_confirm_page(screen, world.deliver_to_new(somebody(screen), "35.07", INTERNET))
    _take(screen, pictures, "sign-in-first-needed")
    screen.open(f"/language/en?next={screen.path.partition('?')[0]}?bank=tuulipankki")
    screen.page.get_by_role("link", name=f"Sign in at {NAME}").click()
    screen.page.wait_for_url("**/first/**")
    _take(screen, pictures, "sign-in-first-at-bank", ours=False)
    screen.page.goto(screen.page.url.partition("?")[0] + "?lang=en")
    screen.page.locator("button[value=refuse]").click()
    screen.at(r"/bills/inv_[0-9a-f]+/pay\?bank=tuulipankki&back=1")
    _take(screen, pictures, "sign-in-first-refused")
    screen.open(f"/language/en?next={screen.path.partition('?')[0]}?bank=tuulipankki")
    signs_in_there(screen)
    _take(screen, pictures, "sign-in-first-signed-in")
