"""Attacks on the work behind a payment: it never stops, never repeats without end, and keeps to the bank's pace."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.db.work import WorkRow
from app.journey.payments import initiate, rules
from app.journey.payments.code_exchange import exchange_code
from app.journey.payments.models import BankAttempt
from app.journey.payments.status import follow
from app.journey.route import HANDLERS, name_of
from connectors.berlin_group.connector import BerlinGroupConnector
from connectors.contract import BankStatus, Staged
from connectors.errors import BankError, BankSilent, BankUnavailable
from connectors.registry import Registry, UnknownBank
from connectors.sandbox_bank import scenarios
from connectors.sandbox_bank.scenarios import Scenario, Step
from consent.models import Sealed
from tests.support.journey import Browser, Journey

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the database plays no part
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
    assert (row.attempts, row.last_error) == (37, "UnknownBank: no bank 'horizon'")
    monkeypatch.setattr(Registry, "connector", real)
    journey.wait(24 * 3600)  # by then it was a dead letter, which is tried once a day; an operator can replay it sooner
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
        journey.wait(120)
    sent = [one for one in journey.bank_wire.sent if one.method == "POST" and "/payments/" in str(one.url)]
    assert (len(sent), len({one.body for one in sent})) == (6, 1)
    with journey.services.reading() as uow:
        assert len(uow.session.scalars(select(BankAttempt)).all()) == 6
    payment = journey.payment(payment_id)
    assert (payment.state, payment.reason) == ("rejected", "bank_unreachable")
    assert journey.invoice(invoice_id).state == "to_pay"
    assert rows(journey, INITIATE) == []


@only_sqlite
def test_an_order_that_cannot_get_to_its_bank_while_its_customer_waits_is_given_up(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seed 4127: the bank wanted to be left alone for longer than anybody waits for a page."""

    def initiate_(*_: object, **__: object) -> Staged:
        raise BankUnavailable("the bank put us off with 429", retry_after_s=3600)

    monkeypatch.setattr(BerlinGroupConnector, "initiate", initiate_)
    invoice_id = journey.bill(number="k7", amount="50.00")
    payment = journey.payment(journey.confirm(invoice_id))
    assert (payment.state, payment.reason) == ("rejected", "bank_unreachable")
    assert journey.invoice(invoice_id).state == "to_pay"
    assert rows(journey, INITIATE) == []


@only_sqlite
def test_an_order_that_nobody_worked_on_for_an_hour_is_given_up(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def initiate_(*_: object, **__: object) -> Staged:
        raise BankSilent("no answer")

    monkeypatch.setattr(BerlinGroupConnector, "initiate", initiate_)
    payment_id = journey.confirm(journey.bill(number="k8", amount="50.00"))
    assert journey.payment(payment_id).state == "initiating"
    monkeypatch.undo()
    journey.wait(3600)
    assert (journey.payment(payment_id).state, len(journey.bank_wire.sent)) == ("rejected", 0)


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


@only_sqlite
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


@only_sqlite
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


@only_sqlite
def test_a_promise_that_another_payments_wait_breaks_is_renewed_at_once(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seed 3762: the bank put one payment off for longer than another one's promise; nobody looked in between."""
    trouble: list[BankError] = [BankSilent("no answer")]

    def status(*_: object, **__: object) -> BankStatus:
        raise trouble[-1]

    monkeypatch.setattr(BerlinGroupConnector, "status", status)
    promised = journey.pay(journey.bill(number="p1", amount="50.00"))
    first = journey.payment(promised).know_by
    assert first is not None
    trouble.append(BankUnavailable("the bank put us off with 429", retry_after_s=5 * 3600))
    journey.pay(journey.bill(number="p2", amount="60.00"))
    journey.wait(60)
    payment = journey.payment(promised)
    assert payment.next_look_at is not None
    assert payment.next_look_at > first
    assert (payment.know_by, payment.promises_broken) == (payment.next_look_at + rules.PROMISE, 1)


@only_sqlite
def test_a_stranger_with_the_redirect_makes_us_ask_once_a_minute_at_most(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(scenarios.SCENARIOS, 999_16, Scenario(meaning="ACSP", timetable=(Step(status="ACSP"),)))
    payment_id = journey.confirm(journey.bill(number="k6", amount="999.16"))
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    stranger = Browser.of(journey.app)
    counts = []
    for _ in range(12):
        stranger.come_back(way_back)
        journey.wait(10)
        counts.append(statuses(journey))
    assert counts == [0] * 5 + [1] * 6 + [2]
    assert exchanges(journey) == 0


def test_the_secrets_of_a_trip_are_gone_however_it_ended(journey: Journey) -> None:
    """One payment for each ending; none leaves a verifier, a code or a state behind."""
    browser = journey.browser

    def settled(payment_id: str) -> None:
        browser.come_back(journey.at_bank(browser.leave(payment_id)))
        journey.wait(3)

    def refused(payment_id: str) -> None:
        browser.come_back(journey.at_bank(browser.leave(payment_id), decision="refuse"))

    def stopped(payment_id: str) -> None:
        browser.post(f"/payments/{payment_id}/cancel", token=browser.token("/bills"))

    def never_went(_: str) -> None:
        journey.wait(21 * 60)
        browser.sign_in()

    def never_decided(payment_id: str) -> None:
        browser.leave(payment_id)
        journey.wait(21 * 60)
        browser.sign_in()

    def nothing(_: str) -> None:
        pass

    endings: list[tuple[str, Callable[[str], None], str]] = [
        ("50.00", settled, "settled"),
        ("50.00", refused, "rejected"),
        ("50.00", stopped, "cancelled"),
        ("999.01", nothing, "rejected"),  # the bank does not take it
        ("50.00", never_went, "expired"),
        ("50.00", never_decided, "rejected"),
    ]
    for number, (amount, end, state) in enumerate(endings):
        payment_id = journey.confirm(journey.bill(number=f"k7-{number}", amount=amount))
        if amount == "50.00":
            assert sealed(journey, "trip:%") == 2  # state and verifier
        end(payment_id)
        assert (journey.payment(payment_id).state, sealed(journey, "trip:%")) == (state, 0), end.__name__


@only_sqlite
def test_the_customers_token_is_gone_when_its_time_is_over(journey: Journey) -> None:
    """Housekeeping drops it; the bank is asked without it."""
    journey.pay(journey.bill(number="k8", amount="50.00"))
    journey.wait(3)
    assert sealed(journey, "consent:%") == 1
    journey.clock.tick(hours=2)
    journey.worker._schedule.run_due()
    assert sealed(journey, "consent:%") == 0


def sealed(journey: Journey, like: str) -> int:
    with journey.services.reading() as uow:
        return len(uow.session.scalars(select(Sealed.id).where(Sealed.id.like(like))).all())
