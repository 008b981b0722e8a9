# ruff: noqa: F811  (fixtures are arguments)
"""Bills whose day is near are told of once, as early as their customer wants it; and at night nobody is written to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, update

from app.db.events import EventRow
from app.db.many import insert_new
from app.journey.invoices.models import Invoice
from app.journey.notices import reminders, service
from app.journey.notices.kinds import APART, CHOICES
from app.journey.notices.models import BillReminder, NoticeTimes
from app.journey.notices.reminders import remind
from app.journey.notices.times import Times
from app.journey.payments.models import Payment
from app.people import vetting
from app.people.models import Customer
from app.schedule import OF_SERVICES
from app.services import Services
from tests.functional.test_answers import replies, say, take_back
from tests.functional.test_kept_at_bank import THURSDAY
from tests.functional.test_messages import (  # noqa: F401
    GATHERED_S,
    choose,
    freeze,
    mail,
    mail_folder,
    page,
    press,
    states,
    subjects,
    told,
)
from tests.functional.test_plans import planned
from tests.support import factories
from tests.support.journey import Browser, Journey
from tests.support.mail_server import MailServer
from tests.support.own_bills import add

DAY = dt.timedelta(days=1)
#: of a bill that says nothing else (tests/support/bills.py)
DUE = dt.date(2026, 12, 1)
SUBJECT = "Bills are due soon"
NIGHT = {"quiet_from": "22", "quiet_to": "7"}


def at(journey: Journey, day: dt.date, hour: int = 6, minute: int = 0) -> None:
    """It becomes that time for the customer, and the schedule looks."""
    moment = dt.datetime.combine(day, dt.time(hour, minute), ZoneInfo(journey.customer.time_zone))
    journey.wait((moment - journey.clock()).total_seconds())
    look(journey)


def look(journey: Journey) -> None:
    remind(journey.services)
    journey.worker.run_until_idle()


def reminded(journey: Journey) -> list[str]:
    """The bills of which it was said, in that order."""
    with journey.services.reading() as uow:
        facts = select(EventRow.payload).where(EventRow.kind == "BillDueSoon").order_by(EventRow.id)
        return [fact["invoice_id"] for fact in uow.session.scalars(facts)]


def set_times(journey: Journey, *kinds: str, **times: str) -> int:
    if journey.browser.get("/messages").status_code != 200:
        journey.browser.sign_in()
    token = journey.browser.token("/messages")
    form: dict[str, object] = {"kind": list(kinds), **times}
    return journey.browser.post("/messages/choice", token=token, form=form).status_code  # type: ignore[arg-type]


@pytest.fixture
def due(told: Journey) -> Journey:
    """Its customer wants to be told of bills that are due soon, and of nothing else."""
    choose(told, "bill_due")
    return told


# ---------------------------------------------------------------------------------------------------- when, and of what


def test_it_is_told_once_three_days_before_from_six_in_the_morning(due: Journey, mail: MailServer) -> None:
    bills = [due.bill(number=number) for number in ("one", "two")]
    at(due, DUE - 3 * DAY, 5, 59)
    assert reminded(due) == []
    at(due, DUE - 3 * DAY)
    assert sorted(reminded(due)) == sorted(bills)
    due.wait(GATHERED_S)
    [mailed] = mail.taken  # two bills, one message
    assert mailed.message["Subject"] == SUBJECT
    assert "to be paid soon" in " ".join(mailed.text.split())
    assert due.biller.name.split()[0] not in mailed.text
    for days in (2, 1, 0):
        at(due, DUE - days * DAY)
        due.wait(GATHERED_S)
    at(due, DUE + DAY)
    assert len(reminded(due)) == 2
    assert states(due) == [("bill_due", "sent")]


@pytest.mark.parametrize("lead", [0, 1, 14])
def test_as_early_as_its_customer_wants_it(due: Journey, lead: int) -> None:
    assert set_times(due, "bill_due", lead=str(lead)) == 303
    invoice_id = due.bill(due_on=str(DUE + 10 * DAY))
    at(due, DUE + (10 - lead) * DAY, 5, 59)
    assert reminded(due) == []
    at(due, DUE + (10 - lead) * DAY)
    assert reminded(due) == [invoice_id]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata", "America/St_Johns"])
def test_the_day_is_that_of_the_customer(due: Journey, zone: str) -> None:
    with due.services.unit_of_work() as uow:
        uow.session.get_one(Customer, due.customer.id).time_zone = zone
        uow.commit()
    due.customer.time_zone = zone
    invoice_id = due.bill()
    at(due, DUE - 3 * DAY, 5, 59)
    assert reminded(due) == []
    at(due, DUE - 3 * DAY)
    assert reminded(due) == [invoice_id]


def test_who_did_not_choose_it_is_not_told(told: Journey) -> None:
    choose(told, "new_bill")
    told.bill()
    at(told, DUE - 3 * DAY)
    assert reminded(told) == []
    with told.services.reading() as uow:  # nothing was written for whoever wants nothing
        assert uow.session.scalar(select(func.count()).select_from(BillReminder)) == 0
    set_times(told, "bill_due")  # they think of it on the day before
    at(told, DUE - DAY)
    assert len(reminded(told)) == 1


def test_what_comes_when_its_day_is_near_is_told_as_new_alone(due: Journey, mail: MailServer) -> None:
    at(due, DUE - 3 * DAY, 7)
    late = due.bill(number="late")
    at(due, DUE - 2 * DAY)
    at(due, DUE)
    assert reminded(due) == []
    with due.services.reading() as uow:
        looked = uow.session.scalars(select(BillReminder)).one()
        assert (looked.invoice_id, looked.told_at, looked.lead_days) == (late, None, 3)


def test_with_a_shorter_lead_what_came_late_is_looked_at_again(due: Journey) -> None:
    at(due, DUE - 3 * DAY, 7)
    late = due.bill(number="late")
    at(due, DUE - 3 * DAY, 8)
    set_times(due, "bill_due", lead="1")
    at(due, DUE - 2 * DAY)
    assert reminded(due) == []
    at(due, DUE - DAY)
    assert reminded(due) == [late]
    set_times(due, "bill_due", lead="0")
    at(due, DUE)
    assert reminded(due) == [late]


def test_more_time_moves_it_and_tells_nobody_twice(due: Journey) -> None:
    first, second = due.bill(number="first"), due.bill(number="second")
    replies(due, say(due, first, "more-time", until="2026-12-08"), accepts=True)
    at(due, DUE - 3 * DAY)
    assert reminded(due) == [second]
    at(due, DUE + 4 * DAY)
    assert reminded(due) == [second, first]
    if due.browser.get("/bills").status_code != 200:
        due.browser.sign_in()
    at(due, DUE + 7 * DAY)
    assert reminded(due) == [second, first]


def test_a_bill_that_its_customer_added_is_one_of_them(due: Journey) -> None:
    invoice_id = add(due.browser, due_on=str(DUE))
    at(due, DUE - 3 * DAY)
    assert reminded(due) == [invoice_id]


def test_one_that_is_removed_while_the_message_waits_is_not_told(due: Journey, mail: MailServer) -> None:
    invoice_id = add(due.browser, due_on=str(DUE))
    at(due, DUE - 3 * DAY)
    due.browser.sign_in()
    token = due.browser.token(f"/bills/{invoice_id}")
    assert due.browser.post(f"/bills/{invoice_id}/remove", token=token).status_code == 303
    due.wait(GATHERED_S)
    assert (mail.taken, states(due)) == ([], [("bill_due", "not_sent")])


def _plan(journey: Journey, invoice_id: str) -> None:
    planned(journey, invoice_id, DUE - DAY)


def _pay(journey: Journey, invoice_id: str) -> None:
    journey.pay(invoice_id)


def _keep(journey: Journey, invoice_id: str) -> None:
    journey.pay(invoice_id, on=DUE - DAY)


def _confirm(journey: Journey, invoice_id: str) -> None:
    journey.confirm(invoice_id)


def _decline(journey: Journey, invoice_id: str) -> None:
    say(journey, invoice_id, "declined")


def _mute(journey: Journey, _: str) -> None:
    press(journey, "mute")


def _block(journey: Journey, _: str) -> None:
    press(journey, "block")


def _suspend(journey: Journey, _: str) -> None:
    with journey.services.unit_of_work() as uow:
        vetting.suspend(uow, biller_id=journey.biller.id, by="ada", note="its bills are not its own")
        uow.commit()


def _freeze(journey: Journey, _: str) -> None:
    freeze(journey, journey.biller.iban)


def _stop(journey: Journey, _: str) -> None:
    with journey.services.unit_of_work() as uow:
        factories.stop_everything(uow, customer_id=journey.customer.id)
        uow.commit()


#: what a customer, a company or a bank may do so that nobody is to be reminded
SEEN_TO: dict[str, Callable[[Journey, str], None]] = {
    "planned": _plan,
    "paid": _pay,
    "kept by the bank": _keep,
    "decided": _confirm,
    "declined": _decline,
    "muted": _mute,
    "blocked": _block,
    "suspended": _suspend,
    "account frozen": _freeze,
    "everything stopped": _stop,
}


@pytest.mark.parametrize("how", SEEN_TO)
def test_what_is_seen_to_is_not_told(due: Journey, how: str) -> None:
    invoice_id = due.bill()
    at(due, DUE - 3 * DAY, 5, 50)
    due.browser.sign_in()
    SEEN_TO[how](due, invoice_id)
    at(due, DUE - 3 * DAY)
    with due.services.reading() as uow:  # nor looked at for good: it may be to pay again
        assert uow.session.scalar(select(func.count()).select_from(BillReminder)) == 0
    assert reminded(due) == []


@pytest.mark.parametrize("how", SEEN_TO)
def test_what_is_seen_to_while_the_message_waits_is_not_told_either(due: Journey, mail: MailServer, how: str) -> None:
    set_times(due, "bill_due", lead="7")
    invoice_id = due.bill()
    at(due, DUE - 7 * DAY)
    if due.browser.get("/bills").status_code != 200:
        due.browser.sign_in()
    assert reminded(due) == [invoice_id]
    SEEN_TO[how](due, invoice_id)
    due.wait(GATHERED_S)
    assert subjects(mail) == []
    assert [each for each in states(due) if each[0] == "bill_due"] == [("bill_due", "not_sent")]


def test_one_of_two_that_is_still_to_pay_is_told(due: Journey, mail: MailServer) -> None:
    set_times(due, "bill_due", lead="7")
    paid, other = due.bill(number="one"), due.bill(number="two")
    at(due, DUE - 7 * DAY)
    if due.browser.get("/bills").status_code != 200:
        due.browser.sign_in()
    due.pay(paid)
    due.wait(GATHERED_S)
    assert subjects(mail) == [SUBJECT]
    assert {paid, other} == set(reminded(due))


def test_what_is_to_pay_again_is_told_then(due: Journey) -> None:
    invoice_id = due.bill()
    say(due, invoice_id, "declined")
    at(due, DUE - 3 * DAY)
    assert reminded(due) == []
    due.browser.sign_in()
    take_back(due, invoice_id)
    look(due)
    assert reminded(due) == [invoice_id]


def test_after_its_day_nobody_is_reminded(due: Journey, mail: MailServer) -> None:
    """Nobody looked for days; and what waited until then is not sent."""
    due.bill(number="first")
    at(due, DUE + DAY, 9)
    assert reminded(due) == []
    due.bill(number="second", due_on=str(DUE + 9 * DAY))
    at(due, DUE + 6 * DAY)
    assert len(reminded(due)) == 1
    mail.to_rcpt = [451] * 20
    due.wait(GATHERED_S)
    due.clock.now += 4 * DAY
    due.worker.run_until_idle()
    assert mail.taken == []
    assert states(due) == [("bill_due", "not_sent")]


def test_a_request_to_pay_that_is_over_is_not_told(due: Journey) -> None:
    invoice_id = due.bill()
    with due.services.unit_of_work() as uow:
        uow.session.execute(update(Invoice).where(Invoice.id == invoice_id).values(expires_on=DUE - 4 * DAY))
        uow.commit()
    at(due, DUE - 3 * DAY)
    assert reminded(due) == []


# ------------------------------------------------------------------------------------------ pages, crashes, two at once


def test_it_is_looked_for_in_pages(due: Journey, mail: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reminders, "REMINDERS_AT_ONCE", 2)
    bills = {due.bill(number=f"n{number}") for number in range(5)}
    at(due, DUE - 3 * DAY)
    assert len(reminded(due)) == 5
    assert set(reminded(due)) == bills
    due.wait(GATHERED_S)
    assert len(mail.taken) == 1  # and three pieces of work


def test_whoever_dies_on_the_way_tells_nobody_twice_and_forgets_nobody(
    due: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminders, "REMINDERS_AT_ONCE", 2)
    bills = {due.bill(number=f"n{number}") for number in range(5)}
    monkeypatch.setattr(reminders, "insert_new", _dies_at(2, insert_new))
    due.clock.now = dt.datetime(2026, 11, 28, 9, tzinfo=dt.UTC)
    with pytest.raises(KeyboardInterrupt):
        remind(due.services)
    monkeypatch.undo()
    assert len(reminded(due)) == 2
    look(due)
    assert len(reminded(due)) == 5
    assert set(reminded(due)) == bills


def _dies_at(turn: int, real: Callable[..., object]) -> Callable[..., object]:
    left = iter(range(turn))

    def insert(*args: object, **kwargs: object) -> object:
        if next(left) == turn - 1:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    return insert


def test_two_workers_that_find_the_same_say_it_once(due: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one comes between our looking and our writing."""
    due.bill()
    pages, others = reminders._pages, iter([True])

    def slow(services: Services) -> Iterator[object]:
        for found in pages(services):
            if next(others, False):
                remind(due.services)
            yield found

    monkeypatch.setattr(reminders, "_pages", slow)
    due.clock.now = dt.datetime(2026, 11, 28, 9, tzinfo=dt.UTC)
    look(due)
    assert len(reminded(due)) == 1


