"""Scheduled payments at the UK sandbox banks: they wait for their day, judged by the official files."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.sandbox_tpp import Clock
from tests.support.uk_judge import Judged
from tests.support.uk_orders import LEDGER, Orders, OrdersAt, booked, code_of, payment_body, scheduled_consent_body
from tests.support.uk_tpp import BASE_URL

pytestmark = pytest.mark.shared

CONSENTS, PAYMENTS = "/domestic-scheduled-payment-consents", "/domestic-scheduled-payments"
BOTH = pytest.mark.parametrize("brand", ["albion", "caledonia"])
#: the clock of the tests begins on 22 November 2026 at 10:00
DAY = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def orders(orders_at: OrdersAt, brand: str) -> Orders:
    return orders_at(brand)


def body_for(orders: Orders, amount: str = "123.50", **how: Any) -> dict[str, Any]:
    return scheduled_consent_body(amount, version=orders.tpp.version, **how)


def paid(orders: Orders, amount: str = "123.50", **how: Any) -> str:
    """The address of a scheduled payment."""
    body = body_for(orders, amount, **how)
    consent_id = orders.stage(CONSENTS, body)
    answer = orders.post(PAYMENTS, orders.approve(consent_id), payment_body(consent_id, body))
    assert answer.status == 201, answer.content
    return f"{PAYMENTS}/{answer.json['Data']['DomesticScheduledPaymentId']}"


def status(orders: Orders, path: str) -> str:
    orders.own_token = orders.tpp.own_token()
    return str(orders.get(path).json["Data"]["Status"])


def cancel(judged: Judged, brand: str, path: str) -> int:
    url = f"{BASE_URL}/sandbox/{brand}/payments/{path.rpartition('/')[2]}/cancel"
    return judged.send("POST", url, headers=LEDGER, data=b"", certificate=None).status


@BOTH
def test_a_payment_waits_for_its_day(orders: Orders, judged: Judged, clock: Clock, brand: str) -> None:
    received, valid, settled = {"albion": ("RCVD", "ACTC", "ACSC")}.get(
        brand, ("InitiationPending", "InitiationCompleted", "InitiationCompleted")
    )
    path = paid(orders)
    assert status(orders, path) == received
    clock.tick(seconds=1)
    assert status(orders, path) == valid
    clock.now = DAY.replace(hour=0)
    assert booked(judged, BASE_URL) == []
    clock.tick(seconds=1)
    assert status(orders, path) == settled
    (details,) = orders.get(f"{path}/payment-details").json["Data"]["PaymentStatus"]
    assert details["Status"] == ("ACSC" if brand == "albion" else "AcceptedSettlementCompleted")
    assert [entry["kind"] for entry in booked(judged, BASE_URL)] == ["debit"]


@BOTH
def test_the_details_of_a_payment_that_waits(orders: Orders, clock: Clock, brand: str) -> None:
    path = paid(orders)
    words = []
    for _ in range(2):
        words.append(orders.get(f"{path}/payment-details").json["Data"]["PaymentStatus"][0]["Status"])
        clock.tick(seconds=1)
    assert words == (["PDNG", "ACTC"] if brand == "albion" else ["Pending", "AcceptedTechnicalValidation"])


@BOTH
def test_the_customer_sees_when_it_will_be_paid(orders: Orders, brand: str) -> None:
    consent_id = orders.stage(CONSENTS, body_for(orders))
    page, at = orders.person.visit(orders.tpp.authorize_url(consent_id))
    page, _ = orders.person.submit(page, at, customer="camille", pin="1234")
    assert "25 November 2026" in page.page.get_text()


@BOTH
@pytest.mark.parametrize(
    ("when", "code"),
    [
        ("2026-11-22T10:00:00+00:00", "U003"),
        ("2026-11-22T10:30:00+01:00", "U003"),
        ("2027-11-22T10:00:01+00:00", "U003"),
        ("2026-11-25", "U003"),
        ("2026-11-25T00:00:00", "U003"),
        ("2026-13-25T00:00:00Z", "U003"),
    ],
)
def test_a_day_that_is_past_too_far_or_none(orders: Orders, brand: str, when: str, code: str) -> None:
    answer = orders.post(CONSENTS, orders.own_token, body_for(orders, when=when))
    assert code_of(answer) == (400, code if brand == "albion" else "UK.OBIE.Field.InvalidDate")


@pytest.mark.parametrize("brand", ["albion"])
def test_what_a_consent_must_say(orders: Orders, brand: str) -> None:
    body = body_for(orders)
    for permission in (None, "Delete"):
        data = {**body["Data"], "Permission": permission}
        assert code_of(orders.post(CONSENTS, orders.own_token, {**body, "Data": data})) == (400, "U002")
    without = body_for(orders, EndToEndIdentification=None)
    assert orders.post(CONSENTS, orders.own_token, without).status == 201


@BOTH
def test_one_consent_gives_one_payment_that_repeats_it(orders: Orders, brand: str) -> None:
    body = body_for(orders)
    consent_id = orders.stage(CONSENTS, body)
    token, good = orders.approve(consent_id), payment_body(consent_id, body)
    later = payment_body(consent_id, body)
    later["Data"]["Initiation"]["RequestedExecutionDateTime"] = "2026-11-26T00:00:00+00:00"
    mismatch, used = {"albion": ("U008", "U009")}.get(
        brand, ("UK.OBIE.Resource.ConsentMismatch", "UK.OBIE.Resource.InvalidConsentStatus")
    )
    assert code_of(orders.post(PAYMENTS, token, later)) == (400, mismatch)
    assert orders.post(PAYMENTS, token, good).status == 201
    assert code_of(orders.post(PAYMENTS, token, good)) == (400, used)


@pytest.mark.parametrize("brand", ["albion"])
def test_a_kind_of_order_has_its_own_addresses(orders: Orders, brand: str) -> None:
    consent_id = orders.stage(CONSENTS, body_for(orders))
    assert code_of(orders.get(f"/domestic-payment-consents/{consent_id}")) == (400, "U011")
    path = paid(orders)
    assert code_of(orders.get(path.replace("-scheduled", ""))) == (400, "U011")


@pytest.mark.parametrize("brand", ["albion"])
@pytest.mark.parametrize(
    ("amount", "at_once", "on_the_day"),
    [
        ("999.05", "RCVD", "RJCT"),
        ("999.06", "RCVD", "RJCT"),
        ("999.14", "RCVD", "ACSC"),
        ("999.18", "RJCT", "RJCT"),
    ],
)
def test_magic_amounts_do_what_they_do_on_the_day(
    orders: Orders,
    clock: Clock,
    brand: str,
    amount: str,
    at_once: str,
    on_the_day: str,
) -> None:
    path = paid(orders, amount)
    assert status(orders, path) == at_once
    clock.now = DAY.replace(second=2)
    assert status(orders, path) == on_the_day


@BOTH
def test_a_customer_cancels_at_the_bank(orders: Orders, judged: Judged, clock: Clock, brand: str) -> None:
    path = paid(orders)
    clock.tick(hours=1)
    assert cancel(judged, brand, path) == 204
    assert status(orders, path) == ("CANC" if brand == "albion" else "Cancelled")
    assert orders.get(f"{path}/payment-details").json["Data"]["PaymentStatus"] == []
    assert cancel(judged, brand, path) == 409
    clock.now = DAY.replace(minute=1)
    assert status(orders, path) == ("CANC" if brand == "albion" else "Cancelled")
    assert booked(judged, BASE_URL) == []


@pytest.mark.parametrize("brand", ["albion"])
def test_nobody_cancels_what_was_paid_or_without_the_ledger_token(
    orders: Orders, judged: Judged, clock: Clock, brand: str
) -> None:
    path = paid(orders)
    url = f"{BASE_URL}/sandbox/{brand}/payments/{path.rpartition('/')[2]}/cancel"
    assert judged.send("POST", url, headers={}, data=b"", certificate=None).status == 401
    clock.now = DAY.replace(minute=1)
    assert cancel(judged, brand, path) == 409
    assert cancel(judged, brand, "/none") == 409
    assert len(booked(judged, BASE_URL)) == 1
