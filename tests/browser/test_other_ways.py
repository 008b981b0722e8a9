"""Ways that are not the straight one: a no, a change of mind, another tab, another browser, no script."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from app.demo.cast import CAMILLE, JONAS
from app.demo.loopback import TIMEOUT_S
from tests.browser.conftest import Screens
from tests.browser.screen import PATIENCE_MS, PHONE, Screen, programs_session
from tests.browser.world import World

pytestmark = pytest.mark.browser


# ------------------------------------------------------------------------------------------------------- saying no


@pytest.mark.long  # the functional tests have it without a browser
def test_refused_at_the_bank_is_not_done_and_may_be_paid_again(screen: Screen, world: World) -> None:
    number = world.deliver(JONAS, "21.07")
    payment = screen.begin_payment(JONAS, number)
    screen.pay_at_bank(JONAS, "refuse")
    screen.at(re.escape(payment) + r"\?back=1")
    screen.expect_truth("not-done")
    expect(screen.page.locator("h1")).to_have_text("Not paid")
    assert "Nothing left your account." in screen.text(".truth")
    assert "refused on the pages of Horizon Bank" in screen.text(".truth")
    expect(screen.page.locator("main a[href^='/receipts/']")).to_have_count(0)
    screen.check_page()

    screen.page.get_by_role("link", name="Check and pay").click()
    screen.at("/bills/inv_[0-9a-f]+/pay")
    screen.sign()


def test_a_payment_is_stopped_before_it_leaves(screen: Screen, world: World) -> None:
    number = world.deliver(JONAS, "22.07")
    payment = screen.begin_payment(JONAS, number)
    screen.page.get_by_role("button", name="Do not go: cancel").click()
    screen.at(re.escape(payment))
    screen.expect_truth("not-done")
    assert "You cancelled the payment here before it was approved." in screen.text(".truth")
    screen.check_page()

    # too late to leave for the bank now: the truth, and no way to it
    screen.open(f"{payment}/leave")
    screen.at(re.escape(payment))
    screen.open(f"{payment}/bank")
    screen.at(re.escape(payment))
    screen.page.get_by_role("link", name="Check and pay").click()
    expect(screen.pay_form).to_be_visible()


def test_do_not_pay_now_decides_nothing(screen: Screen, world: World) -> None:
    number = world.deliver(JONAS, "23.07")
    screen.visit(JONAS)
    screen.open_confirm(number)
    screen.make_passkey()
    screen.page.get_by_role("link", name="Do not pay now").click()
    screen.at("/bills/inv_[0-9a-f]+")
    _expect_undecided(screen)


def test_a_device_that_does_not_know_its_owner_decides_nothing(screen: Screen, world: World) -> None:
    number = world.deliver(JONAS, "24.07")
    screen.visit(JONAS)
    screen.open_confirm(number)
    screen.make_passkey()
    screen.user_verification(works=False)
    confirm = screen.path
    screen.pay_form.locator("[data-go]").click()
    problem = screen.pay_form.get_by_role("alert")
    expect(problem).to_have_text("Not signed, and nothing was paid. You can try again.", timeout=PATIENCE_MS)
    expect(problem).to_be_focused()
    expect(screen.pay_form.locator("[data-go]")).to_be_enabled()
    assert screen.path == confirm
    screen.check_page()
    screen.open_bill(number)
    _expect_undecided(screen)

    screen.user_verification(works=True)
    screen.open(confirm)
    screen.sign()


def test_no_passkey_is_made_without_the_owner(screen: Screen, world: World) -> None:
    number = world.deliver(JONAS, "25.07")
    screen.visit(JONAS)
    screen.open_confirm(number)
    screen.user_verification(works=False)
    screen.page.locator("[data-passkey=add] [data-go]").click()
    expect(screen.page.get_by_role("alert")).to_have_text(
        "No passkey was made, and nothing was paid. You can try again.", timeout=PATIENCE_MS
    )
    expect(screen.page.locator("aside.visit")).to_be_visible()


def _expect_undecided(screen: Screen) -> None:
    """On a bill's page: it is still to be paid and nobody has tried."""
    expect(screen.page.locator("main a.button[href$='/pay']")).to_be_visible()
    expect(screen.page.locator("section[aria-labelledby=payments]")).to_have_count(0)


