"""What being late costs, through the doors: a bill names it, its customer reads it, no payment of the bill pays it, and
the planner avoids it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from app.audit.kinds import SOURCES, Kind
from app.audit.models import LogEntry
from app.audit.verify import verify
from app.errors import Conflict
from app.journey.answers.rules import Policy
from app.journey.intake.bill import LateFee
from app.journey.intake.models import DeliveredBill
from app.journey.invoices.models import Invoice
from app.journey.outlook.read import outlook_of
from app.journey.outlook.rules import Why
from app.people.models import Customer
from connectors.money import Money
from tests.functional.billers.test_billers_api import refused
from tests.functional.billers.test_billers_payments import program_of
from tests.functional.test_answers import publish, say
from tests.functional.test_early_payment import said, settled
from tests.functional.test_export import checked, files, taken
from tests.functional.test_export import words as export_words
from tests.functional.test_money_ahead import comes, have, suggestions
from tests.functional.test_tools import ask, made
from tests.support.billers_world import json_bill
from tests.support.bills import ubl_bill
from tests.support.journey import Journey

DAY = dt.timedelta(days=1)
#: the clock begins on the 23rd of November
DUE = dt.date(2026, 12, 14)
FEE = {"amount": "5.00"}
NOT_HERE = "No amount here includes it: the company would ask for it with a corrected bill or with another one."


def bill(journey: Journey, **changes: Any) -> str:
    return journey.bill(**{"amount": "100.00", "due_on": str(DUE), "late_fee": FEE, **changes})


def to(journey: Journey, day: dt.date) -> None:
    journey.clock.tick(days=(day - journey.clock().date()).days)
    journey.browser.sign_in()


def fee_of(journey: Journey, invoice_id: str) -> LateFee | None:
    return journey.invoice(invoice_id).late_fee


# ---------------------------------------------------------------------------------------------------- on the pages


def test_the_bill_says_calmly_what_being_late_costs(journey: Journey) -> None:
    invoice_id = bill(journey)
    page = said(journey, f"/bills/{invoice_id}")
    assert f"Late fee If it is paid after 14 December 2026, Lumen Énergie may ask €5.00 more. {NOT_HERE}" in page
    assert "If it is paid after 14 December 2026, Lumen Énergie may ask €5.00 more." in said(
        journey, f"/bills/{invoice_id}/later"
    )
    assert "€105.00" not in page
    to(journey, DUE)
    assert "If it is paid after 14 December 2026" in said(journey, f"/bills/{invoice_id}")
    to(journey, DUE + DAY)
    page = said(journey, f"/bills/{invoice_id}")
    assert f"It was not paid by 14 December 2026: Lumen Énergie may ask €5.00 more. {NOT_HERE}" in page
    assert "€105.00" not in page


def test_it_says_so_in_french(journey: Journey) -> None:
    invoice_id = bill(journey)
    with journey.services.unit_of_work() as uow:
        uow.session.execute(update(Customer).values(locale="fr"))
        uow.commit()
    page = said(journey, f"/bills/{invoice_id}")
    assert "Si elle est payée après le 14 décembre 2026, Lumen Énergie peut demander 5,00 € de plus." in page
    have(journey, "1000")
    page = said(journey, "/money")
    assert (
        "Cela évite les frais de retard de 5,00 €, qui peuvent être demandés si vous payez après le 14 décembre 2026."
        in page
    )


def test_a_day_that_the_bill_names_counts(journey: Journey) -> None:
    invoice_id = bill(journey, late_fee={**FEE, "from": "2026-12-29"})
    assert "If it is paid after 28 December 2026" in said(journey, f"/bills/{invoice_id}")
    to(journey, DUE + 2 * DAY)  # late, and without a fee yet
    assert "If it is paid after 28 December 2026" in said(journey, f"/bills/{invoice_id}")


@pytest.mark.parametrize("days", [-1, 1])
def test_what_is_paid_is_the_bill_and_never_the_fee(journey: Journey, days: int) -> None:
    invoice_id = bill(journey)
    to(journey, DUE + days * DAY)
    assert "You pay €100.00" in said(journey, f"/bills/{invoice_id}/pay?bank=horizon")
    payment = journey.payment(settled(journey, invoice_id))
    assert (payment.state, payment.amount_minor) == ("settled", 100_00)
    assert [entry["amount"] for entry in journey.ledger(payment.end_to_end_id)] == ["100.00"]
    assert journey.invoice(invoice_id).state == "paid"
    page = said(journey, f"/bills/{invoice_id}")
    assert "If it was paid after 14 December 2026, Lumen Énergie may ask €5.00 more." in page
    assert NOT_HERE not in page


def test_who_was_given_more_time_is_not_late_before_it_is_over(journey: Journey) -> None:
    publish(journey, Policy(more_time_days=20, answer_days=3))
    invoice_id = bill(journey)
    asking = said(journey, f"/bills/{invoice_id}/answers/more-time")
    assert "With a yes, the late fee of €5.00 may be asked only after the time that is given." in asking
    say(journey, invoice_id, "more-time", until=str(DUE + 10 * DAY))
    assert fee_of(journey, invoice_id) == LateFee(starts_on=DUE + 11 * DAY, amount=Money(500, "EUR"))
    assert "If it is paid after 24 December 2026" in said(journey, f"/bills/{invoice_id}")
    later = bill(journey, number="L", late_fee={**FEE, "from": "2027-01-15"})
    say(journey, later, "more-time", until=str(DUE + 10 * DAY))
    assert fee_of(journey, later) == LateFee(starts_on=dt.date(2027, 1, 15), amount=Money(500, "EUR"))


def test_an_xml_bill_names_it_in_its_own_place(journey: Journey) -> None:
    penalty = '<cbc:PenaltyAmount currencyID="EUR">5.00</cbc:PenaltyAmount>'
    words = "Indemnité forfaitaire pour frais de recouvrement : 40 €"
    content = ubl_bill(
        to=journey.address,
        number="U-1",
        iban=journey.biller.iban,
        seller_vat=journey.biller.vat_id,
        due_on=str(DUE),
        terms=words,
        extra_terms=penalty,
    )
    assert program_of(journey).deliver(content, media_type="application/xml").status_code == 201
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        invoice = uow.session.scalars(select(Invoice)).one()
    assert invoice.late_fee == LateFee(starts_on=DUE + DAY, amount=Money(500, "EUR"))
    page = said(journey, f"/bills/{invoice.id}")
    assert "may ask €5.00 more" in page
    assert words in page  # in its company's words, and no amount of ours


def test_what_is_collected_is_paid_late_by_nobody(journey: Journey) -> None:
    """Of an XML bill the fee is kept as it is named. Our JSON refuses it."""
    content = ubl_bill(
        to=journey.address,
        number="D-1",
        iban=None,
        means_code="59",
        seller_vat=journey.biller.vat_id,
        due_on=str(DUE),
        extra_terms='<cbc:PenaltyAmount currencyID="EUR">5.00</cbc:PenaltyAmount>',
    )
    assert program_of(journey).deliver(content, media_type="application/xml").status_code == 201
    journey.worker.run_until_idle()
    with journey.services.reading() as uow:
        invoice = uow.session.scalars(select(Invoice)).one()
    assert (invoice.late_fee_minor, invoice.late_fee_from, invoice.late_fee) == (500, DUE + DAY, None)
    assert "Late fee" not in said(journey, f"/bills/{invoice.id}")


def test_a_program_of_their_own_reads_it(app: Flask, journey: Journey) -> None:
    bill(journey, number="A")
    journey.bill(number="B")
    token = made(journey.browser)
    found = {each["number"]: each["late_fee"] for each in ask(app, "/my/v1/bills", token).get_json()["bills"]}
    assert found == {"A": {"amount": {"amount": "5.00", "currency": "EUR"}, "from": "2026-12-15"}, "B": None}


# ----------------------------------------------------------------------------------------------------- corrections


def test_a_new_version_says_it_anew_and_a_credit_note_leaves_it(journey: Journey) -> None:
    first = bill(journey, number="A")
    journey.deliver(number="C", amount="60.00", kind="credit_note", corrects="A", reference=None)
    journey.worker.run_until_idle()
    assert fee_of(journey, first) == LateFee(starts_on=DUE + DAY, amount=Money(500, "EUR"))
    assert "may ask €5.00 more" in said(journey, f"/bills/{first}")
    second = bill(journey, number="B", replaces="A", late_fee={"amount": "7.00"})
    assert "Late fee" not in said(journey, f"/bills/{first}")  # nothing is asked of it any more
    assert "may ask €7.00 more" in said(journey, f"/bills/{second}")
    third = journey.bill(number="C2", amount="105.00", due_on=str(DUE), replaces="B")  # it is in the amount now
    assert fee_of(journey, third) is None
    assert "Late fee" not in said(journey, f"/bills/{third}")


def test_the_same_number_with_another_fee_is_another_content(journey: Journey) -> None:
    invoice_id = bill(journey, number="A")
    with pytest.raises(Conflict) as caught:
        bill(journey, number="A", late_fee={"amount": "6.00"})
    assert caught.value.code == "number-used"
    assert journey.invoice(invoice_id).late_fee_minor == 500


# ------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"late_fee": {"amount": "0.00"}}, "amounts-do-not-add-up", "/late_fee/amount"),
        ({"late_fee": {**FEE, "from": str(DUE)}}, "date-refused", "/late_fee/from"),
        ({"late_fee": {**FEE, "currency": "GBP"}}, "element-unknown", "/late_fee/currency"),
        ({"late_fee": FEE, "kind": "credit_note"}, "value-refused", "/late_fee"),
    ],
)
def test_a_fee_that_cannot_be_is_refused_and_nothing_is_written(
    app: Flask, journey: Journey, fields: dict[str, Any], code: str, pointer: str
) -> None:
    program = program_of(journey)
    content = json_bill(program, journey.address, **{"amount": "100.00", "due_on": str(DUE), **fields})
    assert refused(app, program.deliver(content), 422, code, pointer=pointer)["errors"][0]["detail"]
    with journey.services.reading() as uow:
        assert uow.session.scalars(select(func.count()).select_from(DeliveredBill)).one() == 0


def test_the_api_describes_it(journey: Journey) -> None:
    schemas = program_of(journey).get("/api/v1/openapi.json").get_json()["components"]["schemas"]
    [fee] = [schema for name, schema in schemas.items() if name.startswith("LateFee")]
    assert set(fee["properties"]) == {"amount", "from"}
    assert fee["required"] == ["amount"]
    assert fee["additionalProperties"] is False


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"late_fee_minor": -1}, "late_fee_not_below_zero"),
        ({"late_fee_from": None}, "late_fee_has_its_day"),
        ({"late_fee_minor": 0}, "late_fee_has_its_day"),
        ({"late_fee_from": DUE}, "late_fee_after_its_day"),
    ],
)
def test_the_database_has_no_such_fee_either(journey: Journey, values: dict[str, Any], name: str) -> None:
    invoice_id = bill(journey)
    with journey.services.unit_of_work() as uow, pytest.raises(IntegrityError, match=name):
        uow.session.execute(update(Invoice).where(Invoice.id == invoice_id).values(**values))
    assert fee_of(journey, invoice_id) == LateFee(starts_on=DUE + DAY, amount=Money(500, "EUR"))


# --------------------------------------------------------------------------------------------------------- the log


def test_the_log_has_it_and_whoever_changes_it_is_found_out(journey: Journey) -> None:
    invoice_id = bill(journey)
    journey.wait(1)
    with journey.services.reading() as uow:
        opening = uow.session.scalars(select(LogEntry.opening).where(LogEntry.subject == invoice_id)).one()
    assert '"late_fee_from":"2026-12-15","late_fee_minor":500' in str(opening)
    verifier = journey.services.keys.log.verifier
    for values in ({"late_fee_minor": 400}, {"late_fee_from": DUE + 2 * DAY}):
        with journey.services.engine.connect() as connection:
            assert verify(connection, verifier).wrong == []
            connection.execute(update(Invoice).values(**values))
            [name] = values
            assert any(f"was changed: {name}" in each for each in verify(connection, verifier).wrong)
            connection.rollback()


def test_an_entry_of_before_holds_as_long_as_its_bill_names_none(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SOURCES[Kind.INVOICE_OPENED]
    before = tuple(name for name in source.columns if not name.startswith("late_fee"))
    with monkeypatch.context() as of_before:
        of_before.setitem(SOURCES, Kind.INVOICE_OPENED, dataclasses.replace(source, columns=before))
        journey.bill(amount="100.00", due_on=str(DUE))
    journey.wait(1)
    verifier = journey.services.keys.log.verifier
    with journey.services.engine.connect() as connection:
        assert verify(connection, verifier).wrong == []
        connection.execute(update(Invoice).values(late_fee_minor=500, late_fee_from=DUE + DAY))
        assert any("was changed: late_fee_" in each for each in verify(connection, verifier).wrong)
        connection.rollback()


def test_it_is_in_what_its_customer_takes_along(journey: Journey) -> None:
    invoice_id = bill(journey)
    content = taken(journey)
    assert export_words(checked(content, str(journey.services.keys.log.verifier))) == []
    of_bill = journey.invoice(invoice_id).delivery.bill_id
    [told] = [
        json.loads(each)
        for name, each in files(content).items()
        if name.startswith("bills/") and name.endswith(".json")
    ]
    [row] = told["rows"]["invoice"]
    assert (row["bill_id"], row["late_fee_minor"], row["late_fee_from"]) == (of_bill, 500, str(DUE + DAY))


# ----------------------------------------------------------------------------------------------------- the planner


def test_the_money_goes_where_it_avoids_the_fee(journey: Journey) -> None:
    """There is money for one of two that are due before the salary: not for the one that would be preferred."""
    bill(journey, number="A", amount="60.00", due_on="2026-11-25", late_fee=None)
    bill(journey, number="B", amount="60.00", due_on="2026-11-26")
    bill(journey, number="C", amount="60.00", due_on="2026-11-20", late_fee={"amount": "3.00"})
    have(journey, "60")
    comes(journey, "1000", dt.date(2026, 12, 1))
    first, *others = suggestions(journey)
    assert first.startswith("Today Lumen Énergie, bill B €60.00")
    assert "That avoids the late fee of €5.00, which may be asked if you pay after 26 November 2026." in first
    by_number = {re.findall(r"bill (\w)", each)[0]: each for each in others}
    assert by_number["A"].startswith("Tuesday, 1 December 2026")
    assert "fee" not in by_number["A"]
    assert "A late fee of €3.00 may be asked besides: it was to be paid by 20 November 2026." in by_number["C"]


def test_a_fee_that_cannot_be_avoided_is_said(journey: Journey) -> None:
    bill(journey, number="B", amount="60.00", due_on="2026-11-26")
    bill(journey, number="X", amount="9999.00", due_on="2026-12-20")
    have(journey, "10")
    comes(journey, "100", dt.date(2026, 12, 1), every="once")
    first, second = suggestions(journey)
    assert first.startswith("Tuesday, 1 December 2026 Lumen Énergie, bill B")
    assert "Then a late fee of €5.00 may be asked besides, because it is after 26 November 2026." in first
    assert "After 18 December 2026 a late fee of €5.00 may be asked besides." in second  # the 20th is a Sunday


def test_signed_on_a_day_without_banks_it_is_paid_too_late(journey: Journey) -> None:
    """The fee is owed from Sunday on. What is signed on Saturday is made on Monday."""
    bill(journey, number="S", amount="60.00", due_on="2026-11-28")
    have(journey, "10")
    comes(journey, "1000", dt.date(2026, 11, 28))
    [only] = suggestions(journey)
    assert "Then a late fee of €5.00 may be asked besides, because it is after 27 November 2026." in only
    assert "avoids" not in only
    have(journey, "100")
    [only] = suggestions(journey)
    assert only.startswith("Today")
    assert "That avoids the late fee of €5.00, which may be asked if you pay after 27 November 2026." in only


def test_each_fee_that_is_named_is_that_of_the_row(journey: Journey) -> None:
    """Of bills of all kinds, on days before and after their fees: counted anew from what the database has."""
    for number, (amount, due, fee) in enumerate(
        [
            ("20.00", "2026-11-25", {"amount": "1.50"}),
            ("20.00", "2026-11-20", {"amount": "2.50"}),
            ("20.00", "2026-11-28", {"amount": "3.50", "from": "2026-12-20"}),
            ("20.00", None, {"amount": "4.50", "from": "2026-12-01"}),
            ("20.00", "2026-12-31", None),
            ("5000.00", "2026-12-10", {"amount": "6.50"}),
            ("5000.00", "2027-03-10", {"amount": "7.50"}),
        ]
    ):
        bill(journey, number=f"N{number}", amount=amount, due_on=due, late_fee=fee)
    have(journey, "40")
    comes(journey, "40", dt.date(2026, 12, 2), every="two_weeks")
    with journey.services.reading() as uow:
        view = outlook_of(uow.session, customer=uow.session.get_one(Customer, journey.customer.id), now=uow.now)
        rows = {row.id: row for row in uow.session.scalars(select(Invoice))}
    assert len(view.suggestions) == 7
    seen = set()
    for each in view.suggestions:
        row = rows[each.bill.id]
        named = [reason for reason in each.reasons if reason.why in (Why.NO_FEE, Why.FEE)]
        if row.late_fee_from is None or (each.pay_on is None and row.late_fee_from > view.last + DAY):
            assert named == []
            continue
        [reason] = named
        seen.add(reason.why)
        last = row.late_fee_from - DAY
        while last.weekday() > 4:  # signed on one of these it is made on Monday; no holiday is near
            last -= DAY
        assert (reason.amount.minor, reason.day) == (row.late_fee_minor, last)
        is_owed = each.pay_on is None or each.pay_on > last
        assert (reason.why is Why.FEE) is is_owed
    assert seen == {Why.NO_FEE, Why.FEE}
