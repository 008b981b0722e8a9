"""Corrections through both doors, one on each side of submit: the biller's program says it, the customer sees it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from app import invariants
from app.errors import AppError
from app.journey.intake import taking
from app.journey.intake.rules import VERSIONS_MOST
from app.journey.intake.taking import Acknowledgement, ClientIdentity
from app.journey.invoices.models import Invoice
from app.services import Services
from app.worker import Worker
from tests.conftest import Clock
from tests.functional.billers.test_billers_api import refused
from tests.functional.billers.test_billers_payments import program_of
from tests.support import factories
from tests.support.billers_door import Program
from tests.support.billers_spec import conforms
from tests.support.billers_world import World, json_bill
from tests.support.bills import ubl_bill
from tests.support.journey import Journey

BILLS = "/api/v1/bills"


def credit(program: Program, to: str, **changes: Any) -> TestResponse:
    document = {
        "to": to,
        "kind": "credit_note",
        "number": "C-1",
        "corrects": "2026-1",
        "issued_on": "2026-11-23",
        "currency": "EUR",
        "amount": "30.00",
        "note": "The meter was read wrongly.",
    }
    return program.deliver(json.dumps({**document, **changes}).encode())


def withdraw(
    program: Program, bill_id: str, content: bytes = b'{"reason": "The order was cancelled."}'
) -> TestResponse:
    return program.deliver(content, path=f"{BILLS}/{bill_id}/withdrawal")


def said(journey: Journey, path: str) -> str:
    return " ".join(journey.browser.page(path).get_text(" ").replace("\xa0", " ").split())


def test_before_submit_the_decision_is_void_and_the_customer_is_asked_again(app: Flask, journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-1", amount="100.00")
    program = program_of(journey)
    void = journey.confirm(invoice_id)
    answer = credit(program, journey.address)
    conforms(app, answer)
    assert answer.status_code == 201
    credit_id = answer.get_json()["id"]
    journey.worker.run_until_idle()
    assert journey.truth(void) == "not_done"
    assert "now asks for €70.00 instead of €100.00." in said(journey, f"/bills/{invoice_id}")
    bill = program.get(f"{BILLS}/{journey.invoice(invoice_id).delivery.bill_id}")
    conforms(app, bill)
    shown = bill.get_json()
    assert (shown["status"], shown["amount"], shown["amount_due"]) == ("open", "100.00", "70.00")
    assert (shown["corrected_by"], shown["refund_owed"]) == ([credit_id], "0.00")
    journey.pay(invoice_id)
    journey.wait(3)
    assert [entry["amount"] for entry in journey.ledger()] == ["70.00"]
    note = program.get(f"{BILLS}/{credit_id}")
    conforms(app, note)
    assert note.get_json()["corrects"] == journey.invoice(invoice_id).delivery.bill_id
    again = credit(program, journey.address)
    assert (again.status_code, again.get_json()["id"]) == (200, credit_id)


def test_after_submit_it_is_a_refund_owed(app: Flask, journey: Journey) -> None:
    invoice_id = journey.bill(number="2026-1", amount="100.00")
    program = program_of(journey)
    payment_id = journey.pay(invoice_id)
    journey.wait(3)
    assert credit(program, journey.address).status_code == 201
    journey.worker.run_until_idle()
    assert journey.truth(payment_id) == "done"
    bill_id = journey.invoice(invoice_id).delivery.bill_id
    assert program.get(f"{BILLS}/{bill_id}").get_json()["refund_owed"] == "30.00"
    assert "owes you €30.00." in said(journey, f"/bills/{invoice_id}")
    answer = withdraw(program, bill_id)
    conforms(app, answer)
    shown = answer.get_json()
    assert (answer.status_code, shown["status"], shown["refund_owed"]) == (200, "paid", "100.00")
    assert (shown["withdrawal_reason"], shown["withdrawn_at"]) == (
        "The order was cancelled.",
        journey.clock().isoformat(),
    )
    assert "owes you €100.00." in said(journey, f"/bills/{invoice_id}")
    assert [entry["amount"] for entry in journey.ledger()] == ["100.00"]


def test_a_new_version_is_linked_both_ways(app: Flask, journey: Journey) -> None:
    old = journey.invoice(journey.bill(number="2026-1", amount="100.00")).delivery.bill_id
    program = program_of(journey)
    new = program.deliver(json_bill(program, journey.address, number="2026-2", replaces="2026-1")).get_json()["id"]
    journey.worker.run_until_idle()
    before, after = program.get(f"{BILLS}/{old}"), program.get(f"{BILLS}/{new}")
    conforms(app, before)
    conforms(app, after)
    assert (before.get_json()["status"], before.get_json()["superseded_by"]) == ("closed", new)
    assert (after.get_json()["status"], after.get_json()["corrects"]) == ("open", old)
    refused(app, withdraw(program, old), 409, "replaced")


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"currency": "GBP"}, "currency-differs", "currency"),
        ({"amount": "0.00"}, "nothing-to-credit", "payable"),
        ({"corrects": "C-1"}, "preceding-refused", "preceding"),
        ({"replaces": "2026-1"}, "value-refused", "/replaces"),
        ({"kind": "invoice"}, "value-refused", "/corrects"),
        ({"kind": "x"}, "value-refused", "/kind"),
    ],
)
def test_what_is_wrong_with_a_credit_note_is_said_and_nothing_is_written(
    app: Flask, world: World, journey: Journey, changes: dict[str, str], code: str, pointer: str
) -> None:
    journey.bill(number="2026-1", amount="100.00")
    program = program_of(journey)
    answer = world.refuses(credit, program, journey.address, **changes)
    refused(app, answer, 422, code, pointer=pointer)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"{}", "withdrawal"),
        (b'{"reason": ""}', "withdrawal"),
        (b'{"reason": " "}', "reason"),
        (b'{"reason": "\\u0000"}', "text-refused"),
        (b'{"reason": "\\u0007"}', "text-refused"),
        (b'{"reason": "x", "more": 1}', "withdrawal"),
        (b"[]", "withdrawal"),
        (b"{", "not-well-formed"),
    ],
)
def test_what_is_wrong_with_a_withdrawal_is_said_and_nothing_is_written(
    app: Flask, world: World, journey: Journey, content: bytes, code: str
) -> None:
    bill_id = journey.invoice(journey.bill()).delivery.bill_id
    refused(app, world.refuses(withdraw, program_of(journey), bill_id, content), 422, code)


def test_nobody_withdraws_another_billers_bill(app: Flask, world: World, journey: Journey) -> None:
    bill_id = journey.invoice(journey.bill()).delivery.bill_id
    refused(app, world.refuses(withdraw, world.program(), bill_id), 404, "not-found")
    refused(app, world.refuses(withdraw, program_of(journey), "bill_x"), 404, "not-found")
    wrong_scope = program_of(journey).deliver(b"{}", path=f"{BILLS}/{bill_id}/withdrawal", scope="bills:read")
    refused(app, wrong_scope, 403, "insufficient-scope")


def test_a_bill_that_is_not_opened_yet_comes_in_withdrawn(app: Flask, journey: Journey) -> None:
    program = program_of(journey)
    bill_id = journey.deliver().bill_id
    answer = withdraw(program, bill_id)
    conforms(app, answer)
    assert (answer.status_code, answer.get_json()["status"]) == (200, "closed")
    journey.worker.run_until_idle()
    assert "The order was cancelled." in said(journey, f"/bills/{invoice_of(journey, bill_id)}")
    assert "Nothing to pay." in said(journey, "/bills")


def test_a_new_version_that_waits_for_a_payment_of_the_earlier_one_is_withdrawn_at_once(
    app: Flask, journey: Journey
) -> None:
    """And never opened to be paid, whatever becomes of that payment."""
    old = journey.bill(number="2026-1", amount="100.00")
    program = program_of(journey)
    payment_id = journey.confirm(old)
    way_back = journey.at_bank(journey.browser.leave(payment_id))
    new = program.deliver(json_bill(program, journey.address, number="2026-2", replaces="2026-1")).get_json()["id"]
    journey.worker.run_until_idle()
    assert journey.invoice(old).state == "in_payment"
    answer = withdraw(program, new)
    conforms(app, answer)
    assert (answer.status_code, answer.get_json()["status"], answer.get_json()["amount_due"]) == (200, "closed", "0.00")
    journey.browser.come_back(way_back)
    journey.wait(120)
    assert [journey.invoice(each).state for each in (old, invoice_of(journey, new))] == ["paid", "cleared"]
    assert program.get(f"{BILLS}/{new}").get_json()["corrects"] == journey.invoice(old).delivery.bill_id
    assert invariants.check(journey.services.engine, now=journey.clock(), late=False) == []


def test_a_held_bill_says_what_to_withdraw(app: Flask, journey: Journey) -> None:
    program = program_of(journey)
    journey.bill(number="2026-1")
    held = journey.deliver(number="2026\u20101").bill_id
    assert held.startswith("hld_")
    refused(app, withdraw(program, held), 409, "held")


def test_a_new_version_over_nothing_is_refused_with_what_to_do(app: Flask, world: World, journey: Journey) -> None:
    journey.bill(number="2026-1", amount="100.00")
    program = program_of(journey)
    content = json_bill(program, journey.address, number="2", amount="0.00", replaces="2026-1")
    answer = world.refuses(program.deliver, content)
    refused(app, answer, 422, "nothing-to-pay")
    assert "Bill 2026-1 is still there to pay." in answer.get_json()["detail"]
    assert "withdraw it: POST /bills/{its id}/withdrawal." in answer.get_json()["detail"]


def test_a_new_version_may_be_collected_by_its_biller(app: Flask, journey: Journey) -> None:
    old = journey.invoice(journey.bill(number="2026-1", amount="100.00")).bill_id
    program = program_of(journey)
    collected: dict[str, Any] = {"number": "2", "type_code": "384", "preceding_numbers": ["2026-1"]}
    collected |= {"seller_name": journey.biller.name, "seller_vat": journey.biller.vat_id, "to": journey.address}
    content = ubl_bill(means_code="59", iban=journey.biller.iban, **collected)
    new = program.deliver(content, media_type="application/xml").get_json()["id"]
    journey.worker.run_until_idle()
    before, after = program.get(f"{BILLS}/{old}"), program.get(f"{BILLS}/{new}")
    conforms(app, before)
    conforms(app, after)
    assert (before.get_json()["status"], before.get_json()["superseded_by"]) == ("closed", new)
    assert (after.get_json()["status"], after.get_json()["corrects"]) == ("not_paid_here", old)


def test_a_number_used_before_says_exactly_what_to_send_instead(app: Flask, world: World, journey: Journey) -> None:
    """The same number with a later day is no new version: one number is one bill, and nothing is overwritten."""
    bill_id = journey.invoice(journey.bill(number="2026-1", amount="100.00")).delivery.bill_id
    program = program_of(journey)
    later = json_bill(program, journey.address, number="2026-1", amount="90.00", issued_on="2026-11-23")
    answer = world.refuses(program.deliver, later)
    refused(app, answer, 409, "number-used")
    detail = answer.get_json()["detail"]
    assert f"that one stands: {bill_id}." in detail
    assert 'name 2026-1 in it: as "replaces" in our JSON; in UBL and CII by type code 384' in detail
    assert f"POST /bills/{bill_id}/withdrawal" in detail
    new = program.deliver(later.replace(b'"number": "2026-1"', b'"number": "2026-1b", "replaces": "2026-1"'))
    assert new.status_code == 201, new.get_json()
    journey.worker.run_until_idle()
    assert program.get(f"{BILLS}/{bill_id}").get_json()["superseded_by"] == new.get_json()["id"]
    journey.address = factories.connect(
        journey.services, customer_id=factories.make_customer(journey.services).id, biller_id=journey.biller.id
    )
    other = world.refuses(program.deliver, json_bill(program, journey.address, number="2026-1"))
    refused(app, other, 409, "number-used")
    assert "to another customer before" in other.get_json()["detail"]


def test_the_biller_is_told_what_was_paid_and_what_a_credit_note_took(app: Flask, journey: Journey) -> None:
    program = program_of(journey)
    old = journey.bill(number="2026-1", amount="100.00")
    credit(program, journey.address)
    journey.worker.run_until_idle()
    journey.pay(old)
    journey.wait(3)
    shown = program.get(f"{BILLS}/{journey.invoice(old).delivery.bill_id}").get_json()
    assert (shown["amount"], shown["amount_paid"], shown["status"]) == ("100.00", "70.00", "paid")
    program.deliver(json_bill(program, journey.address, number="2026-2", replaces="2026-1"))
    journey.worker.run_until_idle()
    late = credit(program, journey.address, number="C-2").get_json()["id"]
    journey.worker.run_until_idle()
    answer = program.get(f"{BILLS}/{late}")
    conforms(app, answer)
    assert (answer.get_json()["status"], answer.get_json()["taken_off"]) == ("closed", "0.00")


def invoice_of(journey: Journey, bill_id: str) -> str:
    with journey.services.reading() as uow:
        return uow.session.scalars(select(Invoice.id).where(Invoice.bill_id == bill_id)).one()


def test_a_file_of_many_may_hold_bills_and_what_corrects_them_in_any_order(
    app: Flask, worker: Worker, clock: Clock, aquarelle: Program, address: str
) -> None:
    """Credits before, beside and after their bills, one of them of a bill in another currency."""
    note = {"to": address, "kind": "credit_note", "issued_on": "2026-11-23", "currency": "EUR", "amount": "10.00"}
    lines = [
        json.dumps({**note, "number": "C-1", "corrects": "B-1"}).encode(),
        json_bill(aquarelle, address, number="B-1"),
        json_bill(aquarelle, address, number="B-2"),
        json.dumps({**note, "number": "C-2", "corrects": "B-2"}).encode(),
        json.dumps({**note, "number": "C-3", "corrects": "B-2", "currency": "GBP"}).encode(),
        json_bill(aquarelle, address, number="B-3", replaces="B-2"),
    ]
    upload = aquarelle.deliver(b"\n".join(lines), media_type="application/x-ndjson", path="/api/v1/uploads").get_json()
    for _ in range(4):
        worker.run_until_idle()
        clock.tick(seconds=2)
    results = aquarelle.get(f"/api/v1/uploads/{upload['id']}/lines").get_json()["lines"]
    said = [(each["outcome"], [problem["code"] for problem in each["problems"]]) for each in results]
    assert said == [("delivered", [])] * 4 + [("refused", ["currency-differs"])] + [("delivered", [])]
    shown = [aquarelle.get(f"{BILLS}/{each['id']}").get_json() for each in results if each["id"]]
    assert [(each["number"], each["status"], each["amount_due"]) for each in shown] == [
        ("C-1", "closed", "0.00"),
        ("B-1", "open", "74.20"),
        ("B-2", "closed", "0.00"),
        ("C-2", "closed", "0.00"),
        ("B-3", "open", "84.20"),
    ]


@pytest.mark.parametrize("names", ["the bill", "each other", "a bill that never came"])
def test_a_bill_has_so_many_new_versions_and_no_more(
    app: Flask, services: Services, aquarelle: Program, address: str, names: str
) -> None:
    """Within one file, and then one by one."""

    def version(number: int, *, of: int) -> bytes:
        return json_bill(aquarelle, address, number=f"V-{number:03}", replaces=f"V-{of:03}")

    last, first = VERSIONS_MOST, 1 if names == "a bill that never came" else 0
    told = [] if first else [json_bill(aquarelle, address, number="V-000")]
    told += [version(number, of=number - 1 if names == "each other" else 0) for number in range(1, last + 3)]
    told.reverse()  # in whichever order they come, there are as many
    deliveries = [taking.read(each, "application/json", to=None) for each in told]
    client = ClientIdentity(client_id=aquarelle.client_id, biller_id=aquarelle.biller_id)
    with services.unit_of_work() as uow:
        outcomes = taking.take(uow, deliveries, client=client)
        uow.commit()
    refusals = [outcome.code for outcome in outcomes if isinstance(outcome, AppError)]
    # what names one that was refused has nothing to do with the others
    assert refusals == ["too-many-versions"] * (1 if names == "each other" else 2)
    assert len(outcomes) == last + 3 - first
    answer = aquarelle.deliver(version(500, of=50))
    problem = refused(app, answer, 422, "too-many-versions")
    assert "Withdraw the last one, and send this as a bill that replaces none." in problem["detail"]
    assert aquarelle.deliver(told[0] if isinstance(outcomes[0], Acknowledgement) else told[5]).status_code == 200
    assert aquarelle.deliver(json_bill(aquarelle, address, number="W-2", replaces="W-1")).status_code == 201
    assert credit(aquarelle, address, corrects="V-050").status_code == 201  # what takes something off is always taken


def test_a_table_has_columns_for_corrections(worker: Worker, clock: Clock, aquarelle: Program, address: str) -> None:
    bill = f"{address},B-1,,,2026-11-23,EUR,84.20,Aquarelle Eau SA,{aquarelle.iban}"
    credit_note = f"{address},C-1,credit_note,B-1,2026-11-23,EUR,10.00,,"
    table = f"to,number,kind,corrects,issued_on,currency,amount,payee.name,payee.iban\n{bill}\n{credit_note}\n".encode()
    upload = aquarelle.deliver(table, media_type="text/csv", path="/api/v1/uploads").get_json()
    for _ in range(4):
        worker.run_until_idle()
        clock.tick(seconds=2)
    first, second = aquarelle.get(f"/api/v1/uploads/{upload['id']}/lines").get_json()["lines"]
    assert (first["outcome"], second["outcome"]) == ("delivered", "delivered")
    assert aquarelle.get(f"{BILLS}/{first['id']}").get_json()["amount_due"] == "74.20"
