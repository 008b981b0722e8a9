"""Attacks on the work behind a payment: it never stops, never repeats without end, and keeps to the bank's pace."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from app.db.work import WorkRow
from app.journey.payments import initiate
from app.journey.payments.code_exchange import exchange_code
from app.journey.payments.models import BankAttempt
from app.journey.payments.status import follow
from app.journey.route import HANDLERS, name_of
from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.contract import BankStatus
from connectors.errors import BankUnavailable
from connectors.registry import Registry, UnknownBank
from connectors.sandbox_bank import scenarios
from connectors.sandbox_bank.scenarios import Scenario, Step
from consent.models import Sealed
from tests.support.journey import Browser, Journey

EXCHANGE, FOLLOW, INITIATE = name_of(exchange_code), name_of(follow), name_of(initiate.initiate)


def rows(journey: Journey, handler: str) -> list[WorkRow]:
    assert handler in HANDLERS
    with journey.services.reading() as uow:
        return list(uow.session.scalars(select(WorkRow).where(WorkRow.handler == handler)))


def statuses(journey: Journey) -> int:
    return sum(1 for one in journey.bank_wire.sent if str(one.url).endswith("/status"))


def exchanges(journey: Journey) -> int:
    return sum(1 for one in journey.bank_wire.sent if "authorization_code" in str(one.body))


def test_a_payment_outlives_a_bank_file_that_is_away_for_days(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id = journey.confirm(journey.bill(number="k1", amount="50.00"))
    journey.at_bank(journey.browser.leave(payment_id))
    real = Registry.connector

    def gone(_: Registry, bank_id: str) -> BerlinGroupConnector:
        raise UnknownBank(bank_id)

    monkeypatch.setattr(Registry, "connector", gone)
    for _ in range(65):
        journey.wait(2 * 3600)
    [row] = rows(journey, FOLLOW)
    assert (row.attempts, row.last_error) == (65, "UnknownBank: no bank 'horizon'")
    monkeypatch.setattr(Registry, "connector", real)
    journey.wait(2 * 3600)
    assert journey.payment(payment_id).state == "settled"
    [row] = rows(journey, FOLLOW)
    assert (row.attempts, row.last_error) == (0, None)


def test_whatever_fails_after_sending_the_same_bytes_go_six_times_at_most(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a full disk")

    monkeypatch.setattr(initiate, "_staged", fails)
    invoice_id = journey.bill(number="k2", amount="50.00")
    payment_id = journey.confirm(invoice_id)
    for _ in range(10):
        journey.wait(2 * 3600)
    sent = [one for one in journey.bank_wire.sent if one.method == "POST" and "/payments/" in str(one.url)]
    assert (len(sent), len({one.body for one in sent})) == (6, 1)
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(BankAttempt.sends)).one() == 6
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("rejected", "bank_unreachable")
    assert journey.invoice(invoice_id).state == "to_pay"
    assert rows(journey, INITIATE) == []


def test_settled_before_the_browser_is_back(journey: Journey) -> None:
    """The late return finds a payment that is over: no code is exchanged and no work fails for ever."""
    payment_id = journey.confirm(journey.bill(number="k3", amount="50.00"))
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    journey.wait(121)
    assert journey.payment(payment_id).state == "settled"
    answer = journey.browser.come_back(way_back)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/payments/{payment_id}?back=1")
    assert journey.truth(payment_id) == "done"
    journey.wait(60)
    assert rows(journey, EXCHANGE) == []
    assert exchanges(journey) == 0
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(Sealed.id).where(Sealed.id.like("trip:%"))).all() == []
    [follow] = rows(journey, FOLLOW)
    assert (follow.attempts, follow.last_error) == (0, None)


def test_settled_between_the_return_and_the_exchange(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker asked first: the code that the browser brought is never sent, its secrets are gone."""
    monkeypatch.setattr("app.web.banks.redirect.run_now", lambda *_, **__: False)
    payment_id = journey.confirm(journey.bill(number="k4", amount="50.00"))
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    journey.clock.tick(seconds=121)
    journey.browser.come_back(way_back)
    journey.worker.run_until_idle()  # the status is due, the exchange has a head start for the browser's own request
    assert journey.payment(payment_id).state == "settled"
    assert [row.attempts for row in rows(journey, EXCHANGE)] == [0]
    journey.wait(3)
    assert rows(journey, EXCHANGE) == []
    assert exchanges(journey) == 0


def test_a_bank_that_puts_us_off_is_left_alone_for_that_long(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dt.datetime] = []

    def status(*_: object, **__: object) -> BankStatus:
        asked.append(journey.clock())
        raise BankUnavailable("the bank put us off with 429", retry_after_s=3600)

    monkeypatch.setattr(BerlinGroupConnector, "status", status)
    payment_id = journey.pay(journey.bill(number="k5", amount="50.00"))
    [first] = asked
    assert journey.payment(payment_id).next_look_at == first + dt.timedelta(hours=1)
    for _ in range(12):
        journey.wait(299)
    assert asked == [first]
    journey.wait(12)
    assert asked == [first, first + dt.timedelta(hours=1)]


def test_a_stranger_with_the_redirect_makes_us_ask_once_a_minute_at_most(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(scenarios.SCENARIOS, 999_16, Scenario(meaning="ACSP", timetable=(Step(status="ACSP"),)))
    payment_id = journey.confirm(journey.bill(number="k6", amount="999.16"))
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    stranger = Browser.of(journey.app)
    counts = []
    for second in range(1, 125):
        stranger.come_back(way_back)
        journey.wait(1)
        if second in (59, 60, 119, 120):
            counts.append(statuses(journey))
    assert counts == [0, 1, 1, 2]
    assert exchanges(journey) == 0


@pytest.mark.parametrize("ending", ["settled", "rejected", "cancelled", "expired", "given_up", "taken_back"])
def test_the_secrets_of_a_trip_are_gone_however_it_ended(journey: Journey, ending: str) -> None:
    amount = "999.01" if ending == "given_up" else "50.00"
    payment_id = journey.confirm(journey.bill(number="k7", amount=amount))
    if ending == "settled":
        journey.browser.come_back(journey.at_bank(journey.browser.leave(payment_id)))
        journey.wait(3)
    elif ending == "rejected":
        journey.browser.come_back(journey.at_bank(journey.browser.leave(payment_id), decision="refuse"))
    elif ending == "cancelled":
        journey.browser.post(f"/payments/{payment_id}/cancel", token=journey.browser.token("/bills"))
    elif ending == "expired":
        journey.wait(21 * 60)
    elif ending == "taken_back":
        journey.browser.leave(payment_id)
        journey.wait(21 * 60)
    states = {"given_up": "rejected", "taken_back": "rejected"}
    assert journey.payment(payment_id).state == states.get(ending, ending)
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(Sealed.id).where(Sealed.id.like("trip:%"))).all() == []


def test_the_customers_token_is_gone_when_its_time_is_over(journey: Journey) -> None:
    """Housekeeping drops it; the secret of the trip of a payment that is not known stays with the payment."""
    journey.pay(journey.bill(number="k8", amount="50.00"))
    journey.wait(3)
    assert sealed(journey, "consent:%") == 1
    journey.clock.tick(hours=2)
    journey.worker._schedule.run_due()
    assert sealed(journey, "consent:%") == 0


def sealed(journey: Journey, like: str) -> int:
    with journey.services.reading() as uow:
        return len(uow.session.scalars(select(Sealed.id).where(Sealed.id.like(like))).all())
