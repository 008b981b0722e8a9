"""Attacks at the doors: two tabs, two requests at once, a biller who listens badly or not at all."""

from __future__ import annotations

import datetime as dt
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from sqlalchemy import func, select

from app import strangers
from app.errors import Conflict
from app.journey.intake import rules
from app.journey.intake import service as intake
from app.journey.intake.models import DeliveredBill
from app.journey.payments import service as payments
from app.journey.webhooks import delivery
from app.journey.webhooks import service as webhooks
from app.journey.webhooks.models import WebhookEndpoint, WebhookMessage
from consent import trips
from consent.models import Trip
from tests.support import factories
from tests.support.journey import Journey

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the database plays no part
only_postgres = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
#: longer than any of these takes on any machine
SOON_S = 20


def at_once(*calls: Callable[[], object]) -> list[object]:
    """What each of them returned or raised."""
    with ThreadPoolExecutor(len(calls)) as pool:
        started = [pool.submit(call) for call in calls]
        return [one.exception(SOON_S) or one.result() for one in started]


# ------------------------------------------------------------------------------------------------------------- browsers


@only_sqlite
def test_two_tabs_at_two_banks_both_come_back(journey: Journey) -> None:
    one, two = (journey.confirm(journey.bill(number=f"d{number}", amount="50.00")) for number in (1, 2))
    ways_back = [journey.at_bank(journey.browser.leave(payment_id)) for payment_id in (one, two)]
    for payment_id, way_back in zip((one, two), ways_back, strict=True):
        answer = journey.browser.come_back(way_back)
        assert (answer.status_code, answer.headers.get("Location")) == (303, f"/payments/{payment_id}?back=1")
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(Trip.outcome)).all() == ["code", "code"]
    journey.clock.tick(hours=1)  # the session is over; each trip's cookie shows its payment
    journey.worker.run_until_idle()
    assert [journey.truth(one), journey.truth(two)] == ["done", "done"]
    assert len(journey.ledger()) == 2


@only_sqlite
def test_signing_out_takes_the_cookies_of_all_trips(journey: Journey) -> None:
    for number in (3, 4):
        journey.browser.leave(journey.confirm(journey.bill(number=f"d{number}", amount="50.00")))
    answer = journey.browser.post("/sign-out", token=journey.browser.token("/bills"))
    assert answer.status_code == 303
    gone = [value.partition("=")[0] for value in answer.headers.getlist("Set-Cookie") if "Max-Age=0" in value]
    assert len([name for name in gone if "away" in name]) == 2


