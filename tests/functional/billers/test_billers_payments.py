"""What a biller sees of payments that really went through the bank: whether and when, never who or from where."""

from __future__ import annotations

from flask import Flask
from joserfc.jwk import ECKey

from app.web.billers.limits import limiter
from tests.support.billers_door import Program
from tests.support.billers_spec import conforms
from tests.support.billers_world import World
from tests.support.journey import Journey


def program_of(journey: Journey) -> Program:
    limiter.reset()
    biller = journey.biller
    return Program(
        http=journey.app.test_client(),
        clock=journey.clock,
        biller_id=biller.id,
        iban=biller.iban,
        vat_id=biller.vat_id,
        client_id=biller.client_id,
        key=ECKey.import_key(biller.private_jwk),
    )


def test_a_settled_payment(app: Flask, journey: Journey) -> None:
    invoice_id = journey.bill()
    payment_id = journey.pay(invoice_id)
    journey.wait(600)
    row, bill_id = journey.payment(payment_id), journey.invoice(invoice_id).bill_id
    program = program_of(journey)
    answer = program.get(f"/api/v1/payments/{payment_id}", scope="payments:read")
    conforms(app, answer)
    body = answer.get_json()
    assert row.settled_at is not None
    assert (body["status"], body["bill_id"], body["end_to_end_id"]) == ("paid", bill_id, row.end_to_end_id)
    assert (body["amount"], body["currency"]) == (str(row.amount), row.amount.currency)
    assert body["settled_at"] == row.settled_at.isoformat()
    bill = program.get(f"/api/v1/bills/{bill_id}", scope="bills:read")
    conforms(app, bill)
    assert (bill.get_json()["status"], bill.get_json()["payments"]) == ("paid", [payment_id])
    for secret in (journey.customer.name, journey.customer.email, row.bank_id, journey.customer.id):
        assert secret not in answer.text + bill.text


def test_a_rejected_payment_leaves_the_bill_open(app: Flask, journey: Journey) -> None:
    invoice_id = journey.bill()
    payment_id = journey.pay(invoice_id, decision="refuse")
    journey.wait(600)
    program = program_of(journey)
    answer = program.get(f"/api/v1/payments/{payment_id}")
    conforms(app, answer)
    assert (answer.get_json()["status"], answer.get_json()["settled_at"]) == ("failed", None)
    bill = program.get(f"/api/v1/bills/{journey.invoice(invoice_id).bill_id}")
    assert (bill.get_json()["status"], bill.get_json()["payments"]) == ("open", [payment_id])


def test_a_payment_of_another_billers_bill_does_not_exist(app: Flask, journey: Journey) -> None:
    payment_id = journey.pay(journey.bill())
    stranger = World(journey.services, program_of(journey).http).program()
    answer = stranger.get(f"/api/v1/payments/{payment_id}")
    conforms(app, answer)
    assert (answer.status_code, answer.get_json()["detail"]) == (404, "There is no such payment.")
