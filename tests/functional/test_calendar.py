"""The feed of a customer's own calendar: what is true, as discreet as they chose, and nothing that can be followed."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from flask import Flask
from icalendar import Calendar
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from app.journey.calendars import service
from app.journey.calendars.models import CalendarFeed, Detail
from app.journey.calendars.read import AHEAD, BACK
from app.journey.calendars.service import FEEDS_MOST
from app.journey.invoices.models import Invoice
from app.people import vetting
from app.people.models import Biller, Customer
from app.web.customers import limits
from consent.base import hash_of
from tests.functional.test_account_swaps import freeze
from tests.functional.test_answers import replies, say, take_back
from tests.functional.test_kept_at_bank import ask_for_it_back
from tests.functional.test_plans import parts, planned
from tests.functional.test_stop import stop
from tests.support import factories
from tests.support.journey import ORIGIN, Browser, Journey
from tests.support.own_bills import add

DAY = dt.timedelta(days=1)
TODAY = dt.date(2026, 11, 23)
#: of a bill that says nothing else (tests/support/bills.py)
DUE = dt.date(2026, 12, 1)


def made(browser: Browser, detail: str = "discreet") -> str:
    """The address, without our own."""
    answer = browser.post("/calendar", token=browser.token("/calendar"), form={"detail": detail})
    assert answer.status_code == 200
    shown = answer.text.partition('<code class="code token">')[2].partition("<")[0]
    assert shown.startswith(f"{ORIGIN}/calendar/")
    return shown.removeprefix(ORIGIN)


def ask(app: Flask, path: str, **headers: str) -> TestResponse:
    return app.test_client().get(path, base_url=ORIGIN, headers=headers)


def read(journey: Journey, path: str) -> list[Any]:
    answer = ask(journey.app, path)
    assert (answer.status_code, answer.mimetype) == (200, "text/calendar")
    calendar = Calendar.from_ical(answer.data)
    return list(calendar.walk("VEVENT"))


def entries(journey: Journey, path: str) -> list[tuple[dt.date, str]]:
    return [(event["DTSTART"].dt, str(event["SUMMARY"])) for event in read(journey, path)]


# ------------------------------------------------------------------------------------------------------------- the door


def test_it_is_two_clicks_from_home_and_read_without_signing_in(journey: Journey) -> None:
    journey.bill()
    for page in ("/bills", "/messages"):
        assert journey.browser.page(page).select_one("main a[href='/calendar']") is not None
    path = made(journey.browser)
    answer = ask(journey.app, path)
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert entries(journey, path) == [(DUE, "Quittance")]
    [event] = read(journey, path)
    assert event["DTEND"].dt == DUE + DAY
    assert (event["SEQUENCE"], event["DTSTAMP"].dt) == (0, journey.clock.now)
    assert journey.app.test_client().head(path, base_url=ORIGIN).status_code == 200


@pytest.mark.parametrize("detail", list(Detail))
def test_nothing_in_it_can_be_followed(journey: Journey, detail: str) -> None:
    invoice_id = journey.bill()
    planned(journey, invoice_id, DUE - DAY)
    journey.pay(journey.bill(number="kept"), on=TODAY + 3 * DAY)
    text = ask(journey.app, made(journey.browser, detail)).text
    assert not re.search(
        r"://|www\.|@|^(?:URL|ATTACH|DESCRIPTION|LOCATION|ORGANIZER|ATTENDEE|METHOD)|VALARM", text, re.M
    )
    assert text.count("BEGIN:VEVENT") == 3
    assert invoice_id not in text


def test_a_cookie_is_neither_needed_nor_looked_at(journey: Journey) -> None:
    path = made(journey.browser)
    stranger = Browser.of(journey.app)
    stranger.sign_up(name="Noor", email="noor@example.org")
    for browser in (journey.browser, stranger):
        answer = browser.get(path)
        assert (answer.status_code, "Set-Cookie" in answer.headers) == (200, False)
    assert ask(journey.app, path, Cookie="__Host-session-8000=x", Authorization="Bearer y").status_code == 200


def test_it_is_shown_once_and_kept_as_a_hash(journey: Journey) -> None:
    path = made(journey.browser)
    token = path.removeprefix("/calendar/").removesuffix(".ics")
    assert len(token) == 43  # 256 bits
    page = journey.browser.get("/calendar").text
    assert token not in page
    assert "Not read yet" in page
    with journey.services.reading() as uow:
        row = uow.session.scalars(select(CalendarFeed)).one()
    assert (row.token_hash, row.detail, row.read_at) == (hash_of(token), "discreet", None)
    ask(journey.app, path)
    assert "Last read 23 Nov" in journey.browser.get("/calendar").text.replace("\xa0", " ")


def end(journey: Journey, browser: Browser | None = None) -> int:
    """End the first that is shown, as this browser."""
    shown = journey.browser.page("/calendar").select_one("input[name=calendar]")
    assert shown is not None
    by = browser or journey.browser
    form = {"calendar": str(shown["value"])}
    return by.post("/calendar/end", token=by.token("/calendar"), form=form).status_code


def test_what_was_ended_is_as_what_never_was(journey: Journey) -> None:
    journey.bill()
    path = made(journey.browser)
    ask(journey.app, path)
    stranger = Browser.of(journey.app)
    stranger.sign_up(name="Noor", email="noor@example.org")
    assert end(journey, stranger) == 404
    assert ask(journey.app, path).status_code == 200
    assert end(journey) == 303
    gone, never = ask(journey.app, path), ask(journey.app, f"/calendar/{'A' * 43}.ics")
    assert (gone.status_code, gone.data) == (never.status_code, never.data) == (404, b"There is nothing here.\n")
    assert sorted(gone.headers) == sorted(never.headers)
    assert "Set-Cookie" not in gone.headers
    assert journey.browser.page("/calendar").select("input[name=calendar]") == []
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(CalendarFeed.told)).one() == {}


@pytest.mark.parametrize("token", ["", "x", "A" * 42, "A" * 44, "A" * 42 + "%00", "A" * 42 + "é", "A" * 42 + "%2F"])
def test_what_is_no_address_is_nothing(journey: Journey, token: str) -> None:
    assert ask(journey.app, f"/calendar/{token}.ics").status_code == 404


def test_it_knows_no_verb(journey: Journey) -> None:
    path = made(journey.browser)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert journey.app.test_client().open(path, method=method, base_url=ORIGIN).status_code == 405


def test_three_and_no_more(journey: Journey) -> None:
    for detail in ("discreet", "company", "full"):
        made(journey.browser, detail)
    assert "There are three, and no more" in journey.browser.get("/calendar").text
    answer = journey.browser.post("/calendar", token=journey.browser.token("/calendar"), form={"detail": "full"})
    assert answer.status_code == 422
    assert "There are three addresses already" in answer.text
    assert end(journey) == 303
    made(journey.browser)
    with journey.services.reading() as uow:
        count = select(func.count()).select_from(CalendarFeed)
        assert uow.session.scalar(count.where(CalendarFeed.ended_at.is_(None))) == FEEDS_MOST


@pytest.mark.parametrize("form", [{}, {"detail": "everything"}])
def test_how_much_it_says_is_one_of_three(journey: Journey, form: dict[str, str]) -> None:
    answer = journey.browser.post("/calendar", token=journey.browser.token("/calendar"), form=form)
    assert answer.status_code == 422
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(CalendarFeed)) == 0


def test_a_visit_of_the_demo_makes_and_ends_none(journey: Journey) -> None:
    made(journey.browser)
    visitor = Browser.of(journey.app)
    cookie = factories.sign_in(journey.services, journey.customer, read_only=True)
    visitor.client.set_cookie("__Host-session-8000", cookie, domain="localhost", secure=True)
    assert visitor.page("/calendar").select("main form") == []
    assert visitor.post("/calendar", token=visitor.token("/calendar"), form={"detail": "full"}).status_code == 403
    assert end(journey, visitor) == 403


def test_one_calendar_does_not_ask_without_end(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CALENDAR_LIMIT", "3 per minute")
    path, other = made(journey.browser), made(journey.browser)
    assert [ask(journey.app, path).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = ask(journey.app, path)
    assert (refused.mimetype, "Set-Cookie" in refused.headers) == ("text/plain", False)
    assert ask(journey.app, other).status_code == 200  # each by itself
    never = [ask(journey.app, f"/calendar/{each * 43}.ics").status_code for each in "ABCD"]
    assert never == [404, 404, 404, 429]


def test_it_belongs_to_one_customer(journey: Journey) -> None:
    journey.bill()
    stranger = Browser.of(journey.app)
    stranger.sign_up(name="Noor", email="noor@example.org")
    assert entries(journey, made(stranger, "full")) == []
    assert len(entries(journey, made(journey.browser, "full"))) == 1
    assert len(stranger.page("/calendar").select("input[name=calendar]")) == 1


def test_customers_of_the_demo_have_none_without_it(journey: Journey) -> None:
    path = made(journey.browser)
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(Customer, journey.customer.id).demo = True
        uow.commit()
    assert ask(journey.app, path).status_code == (200 if journey.services.settings.demo else 404)


# ------------------------------------------------------------------------------------------------------- what it says


def test_each_says_as_much_as_was_chosen(journey: Journey) -> None:
    invoice_id = journey.bill()
    planned(journey, invoice_id, DUE - DAY)
    journey.pay(journey.bill(number="kept", amount="12.00"), on=TODAY + 3 * DAY)
    name = journey.biller.name
    days = (TODAY + 3 * DAY, DUE - DAY, DUE)
    full = [f"{name}, €12.00: payment", f"{name}, €84.20: planned payment", f"{name}, €84.20: due"]
    some = [f"{name}: payment", f"{name}: planned payment", f"{name}: due"]
    for detail, said in (("full", full), ("company", some), ("discreet", ["Quittance"] * 3)):
        assert entries(journey, made(journey.browser, detail)) == list(zip(days, said, strict=True))


def test_it_speaks_the_language_of_its_customer(journey: Journey) -> None:
    journey.bill()
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(Customer, journey.customer.id).locale = "fr"
        uow.commit()
    path = made(journey.browser, "full")
    said = f"{journey.biller.name}, 84,20\xa0€\xa0: échéance"
    assert entries(journey, path) == [(DUE, said)]
    assert Calendar.from_ical(ask(journey.app, path, **{"Accept-Language": "en"}).data).walk("VEVENT")[0][
        "SUMMARY"
    ] == said  # fmt: skip


def test_sixty_days_back_and_four_hundred_ahead(journey: Journey) -> None:
    days = [TODAY - BACK - DAY, TODAY - BACK, TODAY + AHEAD, TODAY + AHEAD + DAY]
    for number, day in enumerate(days):
        invoice_id = journey.bill(number=f"n{number}")
        with journey.services.unit_of_work() as uow:
            uow.session.execute(update(Invoice).where(Invoice.id == invoice_id).values(due_on=day))
            uow.commit()
    assert [day for day, _ in entries(journey, made(journey.browser))] == days[1:3]


@pytest.mark.parametrize("how", ["paid", "declined", "suspended", "account frozen", "expired", "no day"])
def test_what_is_not_to_pay_has_no_day(journey: Journey, how: str) -> None:
    invoice_id = journey.bill(due_on=None) if how == "no day" else journey.bill()
    if how != "no day":  # what falls to the days of a plan is as little to be paid
        planned(journey, invoice_id, TODAY + 3 * DAY)
    if how == "paid":
        journey.pay(invoice_id)
        journey.wait(600)
    elif how == "declined":
        say(journey, invoice_id, "declined")
    elif how == "account frozen":
        freeze(journey)
    with journey.services.unit_of_work() as uow:
        if how == "suspended":
            vetting.suspend(uow, biller_id=journey.biller.id, by="ada", note="its bills are not its own")
        if how == "expired":
            uow.session.get_one(Invoice, invoice_id).expires_on = TODAY - DAY
        uow.commit()
    if journey.browser.get("/bills").status_code != 200:
        journey.browser.sign_in()
    assert entries(journey, made(journey.browser, "full")) == []


def test_what_changes_is_told_as_a_change_and_nothing_else_is(journey: Journey) -> None:
    first, second = journey.bill(number="first"), journey.bill(number="second")
    path = made(journey.browser, "full")
    before = {str(each["UID"]): each for each in read(journey, path)}
    begun = journey.clock.now
    journey.clock.tick(minutes=10)
    assert ask(journey.app, path).data == ask(journey.app, path).data
    assert {each["SEQUENCE"] for each in read(journey, path)} == {0}
    replies(journey, say(journey, first, "more-time", until="2026-12-08"), accepts=True)
    after = {str(each["UID"]): each for each in read(journey, path)}
    assert after.keys() == before.keys()
    moved = {each["DTSTART"].dt: (each["SEQUENCE"], each["DTSTAMP"].dt) for each in after.values()}
    assert moved == {DUE: (0, begun), dt.date(2026, 12, 8): (1, journey.clock.now)}
    say(journey, second, "declined")
    assert len(read(journey, path)) == 1
    take_back(journey, second)
    back = {each["DTSTART"].dt: each["SEQUENCE"] for each in read(journey, path)}
    assert back[dt.date(2026, 12, 8)] == 1
    assert back[DUE] > 1


def test_the_days_of_a_plan_and_what_falls_to_each(journey: Journey) -> None:
    invoice_id = journey.bill()
    parts(journey, invoice_id, (TODAY + 2 * DAY, "40.00"), (TODAY + 4 * DAY, ""))
    name, path = journey.biller.name, made(journey.browser, "full")
    assert entries(journey, path) == [
        (TODAY + 2 * DAY, f"{name}, €40.00: planned payment"),
        (TODAY + 4 * DAY, f"{name}, €44.20: planned payment"),
        (DUE, f"{name}, €84.20: due"),
    ]
    journey.pay(invoice_id, part="40.00")
    journey.wait(600)
    assert entries(journey, path) == [
        (TODAY + 4 * DAY, f"{name}, €44.20: planned payment"),
        (DUE, f"{name}, €44.20: due"),
    ]


def test_what_a_payment_under_way_takes_is_there_once(journey: Journey) -> None:
    invoice_id = journey.bill()
    parts(journey, invoice_id, (TODAY + 2 * DAY, "40.00"), (TODAY + 4 * DAY, ""))
    path = made(journey.browser, "full")
    journey.confirm(invoice_id, part="40.00")
    journey.worker.run_until_idle()
    assert journey.invoice(invoice_id).state == "in_payment"
    assert entries(journey, path) == [(TODAY + 4 * DAY, f"{journey.biller.name}, €44.20: planned payment")]


@pytest.mark.long_on_postgres
def test_a_payment_for_a_later_day_is_there_until_long_after_it(journey: Journey) -> None:
    day = TODAY + 3 * DAY
    payment_id = journey.pay(journey.bill(), on=day)
    path = made(journey.browser, "full")
    said = [(day, f"{journey.biller.name}, €84.20: payment")]
    assert entries(journey, path) == said
    for hours in (72, 12, 240):
        journey.wait(hours * 3600)
        journey.worker.run_until_idle()
        assert entries(journey, path) == said
    assert journey.payment(payment_id).state == "settled"
    journey.wait(60 * 24 * 3600)
    assert entries(journey, path) == []


def test_what_was_taken_back_has_no_day(journey: Journey) -> None:
    payment_id = journey.pay(journey.bill(), on=TODAY + 3 * DAY)
    path = made(journey.browser, "full")
    assert len(entries(journey, path)) == 1
    ask_for_it_back(journey, payment_id)
    journey.wait(600)
    assert entries(journey, path) == [(DUE, f"{journey.biller.name}, €84.20: due")]


def test_whoever_has_stopped_everything_sees_what_is_true_and_strangers_see_no_name(journey: Journey) -> None:
    """What was decided is void; what is to pay is to pay still."""
    journey.pay(journey.bill(number="kept"), on=TODAY + 3 * DAY)
    journey.bill(number="open")
    path = made(journey.browser, "full")
    assert len(entries(journey, path)) == 2
    stop(journey)
    journey.wait(600)  # the bank drops what it kept, so its bill is to pay again
    assert entries(journey, path) == [(DUE, "Quittance")] * 2
    if journey.browser.get("/bills").status_code != 200:
        journey.browser.sign_in()
    page = journey.browser.page("/calendar")
    assert "none is made until you lift that" in page.get_text(" ")
    assert page.select("form[action='/calendar']") == []
    answer = journey.browser.post("/calendar", token=journey.browser.token("/calendar"), form={"detail": "full"})
    assert answer.status_code == 409
    assert end(journey) == 303
    assert ask(journey.app, path).status_code == 404


def test_a_stop_that_comes_while_it_is_read_is_heard(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    journey.bill()
    path, real = made(journey.browser, "full"), service.note_read

    def late(*given: Any) -> Any:
        with journey.services.unit_of_work() as uow:  # what a stop does to it, in a transaction of its own
            uow.session.execute(update(CalendarFeed).values(detail=Detail.DISCREET))
            uow.commit()
        return real(*given)

    monkeypatch.setattr(service, "note_read", late)
    answer = ask(journey.app, path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert journey.biller.name not in answer.get_data(as_text=True)
    monkeypatch.undo()
    assert [said for _, said in entries(journey, path)] == ["Quittance"]


def test_a_bill_that_its_customer_added_goes_with_it(journey: Journey) -> None:
    invoice_id = add(journey.browser, due_on=str(DUE))
    path = made(journey.browser, "company")
    [(day, said)] = entries(journey, path)
    assert (day, said.endswith(": due")) == (DUE, True)
    token = journey.browser.token(f"/bills/{invoice_id}")
    assert journey.browser.post(f"/bills/{invoice_id}/remove", token=token).status_code == 303
    assert entries(journey, path) == []


@pytest.mark.parametrize(
    "name",
    [
        "Evil\r\nEND:VEVENT\r\nBEGIN:VALARM\r\nACTION:DISPLAY",
        "Evil\nURL:https://evil.example/pay",
        "Evil\u2028ATTACH:https://evil.example",
        "https://evil.example/pay?now",
        "pay.evil.example",
        "someone@evil.example",
        "\\, \\; \\n \\N ;,:\"'",
        "L" * 100,
        "電力会社" * 20,
    ],
)
@pytest.mark.tampers  # no door takes such a name
def test_no_name_gets_out_of_its_line(journey: Journey, name: str) -> None:
    journey.bill()
    with journey.services.unit_of_work() as uow:
        uow.session.execute(update(Biller).where(Biller.id == journey.biller.id).values(name=name))
        uow.commit()
    answer = ask(journey.app, made(journey.browser, "full"))
    calendar = Calendar.from_ical(answer.data)
    assert [type(each).__name__ for each in calendar.walk()] == ["Calendar", "Event"]
    assert sorted(calendar.walk("VEVENT")[0].keys()) == sorted(
        ["UID", "DTSTAMP", "SEQUENCE", "DTSTART", "DTEND", "SUMMARY", "CLASS", "TRANSP"]
    )
    said = str(calendar.walk("VEVENT")[0]["SUMMARY"])
    assert said.endswith(", €84.20: due")
    assert not re.search(r"://|\w[.@/]\w", said.removesuffix(", €84.20: due"))


def test_a_reading_is_no_write_each_time(journey: Journey) -> None:
    journey.bill()
    path = made(journey.browser)
    first = journey.clock.now
    for seconds, noted in ((0, 0), (59, 0), (2, 61)):
        journey.clock.tick(seconds=seconds)
        ask(journey.app, path)
        with journey.services.reading() as uow:
            read_at = uow.session.scalars(select(CalendarFeed.read_at)).one()
        assert read_at == first + dt.timedelta(seconds=noted)
