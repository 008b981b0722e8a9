"""Which bookings are a payment, which are one movement, and what they prove together."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest

from app.journey.payments.rules import end_to_end_id
from app.journey.reconciliation.camt import Direction
from app.journey.reconciliation.rules import (
    Account,
    Booking,
    Expected,
    Line,
    Proof,
    Verdict,
    accounts,
    booked_between,
    bookings,
    covers,
    is_ours,
    proven,
    verdict,
)
from connectors.contract import Fact
from connectors.money import Money
from consent.base import new_id

PAYEE, OTHER = "FR1420041010050500013M02606", "DE89370400440532013000"
DECIDED = Expected(Money(8420, "EUR"), PAYEE)
CREDIT, DEBIT = Direction.CREDIT, Direction.DEBIT
DAY = dt.date(2026, 11, 23)
_ids = itertools.count()


def line(statement: str, **how: object) -> Line:
    values = {
        "id": f"ste_{next(_ids):04}",
        "account": PAYEE,
        "direction": "credit",
        "reversal": False,
        "booked_on": DAY,
        "bank_reference": None,
        "entry_reference": None,
    } | how
    return Line(statement_id=statement, **values)  # type: ignore[arg-type]


def test_our_own_ids_are_known_again_in_any_case() -> None:
    ours = end_to_end_id(new_id("pay"))
    assert is_ours(ours)
    assert is_ours(ours.upper())
    for other in ("", "NOTPROVIDED", ours[:-1], ours + "0", "inv" + ours[3:]):
        assert not is_ours(other)


@pytest.mark.parametrize(
    ("amount", "direction", "account", "counterparty", "found"),
    [
        (Money(8420, "EUR"), CREDIT, PAYEE, None, Verdict.MATCHED),
        (Money(8420, "EUR"), CREDIT, PAYEE, OTHER, Verdict.MATCHED),
        (Money(8420, "EUR"), CREDIT, OTHER, PAYEE, Verdict.PAYEE),
        (Money(8420, "EUR"), DEBIT, OTHER, PAYEE, Verdict.MATCHED),
        (Money(8420, "EUR"), DEBIT, OTHER, None, Verdict.MATCHED),
        (Money(8420, "EUR"), DEBIT, OTHER, OTHER, Verdict.PAYEE),
        (Money(8421, "EUR"), CREDIT, PAYEE, None, Verdict.AMOUNT),
        (Money(8420, "CHF"), CREDIT, PAYEE, None, Verdict.CURRENCY),
    ],
)
def test_the_verdict_on_one_booking(
    amount: Money, direction: Direction, account: str, counterparty: str | None, found: Verdict
) -> None:
    got = verdict(DECIDED, amount=amount, direction=direction, account=account, counterparty_iban=counterparty)
    assert got is found


@pytest.mark.parametrize(
    ("lines", "movements"),
    [
        ([line("a", bank_reference="R1"), line("b", bank_reference="R1")], 1),
        ([line("a", bank_reference="R1"), line("b", bank_reference="R2")], 2),
        ([line("a", bank_reference="R1"), line("a", bank_reference="R1")], 1),
        ([line("a", entry_reference="E"), line("b", bank_reference="R1", entry_reference="E")], 1),
        ([line("a", entry_reference="R1"), line("b", bank_reference="R1", entry_reference="E")], 1),
        ([line("a", entry_reference="E"), line("b", entry_reference="F")], 2),
        ([line("a", bank_reference="R1"), line("b", entry_reference="E")], 1),
        ([line("a", bank_reference="R1", entry_reference="D"), line("b", entry_reference="E")], 2),
        ([line("a", bank_reference="R1"), line("b", entry_reference="E", booked_on=DAY + dt.timedelta(days=1))], 2),
        ([line("a", bank_reference="R1"), line("a", bank_reference="R2"), line("b", entry_reference="E")], 2),
        ([line("a"), line("b")], 1),
        ([line("a"), line("b", booked_on=DAY + dt.timedelta(days=1))], 2),
        ([line("a"), line("a")], 2),
        ([line("a"), line("a"), line("b"), line("b")], 2),
        ([line("a", entry_reference="E"), line("a", entry_reference="E"), line("b", entry_reference="E")], 2),
        ([line("a", bank_reference="R1"), line("b", bank_reference="R1", reversal=True)], 2),
        ([line("a", bank_reference="R1"), line("b", bank_reference="R1", account=OTHER, direction="debit")], 2),
    ],
)
def test_which_lines_are_one_movement(lines: list[Line], movements: int) -> None:
    assert len(bookings(lines)) == movements
    assert len(bookings(reversed(lines))) == movements


def test_movements_are_counted_for_each_account() -> None:
    found = accounts(
        [
            Booking((line("a"),)),
            Booking((line("b", reversal=True),)),
            Booking((line("c", account=OTHER, direction="debit"),)),
        ]
    )
    assert found == [Account(OTHER, "debit", 1, 0), Account(PAYEE, "credit", 1, 1)]


IN, OUT = Account(PAYEE, "credit", 1, 0), Account(OTHER, "debit", 1, 0)
IN_BACK, OUT_BACK = Account(PAYEE, "credit", 1, 1), Account(OTHER, "debit", 1, 1)


@pytest.mark.parametrize(
    ("sides", "proof", "fact"),
    [
        ([], Proof(None, None), None),
        ([IN], Proof(IN, None), Fact.CREDITED),
        ([OUT], Proof(OUT, None), Fact.DEBITED),
        ([OUT, IN], Proof(IN, None), Fact.CREDITED),
        ([IN_BACK], Proof(IN_BACK, IN_BACK), Fact.CREDITED),
        ([Account(PAYEE, "credit", 0, 1)], Proof(None, None), None),
        ([Account(PAYEE, "credit", 0, 1), OUT], Proof(OUT, None), Fact.DEBITED),
        ([Account(PAYEE, "credit", 2, 1)], Proof(Account(PAYEE, "credit", 2, 1), None), Fact.CREDITED),
        ([OUT_BACK, IN], Proof(IN, OUT_BACK), Fact.CREDITED),
    ],
)
def test_what_bookings_prove(sides: list[Account], proof: Proof, fact: Fact | None) -> None:
    assert proven(sides) == proof
    assert proof.fact is fact


def test_when_a_settled_payment_is_booked() -> None:
    told = dt.datetime(2026, 11, 23, 10, tzinfo=dt.UTC)
    assert booked_between(created=told, told=told) == (dt.date(2026, 11, 20), dt.date(2026, 11, 26))
    long_silent = told - dt.timedelta(days=9)
    assert booked_between(created=long_silent, told=told) == (dt.date(2026, 11, 14), dt.date(2026, 11, 26))


def test_whether_statements_go_far_enough() -> None:
    first, last = DAY, DAY + dt.timedelta(days=3)
    assert covers([(DAY, last)], first=first, last=last)
    assert covers([(last, last), (DAY, DAY)], first=first, last=last)
    assert not covers([(DAY, DAY)], first=first, last=last)
    assert not covers([(last, last)], first=first, last=last)
    assert not covers([(None, None)], first=first, last=last)

    def after(days: int) -> tuple[dt.date, dt.date]:
        return (DAY + dt.timedelta(days=days),) * 2

    # no statement of the first day itself, as on a Sunday; none before it; one that seems to be missing
    assert covers([after(-2), after(1), after(3)], first=first, last=last)
    assert not covers([after(1), after(3)], first=first, last=last)
    assert not covers([after(-6), after(1), after(3)], first=first, last=last)
    # an old one, and enough of its own
    assert covers([after(-90), after(0), after(3)], first=first, last=last)