def test_it_is_on_the_schedule() -> None:
    assert OF_SERVICES[remind] == dt.timedelta(hours=1)


def test_more_that_are_found_in_between_are_told_six_hours_later(due: Journey, mail: MailServer) -> None:
    due.bill(number="one")
    due.bill(number="two", due_on=str(DUE + DAY))
    at(due, DUE - 3 * DAY)
    due.wait(GATHERED_S)
    set_times(due, "bill_due", lead="4")
    look(due)
    due.wait(GATHERED_S)
    assert len(mail.taken) == 1
    due.wait(APART.total_seconds())
    assert len(mail.taken) == 2


# ---------------------------------------------------------------------------------------------------------- quiet hours


def london(day: dt.date, hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour, minute), ZoneInfo("Europe/London")).astimezone(dt.UTC)


def test_at_night_nobody_is_written_to_and_in_the_morning_once(told: Journey, mail: MailServer) -> None:
    assert set_times(told, "new_bill", **NIGHT) == 303
    night = dt.date(2026, 11, 23)
    told.clock.now = london(night, 22)
    for number in range(4):
        told.bill(number=f"n{number}")
        told.wait(7000)
    told.clock.now = london(night + DAY, 6, 59)
    told.worker.run_until_idle()
    assert mail.taken == []
    told.browser.sign_in()
    assert "Not sent yet" in page(told)
    told.clock.now = london(night + DAY, 7)
    told.worker.run_until_idle()
    assert subjects(mail) == ["Something new is in your space"]