# ------------------------------------------------------------------------------------------- going back, other tabs


def test_the_back_button_after_the_return_pays_nothing_twice(screen: Screen, world: World) -> None:
    number = world.deliver(JONAS, "26.07")
    payment = screen.begin_payment(JONAS, number)
    confirm = _confirm_page_of(screen, payment)
    returns: list[str] = []
    screen.page.on("request", lambda request: returns.append(request.url) if "/return/" in request.url else None)
    screen.pay_at_bank(JONAS)
    screen.expect_truth("done")
    assert "code=" not in screen.page.url
    assert len(returns) == 1

    # the button leads to the bank, which finds it decided and sends us back by itself
    with screen.page.expect_request(lambda request: "/return/" in request.url):
        screen.page.evaluate("history.back()")
    screen.at(re.escape(payment) + r"\?back=1")
    screen.expect_truth("done")
    # the return address once more, as a history would open it
    screen.page.goto(returns[0])
    screen.at(re.escape(payment) + r"\?back=1")
    screen.expect_truth("done")
    # back to the leaving page and on to the bank: there is nothing to approve any more
    screen.open(f"{payment}/leave")
    screen.at(re.escape(payment))
    screen.open(f"{payment}/bank")
    screen.at(re.escape(payment))
    # back to the confirmation: the bill says that it is paid
    screen.open(confirm)
    screen.at("/bills/inv_[0-9a-f]+")
    expect(screen.page.locator("main a.button[href^='/receipts/']")).to_be_visible()

    screen.open_bill(number)
    expect(screen.page.locator("section[aria-labelledby=payments] li")).to_have_count(1)
    world.wait_until_biller_knows(number)


def _confirm_page_of(screen: Screen, payment: str) -> str:
    """From the payment at hand to its bill's confirmation, without leaving the page."""
    link = screen.page.locator("main a[href^='/bills/inv_']")
    if link.count() == 0:
        screen.open(payment)
    found = screen.page.locator("main a[href^='/bills/inv_']").first.get_attribute("href")
    assert found is not None
    screen.open(f"{payment}/leave")
    return f"{found.removesuffix('/pay')}/pay"


@pytest.mark.long  # the functional tests have it without a browser
def test_a_second_tab_cannot_pay_the_same_bill(screens: Screens, screen: Screen, world: World) -> None:
    number = world.deliver(JONAS, "27.07")
    screen.visit(JONAS)
    screen.open_confirm(number)
    screen.make_passkey()
    second = screens.tab(screen.page.context)
    second.take_passkeys_from(screen)
    second.open(screen.path)
    expect(second.pay_form).to_be_visible()
    screen.page.bring_to_front()
    screen.sign()

    second.allow("status of 409")
    second.page.bring_to_front()
    second.pay_form.locator("[data-go]").click()
    expect(second.page.get_by_role("alert")).to_have_text(
        "A payment of this bill is under way, or it is paid already.", timeout=PATIENCE_MS
    )
    # it may look on, and sees the outcome without a hand
    second.open(screen.path.removesuffix("/leave"))
    second.expect_truth("at-bank")
    screen.page.bring_to_front()
    screen.pay_at_bank(JONAS)
    screen.expect_truth("done")
    second.page.bring_to_front()
    second.expect_truth("done")


def test_signing_out_is_for_all_tabs_and_the_history(screens: Screens, screen: Screen) -> None:
    screen.visit(CAMILLE, "en")
    second = screens.tab(screen.page.context)
    second.open("/receipts")
    screen.open("/security")
    screen.page.get_by_role("button", name="Sign out").click()
    screen.at("/")
    screen.page.go_back()
    screen.at(re.escape("/?next=/security"))
    expect(screen.page.get_by_text(CAMILLE.email)).to_have_count(0)
    second.page.get_by_role("link", name="Security").click()
    second.at(re.escape("/?next=/security"))


