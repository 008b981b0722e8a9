# ruff: noqa: F811  (fixtures are arguments)
"""What was signed for a later day is told of the day before: in the space, and by a message to whoever chose that."""

from __future__ import annotations

import datetime as dt
import functools

import pytest
from sqlalchemy import select

from app.db.migrate import upgrade
from app.journey.notices.kinds import NoticeKind
from app.journey.notices.models import Notice, NoticeChoice, PushMessage
from app.journey.notices.service import choose, is_quiet, is_still_so, lives_for
from app.journey.notices.times import Times
from app.people import stops
from app.people.sessions import SignedIn
from consent.models import Standing
from tests.functional.test_paid_on_a_day import DAY, at, in_days, until
from tests.functional.test_paid_under_consent import House, clock, house, services, settings, uk_bank  # noqa: F401
from tests.unit.app.db.test_migrations import back

pytestmark = [pytest.mark.slow, pytest.mark.long_on_postgres, pytest.mark.timeout(400)]

COMING = "will be paid to"


@pytest.fixture
def told(house: House) -> House:
    """Its customer chose to be told."""
    with house.world.services.unit_of_work() as uow:
        uow.session.add(
            NoticeChoice(customer_id=house.world.customer.id, kind=NoticeKind.PAYMENT_COMING, chosen_at=uow.now)
        )
        uow.commit()
    return house


def notices(house: House) -> list[Notice]:
    with house.world.services.reading() as uow:
        found = uow.session.scalars(select(Notice).where(Notice.kind == NoticeKind.PAYMENT_COMING)).all()
        uow.session.expunge_all()
        return list(found)


def inbox(house: House) -> str:
    return " ".join(house.world.browser.page("/bills").get_text(" ").split())


def cancel(house: House, payment_id: str) -> None:
    browser = house.world.browser
    browser.post(f"/payments/{payment_id}/cancel", token=browser.token(f"/payments/{payment_id}"))
    assert house.payment(payment_id).state == "cancelled"


def nobody_works_until(house: House, day: dt.date, hour: int, minute: int = 0) -> None:
    house.world.clock.now = at(house, day, hour, minute).astimezone(dt.UTC)


def test_it_is_told_once_from_six_in_the_morning_of_the_day_before(told: House) -> None:
    day = in_days(told, 3)
    payment_id = told.pay(told.world.invoice_id, day)
    until(told, day - DAY, 5, 59)
    assert notices(told) == []
    assert COMING not in inbox(told)
    until(told, day - DAY, 6)
    [notice] = notices(told)
    assert notice.created_at == at(told, day - DAY, 6)
    page = inbox(told)
    assert "Tomorrow £84.20 will be paid to" in page
    assert "Until six in the morning of that day you can cancel it, on the page of the payment" in page
    assert told.world.browser.page("/bills").select_one(f"p.notice a[href='/payments/{payment_id}']") is not None
    until(told, day, 5, 59)
    assert "Today £84.20 will be paid to" in inbox(told)
    until(told, day, 8)
    told.until(lambda: told.payment(payment_id).state == "settled")
    assert len(notices(told)) == 1
    assert COMING not in inbox(told)


def test_on_a_device_it_is_kept_until_it_is_too_late(told: House) -> None:
    """Also where it goes in quiet hours, because too little time would be left to cancel it once they end."""
    day = in_days(told, 3)
    told.pay(told.world.invoice_id, day)
    until(told, day - DAY, 6)
    [notice] = notices(told)
    with told.world.services.unit_of_work() as uow:
        times = Times(quiet_from=22, quiet_to=8)
        choose(uow, customer_id=told.world.customer.id, kinds=[NoticeKind.PAYMENT_COMING], times=times)
        uow.commit()
    pushed = PushMessage(customer_id=notice.customer_id, event_id=notice.event_id, kind=notice.kind)
    with told.world.services.reading() as uow:
        for on, hour, minute, lives in (
            (day - DAY, 12, 0, dt.timedelta(hours=10)),  # until the evening
            (day - DAY, 12, 20, dt.timedelta(hours=9)),  # of which nobody is told the minute
            (day - DAY, 21, 25, dt.timedelta(minutes=30)),
            (day - DAY, 21, 50, dt.timedelta()),
            (day - DAY, 22, 0, dt.timedelta(hours=8)),  # it cannot wait until eight
            (day - DAY, 23, 30, dt.timedelta(hours=6)),
            (day, 5, 40, dt.timedelta(minutes=15)),
            (day, 6, 0, dt.timedelta()),
        ):
            now = at(told, on, hour, minute)
            assert is_quiet(uow.session, pushed, now=now) is None
            assert lives_for(uow.session, pushed, now=now) == lives, (on, hour, minute)


