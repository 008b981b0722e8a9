# ruff: noqa: F811  (fixtures are arguments)
"""A bill that is to be paid on a later day under a standing consent: signed once, kept by us, sent on its day alone."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from app.db.events import EventRow
from app.journey.decisions.models import Decision
from app.journey.notices.models import Notice
from app.journey.payments.models import BankCall
from app.people import stops
from app.people.sessions import SignedIn
from consent.models import Standing
from tests.functional.test_paid_under_consent import House, clock, house, services, settings, uk_bank  # noqa: F401
from tests.support.journey import Browser

pytestmark = [pytest.mark.slow, pytest.mark.long_on_postgres, pytest.mark.timeout(400)]

DAY = dt.timedelta(days=1)


class Away:
    """A bank that takes nothing in."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("503 Service Unavailable", [("Content-Type", "text/plain"), ("Retry-After", "3600")])
        return [b"maintenance"]


def in_days(house: House, days: int) -> dt.date:
    today: dt.date = house.world.clock().date()
    return today + days * DAY


def at(house: House, day: dt.date, hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour, minute), ZoneInfo(house.world.customer.time_zone))


def until(house: House, day: dt.date, hour: int, minute: int = 0) -> None:
    """Its customer's clock, which is London's, shows that time."""
    house.world.wait(seconds=(at(house, day, hour, minute) - house.world.clock()).total_seconds())
    browser: Browser = house.world.browser
    if browser.get("/").status_code == 200:
        assert browser.sign_in().status_code == 200


def decision(house: House, payment_id: str) -> Decision:
    with house.world.services.reading() as uow:
        return uow.session.scalars(select(Decision).where(Decision.payment_id == payment_id)).one()


def test_it_is_signed_now_and_sent_on_its_day_alone(house: House) -> None:
    day = in_days(house, 3)
    invoice_id = house.world.invoice_id
    page = " ".join(house.page(invoice_id, day).get_text(" ").split())
    assert "from six in the morning, we pass this one on, and you are not asked again" in page
    assert "Quittance keeps the day, and your bank knows nothing of it before." in page
    payment_id = house.pay(invoice_id, day)
    made = decision(house, payment_id)
    assert (made.verb, made.pay_on) == ("pay_on_day", day)
    assert made.evidence["order"]["day"] == day.isoformat()
    assert house.payment(payment_id).state == "authorised"
    words = house.words(payment_id)
    assert "To be paid on" in words
    assert "Nothing was sent to the bank yet" in words
    assert "Cancel this payment" in words
    assert "To be paid on" in house.world.browser.page("/bills").get_text(" ")
    assert "as you have signed." in house.world.browser.page(f"/bills/{invoice_id}").get_text(" ")
    until(house, day, 5, 59)
    assert house.payment(payment_id).state == "authorised"
    assert house.world.bank.submissions == []
    until(house, day, 6)
    house.until(lambda: house.payment(payment_id).state == "settled")
    assert len(house.at_the_bank()) == 1


def test_it_is_cancelled_until_it_is_sent_and_its_limit_is_free_again(house: House) -> None:
    day = in_days(house, 2)
    payment_id = house.pay(house.world.invoice_id, day)
    browser = house.world.browser
    browser.post(f"/payments/{payment_id}/cancel", token=browser.token(f"/payments/{payment_id}"))
    assert house.payment(payment_id).state == "cancelled"
    until(house, day, 7)
    assert house.world.bank.submissions == []
    assert "£160.00 left of £160.00" in " ".join(house.page(house.world.invoice_id).get_text(" ").split())


def test_what_was_stopped_meanwhile_is_not_sent_and_its_customer_is_told(house: House) -> None:
    day = in_days(house, 2)
    payment_id = house.pay(house.world.invoice_id, day)
    stops.stop_everything(house.world.services, signed_in=SignedIn(house.world.customer, "ses_1", read_only=False))
    until(house, day, 7)
    assert (house.payment(payment_id).state, house.payment(payment_id).reason) == ("rejected", "stopped_all")
    assert house.world.bank.submissions == []
    with house.world.services.reading() as uow:
        assert len(list(uow.session.scalars(select(EventRow.id).where(EventRow.kind == "PaymentFailed")))) == 1