def test_a_session_elsewhere_can_be_ended(screens: Screens, screen: Screen) -> None:
    other = screens.new(language="en")
    other.sign_up("Ines Elsewhere", "ines@example.org")
    screen.take_passkeys_from(other)
    screen.open("/")
    screen.page.locator("[data-passkey=use] [data-go]").click()
    screen.at("/bills")
    screen.open("/security")
    screen.page.get_by_role("button", name=re.compile("^End")).click()
    screen.at("/security")
    expect(screen.page.get_by_role("button", name=re.compile("^End"))).to_have_count(0)
    other.open("/bills")
    other.at(re.escape("/?next=/bills"))


def test_the_language_changes_and_the_page_stays(screen: Screen, world: World) -> None:
    number = world.deliver(CAMILLE, "28.07")
    screen.visit(CAMILLE)
    assert screen.language == "en"  # as the browser asks
    screen.open_bill(number)
    bill = screen.path
    for path in ("/bills?show=paid", "/receipts", "/security", bill, f"{bill}/bank", f"{bill}/pay?bank=horizon"):
        screen.open(path)
        before = screen.language
        screen.switch_language()
        assert screen.path == path
        assert screen.language != before


def test_making_a_passkey_does_not_change_the_language(screen: Screen, world: World) -> None:
    number = world.deliver(CAMILLE, "28.08")
    screen.visit(CAMILLE)
    screen.open_confirm(number)
    screen.make_passkey()
    assert screen.language == "en"


@pytest.mark.long  # the functional tests have it without a browser
def test_coming_back_in_another_browser_shows_nothing(screens: Screens, screen: Screen, world: World) -> None:
    """Somebody who was sent a link to the bank learns nothing from it, and the one who began is told nothing wrong."""
    number = world.deliver(JONAS, "29.07")
    payment = screen.begin_payment(JONAS, number)
    hop = programs_session(screen.page.context, world).get(
        f"{world.url}{payment}/bank", allow_redirects=False, timeout=TIMEOUT_S
    )
    assert hop.status_code == 303
    other = screens.new()
    other.page.goto(hop.headers["Location"])
    other.sign_in_at_bank(JONAS)
    other.decide_at_bank("refuse")
    expect(other.page.locator("h1")).to_have_text("You came back in another browser")
    assert number not in other.text("body")
    assert "29.07" not in other.text("body")
    other.check_page()
    # a browser that did not leave proves nothing, so the bank is asked in its own time: until then nothing is said
    screen.open(payment)
    screen.expect_truth("at-bank")
    assert "If you have just approved it, the answer is on its way." in screen.text(".truth")
    expect(screen.page.locator("form[action$='/cancel']")).to_have_count(0)


# -------------------------------------------------------------------------------------------------------- new people


def test_a_new_person_opens_an_empty_space_and_comes_back(screen: Screen) -> None:
    screen.sign_up("Nele Neumann", "nele@example.org")
    assert screen.text(".total").startswith("Nothing to pay.")
    expect(screen.page.locator(".empty h2")).to_have_text("No bills yet")
    screen.check_page()
    for show, words in (("to-pay", "You are up to date"), ("paid", "No paid bills yet")):
        screen.open(f"/bills?show={show}")
        expect(screen.page.locator(".empty h2")).to_have_text(words)
    screen.open("/receipts")
    expect(screen.page.locator(".empty h2")).to_have_text("No receipts yet")
    screen.check_page()
    screen.open("/security")
    expect(screen.page.locator("section[aria-labelledby=passkeys] li")).to_have_count(1)
    screen.page.get_by_role("button", name="Sign out").click()
    screen.at("/")

    # a page of the space leads through the sign-in and back to itself
    screen.open("/receipts")
    screen.at(re.escape("/?next=/receipts"))
    screen.page.locator("[data-passkey=use] [data-go]").click()
    screen.at("/receipts")


def test_signing_up_says_what_is_missing(screen: Screen) -> None:
    """An address that the browser lets through and we do not."""
    screen.allow("status of 422")
    screen.open("/")
    screen.page.get_by_label("Your name").fill("Nele")
    screen.page.get_by_label("E-mail address").fill("nele@nowhere")
    screen.page.locator("form[data-passkey=new] [data-go]").click()
    expect(screen.page.locator("#email-fault")).to_have_text(
        "This e-mail address is incomplete or wrong: one looks like camille@example.org.", timeout=PATIENCE_MS
    )
    expect(screen.page.get_by_label("E-mail address")).to_be_focused()
    expect(screen.page.get_by_label("E-mail address")).to_have_attribute("aria-invalid", "true")
    expect(screen.page.locator("form[data-passkey=new] [data-problem], #name-fault")).to_have_count(2)
    for place in screen.page.locator("form[data-passkey=new] [data-problem], #name-fault").all():
        expect(place).to_be_hidden()
    screen.check_page()