def test_a_message_that_is_in_its_tries_waits_as_well(told: Journey, mail: MailServer) -> None:
    set_times(told, "new_bill", **NIGHT)
    mail.to_rcpt = [451, 451]
    night = dt.date(2026, 11, 23)
    told.clock.now = london(night, 21, 45)
    told.bill()
    told.wait(GATHERED_S)
    told.wait(61)
    told.clock.now = london(night + DAY, 6, 59)
    told.worker.run_until_idle()
    assert mail.taken == []
    told.clock.now = london(night + DAY, 7)
    told.worker.run_until_idle()
    assert len(mail.taken) == 1


def test_what_no_server_takes_is_given_up_within_two_days(told: Journey, mail: MailServer) -> None:
    set_times(told, "new_bill", quiet_from="12", quiet_to="4")
    mail.to_rcpt = [451] * 50
    told.clock.now = london(dt.date(2026, 11, 24), 4)
    told.bill()
    begun = told.clock.now
    while states(told) == [("new_bill", "waiting")]:
        told.wait(1800)
        assert told.clock.now - begun < service.UNENDED_MOST + dt.timedelta(hours=1)
    assert states(told) == [("new_bill", "given_up")]
    assert told.clock.now - begun > dt.timedelta(hours=23)


def test_what_nobody_can_choose_to_miss_goes_at_any_hour(told: Journey, mail: MailServer) -> None:
    set_times(told, *CHOICES, **NIGHT)
    told.clock.now = london(dt.date(2026, 11, 23), 23)
    told.browser.sign_in()
    told.browser.post("/messages/words", token=told.browser.token("/messages"))
    told.wait(1)
    assert subjects(mail) == ["Your safe words were changed"]


