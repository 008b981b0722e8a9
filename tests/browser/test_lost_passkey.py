"""The device with the only passkey is gone: a code from paper leads to a new one, on another device, and to paying."""

from __future__ import annotations

import re
import secrets

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Screens
from tests.browser.screen import PATIENCE_MS, PHONE

pytestmark = pytest.mark.browser

CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){4}")


def test_a_code_leads_to_a_new_passkey_on_another_device(screens: Screens) -> None:
    old = screens.new()
    old.sign_up("Morgan Reed", f"{secrets.token_hex(4)}@example.org")
    old.open("/security")
    old.check_page()
    old.page.locator("form[action='/security/codes'] [data-go]").click()
    codes = old.page.locator(".recovery-codes li")
    expect(codes).to_have_count(10, timeout=PATIENCE_MS)
    expect(old.page.locator("[data-print]")).to_be_visible()
    old.check_page()
    code = codes.nth(4).inner_text()
    assert CODE.fullmatch(code)

    new = screens.new(size=PHONE)  # another device, without that passkey
    new.open("/")
    new.page.get_by_role("link", name="I have no passkey any more").click()
    new.at("/way-back")
    new.check_page()
    new.allow("status of 422")
    new.page.locator("#code").fill("ABCD-EFGH")
    new.page.get_by_role("button", name="Use this code").click()
    expect(new.page.locator("#code-fault")).to_be_visible()
    new.check_page()
    new.page.locator("#code").fill(code.lower().replace("-", " "))
    new.page.get_by_role("button", name="Use this code").click()
    new.at("/way-in")
    new.check_page()

    new.open("/bills")  # nothing else is open
    new.at(r"/\?next=/bills")
    new.open("/way-in")
    new.page.locator("[data-passkey=back] [data-go]").click()
    new.at(r"/\?back=1&next=/security")
    expect(new.page.get_by_text("Your new passkey is made. Sign in with it.")).to_be_visible()
    new.page.locator("[data-passkey=use] [data-go]").click()
    new.at("/security")
    expect(new.page.locator("#passkeys ~ ul > li")).to_have_count(2)
    assert "You have 9 recovery codes left" in new.text("main")
    new.check_page()

    old.open("/bills")  # the one that was found again is told
    assert "A recovery code was used" in old.text("aside.visit")
    old.check_page()


def test_an_address_is_changed_with_the_passkey(screens: Screens) -> None:
    screen = screens.new()
    screen.sign_up("Morgan Reed", f"{secrets.token_hex(4)}@example.org")
    screen.open("/messages")
    other = f"{secrets.token_hex(4)}@example.org"
    screen.page.locator("#email").fill(other)
    screen.page.locator("form[action='/messages/address/change'] [data-go]").click()
    screen.at("/messages#address")
    expect(screen.page.locator("#email-how")).to_contain_text(other)
    screen.check_page()
