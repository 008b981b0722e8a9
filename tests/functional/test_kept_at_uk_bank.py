# ruff: noqa: F811  (fixtures are arguments)
"""Scheduled payments at a UK bank: submitted at once, kept by the bank, and cancelled by its customer alone, there."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from app.journey.notices.models import Notice
from tests.functional.test_bank_events import at, authority, brands, services, uk_bank, wire  # noqa: F401
from tests.support.uk_installation import UkJourney

pytestmark = pytest.mark.long_on_postgres

#: the clock of these tests stands on Monday, 23 November 2026. In pounds payments move on every day
SATURDAY = dt.date(2026, 11, 28)
HALF_A_DAY_S = 12 * 3600


def kept(at: UkJourney, **changes: object) -> tuple[str, str]:
    """A bill, and its payment that the bank keeps."""
    invoice_id = at.bill(number="2026-1", amount="84.20", **changes)
    payment_id = at.pay(invoice_id, on=SATURDAY)
    at.wait(5)
    assert at.truth(payment_id) == "kept"
    return invoice_id, payment_id


def words(at: UkJourney, path: str) -> str:
    if at.browser.get("/bills").status_code != 200:
        at.browser.sign_in()
    return " ".join(at.browser.page(path).get_text(" ").split())


def cancel_at_bank(at: UkJourney, payment_id: str) -> None:
    path = f"/mersey/payments/{at.payment(payment_id).bank_payment_id}/cancel"
    answer = at.bank.test_client().post(f"/sandbox{path}", headers={"Authorization": "Bearer ledger"})
    assert answer.status_code == 204, answer.status_code


def test_it_is_submitted_at_once_and_paid_on_its_day(at: UkJourney) -> None:
    _, payment_id = kept(at)
    payment = at.payment(payment_id)
    assert (payment.state, payment.submitted_apart, payment.send_from) == ("accepted", True, None)
    assert payment.bank_payment_id is not None
    assert [one.path_url.rpartition("/")[2] for one in at.bank_wire.sent if one.method == "POST"][-1] == (
        "domestic-scheduled-payments"
    )
    at.wait(4 * 24 * 3600)
    assert at.payment(payment_id).state == "accepted"
    at.wait(24 * 3600)
    assert at.payment(payment_id).state == "settled"


def test_only_at_the_bank_is_it_cancelled_and_that_is_seen(at: UkJourney) -> None:
    invoice_id, payment_id = kept(at)
    path = f"/payments/{payment_id}"
    said = words(at, path)
    assert "Until then only you can cancel it, at Mersey Bank" in said
    assert "to cancel it" not in said
    at.browser.post(f"{path}/take-back", token=at.browser.token(path))
    assert at.payment(payment_id).take_back_since is None
    cancel_at_bank(at, payment_id)
    at.wait(HALF_A_DAY_S)
    assert (at.payment(payment_id).state, at.payment(payment_id).reason) == ("cancelled", "cancelled_at_bank")
    assert at.invoice(invoice_id).state == "to_pay"
    assert "The payment was cancelled at Mersey Bank before its day." in words(at, path)


def test_a_correction_is_told_with_what_its_customer_can_do(at: UkJourney) -> None:
    invoice_id, payment_id = kept(at)
    at.deliver(number="C-1", amount="10.00", kind="credit_note", corrects="2026-1", reference=None)
    at.wait(60)
    assert at.payment(payment_id).state == "accepted"
    with at.services.reading() as uow:  # whatever they have chosen: nobody but them can undo it
        assert list(uow.session.scalars(select(Notice.kind))) == ["kept_unwanted"]
    sent = len(at.bank_wire.sent)
    at.wait(24 * 3600)
    assert len(at.bank_wire.sent) <= sent + 4, "a bank that drops nothing for us is not asked to"
    for path in (f"/payments/{payment_id}", f"/bills/{invoice_id}"):
        assert "Please cancel it at Mersey Bank" in words(at, path)
    at.wait(5 * 24 * 3600)
    assert at.payment(payment_id).state == "settled"
    assert at.invoice(invoice_id).state == "paid"
    assert "owes you" in words(at, f"/bills/{invoice_id}")