@pytest.mark.parametrize(
    ("hours", "hour", "waits"),
    [
        (("22", "7"), 6, True),  # an hour later the whole day is left
        (("6", "18"), 6, True),  # six hours before it may be carried out
        (("6", "19"), 6, False),  # they would come too late
        (("6", "19"), 14, False),
        (None, 6, False),
    ],
)
def test_a_payment_that_comes_tomorrow_waits_only_where_it_can_be_cancelled_afterwards(
    told: Journey, mail: MailServer, hours: tuple[str, str] | None, hour: int, waits: bool
) -> None:
    payment_id = told.pay(told.bill(), on=THURSDAY)
    told.wait(600)
    with told.services.reading() as uow:
        payment = uow.session.get_one(Payment, payment_id)
        assert payment.kept_until == dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
    if hours is not None:
        set_times(told, "payment_coming", quiet_from=hours[0], quiet_to=hours[1])
    else:
        set_times(told, "payment_coming", lead="3", quiet_from="")
    told.clock.now = london(THURSDAY - DAY, hour)
    told.worker.run_until_idle()
    came = "A payment of yours is about to be made" in subjects(mail)
    assert came is not waits
    if waits and hours is not None:
        told.clock.now = london(THURSDAY - DAY, int(hours[1]))
        told.worker.run_until_idle()
        assert "A payment of yours is about to be made" in subjects(mail)


