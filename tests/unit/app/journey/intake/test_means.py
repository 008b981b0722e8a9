"""Which of the means that a bill names counts, and what its customer may read of one that is not offered."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from app.journey.intake.bill import AccountScheme, Bill, BillKind, Means, Payee
from app.journey.intake.means import MeansKind, details_of, kind_of
from app.journey.intake.rules import Known, can_be_taken, doubts
from connectors.money import Money

IBAN = "FR1420041010050500013M02606"
VETTED = Payee(name="Lumen", iban=IBAN)
GIRO = Payee(name="Lumen", other_account="5050-1055", branch="SE:BANKGIRO", scheme=AccountScheme.SE_BANKGIRO)
LINK = Payee(name="Lumen", other_account="https://pay.example.test/x", scheme=AccountScheme.LINK)
BILL = Bill(
    kind=BillKind.INVOICE,
    number="2026-1",
    issued_on=dt.date(2026, 11, 1),
    due_on=dt.date(2026, 11, 30),
    payable=Money(8420, "EUR"),
)
MANDATE = Means(code="59", mandate="M-1")


def bill(*means: str | Means, payee: Payee | None = None, creditor_id: str | None = None) -> Bill:
    named = tuple(each if isinstance(each, Means) else Means(code=each) for each in means)
    return dataclasses.replace(BILL, means=named, payee=payee, creditor_id=creditor_id)


@pytest.mark.parametrize(
    ("of", "kind"),
    [
        (bill(payee=VETTED), MeansKind.CREDIT_TRANSFER),
        *((bill(code, payee=VETTED), MeansKind.CREDIT_TRANSFER) for code in ("30", "31", "58", "1", "ZZZ", "")),
        (bill("48", "30", payee=VETTED), MeansKind.CREDIT_TRANSFER),  # both: it can be paid here
        (bill("59", "58", payee=VETTED), MeansKind.CREDIT_TRANSFER),  # no mandate: it says so, and can be paid here
        (bill("58", MANDATE, payee=VETTED), MeansKind.DIRECT_DEBIT),  # a transfer would pay it a second time
        (bill("59", Means(code="30", mandate="M-1"), payee=VETTED), MeansKind.DIRECT_DEBIT),  # wherever it stands
        (bill(Means(code="30", mandate="M-1"), payee=VETTED), MeansKind.CREDIT_TRANSFER),
        *((bill(code), MeansKind.DIRECT_DEBIT) for code in ("49", "59")),
        (bill("59", payee=VETTED), MeansKind.DIRECT_DEBIT),
        (bill("59", "30", payee=GIRO), MeansKind.DIRECT_DEBIT),
        *((bill(code), MeansKind.CARD) for code in ("48", "54", "55")),
        (bill("54", payee=VETTED), MeansKind.CARD),
        (bill("54", "30", payee=GIRO), MeansKind.ELSEWHERE),
        *((bill(code, payee=GIRO), MeansKind.ELSEWHERE) for code in ("30", "56", "93", "Z02", "")),
        (bill(payee=GIRO), MeansKind.ELSEWHERE),
        *((bill(code), MeansKind.ELSEWHERE) for code in ("10", "20", "68", "97")),
        (bill(), None),
        (bill("30"), None),
        (bill("bonifico"), None),
    ],
)
def test_one_of_the_means_counts(of: Bill, kind: MeansKind | None) -> None:
    assert kind_of(of) is kind
    if kind is not None:
        can_be_taken(of)


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (bill(payee=VETTED), {}),
        (bill("48", "58", payee=VETTED), {}),
        (bill("59", "58", payee=VETTED), {"besides": "direct_debit"}),
        (bill(Means(code="58", mandate="M-1"), payee=VETTED), {"besides": "direct_debit"}),
        (bill("59", Means(code="30", mandate="M-1"), payee=VETTED), {"mandate": "M-1"}),
        (bill(MANDATE, creditor_id="FR72ZZZ1"), {"mandate": "M-1", "creditor_id": "FR72ZZZ1"}),
        (bill("59"), {}),
        (bill("48"), {}),
        (
            bill("30", payee=GIRO),
            {"account": "5050-1055", "branch": "SE:BANKGIRO", "scheme": "se_bankgiro", "holder": "Lumen"},
        ),
        (bill("10"), {"code": "10"}),
    ],
)
def test_what_is_said_of_it(of: Bill, said: dict[str, str]) -> None:
    assert details_of(of) == said


def codes(of: Bill) -> list[str]:
    return [doubt.code for doubt in doubts(of, Known(name="Lumen", accounts=[IBAN]))]


def test_only_the_account_that_is_paid_to_must_be_vetted() -> None:
    other = Payee(name="Lumen", iban="DE89370400440532013000")
    assert codes(bill("30", payee=other)) == ["account-not-registered"]
    assert [codes(bill("59", payee=other)), codes(bill("30", payee=GIRO)), codes(bill("48"))] == [[], [], []]


def test_a_page_for_an_account_is_a_doubt() -> None:
    assert codes(bill("30", payee=LINK)) == ["account-is-link"]
    credit = dataclasses.replace(bill("30", payee=LINK), kind=BillKind.CREDIT_NOTE)
    assert codes(credit) == []
