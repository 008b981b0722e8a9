"""The last day of a request to pay: after it nobody is asked for it without being told that it is over."""

from __future__ import annotations

import datetime as dt

import pytest
from flask import Flask
from sqlalchemy import select

from app.errors import Conflict
from app.journey.decisions.models import Decision
from app.journey.intake import holding
from tests.functional.billers.test_billers_api import refused
from tests.functional.billers.test_billers_corrections import invoice_of
from tests.functional.billers.test_billers_payments import program_of
from tests.functional.billers.test_payment_answers import BILLS, JSON, in_json
from tests.functional.test_corrections import said
from tests.support.factories import open_account
from tests.support.journey import Journey

LAST = "2026-11-25"


def request(journey: Journey, *, number: str = "2026-1") -> bytes:
    written = in_json(journey).replace(b"2026-12-31", LAST.encode())
    return written.replace(b'"2026-1"', f'"{number}"'.encode())


def after_its_day(journey: Journey) -> None:
    journey.clock.now = dt.datetime(2026, 11, 29, 10, tzinfo=dt.UTC)
    journey.browser.sign_in()


def test_a_held_one_is_not_released_after_it(app: Flask, journey: Journey) -> None:
    journey.deliver(number="L-1")
    path, content = f"{BILLS}?to={journey.address}", request(journey, number="L\u20101")
    first = program_of(journey).deliver(content, media_type=JSON, path=path)
    assert first.status_code == 202, first.get_json()
    after_its_day(journey)
    with pytest.raises(Conflict, match=r"was open until 2026-11-25.* Discard it") as caught:
        holding.release(journey.services, held_id=first.get_json()["id"])
    assert caught.value.code == "expired"
    # the very same bytes are still the bill that is held, and others are refused
    again = program_of(journey).deliver(content, media_type=JSON, path=path)
    assert (again.status_code, again.get_json()["id"]) == (202, first.get_json()["id"])
    other = program_of(journey).deliver(content + b" ", media_type=JSON, path=path)
    refused(app, other, 422, "expired", pointer="XpryDt")


def test_a_held_one_is_not_taken_after_it_when_its_doubt_is_gone(app: Flask, journey: Journey) -> None:
    content = request(journey).replace(journey.biller.iban.encode(), b"DE75512108001245126199")
    path = f"{BILLS}?to={journey.address}"
    assert program_of(journey).deliver(content, media_type=JSON, path=path).status_code == 202
    with journey.services.unit_of_work() as uow:
        open_account(uow, biller_id=journey.biller.id, iban="DE75512108001245126199")
        uow.commit()
    after_its_day(journey)
    refused(app, program_of(journey).deliver(content, media_type=JSON, path=path), 422, "expired", pointer="XpryDt")


def test_one_in_the_space_is_paid_after_it_by_whoever_was_told_so(journey: Journey) -> None:
    answer = program_of(journey).deliver(request(journey), media_type=JSON, path=f"{BILLS}?to={journey.address}")
    journey.worker.run_until_idle()
    invoice_id = invoice_of(journey, answer.get_json()["id"])
    assert journey.invoice(invoice_id).expires_on == dt.date(2026, 11, 25)
    name = journey.biller.name
    words = (
        f"{name} asked for this until 25 November 2026, and that day is over. Ask {name} whether it is still to be paid"
    )
    pages = (f"/bills/{invoice_id}", f"/bills/{invoice_id}/pay?bank=horizon")
    assert not [each for each in pages if "that day is over" in said(journey, each)]
    after_its_day(journey)
    for each in pages:
        assert words in said(journey, each)
    assert "It was asked for until 25 November, and that day is over" in said(journey, "/bills")
    payment_id = journey.confirm(invoice_id)
    with journey.services.reading() as uow:
        decision = uow.session.scalars(select(Decision).where(Decision.payment_id == payment_id)).one()
    assert decision.evidence["order"]["expired_on"] == "2026-11-25"


def test_the_last_day_itself_is_not_over(journey: Journey) -> None:
    answer = program_of(journey).deliver(request(journey), media_type=JSON, path=f"{BILLS}?to={journey.address}")
    journey.worker.run_until_idle()
    invoice_id = invoice_of(journey, answer.get_json()["id"])
    journey.clock.now = dt.datetime(2026, 11, 25, 22, tzinfo=dt.UTC)
    journey.browser.sign_in()
    assert "that day is over" not in said(journey, f"/bills/{invoice_id}")
    payment_id = journey.confirm(invoice_id)
    with journey.services.reading() as uow:
        decision = uow.session.scalars(select(Decision).where(Decision.payment_id == payment_id)).one()
    assert "expired_on" not in decision.evidence["order"]


def test_in_french(journey: Journey) -> None:
    answer = program_of(journey).deliver(request(journey), media_type=JSON, path=f"{BILLS}?to={journey.address}")
    journey.worker.run_until_idle()
    invoice_id = invoice_of(journey, answer.get_json()["id"])
    after_its_day(journey)
    journey.browser.get("/language/fr")
    page = said(journey, f"/bills/{invoice_id}")
    assert f"{journey.biller.name} demandait ce paiement jusqu’au 25 novembre 2026, et ce jour est passé." in page
