"""One purchase from end to end, as one person does it: a space of their own, a company, an order, its bill, the
decision, the payment, the receipt, a dispute, and the money that comes back. Each step leads to the next."""

from __future__ import annotations

import re
import secrets

import pytest
from playwright.sync_api import Locator, expect

from app.demo.cast import JONAS, WATER
from tests.browser.conftest import Screens
from tests.browser.screen import DESKTOP, PHONE, Language, Screen
from tests.browser.test_connections import WORDS, ask, find, wait_for
from tests.browser.world import World

pytestmark = pytest.mark.browser

STEPS = ("order", "bill", "decision", "payment", "receipt", "back")


@pytest.mark.parametrize(("size", "language"), [(DESKTOP, "en"), (PHONE, "fr")], ids=["desktop-en", "phone-fr"])
def test_from_nothing_to_the_money_that_came_back(
    screens: Screens, world: World, size: tuple[int, int], language: Language
) -> None:
    screen = screens.new(size=size, language=language)
    email = f"{secrets.token_hex(4)}@example.org"
    screen.sign_up("Robin Vidal", email)

    # a company, asked from inside
    find(screen, WATER)
    ask(screen, "K-204417")
    wait_for(screen, WORDS[language]["active"])
    address = screen.text("dl.facts .code >> nth=1")

    # its bill, for an order
    number = world.deliver_at(WATER, to=address, amount="73.11", order_reference="PO-7")
    screen.open_bill(number)
    bill = screen.path
    assert "PO-7" in step(screen, "order").inner_text()
    assert list(stages(screen).values()) == ["done", "done", "not_yet", "not_yet", "not_yet", "not_needed"]
    screen.check_page()

    # decided, and paid at the bank
    screen.open_confirm(number)
    screen.sign()
    screen.pay_at_bank(JONAS)
    screen.at(r"/payments/pay_[0-9a-f]+\?back=1")
    screen.expect_truth("done")
    screen.page.reload()
    question = screen.page.locator("form.opinion")
    expect(question).to_have_count(1)
    screen.check_page()
    question.locator("button").first.click()
    expect(question).to_have_count(0)

    # the receipt, from the chain
    screen.open(bill)
    assert list(stages(screen).values()) == [*["done"] * 5, "not_needed"]
    step(screen, "receipt").locator("a[href^='/receipts/rcp_']").click()
    screen.at("/receipts/rcp_[0-9a-f]+")
    assert number in screen.text(".sheet .lede")
    screen.page.locator("main a[href*='#purchase']").first.click()
    screen.at(re.escape(bill) + "#purchase")

    # something is wrong with it
    screen.page.locator("main a[href$='/answers/disputed']").click()
    screen.page.locator("input[name=reason]").first.check()
    screen.page.locator("main form button.button").last.click()
    screen.at(re.escape(bill))
    screen.check_page()

    # the company owes it back, promises it, sends it, and it arrives
    bill_id = world.owe(email, WATER, number, "20.00")
    world.at_the_desk(WATER, "promise", bill=bill_id)
    screen.open(bill)
    assert stages(screen)["back"] == "now"
    world.at_the_desk(WATER, "sent", refund=world.refund_of(WATER, bill_id)["id"])
    screen.open(bill)
    refund = screen.page.locator("section[aria-labelledby=refund]")
    expect(refund.locator("[data-refund=sent]")).to_be_visible()
    refund.locator("details.sure summary").click()
    refund.locator("form[action$='/arrived'] button").click()
    expect(refund.locator("[data-refund=received]")).to_be_visible()
    assert stages(screen)["back"] == "done"
    screen.check_page()


def step(screen: Screen, key: str) -> Locator:
    return screen.page.locator(f"#purchase [data-step={key}]")


def stages(screen: Screen) -> dict[str, str]:
    """What the chain says of each step."""
    found = screen.page.locator("#purchase [data-step]").all()
    said = {str(each.get_attribute("data-step")): str(each.get_attribute("data-stage")) for each in found}
    assert tuple(said) == STEPS
    return said