def test_who_did_not_choose_it_is_told_in_the_space_alone(house: House) -> None:
    day = in_days(house, 2)
    house.pay(house.world.invoice_id, day)
    until(house, day - DAY, 6)
    assert notices(house) == []
    assert COMING in inbox(house)


def test_what_is_signed_on_the_day_before_is_not_told(told: House) -> None:
    """Its customer knows."""
    day = in_days(told, 1)
    page = " ".join(told.page(told.world.invoice_id, day).get_text(" ").split())
    assert "The day before, from six in the morning" not in page
    told.pay(told.world.invoice_id, day)
    until(told, day - DAY, 23)
    assert notices(told) == []
    assert COMING not in inbox(told)


def test_the_pages_on_which_a_day_is_signed_say_it(told: House) -> None:
    day = in_days(told, 7)
    says = "The day before, from six in the morning, you are told that it is coming: here, and by e-mail"
    assert says in " ".join(told.page(told.world.invoice_id, day).get_text(" ").split())
    assert says in " ".join(told.world.browser.page(f"/bills/{told.world.invoice_id}/later").get_text(" ").split())
    assert says not in told.page(told.world.invoice_id).get_text(" ")  # today


def test_the_list_of_days_says_it_although_tomorrow_is_one_of_them(told: House) -> None:
    """On the last day of a month the first of the next one is offered, which is not told of any more."""
    today = in_days(told, 0)
    last = (today.replace(day=28) + 4 * DAY).replace(day=1) - DAY
    until(told, last, 13)
    page = told.world.browser.page(f"/bills/{told.world.invoice_id}/later").select_one("[aria-labelledby=signed]")
    assert page is not None
    assert page.select_one(f"a[href*='on={(last + DAY).isoformat()}']") is not None
    assert "The day before, from six in the morning" in page.get_text(" ")


def test_what_was_cancelled_before_is_not_told(told: House) -> None:
    day = in_days(told, 3)
    cancel(told, told.pay(told.world.invoice_id, day))
    until(told, day - DAY, 7)
    assert notices(told) == []
    assert COMING not in inbox(told)


@pytest.mark.parametrize("change", ["stopped", "payer_lost"])
def test_what_will_not_be_sent_is_not_told(told: House, change: str) -> None:
    """It is looked at again on its day alone, or a moment later."""
    day = in_days(told, 3)
    payment_id = told.pay(told.world.invoice_id, day)
    nobody_works_until(told, day - DAY, 7)
    if change == "stopped":
        signed_in = SignedIn(told.world.customer, "ses_1", read_only=False)
        stops.stop_everything(told.world.services, signed_in=signed_in)
    else:
        with told.world.services.unit_of_work() as uow:
            uow.session.get_one(Standing, told.consent_id).payer_lost_at = uow.now
            uow.commit()
    told.world.worker.run_until_idle()
    assert notices(told) == []
    until(told, day, 7)
    assert told.payment(payment_id).state == "rejected"
    assert notices(told) == []


def test_a_message_that_waits_is_not_sent_once_the_payment_was_cancelled_or_may_be_on_its_way(told: House) -> None:
    day = in_days(told, 3)
    payment_id = told.pay(told.world.invoice_id, day)
    until(told, day - DAY, 7)
    [notice] = notices(told)
    with told.world.services.reading() as uow:
        is_so = functools.partial(is_still_so, uow.session, notice)
        assert is_so(now=at(told, day, 5, 59))
        assert not is_so(now=at(told, day, 6))
    cancel(told, payment_id)
    with told.world.services.reading() as uow:
        assert not is_still_so(uow.session, notice, now=uow.now)


def test_after_a_night_without_workers_it_is_told_until_six_on_the_day_itself_and_no_later(told: House) -> None:
    day = in_days(told, 3)
    told.pay(told.world.invoice_id, day)
    second = told.another_bill("2026-2")
    nobody_works_until(told, day, 5, 30)
    told.world.worker.run_until_idle()
    assert len(notices(told)) == 1
    told.world.wait(seconds=8 * DAY.total_seconds())
    told.world.browser.sign_in()
    later = in_days(told, 3)
    told.pay(second, later)
    nobody_works_until(told, later, 6)
    told.world.worker.run_until_idle()
    assert len(notices(told)) == 1


def test_what_waited_for_its_day_before_anybody_was_told_is_told_too(told: House) -> None:
    day = in_days(told, 3)
    told.pay(told.world.invoice_id, day)
    back(told.world.services, "0046")
    upgrade(told.world.services.engine)
    with told.world.services.unit_of_work() as uow:  # the version of before knows no such kind
        uow.session.add(
            NoticeChoice(customer_id=told.world.customer.id, kind=NoticeKind.PAYMENT_COMING, chosen_at=uow.now)
        )
        uow.commit()
    until(told, day - DAY, 6)
    assert len(notices(told)) == 1
