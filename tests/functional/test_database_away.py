"""While the database is away every page says so in our words; a decided payment always has a page."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.db.unit_of_work import UnitOfWork
from app.journey.payments import initiate
from app.services import Services
from tests.support.billers_world import World
from tests.support.journey import Journey


def goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def enter(_: UnitOfWork) -> None:
        raise OperationalError("SELECT 1", {}, Exception("connection refused"))

    monkeypatch.setattr(UnitOfWork, "__enter__", enter)


@pytest.mark.parametrize("path", ["/", "/bills", "/no/such/page", "/payments/pay_00000000000000000000000000000000"])
def test_a_page_says_that_nothing_is_lost(journey: Journey, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    journey.app.config["PROPAGATE_EXCEPTIONS"] = False  # as when it is served
    goes_away(monkeypatch)
    answer = journey.browser.get(path)
    assert answer.status_code == 503, path
    assert answer.headers["Retry-After"] == "10"
    assert "Nothing is lost" in answer.get_data(as_text=True)


def test_a_biller_is_told_to_send_the_same_again(
    app: Flask, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = World(services, app.test_client()).program()
    bearer = program.bearer()
    goes_away(monkeypatch)
    answer = program.http.get("/api/v1/bills/bill_00000000000000000000000000000000", headers=bearer)
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.get_json()["code"], answer.headers["Retry-After"]) == ("away", "10")


def test_a_decided_payment_has_its_page_at_once(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The web request dies right after the decision: until a worker goes on, the page waits and says so."""
    invoice_id = journey.bill(number="away-1", amount="50.00")

    def dies(_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(initiate, "_intend", dies)
    payment_id = journey.confirm(invoice_id)
    assert journey.browser.get(f"/payments/{payment_id}").status_code == 200
    assert journey.browser.get(f"/payments/{payment_id}/state").get_json() == {"version": "decided", "final": False}
    assert journey.browser.get("/payments/pay_00000000000000000000000000000000").status_code == 404