def test_a_worker_that_was_away_in_the_morning_sends_it_later_that_day_and_never_the_day_after(house: House) -> None:
    day = in_days(house, 2)
    payment_id = house.pay(house.world.invoice_id, day)
    house.world.clock.now = at(house, day, 15).astimezone(dt.UTC)  # nobody works meanwhile
    house.world.worker.run_until_idle()
    assert house.payment(payment_id).state in ("submitting", "accepted", "settled")
    second = house.another_bill("2026-2")
    browser = house.world.browser
    if browser.get("/").status_code == 200:
        browser.sign_in()
    later = in_days(house, 7)
    payment_id = house.pay(second, later)
    house.world.clock.now = at(house, later + DAY, 0, 1).astimezone(dt.UTC)
    sent = len(house.world.bank.submissions)
    house.world.worker.run_until_idle()
    assert (house.payment(payment_id).state, house.payment(payment_id).reason) == ("rejected", "day_over")
    assert len(house.world.bank.submissions) == sent


def test_a_day_after_the_limit_resets_is_covered_when_today_is_not(house: House) -> None:
    house.pay(house.world.invoice_id)
    house.world.worker.run_until_idle()
    second = house.another_bill("2026-2")
    assert house.page(second).select_one("form[data-shown]") is None
    offered = house.world.browser.page(f"/bills/{second}/later")
    assert [link for link in offered.select("a[href*='consent=']") if f"on={in_days(house, 7)}" in str(link["href"])]
    payment_id = house.pay(second, in_days(house, 7))
    assert house.payment(payment_id).state == "authorised"


@pytest.mark.parametrize("on", ["yesterday", "2020-01-01", "2999-01-01", "0"])
def test_a_day_that_is_none_is_not_signed(house: House, on: str) -> None:
    token, shown = house.world.browser.token(f"/bills/{house.world.invoice_id}"), "0" * 64
    asked = {"bank": "albion", "shown": shown, "consent": house.consent_id, "on": on}
    answer = house.world.browser.post(f"/bills/{house.world.invoice_id}/pay/ceremony", token=token, data=asked)
    assert answer.status_code == 422, answer.text


def test_without_a_standing_consent_no_later_day_is_signed_at_a_bank_that_keeps_none(house: House) -> None:
    token, shown = house.world.browser.token(f"/bills/{house.world.invoice_id}"), "0" * 64
    asked = {"bank": "avon", "shown": shown, "on": str(in_days(house, 2))}
    answer = house.world.browser.post(f"/bills/{house.world.invoice_id}/pay/ceremony", token=token, data=asked)
    assert answer.status_code == 422, answer.text


def test_it_is_cancelled_to_be_paid_at_once(house: House) -> None:
    payment_id = house.pay(house.world.invoice_id, in_days(house, 2))
    browser = house.world.browser
    token = browser.token(f"/payments/{payment_id}")
    answer = browser.post(f"/payments/{payment_id}/cancel", token=token, form={"pay": "yes"})
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        f"/bills/{house.world.invoice_id}/pay?consent={house.consent_id}",
    )
    again = house.pay(house.world.invoice_id)
    house.until(lambda: house.payment(again).state == "settled")
    assert len(house.at_the_bank()) == 1


def test_the_bank_is_told_that_nobody_is_there(house: House) -> None:
    day = in_days(house, 2)
    payment_id = house.pay(house.world.invoice_id, day)
    until(house, day, 6)
    assert interaction(house, payment_id) == "OffSession"
    house.until(lambda: len(house.at_the_bank()) == 1)
    until(house, day + 7 * DAY, 12)
    payment_id = house.pay(house.another_bill("2026-2"))
    house.world.worker.run_until_idle()
    assert interaction(house, payment_id) == "InSession"


def interaction(house: House, payment_id: str) -> str:
    """What the stored bytes say."""
    with house.world.services.reading() as uow:
        body = uow.session.scalars(
            select(BankCall.body).where(BankCall.payment_id == payment_id, BankCall.verb == "submit")
        ).one()
    return str(json.loads(body)["Data"]["PSUInteractionType"])


