"""The demo's bills are bills that our own intake takes, and that add up as EN 16931 wants it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from decimal import Decimal

import pytest
from lxml import etree
from stdnum import iban, iso11649
from stdnum.eu import vat
from stdnum.gb import vat as gb_vat

from app.demo.bills import JSON, UBL, DemoBill, bills_of_today, creditor_reference, walk_bill
from app.demo.cast import CAMILLE, COMPANIES, CONNECTIONS, JONAS, ROWAN, TRAMS
from app.journey.intake import rules
from app.journey.intake.formats import read_bill
from connectors import sepa

TODAY = dt.date(2026, 11, 22)
TO = "k3jq7m2xw5ta@space.quittance.example"
BILLS = [*bills_of_today(TODAY), walk_bill(token="0a1b2c3d", today=TODAY, customer=CAMILLE, cents=457)]
NAMESPACES = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}


@pytest.mark.parametrize("bill", BILLS, ids=lambda bill: bill.number)
def test_the_intake_takes_it_and_reads_what_was_meant(bill: DemoBill) -> None:
    read = read_bill(bill.content(TO), bill.media_type)
    rules.can_be_taken(read)
    rules.is_from(read, vat_id=bill.company.vat_id)
    rules.pays_into(read, [bill.company.iban])
    assert read.number == bill.number
    assert str(read.payable) == str(bill.total)
    assert read.due_on == bill.due_on
    assert read.to == TO
    assert read.remittance_reference == (bill.reference or bill.number)
    assert len(read.lines) >= len(bill.items)
    rates = [Decimal(line.vat_rate) for line in read.lines[: len(bill.items)] if line.vat_rate is not None]
    assert rates == [Decimal(item.rate or 0) for item in bill.items]


@pytest.mark.parametrize("bill", BILLS, ids=lambda bill: bill.number)
def test_a_bank_can_carry_name_account_and_reference(bill: DemoBill) -> None:
    assert sepa.account(bill.company.iban) == bill.company.iban
    assert sepa.text(bill.company.name, field="name", characters_max=70)
    assert sepa.text(bill.reference or bill.number, field="reference", characters_max=140)


@pytest.mark.parametrize("bill", [bill for bill in BILLS if bill.media_type == UBL], ids=lambda bill: bill.number)
def test_ubl_adds_up(bill: DemoBill) -> None:
    root = etree.fromstring(bill.content(TO))

    def amounts(path: str) -> list[Decimal]:
        return [Decimal(str(node.text)) for node in root.iterfind(path, NAMESPACES)]

    lines = amounts("cac:InvoiceLine/cbc:LineExtensionAmount")
    taxes = amounts("cac:TaxTotal/cac:TaxSubtotal/cbc:TaxAmount")
    bases = amounts("cac:TaxTotal/cac:TaxSubtotal/cbc:TaxableAmount")
    totals = "cac:LegalMonetaryTotal/cbc:"
    assert amounts(f"{totals}LineExtensionAmount") == [sum(lines)]  # BR-CO-10
    assert sum(bases) == sum(lines)
    assert amounts("cac:TaxTotal/cbc:TaxAmount") == [sum(taxes)]  # BR-CO-14
    assert amounts(f"{totals}TaxInclusiveAmount") == [sum(lines) + sum(taxes)]  # BR-CO-15
    assert amounts(f"{totals}PayableAmount") == amounts(f"{totals}TaxInclusiveAmount")  # BR-CO-16


def test_json_lines_add_up_to_the_amount() -> None:
    documents = [json.loads(bill.content(TO)) for bill in BILLS if bill.media_type == JSON]
    assert documents
    for document in documents:
        assert sum(Decimal(line["amount"]) for line in document["lines"]) == Decimal(document["amount"])


@pytest.mark.parametrize("person", [CAMILLE, JONAS], ids=lambda person: person.key)
def test_each_customer_has_every_kind_of_bill(person: object) -> None:
    bills = [bill for bill in bills_of_today(TODAY) if bill.customer is person]
    read = [read_bill(bill.content(TO), bill.media_type) for bill in bills]
    assert len(bills) == 4
    assert sum(each.due_on is not None and each.due_on < TODAY for each in read) == 1
    discounts = [each.early_payments for each in read if each.early_payments]
    assert len(discounts) == 1
    assert discounts[0][0].until > TODAY
    assert sum(iso11649.is_valid(each.remittance_reference or "") for each in read) == 1
    assert max(len(each.lines) for each in read) >= 4


def test_one_has_several_in_pounds_that_one_consent_can_cover() -> None:
    bills = [bill for bill in bills_of_today(TODAY) if bill.customer is ROWAN]
    assert len(bills) == 3
    assert {(bill.company, bill.company.currency) for bill in bills} == {(TRAMS, "GBP")}
    read = [read_bill(bill.content(TO), bill.media_type) for bill in bills]
    assert all(each.due_on is not None and each.due_on > TODAY for each in read)


def test_the_discounts_are_two_percent_and_one_for_a_while_longer() -> None:
    read = [read_bill(bill.content(TO), bill.media_type) for bill in bills_of_today(TODAY)]
    found = {
        str(each.payable): [str(early.discount) for early in each.early_payments]
        for each in read
        if each.early_payments
    }
    assert found == {"48.00": ["0.96"], "148.58": ["2.97", "1.49"]}


def test_several_discounts_are_in_our_json_as_they_are_in_the_german_text() -> None:
    (german,) = (bill for bill in bills_of_today(TODAY) if len(bill.early) > 1)
    ours = dataclasses.replace(german, media_type=JSON)
    both = [read_bill(bill.content(TO), bill.media_type).early_payments for bill in (german, ours)]
    assert both[0] == both[1]
    assert len(both[0]) == 2


def test_numbers_are_unique_and_connections_fit() -> None:
    assert len({bill.number for bill in BILLS}) == len(BILLS)
    assert all(bill.company.slug in CONNECTIONS[bill.customer.key] for bill in bills_of_today(TODAY))


def test_the_same_bill_is_the_same_bytes() -> None:
    first, second = ([bill.content(TO) for bill in bills_of_today(TODAY)] for _ in range(2))
    assert first == second


def test_the_cast_has_numbers_with_right_check_digits() -> None:
    for company in COMPANIES:
        assert iban.is_valid(company.iban, check_country=company.country != "GB")  # no bank has its code
        assert (gb_vat if company.country == "GB" else vat).is_valid(company.vat_id)


def test_creditor_reference() -> None:
    assert creditor_reference("539007547034") == "RF18539007547034"  # the example of ISO 11649
