"""The steps of a purchase, the one question, and what a company is given: as people see them, on both sizes."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from app.demo.cast import JONAS
from tests.browser.conftest import Screens
from tests.browser.screen import DESKTOP, PHONE, Language
from tests.browser.world import World

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("size", "language", "amount"), [(DESKTOP, "en", "61.01"), (PHONE, "fr", "62.01")], ids=["desktop-en", "phone-fr"]
)
def test_a_purchase_its_question_and_what_the_company_is_given(
    screens: Screens, world: World, size: tuple[int, int], language: Language, amount: str
) -> None:
    screen = screens.new(size=size, language=language)
    number = world.deliver(JONAS, amount)
    screen.visit(JONAS, language)
    screen.open_bill(number)
    expect(screen.page.locator("#purchase [data-step=payment][data-stage=not_yet]")).to_be_visible()
    screen.check_page()
    screen.open_confirm(number)
    screen.make_passkey()
    screen.sign()
    screen.pay_at_bank(JONAS)
    screen.expect_truth("done")

    question = screen.page.locator("form.opinion")
    expect(question).to_be_visible()
    screen.check_page()
    question.locator("button[value=partly]").click()
    expect(screen.page.locator(".truth-done")).to_be_visible()
    expect(question).to_have_count(0)

    screen.page.locator("a[href$='#purchase']").click()
    screen.at("/bills/inv_[0-9a-f]+#purchase")
    for step in ("bill", "decision", "payment", "receipt"):
        expect(screen.page.locator(f"#purchase [data-step={step}][data-stage=done]")).to_be_visible()
    screen.check_page()

    screen.open("/privacy")
    screen.check_page()
    screen.page.locator("section[aria-labelledby=given] a").first.click()
    screen.at("/companies/blr_[0-9a-f]+/given")
    expect(screen.page.locator("[data-given=name]")).to_be_visible()
    screen.check_page()