def test_a_consent_for_the_customers_presence_alone_covers_no_later_day(house: House) -> None:
    with house.world.services.unit_of_work() as uow:
        uow.session.get_one(Standing, house.consent_id).off_session = False
        uow.commit()
    page = " ".join(house.page(house.world.invoice_id, in_days(house, 2)).get_text(" ").split())
    assert "for payments while you are here, and not for a later day" in page
    _, started = house.start(house.world.invoice_id, in_days(house, 2))
    assert (started.status_code, started.get_json()["code"]) == (409, "not-covered")
    assert f"consent={house.consent_id}" not in str(house.world.browser.page(f"/bills/{house.world.invoice_id}/later"))
    assert house.page(house.world.invoice_id).select_one("form[data-shown]") is not None  # today it is


@pytest.mark.parametrize("change", ["authorised_at", "payer_lost_at"])
def test_what_was_approved_anew_since_is_not_what_was_signed(house: House, change: str) -> None:
    """Another account may have been chosen; or the bank knows none any more."""
    day = in_days(house, 2)
    payment_id = house.pay(house.world.invoice_id, day)
    with house.world.services.unit_of_work() as uow:
        setattr(uow.session.get_one(Standing, house.consent_id), change, uow.now + dt.timedelta(minutes=1))
        uow.commit()
    until(house, day, 6)
    assert (house.payment(payment_id).state, house.payment(payment_id).reason) == ("rejected", "consent_ended")
    assert house.world.bank.submissions == []


def test_a_bank_that_is_away_in_the_morning_has_all_of_the_day(house: House) -> None:
    day = in_days(house, 2)
    payment_id = house.pay(house.world.invoice_id, day)
    bank = house.world.bank
    real, bank.app = bank.app, Away()  # type: ignore[assignment]
    until(house, day, 6)
    until(house, day, 9)
    assert house.payment(payment_id).state not in ("rejected", "expired", "cancelled")
    bank.app = real
    until(house, day, 12)
    house.until(lambda: house.payment(payment_id).state == "settled")
    assert len(house.at_the_bank()) == 1


def test_drawn_before_midnight_and_signed_after_it_is_drawn_anew(house: House) -> None:
    """It was to wait until the morning, and could have been cancelled until then."""
    tomorrow = in_days(house, 1)
    until(house, tomorrow - DAY, 23, 58)
    token, started = house.start(house.world.invoice_id, tomorrow)
    assert started.status_code == 200
    house.world.clock.now = at(house, tomorrow, 0, 1).astimezone(dt.UTC)
    answer = house.world.browser.decide(house.world.invoice_id, token, started.get_json())
    assert answer.status_code == 409
    assert "has changed since you saw it" in answer.text
    with house.world.services.reading() as uow:
        assert uow.session.scalars(select(Decision)).all() == []


def test_its_customer_is_told_whatever_they_chose(house: House) -> None:
    payment_id = house.pay(house.world.invoice_id, in_days(house, 2))
    with house.world.services.unit_of_work() as uow:
        uow.session.get_one(Standing, house.consent_id).payer_lost_at = uow.now
        uow.commit()
    until(house, in_days(house, 2), 7)
    assert house.payment(payment_id).state == "rejected"
    with house.world.services.reading() as uow:
        assert [notice.kind for notice in uow.session.scalars(select(Notice))] == ["later_failed"]


@pytest.mark.parametrize("on", ["yesterday", "2020-01-01", "2999-01-01", "9999-12-31"])
def test_an_address_that_names_no_such_day_is_never_that_of_today(house: House, on: str) -> None:
    answer = house.world.browser.get(f"/bills/{house.world.invoice_id}/pay?consent={house.consent_id}&on={on}")
    assert (answer.status_code, answer.location.partition("?")[0]) == (303, f"/bills/{house.world.invoice_id}/later")
    assert "That day cannot be chosen in this way" in house.world.browser.page(answer.location).get_text(" ")


def test_an_address_that_names_no_day_is_that_of_today(house: House) -> None:
    page = house.world.browser.page(f"/bills/{house.world.invoice_id}/pay?consent={house.consent_id}&on=")
    form = page.select_one("form[data-shown]")
    assert form is not None
    assert form["data-shown"]
    assert "data-on" not in form.attrs
