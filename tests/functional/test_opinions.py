"""One question after a payment or a dispute: asked once, on that page alone, and told to nobody but as counts."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from sqlalchemy import func, select

from app.journey.opinions.models import Opinion
from app.journey.opinions.read import Figures, figures_of
from app.journey.opinions.rules import ASKED_FOR, GROUP_LEAST, About, Word, may_be_asked
from app.journey.webhooks.models import WebhookMessage
from app.journey.webhooks.service import add_endpoint
from app.people.customers import add_customer
from connectors.contract import Fact
from consent.base import new_id
from tests.functional.test_answers import replies, say, take_back
from tests.functional.test_corrections import bill, on_a_statement
from tests.functional.test_corrections_said import settled
from tests.support import factories
from tests.support.journey import Browser, Journey
from tests.support.own_bills import add, check_payee

NOW = dt.datetime(2026, 11, 23, 9, tzinfo=dt.UTC)
MONTH = dt.date(2026, 11, 9)


def asked(journey: Journey, path: str, browser: Browser | None = None) -> str | None:
    """Where the page's question is sent; None: it asks nothing."""
    [*forms] = (browser or journey.browser).page(path).select("form.opinion")
    assert len(forms) < 2
    return str(forms[0]["action"]) if forms else None


def answer(journey: Journey, action: str, word: str) -> int:
    return journey.browser.post(action, token=journey.browser.token("/bills"), form={"word": word}).status_code


def kept(journey: Journey) -> list[tuple[str, str]]:
    with journey.services.reading() as uow:
        return [(each.about, each.word) for each in uow.session.scalars(select(Opinion).order_by(Opinion.at))]


@pytest.mark.parametrize("word", list(Word))
def test_a_payment_that_was_settled_is_asked_about_once(journey: Journey, word: str) -> None:
    invoice_id = bill(journey)
    payment_id = journey.pay(invoice_id)
    assert asked(journey, f"/payments/{payment_id}") is None  # nothing is known of it yet
    journey.wait(3)
    action = asked(journey, f"/payments/{payment_id}")
    assert action == f"/payments/{payment_id}/opinion"
    for path in ("/bills", f"/bills/{invoice_id}", "/receipts", "/messages"):
        assert asked(journey, path) is None, "nothing else asks"
    assert answer(journey, action, word) == 303
    assert asked(journey, f"/payments/{payment_id}") is None
    assert answer(journey, action, "no") == 303  # the first one stays
    assert kept(journey) == [("payment", word)]


def test_a_payment_that_did_not_happen_or_was_taken_back_is_not_asked_about(journey: Journey) -> None:
    refused = journey.pay(bill(journey), decision="refuse")
    journey.wait(3)
    back = settled(journey, bill(journey, "2026-2"))
    on_a_statement(journey, back, Fact.REJECTED)
    for payment_id in (refused, back):
        assert asked(journey, f"/payments/{payment_id}") is None
        assert answer(journey, f"/payments/{payment_id}/opinion", "yes") == 303
    assert kept(journey) == []


def test_not_for_ever(journey: Journey) -> None:
    payment_id = settled(journey, bill(journey))
    journey.clock.tick(seconds=ASKED_FOR.total_seconds() - 60)
    journey.browser.sign_in()
    assert asked(journey, f"/payments/{payment_id}")
    journey.clock.tick(seconds=120)
    assert asked(journey, f"/payments/{payment_id}") is None


def test_a_dispute_is_asked_about_once_its_company_has_replied(journey: Journey) -> None:
    invoice_id = bill(journey)
    dispute = say(journey, invoice_id, "disputed", reason="not_received")
    assert asked(journey, f"/bills/{invoice_id}") is None
    replies(journey, dispute, accepts=False, said="It was delivered.")
    action = asked(journey, f"/bills/{invoice_id}")
    assert action == f"/bills/{invoice_id}/answers/{dispute}/opinion"
    assert answer(journey, action, "skipped") == 303
    assert asked(journey, f"/bills/{invoice_id}") is None
    assert kept(journey) == [("dispute", "skipped")]
    other = bill(journey, "2026-2")
    say(journey, other, "disputed", reason="not_received")
    take_back(journey, other)
    assert asked(journey, f"/bills/{other}") is None