@pytest.mark.postgres
@only_postgres
def test_leaving_again_and_coming_back_at_once_do_not_wait_for_each_other(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One holds the payment and wants the trip: the other must not hold the trip and want the payment."""
    payment_id = journey.confirm(journey.bill(number="d5", amount="50.00"))
    customer = factories.signed_in(journey.customer)
    left = payments.leave_for_bank(journey.services, signed_in=customer, payment_id=payment_id)
    back = dict(parse_qsl(urlsplit(journey.at_bank(left.url)).query))
    holds_payment, real = threading.Event(), trips.leave

    def slow(trip: Trip, *, browser: str, now: dt.datetime) -> None:
        real(trip, browser=browser, now=now)
        holds_payment.set()
        time.sleep(0.5)  # the other takes its first lock meanwhile

    monkeypatch.setattr(trips, "leave", slow)

    def come_back() -> object:
        assert holds_payment.wait(SOON_S)
        return payments.come_back(
            journey.services,
            bank_id="horizon",
            state=back["state"],
            browsers=[left.browser],
            answer={"code": back["code"], "iss": back["iss"]},
        )

    again, returned = at_once(
        lambda: payments.leave_for_bank(journey.services, signed_in=customer, payment_id=payment_id), come_back
    )
    assert isinstance(again, payments.Leaving)
    assert isinstance(returned, payments.Returned)
    assert (returned.payment_id, returned.same_browser) == (payment_id, False)  # the link moved to the other tab


# -------------------------------------------------------------------------------------------------------------- billers


@pytest.mark.postgres
@only_postgres
@pytest.mark.parametrize("amounts", [("50.00", "50.00"), ("50.00", "51.00")])
def test_one_number_delivered_twice_at_once(
    journey: Journey, monkeypatch: pytest.MonkeyPatch, amounts: tuple[str, str]
) -> None:
    """Both look, neither finds the other: one is taken; the other is a repeat, or a conflict with other content."""
    both_looked, real = threading.Barrier(2), rules.doubts

    def slow(*args: Any, **kwargs: Any) -> Any:
        both_looked.wait(SOON_S)
        return real(*args, **kwargs)

    monkeypatch.setattr(rules, "doubts", slow)
    out = at_once(*(lambda amount=amount: journey.deliver(number="same", amount=amount) for amount in amounts))
    taken = [answer for answer in out if isinstance(answer, intake.Acknowledgement)]
    if amounts[0] == amounts[1]:
        assert sorted(answer.created for answer in taken) == [False, True]
        assert len({answer.bill_id for answer in taken}) == 1
    else:
        assert [answer.created for answer in taken] == [True]
        assert [answer.code for answer in out if isinstance(answer, Conflict)] == ["number-used"]
    with journey.services.reading() as uow:
        assert uow.session.scalar(select(func.count()).select_from(DeliveredBill)) == 1


Posts = list[tuple[str, str]]


def listens(journey: Journey, url: str = "http://127.0.0.1:9/hook") -> str:
    with journey.services.unit_of_work() as uow:
        endpoint_id, _ = webhooks.add_endpoint(journey.services, uow, biller_id=journey.biller.id, url=url)
        uow.commit()
    return endpoint_id


def test_what_was_open_is_not_told_after_what_is_paid(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The biller was down for the first message and would believe the last one that comes."""
    listens(journey)
    told: Posts = []

    def post(url: str, message: WebhookMessage, *_: object, **__: object) -> int:
        said = json.loads(message.body)
        told.append((said["type"], said["data"]["status"]))
        return 500 if len(told) == 2 else 200

    monkeypatch.setattr(delivery, "_post", post)
    journey.pay(journey.bill(number="d6", amount="50.00"))
    for seconds in (1, 2, 3, 5, 30, 120):
        journey.wait(seconds)
    assert told == [("bill.delivered", "open"), ("payment.updated", "open"), ("payment.settled", "paid")]


@only_sqlite
def test_a_message_has_the_time_of_its_fact_and_its_word(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written late, after the payment went on, it still says what was true then."""
    listens(journey)
    bodies: list[dict[str, str]] = []

    def post(url: str, message: WebhookMessage, *_: object, **__: object) -> int:
        bodies.append(json.loads(message.body))
        return 200

    monkeypatch.setattr(delivery, "_post", post)
    payment_id = journey.pay(journey.bill(number="d7", amount="50.00"))
    accepted_at = journey.clock()
    assert journey.payment(payment_id).state == "accepted"
    bodies.clear()
    journey.wait(1)  # the message is written now, one second after the fact
    [updated] = bodies
    assert (updated["type"], updated["timestamp"]) == ("payment.updated", accepted_at.isoformat())
    journey.wait(2)
    assert bodies[-1]["type"] == "payment.settled"
    assert bodies[-1]["timestamp"] == journey.clock().isoformat()


@only_sqlite
def test_an_endpoint_that_is_switched_off_is_not_called_again(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint_id = listens(journey)
    calls: list[str] = []

    def post(url: str, *_: object, **__: object) -> int:
        calls.append(url)
        return 500

    monkeypatch.setattr(delivery, "_post", post)
    journey.bill(number="d8")
    assert len(calls) == 1
    with journey.services.unit_of_work() as uow:
        uow.session.get_one(WebhookEndpoint, endpoint_id).active = False
        uow.commit()
    for _ in range(3):
        journey.wait(86_400)
    assert len(calls) == 1
    with journey.services.reading() as uow:
        message = uow.session.scalars(select(WebhookMessage)).one()
    assert (message.tries, message.last_status, message.delivered_at) == (1, 500, None)


@pytest.fixture
def dripping() -> Iterator[str]:
    """The address of a biller whose header lines never end."""
    over = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        line, _ = server.accept()
        with line:
            line.recv(65_536)
            try:
                line.sendall(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.05):
                    line.sendall(b"X: y\r\n")
            except OSError:
                pass  # we were hung up on: that is the point

    thread = threading.Thread(target=drip)
    thread.start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/hook"
    over.set()
    thread.join(SOON_S)
    server.close()


@only_sqlite
def test_a_biller_who_drips_is_hung_up_on(journey: Journey, dripping: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "DEADLINE_S", 0.4)
    listens(journey, dripping)
    journey.bill(number="d9")  # were we not to hang up, it would drip until this test is ended
    with journey.services.reading() as uow:
        message = uow.session.scalars(select(WebhookMessage)).one()
    assert (message.tries, message.last_status, message.delivered_at) == (1, None, None)
