"""Cross Industry Invoices: exact values from bills of our own making, and what EXTENDED repeats."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from app.journey.intake.bill import (
    AccountScheme,
    Bill,
    BillKind,
    BillRefused,
    EarlyPayment,
    LateFee,
    Means,
    Payee,
    Seller,
)
from app.journey.intake.formats import schemas, xml, xml_bill
from connectors.money import Money
from tests.support.bills import IBAN, NUMBER, REFERENCE, SELLER_NAME, SELLER_VAT, TO, cii_bill, cii_terms

SETTLEMENT = "/rsm:CrossIndustryInvoice/rsm:SupplyChainTradeTransaction/ram:ApplicableHeaderTradeSettlement"
TOTALS = f"{SETTLEMENT}/ram:SpecifiedTradeSettlementHeaderMonetarySummation"


def read(**changes: Any) -> Bill:
    return xml_bill.read(cii_bill(**changes))


def refused(**changes: Any) -> tuple[str, str]:
    with pytest.raises(BillRefused) as caught:
        read(**changes)
    return caught.value.code, caught.value.element


def measure(days: str, unit: str = "DAY") -> str:
    return f'<ram:BasisPeriodMeasure unitCode="{unit}">{days}</ram:BasisPeriodMeasure>'


def percent(value: str) -> str:
    return f"<ram:CalculationPercent>{value}</ram:CalculationPercent>"


def test_a_whole_invoice() -> None:
    assert read(total="94.20", prepaid="10.00", terms=cii_terms(due_on="20261201", text="30 jours")) == Bill(
        kind=BillKind.INVOICE,
        number=NUMBER,
        issued_on=dt.date(2026, 11, 1),
        due_on=dt.date(2026, 12, 1),
        due_dates=(dt.date(2026, 12, 1),),
        payable=Money(8420, "EUR"),
        total=Money(9420, "EUR"),
        prepaid=Money(1000, "EUR"),
        type_code="380",
        to=TO,
        to_scheme="EM",
        seller=Seller(legal_name=SELLER_NAME, vat_id=SELLER_VAT, country="FR"),
        buyer_name="Jana Nováková",
        payee=Payee(name=SELLER_NAME, iban=IBAN),
        means=(Means(code="58", account=IBAN),),
        remittance_reference=REFERENCE,
        terms="30 jours",
        specification="urn:cen.eu:en16931:2017",
    )


@pytest.mark.parametrize("type_code", ["381", "261"])
def test_a_credit_type_code_makes_it_a_credit(type_code: str) -> None:
    assert read(type_code=type_code).kind is BillKind.CREDIT_NOTE


@pytest.mark.parametrize(
    ("changes", "code", "element"),
    [
        ({"amount": "9119.00", "total": "119.00"}, "amounts-do-not-add-up", f"{TOTALS}/ram:DuePayableAmount"),
        ({"amount": "84,20"}, "amount-refused", f"{TOTALS}/ram:DuePayableAmount"),
        ({"amount": "84.201"}, "amount-refused", f"{TOTALS}/ram:DuePayableAmount"),
        (
            {"extra_totals": "<ram:DuePayableAmount>1.00</ram:DuePayableAmount>"},
            "element-doubled",
            f"{TOTALS}/ram:DuePayableAmount",
        ),
        ({"currency": "XXX"}, "currency-refused", f"{SETTLEMENT}/ram:InvoiceCurrencyCode"),
        (
            {"iban": "FR1420041010050500013M02607"},
            "account-refused",
            f"{SETTLEMENT}/ram:SpecifiedTradeSettlementPaymentMeans/ram:PayeePartyCreditorFinancialAccount/ram:IBANID",
        ),
        ({"reference": "RF19539007547034"}, "reference-refused", f"{SETTLEMENT}/ram:PaymentReference"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, str], code: str, element: str) -> None:
    assert refused(**changes) == (code, element)


@pytest.mark.parametrize("written", ["20260230", "2026-12-01", "261201", "２０２６1201", "21010101"])
def test_a_day_is_eight_digits_of_the_calendar(written: str) -> None:
    path = f"{SETTLEMENT}/ram:SpecifiedTradePaymentTerms/ram:DueDateDateTime/udt:DateTimeString"
    assert refused(due_on=written) == ("date-refused", path)


def test_a_day_in_another_format_is_refused() -> None:
    with pytest.raises(BillRefused, match="YYYYMMDD") as caught:
        xml_bill.read(cii_bill().replace(b'format="102"', b'format="610"'))
    assert caught.value.element.endswith("/udt:DateTimeString/@format")


# --- accounts


def means(code: str, account: str, bic: str = "") -> str:
    institution = f"<ram:PayeeSpecifiedCreditorFinancialInstitution><ram:BICID>{bic}</ram:BICID>"
    return (
        f"<ram:SpecifiedTradeSettlementPaymentMeans><ram:TypeCode>{code}</ram:TypeCode>"
        f"<ram:PayeePartyCreditorFinancialAccount>{account}</ram:PayeePartyCreditorFinancialAccount>"
        + (f"{institution}</ram:PayeeSpecifiedCreditorFinancialInstitution>" if bic else "")
        + "</ram:SpecifiedTradeSettlementPaymentMeans>"
    )


def test_a_national_account_is_kept_as_what_it_is() -> None:
    found = read(currency="GBP", means=means("30", "<ram:ProprietaryID>31926819</ram:ProprietaryID>", "601613"))
    assert found.payee == Payee(
        name=SELLER_NAME, other_account="31926819", branch="601613", scheme=AccountScheme.UK_SORT_CODE
    )


def test_a_direct_debit_is_shown_and_not_offered() -> None:
    mandate = "<ram:SpecifiedTradePaymentTerms><ram:DirectDebitMandateID>M-1</ram:DirectDebitMandateID>"
    account = f"<ram:IBANID>{IBAN}</ram:IBANID>"
    found = read(means=means("59", account), terms=f"{mandate}</ram:SpecifiedTradePaymentTerms>")
    assert (found.payee, found.means) == (None, (Means(code="59", account=IBAN, mandate="M-1"),))


def test_the_creditor_is_shown() -> None:
    content = cii_bill(means=means("59", "")).replace(
        b"<ram:PaymentReference>",
        b"<ram:CreditorReferenceID>FR72ZZZ123456</ram:CreditorReferenceID><ram:PaymentReference>",
    )
    assert xml_bill.read(content).creditor_id == "FR72ZZZ123456"


def test_the_first_transfer_to_an_iban_is_offered() -> None:
    other = means("30", "<ram:ProprietaryID>0123</ram:ProprietaryID>")
    found = read(means=other + means("58", f"<ram:IBANID>{IBAN}</ram:IBANID>", "PSSTFRPPXXX"))
    assert found.payee == Payee(name=SELLER_NAME, iban=IBAN, bic="PSSTFRPPXXX")


# --- what is due when


def test_with_several_due_dates_the_net_one_is_the_latest_without_a_discount() -> None:
    early = cii_terms(due_on="20261110", discount=percent("2.00"))
    found = read(terms=early + cii_terms(due_on="20261201"))
    assert found.due_on == dt.date(2026, 12, 1)
    assert found.due_dates == (dt.date(2026, 11, 10), dt.date(2026, 12, 1))
    assert found.early_payments == (EarlyPayment(until=dt.date(2026, 11, 10), discount=Money(168, "EUR")),)
    assert read(terms=cii_terms(due_on="20261110") + cii_terms(due_on="20261201")).due_on == dt.date(2026, 12, 1)


def test_days_count_from_the_base_date_else_from_the_issue() -> None:
    base = '<ram:BasisDateTime><udt:DateTimeString format="102">20261105</udt:DateTimeString></ram:BasisDateTime>'
    for start, day in ((base, 15), ("", 11)):
        found = read(terms=cii_terms(due_on="20261201", discount=start + measure("10") + percent("2.5")))
        assert found.early_payments == (EarlyPayment(until=dt.date(2026, 11, day), discount=Money(211, "EUR")),)
        assert found.due_on == dt.date(2026, 12, 1)


def test_a_stated_amount_holds() -> None:
    amount = "<ram:ActualDiscountAmount>2.10</ram:ActualDiscountAmount>"
    found = read(terms=cii_terms(discount=measure("10") + percent("2.5") + amount))
    assert [each.discount for each in found.early_payments] == [Money(210, "EUR")]


def test_the_german_text_is_read_in_cii_too() -> None:
    found = read(terms=cii_terms(due_on="20261201", text="#SKONTO#TAGE=14#PROZENT=2.00#\n"))
    assert found.early_payments == (EarlyPayment(until=dt.date(2026, 11, 15), discount=Money(168, "EUR")),)


@pytest.mark.parametrize(
    "discount",
    [
        measure("2", "MON") + percent("2.00"),
        measure("400") + percent("2.00"),
        measure("14"),
        percent("2.00"),  # no day at all
        measure("14") + percent("2.00") + "<ram:ActualDiscountAmount>20.00</ram:ActualDiscountAmount>",
    ],
)
def test_what_leaves_something_to_guess_is_only_shown(discount: str) -> None:
    assert read(terms=cii_terms(discount=discount)).early_payments == ()


def part(amount: str) -> str:
    return f"<ram:PartialPaymentAmount>{amount}</ram:PartialPaymentAmount>"


def test_a_discount_of_an_instalment_is_only_shown() -> None:
    whole = cii_terms(due_on="20261201", discount=measure("14") + percent("2.00"))
    half = whole.replace("<ram:Applicable", part("42.10") + "<ram:Applicable")
    rest = cii_terms(due_on="20270101").replace("</ram:SpecifiedT", part("42.10") + "</ram:SpecifiedT")
    for terms in (half, half + rest, whole + rest):
        assert read(terms=terms).early_payments == ()
    (found,) = read(terms=half.replace("42.10", "84.20")).early_payments
    assert found.discount == Money(168, "EUR")


def test_a_discount_for_paying_another_payee_is_only_shown() -> None:
    factor = "<ram:PayeeTradeParty><ram:Name>Factor AG</ram:Name></ram:PayeeTradeParty>"
    terms = cii_terms(discount=measure("14") + percent("2.00"))
    assert read(terms=terms.replace("</ram:SpecifiedT", factor + "</ram:SpecifiedT")).early_payments == ()


def test_several_discount_terms_are_as_many_discounts() -> None:
    first, second = measure("7") + percent("3.00"), measure("14") + percent("2.00")
    terms = cii_terms(discount=second) + cii_terms(discount=first) + cii_terms(due_on="20261201")
    assert read(terms=terms).early_payments == (
        EarlyPayment(until=dt.date(2026, 11, 8), discount=Money(253, "EUR")),  # 2.526
        EarlyPayment(until=dt.date(2026, 11, 15), discount=Money(168, "EUR")),
    )
    more_later = cii_terms(discount=first) + cii_terms(discount=measure("14") + percent("3.01"))
    assert read(terms=more_later).early_payments == ()


def test_a_credit_has_no_discount() -> None:
    assert read(type_code="381", terms=cii_terms(discount=measure("14") + percent("2.00"))).early_payments == ()


# --- late fees

FEE = "<ram:ActualPenaltyAmount>5.00</ram:ActualPenaltyAmount>"


@pytest.mark.parametrize(("days", "starts_on"), [("", 2), (measure("30"), 2), (measure("44"), 16)])
def test_a_fixed_penalty_is_a_late_fee(days: str, starts_on: int) -> None:
    content = cii_bill(terms=cii_terms(due_on="20261201", penalty=days + FEE))
    found = LateFee(starts_on=dt.date(2026, 12, starts_on), amount=Money(500, "EUR"))
    assert xml_bill.read(content).late_fee == found
    schemas.check(xml.parse(content))


@pytest.mark.parametrize(
    "penalty",
    [
        percent("8.00"),
        percent("8.00") + FEE,
        "<ram:BasisAmount>84.20</ram:BasisAmount>" + FEE,
        measure("1", "MON") + FEE,
        measure("29") + FEE,  # it would be owed on the due day
        FEE.replace("5.00", "0"),
        FEE.replace("5.00", "5.005"),
        FEE.replace(">5.00", ' currencyID="USD">5.00'),
    ],
)
def test_a_penalty_that_leaves_something_to_guess_is_not_read(penalty: str) -> None:
    assert read(terms=cii_terms(due_on="20261201", penalty=penalty)).late_fee is None


def test_a_penalty_of_an_instalment_or_for_another_payee_or_one_of_two_is_not_read() -> None:
    whole = cii_terms(due_on="20261201", penalty=FEE)
    half = whole.replace("<ram:Applicable", part("42.10") + "<ram:Applicable")
    factor = "<ram:PayeeTradeParty><ram:Name>Factor AG</ram:Name></ram:PayeeTradeParty>"
    other = whole.replace("</ram:SpecifiedT", factor + "</ram:SpecifiedT")
    for terms in (half, whole + whole, other, whole + cii_terms(due_on="20261215")):
        assert read(terms=terms).late_fee is None
    assert read(type_code="381", terms=whole).late_fee is None