def test_who_is_not_asked(journey: Journey) -> None:
    """A visit, which looks; and whoever paid a bill that no company delivered."""
    payment_id = settled(journey, bill(journey))
    visit = Browser.of(journey.app)
    cookie = factories.sign_in(journey.services, journey.customer, read_only=True)
    visit.client.set_cookie("__Host-session-8000", cookie, domain="localhost", secure=True)
    assert visit.page(f"/payments/{payment_id}").select_one(".visit")
    assert asked(journey, f"/payments/{payment_id}", visit) is None
    sent = visit.post(f"/payments/{payment_id}/opinion", token=visit.token("/bills"), form={"word": "yes"})
    assert sent.status_code == 403
    assert kept(journey) == []
    own = add(journey.browser)
    assert check_payee(journey.browser, own, typed="DE75 5121 0800 1245 1261 99").status_code == 303
    paid = settled(journey, own)
    assert asked(journey, f"/payments/{paid}") is None


def test_nobody_answers_for_somebody_else(journey: Journey) -> None:
    payment_id = settled(journey, bill(journey))
    invoice_id = bill(journey, "2026-2")
    dispute = say(journey, invoice_id, "disputed", reason="not_received")
    replies(journey, dispute, accepts=False, said="No.")
    other = Browser.of(journey.app)
    other.sign_up(name="Jonas", email="jonas@example.org")
    token = other.token("/bills")
    for path in (f"/payments/{payment_id}/opinion", f"/bills/{invoice_id}/answers/{dispute}/opinion"):
        assert other.post(path, token=token, form={"word": "yes"}).status_code == 404
    token = journey.browser.token("/bills")
    assert journey.browser.post(f"/payments/{payment_id}/opinion", token=token, form={"word": "x"}).status_code == 422
    wrong = f"/bills/inv_{'0' * 32}/answers/{dispute}/opinion"
    assert journey.browser.post(wrong, token=token, form={"word": "yes"}).status_code == 404
    assert kept(journey) == []


def test_its_company_is_told_nothing_of_one_answer(journey: Journey) -> None:
    with journey.services.unit_of_work() as uow:
        add_endpoint(journey.services, uow, biller_id=journey.biller.id, url="https://lumen.example/hook")
        uow.commit()
    payment_id = settled(journey, bill(journey))

    def count() -> int:
        with journey.services.reading() as uow:
            return uow.session.scalars(select(func.count()).select_from(WebhookMessage)).one()

    before = count()
    answer(journey, f"/payments/{payment_id}/opinion", "no")
    journey.wait(60)
    assert count() == before
    with journey.services.reading() as uow:
        assert "opinion" not in json.dumps([each.body.decode() for each in uow.session.scalars(select(WebhookMessage))])


@pytest.mark.tampers  # opinions of payments that nobody made
def test_counts_are_told_of_a_whole_month_and_of_enough_people(journey: Journey) -> None:
    later = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)

    def figures(now: dt.datetime = later, about: About = About.PAYMENT, biller: str | None = None) -> Figures | None:
        with journey.services.reading() as uow:
            return figures_of(uow.session, biller_id=biller or journey.biller.id, about=about, month=MONTH, now=now)

    def write(people: int, words: list[Word]) -> None:
        with journey.services.unit_of_work() as uow:
            for person in range(people):
                made = add_customer(
                    uow, name=f"P{person}", email=f"p{person}{len(words)}@example.org", locale="en",
                    time_zone="UTC", demo=False,
                )  # fmt: skip
                uow.session.flush()
                for word in words:
                    uow.session.add(
                        Opinion(
                            subject_id=new_id("pay"),
                            about=About.PAYMENT,
                            customer_id=made.id,
                            biller_id=journey.biller.id,
                            word=word,
                            at=NOW,
                        )
                    )
            uow.commit()

    write(GROUP_LEAST - 1, [Word.YES, Word.NO, Word.PARTLY])  # many answers, of too few people
    write(3, [Word.SKIPPED])  # who skips has said nothing
    assert figures() is None
    write(1, [Word.NO])
    assert figures() == Figures(yes=4, partly=4, no=5)
    assert figures(now=later - dt.timedelta(seconds=1)) is None  # the month is not over
    assert figures(about=About.DISPUTE) is None
    assert figures(biller=factories.make_biller(journey.services, name="Trams").id) is None


@pytest.mark.parametrize(
    ("is_delivered", "over_at", "expected"),
    [(True, NOW, True), (False, NOW, False), (True, None, False), (True, NOW - ASKED_FOR, True)],
)
def test_what_may_be_asked_about(is_delivered: bool, over_at: dt.datetime | None, expected: bool) -> None:
    assert may_be_asked(is_delivered=is_delivered, over_at=over_at, now=NOW) is expected
    assert may_be_asked(is_delivered=is_delivered, over_at=over_at, now=NOW + ASKED_FOR * 2) is False
