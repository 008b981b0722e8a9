"""Each way of paying a bill, or of answering it, on one's own terms: from the inbox to the acknowledged state in three
clicks and back again, on a desktop and a phone, in English and French, with a mouse and with the keyboard alone.

`make test` walks each of them once, each in another of the four combinations; `make test-long` walks all of them.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, expect

from app.demo.cast import JONAS, TRAMS
from tests.browser.conftest import Screens
from tests.browser.hand import Hand, words
from tests.browser.screen import DESKTOP, PHONE, Language
from tests.browser.test_standing import set_up
from tests.browser.world import World, running_world
from tests.support.thorough import spread

pytestmark = pytest.mark.browser

Walk = Callable[[Hand], None]
WALKS: list[Walk] = []
#: that sign up in one demo: fewer than SIGN_UP_LIMIT of app/web/customers/limits.py lets in
PEOPLE_MOST = 25
TOLD_BEFORE = (
    "The day before, from six in the morning, you are told that it is coming: here, and by e-mail if you chose that."
)
COMBINATIONS: tuple[tuple[str, tuple[int, int], Language], ...] = (
    ("desktop-en", DESKTOP, "en"),
    ("phone-fr", PHONE, "fr"),
    ("desktop-fr", DESKTOP, "fr"),
    ("phone-en", PHONE, "en"),
)


def walk(done: Walk) -> Walk:
    WALKS.append(done)
    return done


# --------------------------------------------------------------------------------------------------------------- paying


def leave_and_cancel(hand: Hand) -> None:
    """Signed: the bank has it and waits. Whoever has not been sent there takes it back at once."""
    screen = hand.screen
    screen.at("/payments/pay_[0-9a-f]+/leave")
    expect(screen.to_bank).to_be_visible()
    hand.is_told("Next: %(bank)s", where="h1")
    hand.undo(screen.page.locator("form[action$='/cancel'] button"))
    is_not_paid(hand)


def is_not_paid(hand: Hand) -> None:
    hand.screen.expect_truth("not-done")
    assert words(hand.language, "Not paid") in hand.screen.text("h1")


@walk
def pay_now(hand: Hand) -> None:
    """The first time ever: which bank is asked, once."""
    number = hand.bill()
    hand.screen.open("/bills")
    hand.press(hand.screen.card(number).locator("a.button[href$='/pay']"))
    hand.screen.at("/bills/inv_[0-9a-f]+/bank")
    hand.screen.check_page()
    hand.press(hand.screen.page.locator("#banks a[href$='bank=horizon']"))
    hand.sign()
    leave_and_cancel(hand)
    hand.begin(number)  # and it can be paid again: the bank is known by now
    hand.press(hand.screen.page.locator(".choices a[href$='/pay']"))
    hand.sign()
    leave_and_cancel(hand)


@walk
def from_another_account(hand: Hand) -> None:
    """The bank is chosen here, the account there."""
    hand.begin(hand.bill())
    hand.go("bank")
    hand.press(hand.screen.page.locator("#banks a[href$='bank=horizon']"))
    hand.sign()
    leave_and_cancel(hand)


@walk
def a_part(hand: Hand) -> None:
    """Of somebody who has paid from a bank before."""
    pay_now(hand)
    number = hand.bill("40.00")
    hand.begin(number)
    hand.go("part")
    hand.type(hand.screen.page.locator("#part"), "12.50")
    hand.press(hand.screen.page.locator("main form button.button"))
    hand.screen.at(r"/bills/inv_[0-9a-f]+/pay\?.*part=12.50")
    hand.sign()
    leave_and_cancel(hand)


@walk
def on_a_day(hand: Hand) -> None:
    hand.begin(hand.bill())
    hand.go("later")
    hand.press(hand.screen.page.locator("button[name=day]").first)
    drop_plan(hand, "You plan to pay on %(day)s: %(amount)s")


@walk
def split_in_parts(hand: Hand) -> None:
    hand.begin(hand.bill())
    hand.go("parts")
    hand.press(hand.screen.page.locator("button[name=split][value='2']"))
    drop_plan(hand, "You plan to pay in %(count)s parts")


def drop_plan(hand: Hand, says: str) -> None:
    hand.screen.at("/bills/inv_[0-9a-f]+")
    hand.is_told(says, where=".said h2")
    hand.undo(hand.screen.page.locator(".said button"))
    expect(hand.screen.page.locator(".said")).to_have_count(0)


@walk
def several_in_one_go(hand: Hand) -> None:
    number, second = hand.bill(), hand.bill("12.40")
    screen = hand.screen
    screen.open("/bills")
    hand.press(screen.page.locator("main a[href='/together']"))
    screen.check_page()
    for each in screen.page.locator("input[name=bill]").all():
        hand.choose(each)
    hand.press(screen.page.locator("main form button.button:not([name=leave])"))
    screen.at("/together")
    hand.is_told(
        "Next: check and pay %(amount)s to %(name)s, %(number)s", where="section[aria-labelledby=round] form a.button"
    )
    assert {number, second} <= set(screen.text("section[aria-labelledby=round]").split())
    hand.undo(screen.page.locator("button[name=leave]"))
    screen.at(r"/bills\?stopped=")
    expect(screen.page.locator("#round")).to_have_count(0)


@walk
def signed_for_a_day_and_cancelled(hand: Hand) -> None:
    """Under a standing consent: until it is sent it is cancelled in two clicks from the inbox."""
    number, screen = hand.bill("41.07", TRAMS), hand.screen
    set_up(screen, number)
    hand.begin(number)
    hand.go("later")
    hand.press(screen.page.locator("section[aria-labelledby=signed] a[href*='consent=con_']").last)
    assert words(hand.language, TOLD_BEFORE) in screen.text(".sign")
    hand.sign()
    screen.at("/payments/pay_[0-9a-f]+")
    screen.expect_truth("scheduled")
    hand.is_told("To be paid on %(day)s", where="h1")
    hand.pressed = 0
    screen.open("/bills")
    hand.press(screen.card(number).locator("a[href^='/payments/pay_']"))
    screen.check_page()
    hand.press(screen.page.locator("form[action$='/cancel'] button:not([name])"))
    is_not_paid(hand)
    hand.is_told("Nothing left your account.")


@walk
def kept_by_its_bank_and_taken_back(hand: Hand) -> None:
    """Approved there now, for a later day. Of somebody who has paid from that bank before."""
    pay_now(hand)
    screen = hand.screen
    hand.begin(hand.bill("40.00"))
    hand.go("later")
    hand.press(screen.page.locator("ul[aria-labelledby=kept] a").first)
    hand.sign()
    screen.at("/payments/pay_[0-9a-f]+/leave")
    expect(screen.to_bank).to_be_visible()
    screen.pay_at_bank(JONAS)
    screen.expect_truth("kept")
    hand.is_told(
        "Until the end of %(day)s at the latest you can ask %(bank)s here to cancel it. It may want you to do that "
        "there, or say no; the answer stands here.",
        where=".truth",
    )
    hand.undo(screen.page.locator("form[action$='/take-back'] button"))
    is_not_paid(hand)


# ------------------------------------------------------------------------------------------------------------ answering


def answer(hand: Hand, kind: str, says: str, fill: Callable[[Locator], None] = lambda _: None) -> None:
    """What is said of a bill instead of paying it, and what the list says of it then; taken back, and said again."""
    number, screen = hand.bill(), hand.screen
    hand.begin(number)
    offered = map(Locator.bounding_box, screen.page.locator(".choices a").all())
    assert len({(box["width"], box["height"]) for box in offered if box}) == 1  # none is larger than another
    hand.go(f"answers/{kind}")
    screen.at(f"/bills/inv_[0-9a-f]+/answers/{kind}")
    fill(screen.page.locator("main form"))
    hand.press(screen.page.locator("main form button.button"))
    screen.at("/bills/inv_[0-9a-f]+")
    hand.is_told(says)
    expect(screen.page.locator(".said")).to_be_visible()
    bill = screen.path
    screen.open("/bills")
    assert words(hand.language, says) in screen.text("li.card")
    screen.check_page()
    screen.open(bill)
    hand.undo(screen.page.locator(".said button"))
    expect(screen.page.locator(".said")).to_have_count(0)
    assert words(hand.language, "Withdrawn; %(biller)s can see that.") in screen.text("main .notice[role=status]")
    expect(screen.page.locator(".choices a[href$='/pay']")).to_be_visible()


@walk
def paid_elsewhere(hand: Hand) -> None:
    answer(hand, "paid-elsewhere", "You said: paid elsewhere")


@walk
def declined_with_a_reason(hand: Hand) -> None:
    answer(hand, "declined", "You declined it", lambda form: hand.choose(form.locator("input[name=reason]").first))


@walk
def disputed_whole_and_paid_after_all(hand: Hand) -> None:
    answer(hand, "disputed", "You dispute it", lambda form: hand.choose(form.locator("input[name=reason]").first))
    page = hand.screen.page
    hand.go("answers/disputed")
    hand.choose(page.locator("input[name=reason]").first)
    hand.press(page.locator("main form button.button"))
    hand.choose(page.locator("details.more-ways summary"))  # among the other answers, and not above them
    hand.press(page.locator(".choices button[name=pay]"))
    hand.screen.at("/bills/inv_[0-9a-f]+/bank")


@walk
def a_line_disputed_and_the_rest_paid(hand: Hand) -> None:
    """The last line comes to 12.00 and its tax: 12.66."""
    number, screen = hand.bill(), hand.screen
    hand.begin(number)
    hand.go("answers/disputed")
    hand.choose(screen.page.locator("input[name=reason]").first)
    hand.choose(screen.page.locator("input[name=line]").last)
    hand.press(screen.page.locator("main form button.button"))
    screen.at("/bills/inv_[0-9a-f]+")
    hand.is_told("You dispute %(num)s line")
    held, rest = {"en": ("€12.66", "€64.47"), "fr": ("12,66 €", "64,47 €")}[hand.language]
    assert rest in screen.text("main .sum .figure")
    for each in (held, rest):
        assert each in screen.text(".choices li:first-child")
    screen.open("/bills")
    for each in (held, rest):
        assert each in screen.text("li.card")
    screen.check_page()
    hand.begin(number)
    hand.press(screen.page.locator(".choices a[href$='/pay']"))
    hand.press(screen.page.locator("#banks a[href$='bank=horizon']"))
    assert rest in screen.text("main")
    hand.sign()
    leave_and_cancel(hand)
    hand.begin(number)
    assert rest in screen.text(".choices li:first-child")  # the rest can be paid all the same
    hand.undo(screen.page.locator(".said button"))
    expect(screen.page.locator(".said")).to_have_count(0)


@walk
def more_time(hand: Hand) -> None:
    """More than the company gives at once, so that it waits for the reply; it can be paid meanwhile."""

    def latest(form: Locator) -> None:
        day = form.locator("input[name=until]")
        hand.type(day, day.get_attribute("max") or "")

    answer(hand, "more-time", "More time asked until %(day)s", latest)


@walk
def instalments_inside_the_policy(hand: Hand) -> None:
    """The company gives three at once."""
    propose(hand, 2)
    hand.is_told("%(biller)s has said yes to these days.", where=".said")
    expect(hand.screen.page.locator(".notice.good")).to_be_visible()
    hand.undo(hand.screen.page.locator(".said button"))
    expect(hand.screen.page.locator(".said")).to_have_count(0)


@walk
def instalments_outside_the_policy(hand: Hand) -> None:
    propose(hand, 4)
    hand.is_told("You proposed to pay in %(count)s parts, the last one on %(day)s", where=".said h2")
    hand.undo(hand.screen.page.locator(".said form[action$='/take-back'] button:not([name=pay])"))
    expect(hand.screen.page.locator(".said")).to_have_count(0)


def propose(hand: Hand, count: int) -> None:
    hand.begin(hand.bill())
    hand.go("parts")
    hand.press(hand.screen.page.locator(f"button[name=after][value^='{count} ']"))
    hand.screen.at("/bills/inv_[0-9a-f]+")


# --------------------------------------------------------------------------------------------------------- all of them

#: the first of each four is another combination: these are walked by `make test`. Half of them by the keyboard alone,
#: and of each decision two
MATRIX = [
    pytest.param(
        done, *COMBINATIONS[(row + at) % 4][1:], (row // 2 + row + at) % 2 == 0,
        id=f"{done.__name__}-{COMBINATIONS[(row + at) % 4][0]}",
    )
    for row, done in enumerate(WALKS)
    for at in range(4)
]  # fmt: skip


@pytest.fixture(scope="module")
def further_worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[World], World]]:
    """Each walk is somebody new, and one address may sign up so many an hour: then another demo is started."""
    with contextlib.ExitStack() as running:
        people = itertools.count(1)
        last: list[World] = []

        def world_of_next(first: World) -> World:
            if next(people) % PEOPLE_MOST == 0:
                data = tmp_path_factory.mktemp("demo") / "data"
                last.append(running.enter_context(running_world(data)))
            return last[-1] if last else first

        yield world_of_next


@pytest.fixture
def world(world: World, further_worlds: Callable[[World], World]) -> World:
    return further_worlds(world)


@pytest.mark.parametrize(("done", "size", "language", "by_keyboard"), spread(MATRIX, every=4))
def test_within_three_clicks_and_back(
    screens: Screens, world: World, done: Walk, size: tuple[int, int], language: Language, by_keyboard: bool
) -> None:
    # the sandbox banks' certificates are of an authority that nobody else believes
    screen = screens.new(size=size, language=language, trusts_all=done is signed_for_a_day_and_cancelled)
    done(Hand(screen, world, language, by_keyboard))