# ------------------------------------------------------------------------------------------------------------- the page


def test_the_page_has_the_lead_and_the_hours(told: Journey) -> None:
    shown = told.browser.page("/messages")
    assert shown.select_one("#lead option[selected]")["value"] == "3"  # type: ignore[index]
    assert shown.select("#quiet-from option[selected]") == []
    assert set_times(told, "bill_due", lead="5", quiet_from="21", quiet_to="8") == 303
    shown = told.browser.page("/messages")
    chosen = [shown.select_one(f"#{name} option[selected]") for name in ("lead", "quiet-from", "quiet-to")]
    assert [each["value"] for each in chosen if each] == ["5", "21", "8"]
    assert choose(told, "bill_due") == 303  # a page of before that knows no times changes none
    with told.services.reading() as uow:
        assert service.times_of(uow.session, customer_id=told.customer.id) == Times(5, 21, 8)
    assert set_times(told, "bill_due", lead="5", quiet_from="", quiet_to="8") == 303
    with told.services.reading() as uow:
        assert service.times_of(uow.session, customer_id=told.customer.id) == Times(5)


@pytest.mark.parametrize(("begins", "ends"), [("22", "22"), ("7", "0"), ("8", "7")])
def test_hours_that_cannot_be_are_asked_for_again(told: Journey, begins: str, ends: str) -> None:
    token = told.browser.token("/messages")
    form: dict[str, object] = {"kind": ["bill_due"], "lead": "5", "quiet_from": begins, "quiet_to": ends}
    answer = told.browser.post("/messages/choice", token=token, form=form)  # type: ignore[arg-type]
    assert answer.status_code == 422
    assert "Choose two different hours, and not more than 16 hours in all" in answer.text
    assert f'<option value="{begins}" selected>' in answer.text
    assert nothing_kept(told)


@pytest.mark.parametrize(
    "times",
    [{"lead": "15"}, {"lead": "-1"}, {"lead": "x"}, {"lead": "3", "quiet_from": "24", "quiet_to": "7"},
     {"lead": "3", "quiet_from": "22", "quiet_to": "-1"}, {"lead": "3", "quiet_from": "22"}],
)  # fmt: skip
def test_what_no_form_of_ours_sends_changes_nothing(told: Journey, times: dict[str, str]) -> None:
    assert set_times(told, "new_bill", **times) == 422
    assert nothing_kept(told)


def nothing_kept(journey: Journey) -> bool:
    with journey.services.reading() as uow:
        chosen = uow.session.scalar(select(func.count()).select_from(NoticeTimes))
    return chosen == 0 and "bill_due" in set(CHOICES) and len(_ticked(journey)) == len(CHOICES)


def _ticked(journey: Journey) -> list[object]:
    return list(journey.browser.page("/messages").select("input[name=kind][checked]"))


def test_somebody_else_has_times_of_their_own(told: Journey) -> None:
    set_times(told, "bill_due", lead="9", **NIGHT)
    stranger = Browser.of(told.app)
    stranger.sign_up(name="Noor", email="noor@example.org")
    shown = stranger.page("/messages")
    assert shown.select_one("#lead option[selected]")["value"] == "3"  # type: ignore[index]
    assert shown.select("#quiet-from option[selected]") == []


def test_a_visit_of_the_demo_changes_none(told: Journey) -> None:
    visitor = Browser.of(told.app)
    cookie = factories.sign_in(told.services, told.customer, read_only=True)
    visitor.client.set_cookie("__Host-session-8000", cookie, domain="localhost", secure=True)
    token = visitor.token("/messages")
    assert visitor.post("/messages/choice", token=token, form={"kind": "new_bill", "lead": "1"}).status_code == 403
    assert nothing_kept(told)