# --------------------------------------------------------------------------------------- without script, and slowly


def test_everything_but_the_passkey_works_without_script(screens: Screens, world: World) -> None:
    screen = screens.new(size=PHONE, script=False)
    number = world.deliver(JONAS, "30.07")
    screen.open("/")
    assert "Signing in needs JavaScript" in screen.text("section[aria-labelledby=sign-in]")
    expect(screen.page.locator("[data-passkey=use] [data-go]")).to_be_disabled()
    screen.visit(JONAS)
    for words in ("To pay", "Paid", "All"):
        screen.page.locator("nav.tabs").get_by_role("link", name=words, exact=True).click()
        expect(screen.page.locator("nav.tabs [aria-current=page]")).to_have_text(words)
    screen.open_confirm(number)
    assert "Creating a passkey needs JavaScript" in screen.text("section[aria-labelledby=key]")
    expect(screen.page.locator("[data-passkey=add] [data-go]")).to_be_disabled()
    screen.switch_language()
    screen.switch_language()
    for name in ("Receipts", "Security"):
        screen.page.locator("nav.menu").get_by_role("link", name=name).click()
        expect(screen.page.locator("nav.menu [aria-current=page]")).to_have_text(name)
    screen.page.get_by_role("button", name="Sign out").click()
    screen.at("/")


def test_a_payment_without_script_refreshes_itself(screens: Screens, screen: Screen, world: World) -> None:
    """What was signed elsewhere goes to the bank and back, and the page that was left open learns of it."""
    number = world.deliver(JONAS, "31.07")
    payment = screen.begin_payment(JONAS, number)
    plain = screens.new(script=False, state=screen.page.context.storage_state())
    plain.open(payment)
    plain.expect_truth("at-bank")
    expect(plain.page.locator("noscript meta[http-equiv=refresh], meta[http-equiv=refresh]")).to_have_count(1)
    traveller = screens.tab(plain.page.context)
    traveller.open(f"{payment}/leave")
    traveller.pay_at_bank(JONAS)
    traveller.expect_truth("done")
    plain.expect_truth("done")
    expect(plain.page.locator("meta[http-equiv=refresh]")).to_have_count(0)
    plain.page.locator("main a[href^='/receipts/rcp_']").click()
    plain.at("/receipts/rcp_[0-9a-f]+")
    expect(plain.page.locator("[data-print]")).to_be_hidden()


@pytest.mark.long  # the functional tests have it without a browser
def test_accepted_is_not_paid_until_the_bank_says_so(screen: Screen, world: World) -> None:
    """999.07: the bank takes twenty seconds to settle. Nobody may say "paid" before."""
    number = world.deliver(CAMILLE, "999.07")
    screen.visit(CAMILLE, "en")
    screen.open_confirm(number)
    screen.make_passkey()
    screen.sign()
    screen.pay_at_bank(CAMILLE)
    screen.expect_truth("accepted")
    expect(screen.page.locator("h1")).to_have_text("Accepted by your bank, not settled yet")
    assert "Please do not pay this bill again." in screen.text(".truth")
    expect(screen.page.locator("main a[href^='/receipts/']")).to_have_count(0)
    screen.check_page()
    screen.open_bill(number)
    assert "has accepted the payment; it is not settled yet" in screen.text("main")


def test_a_payment_that_the_bank_stops_is_said_in_words(screen: Screen, world: World) -> None:
    """999.05: approved, and then rejected."""
    number = world.deliver(JONAS, "999.05")
    screen.begin_payment(JONAS, number)
    screen.pay_at_bank(JONAS)
    screen.expect_truth("not-done")
    assert "The payment did not go through." in screen.text(".truth")
    assert "Horizon Bank stopped the payment" in screen.text(".truth")
    expect(screen.page.get_by_role("link", name="Check and pay")).to_be_visible()
    screen.check_page()
