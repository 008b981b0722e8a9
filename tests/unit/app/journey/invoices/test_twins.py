"""What may be the same is found by the database: no more and no less than by comparing each with each."""

from __future__ import annotations

import datetime as dt
import importlib
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.journey.intake.models import OwnBill
from app.journey.invoices.models import Invoice
from app.journey.invoices.rules import Paper, Word, may_be_same
from app.journey.invoices.states import InvoiceState
from app.journey.invoices.twins import twins, twins_among
from tests.unit.app.journey.house import House

ACCOUNTS = ("FR1420041010050500013M02606", "DE75512108001245126199")
#: as paper writes numbers: the same one in several ways, parts of others, other alphabets, wildcards of SQL
WORDS = (
    *("2026/77", "RE-2026-77", "Rechnung 2026/77 vom 1.11.", "202677", "2026771", "77", "7", "%", "2_26", "re 2026 77"),
    *("Kunde 7", "КUNDE-7", "Ｋｕｎｄｅ ７", "A-1", "Α-1", "a1", "MAHNUNG A 1", "-", "ﷺ 12", "ß/2", "SS 2"),
)
BILLS = 60


def fill(house: House, dice: random.Random) -> None:
    """Bills of which any two may be alike in anything, some of them in lines; a third of them was added."""
    bills = []
    for at in range(BILLS):
        common: dict[str, Any] = {
            "id": f"inv_{at:02}",
            "customer_id": house.customer.id,
            "currency": dice.choice(("EUR", "EUR", "EUR", "CHF")),
            "amount_minor": dice.choice((9900, 9900, 12500, 300, 77)),
            "reference": dice.choice((*WORDS, None)),
            "issued_on": house.clock.now.date(),
            "lines": [],
            "received_at": house.clock.now - dt.timedelta(days=dice.choice((0, 10, 30, 60, 400))),
            "opened_at": house.clock.now,
        }
        payee = {"payee_name": "Lumen SA", "payee_iban": dice.choice(ACCOUNTS)}
        if dice.random() < 0.35:
            reference = common["reference"]
            number = reference if reference and dice.random() < 0.5 else dice.choice(WORDS)
            house.add(
                OwnBill(
                    id=f"own_{at}",
                    customer_id=house.customer.id,
                    sha256=f"{at}",
                    media_type="text/plain",
                    box=b"",
                    reading={},
                    added_at=house.clock.now,
                )
            )
            bills.append(Invoice(own_bill_id=f"own_{at}", number=number, state=any_state(dice), **common, **payee))
            continue
        number = f"{dice.choice(WORDS)} {at}" if dice.random() < 0.5 else f"{at}"
        house.deliver(number)
        elsewhere = {"means": "direct_debit", "state": dice.choice(("not_here", "cleared"))}
        here = {**payee, "state": any_state(dice)}
        free = {each.id for each in bills if each.is_delivered} - {each.replaces_id for each in bills}
        replaces = dice.choice(sorted(free)) if free and dice.random() < 0.4 else None
        kind = here if dice.random() < 0.9 else elsewhere
        bill_id = f"bill_{number}"
        bills.append(Invoice(bill_id=bill_id, biller_id="blr_1", number=number, replaces_id=replaces, **common, **kind))
    house.add(*bills)


def any_state(dice: random.Random) -> InvoiceState:
    return dice.choice((InvoiceState.TO_PAY, InvoiceState.IN_PAYMENT, InvoiceState.PAID, InvoiceState.CLEARED))


def paper(bill: Invoice) -> Paper:
    return Paper(
        account=bill.payee_iban,
        amount_minor=bill.amount_minor,
        number=Word.of(bill.number),
        reference=Word.of(bill.reference or ""),
        is_delivered=bill.is_delivered,
        received_at=bill.received_at,
    )


def line_of(bill: Invoice, bills: dict[str, Invoice]) -> tuple[str, ...]:
    later = {each.replaces_id: each.id for each in bills.values()}
    first = bill
    while first.replaces_id is not None:
        first = bills[first.replaces_id]
    line = [first.id]
    while line[-1] in later:
        line.append(later[line[-1]])
    return tuple(line)


def expected(bill: Invoice, bills: dict[str, Invoice]) -> dict[str, bool]:
    """The bills that may be the same, and whether each is so by a version only."""
    line = line_of(bill, bills)

    def is_like(one: Invoice, other: Invoice) -> bool:
        return one.currency == other.currency and may_be_same(paper(one), paper(other))

    found: dict[str, bool] = {}
    for other in bills.values():
        if other.id in line or not any(is_like(bills[each], other) for each in line):
            continue
        their = line_of(other, bills)
        ends = [each for each in their if bills[each].state != InvoiceState.CLEARED] or [their[-1]]
        found |= {each: not is_like(bill, bills[each]) for each in ends}
    return found


@pytest.mark.parametrize("seed", range(4))
def test_each_bill_has_the_twins_that_comparing_all_finds(house: House, seed: int) -> None:
    fill(house, random.Random(seed))  # noqa: S311  (the same bills for the same seed is the point)
    count = 0
    with house.services.reading() as uow:
        bills = {each.id: each for each in uow.session.scalars(select(Invoice))}
        for bill in bills.values():
            found = {each.id: each.is_by_version for each in twins(uow.session, invoice_id=bill.id)}
            assert found == expected(bill, bills), bill.id
            count += len(found)
        of_all = twins_among(uow.session, customer_id=house.customer.id, invoice_ids=list(bills))
        one_by_one = {each: twins(uow.session, invoice_id=each) for each in bills}
        assert of_all == {each: found for each, found in one_by_one.items() if found}
        some = random.Random(seed).sample(sorted(bills), 7)  # noqa: S311  (likewise)
        of_some = twins_among(uow.session, customer_id=house.customer.id, invoice_ids=some)
        assert of_some == {each: of_all[each] for each in some if each in of_all}
    assert count > BILLS


@given(st.text() | st.sampled_from(WORDS))
def test_what_the_migration_writes_is_what_is_written_now(written: str) -> None:
    """It fails for who changes how texts are compared: then what is kept with each invoice is to be written anew, by a
    migration of its own. Else bills that may be the same are not found."""
    migration = importlib.import_module("app.db.migrations.versions.0024_letters_of_bills")
    assert migration.letters(written) == Word.of(written).letters
