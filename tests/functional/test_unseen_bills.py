"""A bill that nobody opens is told to its biller once; one that was opened, or paid, never is."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import Any

import pytest
import requests
from sqlalchemy import func, select

from app.db.events import EventRow
from app.journey.invoices import service as invoices
from app.journey.invoices.models import Invoice
from app.journey.webhooks.models import WebhookMessage
from app.journey.webhooks.service import add_endpoint
from app.schedule import Schedule
from app.services import Services
from config.settings import SettingsError
from tests.support.journey import Journey

DAY_S = 24 * 3600.0


@pytest.fixture
def listening(journey: Journey) -> Journey:
    """Its biller has a webhook, at which nobody answers."""
    with journey.services.unit_of_work() as uow:
        add_endpoint(journey.services, uow, biller_id=journey.biller.id, url="http://127.0.0.1:9/hook")
        uow.commit()
    return journey


def days_pass(journey: Journey, days: float, *, times: int = 1) -> None:
    """What the schedule finds, and all that follows from it."""
    for _ in range(times):
        journey.clock.tick(seconds=days * DAY_S / times)
        Schedule(journey.services).run_due()
        journey.worker.run_until_idle()


def told(journey: Journey) -> list[dict[str, Any]]:
    with journey.services.reading() as uow:
        bodies = uow.session.scalars(
            select(WebhookMessage.body).where(WebhookMessage.type == "bill.unseen").order_by(WebhookMessage.id)
        )
        return [json.loads(body) for body in bodies]


def test_a_bill_that_nobody_opens_is_told_once(listening: Journey) -> None:
    bill_id = listening.deliver(number="unseen").bill_id
    listening.worker.run_until_idle()
    days_pass(listening, 6.9)
    assert told(listening) == []
    days_pass(listening, 0.2)
    [message] = told(listening)
    assert listening.services.keys.log.verifier.open(message["checkpoint"]).size > 0
    assert message == {
        "type": "bill.unseen",
        "timestamp": listening.clock().isoformat(),
        "data": {"bill_id": bill_id, "number": "unseen", "status": "open", "days": 7},
        "checkpoint": message["checkpoint"],
    }
    days_pass(listening, 30, times=5)
    assert told(listening) == [message]


@pytest.mark.parametrize("page", ["", "/pay"])
def test_a_bill_that_was_opened_is_never_told(listening: Journey, page: str) -> None:
    seen, unseen = (listening.bill(number=number) for number in ("seen", "unseen"))
    listening.browser.page("/bills")  # a list is no look at a bill
    listening.browser.page(f"/bills/{seen}{page}")
    first = listening.clock()
    listening.clock.tick(seconds=60)
    listening.browser.page(f"/bills/{seen}")
    with listening.services.reading() as uow:
        assert uow.session.get_one(Invoice, seen).seen_at == first
        assert uow.session.get_one(Invoice, unseen).seen_at is None
    days_pass(listening, 8)
    assert [message["data"]["number"] for message in told(listening)] == ["unseen"]
    listening.browser.sign_in()
    listening.browser.page(f"/bills/{unseen}")  # too late to take it back
    days_pass(listening, 8)
    assert len(told(listening)) == 1


def test_the_days_of_a_new_version_that_had_to_wait_begin_when_it_can_be_opened(
    listening: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = listening.bill(number="old", amount="100.00")
    listening.browser.leave(listening.confirm(old))
    with monkeypatch.context() as silent:
        silent.setattr(listening.bank_wire, "send", away)
        listening.deliver(number="new", amount="90.00", replaces="old")
        for _ in range(8):
            listening.clock.tick(days=1)
            listening.worker.run_until_idle()
        with listening.services.reading() as uow:
            assert uow.session.scalars(select(Invoice.number)).all() == ["old"]
    for _ in range(3):
        listening.wait(3600)
    with listening.services.reading() as uow:
        new = uow.session.scalars(select(Invoice).where(Invoice.number == "new")).one()
    assert new.opened_at - new.received_at > dt.timedelta(days=8)
    days_pass(listening, 6.5)
    assert told(listening) == []
    days_pass(listening, 1)
    assert [message["data"]["number"] for message in told(listening)] == ["new"]


def away(*_: Any, **__: Any) -> Any:
    raise requests.ConnectionError("down")


def test_a_stranger_does_not_open_it(listening: Journey) -> None:
    invoice_id = listening.bill(number="mine")
    stranger = type(listening.browser).of(listening.app)
    stranger.sign_up(name="Somebody Else", email="else@example.org")
    assert stranger.get(f"/bills/{invoice_id}").status_code == 404
    days_pass(listening, 8)
    assert len(told(listening)) == 1


def test_what_is_paid_is_not_unseen(listening: Journey) -> None:
    listening.pay(listening.bill(number="paid"))
    days_pass(listening, 8)
    assert told(listening) == []


def test_hundreds_are_told_each_once_by_several_workers(listening: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invoices, "UNSEEN_AT_ONCE", 3)
    for number in range(8):
        listening.deliver(number=f"n{number}")
    listening.worker.run_until_idle()
    days_pass(listening, 8)
    days_pass(listening, 1)
    assert sorted(message["data"]["number"] for message in told(listening)) == [f"n{number}" for number in range(8)]


def test_without_days_nothing_is_looked_for(listening: Journey) -> None:
    listening.bill(number="unseen")
    listening.clock.tick(days=400)
    never: Services = dataclasses.replace(
        listening.services, settings=dataclasses.replace(listening.services.settings, unseen_days=0)
    )
    invoices.report_unseen(never)
    with listening.services.reading() as uow:
        query = select(func.count()).where(EventRow.kind == "BillUnseen")
        assert uow.session.scalar(query) == 0


@pytest.mark.parametrize("days", [-1, 366])
def test_a_number_of_days_that_makes_no_sense_stops_the_start(services: Services, days: int) -> None:
    with pytest.raises(SettingsError, match="QUITTANCE_UNSEEN_DAYS"):
        dataclasses.replace(services.settings, unseen_days=days).check()
