"""May this bill be taken? Every rule, with the public code of its refusal."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from app.journey.intake.bill import Bill, BillKind, BillRefused, Doubt, Means, Payee, Seller
from app.journey.intake.rules import Known, can_be_taken, doubts, is_from, one_address
from connectors.money import Money

IBAN = "FR1420041010050500013M02606"
ADDRESS = "k3jq7m2xw5ta@space.quittance.example"
BILL = Bill(
    kind=BillKind.INVOICE,
    number="2026-1",
    issued_on=dt.date(2026, 11, 1),
    due_on=dt.date(2026, 11, 30),
    payable=Money(8420, "EUR"),
    payee=Payee(name="Lumen", iban=IBAN),
)
OTHER = Payee(name="Lumen", other_account="12345")
#: in which of its texts an IBAN stands
HIDDEN: tuple[dict[str, Any], ...] = (
    {"other_account": IBAN},
    {"other_account": f"Compte {IBAN}"},
    {"other_account": "1", "branch": "IBAN FR14 2004 1010 0505 0001 3M02 606"},
    {"other_account": IBAN[4:], "branch": IBAN[:4]},
    {"other_account": IBAN[:4], "branch": IBAN[4:]},
    {"name": f"Pay {IBAN}"},
)


def but(**changes: Any) -> Bill:
    return dataclasses.replace(BILL, **changes)


@pytest.mark.parametrize(
    ("in_bill", "beside"),
    [(ADDRESS, None), (None, ADDRESS), (ADDRESS, ADDRESS), (ADDRESS.upper(), f" {ADDRESS} "), (ADDRESS, "")],
)
def test_the_address_is_said_once_or_twice_alike(in_bill: str | None, beside: str | None) -> None:
    assert one_address(in_bill, beside) == ADDRESS


@pytest.mark.parametrize(
    ("in_bill", "beside", "code"),
    [
        (None, None, "no-recipient"),
        ("", None, "no-recipient"),
        (ADDRESS, "other@space.quittance.example", "recipients-differ"),
    ],
)
def test_without_one_address_nobody_gets_it(in_bill: str | None, beside: str | None, code: str) -> None:
    with pytest.raises(BillRefused) as refused:
        one_address(in_bill, beside)
    assert (refused.value.code, refused.value.element) == (code, "to")


@pytest.mark.parametrize("means", [(), ("30",), ("58",), ("59", "58"), ("49", "30")])
def test_a_bill_that_can_be_paid_by_credit_transfer_is_taken(means: tuple[str, ...]) -> None:
    can_be_taken(but(means=tuple(Means(code=code) for code in means)))


@pytest.mark.parametrize(
    ("changes", "code", "element"),
    [
        ({"payable": Money(100_000_000_000, "EUR")}, "amount-refused", "payable"),
        ({"payable": Money(100_000_000_000, "EUR"), "kind": BillKind.CREDIT_NOTE}, "amount-refused", "payable"),
        ({"kind": BillKind.CREDIT_NOTE, "payable": Money(0, "EUR")}, "nothing-to-credit", "payable"),
        (
            {"kind": BillKind.CREDIT_NOTE, "preceding_numbers": ("2026-1",), "number": "2026-1"},
            "preceding-refused",
            "preceding",
        ),
        ({"payable": Money(0, "EUR")}, "nothing-to-pay", "payable"),
        ({"payable": Money(-1, "EUR")}, "nothing-to-pay", "payable"),
        ({"payee": None}, "no-account", "payee"),
        ({"payee": None, "means": (Means(code="30"),)}, "no-account", "payee"),
        ({"payee": None, "means": (Means(code="bonifico"),)}, "no-account", "payee"),
        *(({"payee": dataclasses.replace(OTHER, **each)}, "account-refused", "payee") for each in HIDDEN),
    ],
)
def test_anything_else_is_refused(changes: dict[str, Any], code: str, element: str) -> None:
    with pytest.raises(BillRefused) as refused:
        can_be_taken(but(**changes))
    assert (refused.value.code, refused.value.element) == (code, element)


@pytest.mark.parametrize(
    ("named", "vetted"),
    [
        ("FR12345678901", "FR12345678901"),
        ("fr 123.456.789-01", "FR12345678901"),
        ("GR 094259216", "EL094259216"),  # two letters of one country
        ("BE 403.019.261", "BE0403019261"),  # as it was written before there were ten digits
        ("CHE-107.787.577 TVA", "CHE107787577MWST"),  # in two languages of Switzerland
        ("XI 980 7806 84", "GB980780684"),  # of who trades in Northern Ireland
        (None, "FR1"),
        ("FR1", None),
        (None, None),
    ],
)
def test_a_bill_is_from_who_sends_it(named: str | None, vetted: str | None) -> None:
    is_from(but(seller=Seller(legal_name="Lumen", vat_id=named)), vat_id=vetted)
    is_from(but(seller=None), vat_id=vetted)


def test_a_bill_of_another_company_is_refused() -> None:
    with pytest.raises(BillRefused) as refused:
        is_from(but(seller=Seller(legal_name="Other", vat_id="FR99999999999")), vat_id="FR12345678901")
    assert refused.value.code == "seller-differs"
    assert "FR99999999999" in refused.value.detail


def codes(bill: Bill, **known: Any) -> list[tuple[str, str]]:
    what = Known(**{"name": "Stadtwerke Musterstadt GmbH", "accounts": [IBAN], **known})
    return [(doubt.code, doubt.element) for doubt in doubts(bill, what)]


def test_of_an_honest_bill_there_is_no_doubt() -> None:
    assert codes(but(seller=Seller(legal_name="STADTWERKE MUSTERSTADT GMBH", trading_name="Stadtwerke"))) == []
    assert codes(but(seller=None)) == []


@pytest.mark.parametrize(
    ("payee", "accounts"),
    [
        (Payee(name="Lumen", iban="DE89370400440532013000"), [IBAN]),
        (Payee(name="Lumen", iban=IBAN), []),
        (Payee(name="Lumen"), [IBAN]),
        (None, [IBAN]),
    ],
)
def test_an_account_that_was_not_vetted_is_a_doubt(payee: Payee | None, accounts: list[str]) -> None:
    assert codes(but(payee=payee), accounts=accounts) == [("account-not-registered", "payee")]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("St\u0430dtwerke Musterst\u0430dt GmbH", "name-alike"),
        ("\u0421ity Water", "name-alike"),  # of nobody we know, and of two alphabets
        ("Quittance Support", "name-of-service"),
        ("QUITTANCE", "name-of-service"),
    ],
)
def test_a_name_that_pretends_is_a_doubt(name: str, code: str) -> None:
    assert codes(but(seller=Seller(legal_name=name))) == [(code, "seller")]
    assert codes(but(seller=Seller(legal_name="Stadtwerke", trading_name=name))) == [(code, "seller")]


def test_a_biller_that_was_vetted_under_such_a_name_may_have_it() -> None:
    assert codes(but(seller=Seller(legal_name="Quittance Lyon")), name="Quittance Lyon") == []


def test_a_number_that_looks_like_an_earlier_one_is_a_doubt() -> None:
    assert codes(BILL, number_alike="2026-l") == [("number-alike", "number")]


def test_what_the_document_says_of_itself_is_kept() -> None:
    said = Doubt(code="page-differs", detail="…", element="amount")
    assert codes(but(doubts=(said,))) == [("page-differs", "amount")]
