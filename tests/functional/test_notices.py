"""What customers are told stands in their space: always, all of it, and as what it was."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
from bs4 import Tag
from flask import Flask
from sqlalchemy import delete, func, select, text, update

from app.invariants import check
from app.journey.notices.kinds import CHOICES
from app.journey.notices.models import Notice, SpaceNotice
from app.journey.notices.read import TOLD_AT_ONCE
from app.journey.notices.service import KEPT
from app.people.models import Customer
from app.schedule import Schedule
from tests.functional.test_messages import choose, mail, mail_folder, told, with_mail  # noqa: F401  (fixtures)
from tests.support.journey import Browser, Journey
from tests.support.mail_server import MailServer
from tests.support.own_bills import add, check_payee
from tests.support.pictures import IBAN as OWN_IBAN


def cards(browser: Browser, path: str = "/notices") -> list[Tag]:
    return browser.page(path).select("ul.told > li")


def words(card: Tag) -> str:
    return " ".join(card.get_text(" ").split())


def unread(journey: Journey) -> int:
    with journey.services.reading() as uow:
        return uow.session.scalar(select(func.count()).where(SpaceNotice.seen_at.is_(None))) or 0


def test_nothing_was_chosen_and_everything_stands_there(journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-7")
    payment_id = journey.pay(invoice_id)
    journey.wait(60)
    paid, came = cards(journey.browser)
    assert words(paid).startswith("A payment is done Not read yet")
    assert f"to {journey.biller.name}, bill 2026-7" in words(paid)
    assert paid.select_one("a")["href"] == f"/payments/{payment_id}"  # type: ignore[index]
    assert words(came).startswith("A new bill Not read yet")
    assert came.select_one("a")["href"] == f"/bills/{invoice_id}"  # type: ignore[index]
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(Notice)).all() == []  # and nothing was to be sent


def test_each_of_two_bills_has_its_own(journey: Journey) -> None:
    """Also where one e-mail speaks for both."""
    choose(journey, "new_bill")
    links = {f"/bills/{journey.bill(number=number)}" for number in ("one", "two")}
    assert {str(card.select_one("a")["href"]) for card in cards(journey.browser)} == links  # type: ignore[index]
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(Notice)) == 1


def test_what_was_seen_is_read(journey: Journey) -> None:
    journey.bill()
    home = journey.browser.page("/bills").get_text(" ")
    assert "1 notice that you have not read" in " ".join(home.split())
    assert "1 not read" in journey.browser.page("/messages").get_text(" ")
    assert [bool(card.select_one(".chip")) for card in cards(journey.browser)] == [True]
    assert [bool(card.select_one(".chip")) for card in cards(journey.browser)] == [False]
    assert "not read" not in journey.browser.page("/bills").get_text(" ")
    journey.bill(number="another")
    assert unread(journey) == 1


def test_a_visit_of_the_demo_reads_nothing(journey: Journey, app: Flask) -> None:
    journey.bill()
    with journey.services.unit_of_work() as uow:
        uow.session.execute(update(Customer).values(demo=True))
        uow.commit()
    visit = Browser.of(app)
    visit.post("/demo/sign-in", token=visit.token("/"), form={"customer": journey.customer.id})
    assert len(cards(visit)) == 1
    assert unread(journey) == 1


def test_the_time_is_by_the_customers_clock(journey: Journey) -> None:
    journey.clock.now = dt.datetime(2027, 7, 1, 22, 30, tzinfo=dt.UTC)
    with journey.services.unit_of_work() as uow:
        uow.session.execute(update(Customer).values(time_zone="Europe/Paris"))
        uow.commit()
    journey.bill()
    journey.clock.now = dt.datetime(2027, 7, 3, 12, tzinfo=dt.UTC)
    journey.browser.sign_in()
    note = cards(journey.browser)[0].select_one(".card-note")
    assert note is not None
    assert re.search(r"2 Jul 2027, 00:30", note.get_text().replace("\N{NO-BREAK SPACE}", " ")), note.get_text()


def test_a_bill_that_its_customer_added_looks_like_one(journey: Journey) -> None:
    invoice_id = add(journey.browser)
    check_payee(journey.browser, invoice_id, typed=OWN_IBAN)
    journey.pay(invoice_id)
    journey.wait(60)
    [card] = [each for each in cards(journey.browser) if "A payment is done" in words(each)]
    assert "Added by you; nobody has verified it" in words(card)


def test_a_bill_that_is_held_back_is_not_named(journey: Journey) -> None:
    """Nobody knows yet whose it is."""
    journey.deliver(number="swap", payee={"name": "Lumen", "iban": "GB33BUKB20201555555555"})
    journey.worker.run_until_idle()
    [card] = cards(journey.browser)
    assert words(card).startswith("A bill is held back")
    assert journey.biller.name not in words(card)
    assert "swap" not in words(card)
    assert card.select_one("a")["href"] == "/bills#held"  # type: ignore[index]


def test_what_nobody_can_miss_says_what_to_do(journey: Journey) -> None:
    journey.browser.post("/messages/words", token=journey.browser.token("/messages"))
    journey.worker.run_until_idle()
    [card] = cards(journey.browser)
    assert card.select(".soft")
    assert card.select_one("a")["href"] == "/messages"  # type: ignore[index]


def test_the_words_are_those_of_the_page(journey: Journey) -> None:
    journey.bill()
    journey.browser.get("/language/fr?next=/notices")
    page = journey.browser.page("/notices")
    assert "Ce que nous vous avons dit" in page.get_text(" ")
    assert "Une nouvelle facture" in page.get_text(" ")


def test_what_was_removed_since_leads_nowhere(journey: Journey) -> None:
    """The notice stays: it was told."""
    journey.bill()
    with journey.services.unit_of_work() as uow:
        uow.session.execute(text('UPDATE event SET payload = \'{"invoice_id": "inv_gone"}\''))
        uow.commit()
    [card] = cards(journey.browser)
    assert card.select("a") == []
    assert words(card).startswith("A new bill")


def test_nobody_sees_somebody_elses(journey: Journey, journeys: Callable[[], Journey]) -> None:
    journey.bill(number="mine")
    other = journeys()
    assert cards(other.browser) == []
    assert unread(journey) == 1
    assert "not read" not in other.browser.page("/bills").get_text(" ")


@pytest.mark.tampers
def test_a_fact_that_names_what_is_somebody_elses_shows_nothing_of_it(
    journey: Journey, journeys: Callable[[], Journey]
) -> None:
    theirs = journey.bill(number="secret-number")
    other = journeys()
    own = other.bill(number="own")
    with journey.services.unit_of_work() as uow:
        rows = uow.session.execute(text("SELECT id, payload FROM event WHERE kind = 'InvoiceOpened'")).all()
        [event] = [row.id for row in rows if own in str(row.payload)]
        uow.session.execute(
            text("UPDATE event SET payload = :said WHERE id = :id"),
            {"said": f'{{"invoice_id": "{theirs}"}}', "id": event},
        )
        uow.commit()
    [card] = cards(other.browser)
    assert "secret-number" not in words(card)
    assert card.select("a") == []


def test_pages_are_turned(journey: Journey) -> None:
    journey.bill()
    with journey.services.unit_of_work() as uow:
        [first] = uow.session.scalars(select(SpaceNotice)).all()
        for number in range(TOLD_AT_ONCE):
            event = f"evt_{number:032x}"
            uow.session.execute(
                text(
                    "INSERT INTO event (id, kind, payload, recorded_at)"
                    " SELECT :id, kind, payload, recorded_at FROM event WHERE id = :like"
                ),
                {"id": event, "like": first.event_id},
            )
            older = first.created_at - dt.timedelta(minutes=number + 1)
            uow.session.add(
                SpaceNotice(
                    id=f"spn_{number:032x}",
                    customer_id=first.customer_id,
                    event_id=event,
                    kind=first.kind,
                    created_at=older,
                )
            )
        uow.commit()
    assert "26 notices that you have not read" in " ".join(journey.browser.page("/bills").get_text(" ").split())
    page = journey.browser.page("/notices")
    assert len(page.select("ul.told > li")) == TOLD_AT_ONCE
    [older_link] = page.select("nav.more a")
    assert older_link.get_text() == "Older ones"
    assert unread(journey) == 1  # what stands on the next page was not seen
    assert len(cards(journey.browser, str(older_link["href"]))) == 1
    assert unread(journey) == 0
    with journey.services.unit_of_work() as uow:  # one less, and the page is full
        uow.session.execute(delete(SpaceNotice).where(SpaceNotice.id == first.id))
        uow.commit()
    full = journey.browser.page("/notices")
    assert (len(full.select("ul.told > li")), full.select("nav.more a")) == (TOLD_AT_ONCE, [])
    behind = journey.browser.page("/notices?page=2")
    assert "Nothing yet" not in behind.get_text(), "somebody was told something"
    assert [each.get_text() for each in behind.select("nav.more a")] == ["Newer ones"]
    for odd in ("0", "-3", "x", "99999999999"):
        assert journey.browser.get(f"/notices?page={odd}").status_code == 200


# ------------------------------------------------------------------------------------------------- beside e-mail


def test_what_no_e_mail_could_say_is_found(told: Journey, mail: MailServer) -> None:  # noqa: F811
    mail.to_rcpt = ["550 5.1.1 no such user"]
    told.bill(number="lost")
    told.wait(601)
    [card] = cards(told.browser)
    assert "The e-mail about it was refused by the mail server." in words(card)
    told.pay(told.bill(number="found"))
    told.wait(60)
    assert len(cards(told.browser)) == 3
    only = cards(told.browser, "/notices?show=not-delivered")
    assert len(only) == 1
    assert "bill lost" in words(only[0])


def test_where_no_e_mail_is_sent_nothing_is_said_of_it(journey: Journey) -> None:
    choose(journey, *CHOICES)
    journey.bill()
    journey.wait(601)
    page = journey.browser.page("/notices?show=not-delivered")
    assert page.select(".tabs") == []
    assert len(page.select("ul.told > li")) == 1
    assert "e-mail" not in page.select("ul.told")[0].get_text()


def test_it_is_forgotten_with_the_e_mails(journey: Journey) -> None:
    journey.bill()
    journey.wait(KEPT.total_seconds() - 60)
    Schedule(journey.services).run_due()
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(SpaceNotice)) == 1
    journey.wait(120 + 3600)
    Schedule(journey.services).run_due()
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(SpaceNotice)) == 0


@pytest.mark.tampers
def test_the_check_finds_a_message_that_does_not_stand_there(journey: Journey) -> None:
    choose(journey, "new_bill")
    journey.bill()
    with journey.services.unit_of_work() as uow:
        uow.session.execute(text("DELETE FROM space_notice"))
        uow.commit()
    assert {each.invariant.name for each in check(journey.services.engine, now=journey.clock())} == {"M8"}


@pytest.mark.tampers
def test_whoever_has_erased_their_space_is_told_nothing_more(journey: Journey) -> None:
    journey.deliver()
    with journey.services.unit_of_work() as uow:
        uow.session.execute(update(Customer).values(erased_at=uow.now))
        uow.commit()
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(SpaceNotice)).all() == []
