"""The 150 official UBL samples and what is beside them: no value wrong, every refusal known by name."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from app.journey.intake.bill import Bill, BillRefused
from app.journey.intake.formats import ubl
from tests.support.shared import shared_folder

pytestmark = pytest.mark.shared

#: Accounts that are IBANs somebody made up; the official rules look at no check digits.
MADE_UP_IBANS = {
    *("cen-ubl__guide-example3.xml", "cen-ubl__ubl-tc434-example3.xml", "cen-ubl__ubl-tc434-example4.xml"),
    "cen-ubl__ubl-tc434-example7.xml",
    "nl-si__SI-UBL-2.0_BR-NL-10_error_customer_no_companyid.xml",
    "nl-si__SI-UBL-2.0_BR-NL-13_error_no_ordernumber.xml",
    "nl-si__SI-UBL-2.0_BR-NL-20_warning_taxpointdate.xml",
    "nl-si__SI-UBL-2.0_BR-NL-21_warning_descriptioncode.xml",
    "nl-si__SI-UBL-2.0_BR-NL-24_warning_ref_issuedate.xml",
    "nl-si__SI-UBL-2.0_BR-NL-25_warning_companyid_novat.xml",
    "nl-si__SI-UBL-2.0_BR-NL-26_warning_legalform.xml",
    "nl-si__SI-UBL-2.0_BR-NL-27_warning_addressline_customer.xml",
    "nl-si__SI-UBL-2.0_BR-NL-30_warning_financialaccount.xml",
    "nl-si__SI-UBL-2.0_BR-NL-31_ok_notsepa.xml",
    "nl-si__SI-UBL-2.0_BR-NL-32_warning_linereasoncode.xml",
    "nl-si__SI-UBL-2.0_BR-NL-33_warning_taxcurrency.xml",
    "nl-si__SI-UBL-2.0_BR-NL-34_warning_reasoncode.xml",
    "nl-si__SI-UBL-2.0_BR-NL-4_error_no_city.xml",
    "nl-si__SI-UBL-2.0_BR-NL-9_error_no_reference.xml",
    *("nl-si__SI-UBL-2.0_ok_base.xml", "nl-si__SI-UBL-2.0_ok_negative.xml"),
    "nl-si__si-ubl-2.0-ext-gaccount_error_no_gaccount.xml",
    *("peppol-2026.5__SB-vat-category-E.xml", "peppol-2026.5__SB-vat-category-O.xml"),
    *("peppol-2026.5__vat-category-E.xml", "peppol-2026.5__vat-category-O.xml"),
    "zf-corpus__UBL__EN16931_OEPNV.ubl.xml",
}
REFUSED = {
    **dict.fromkeys(MADE_UP_IBANS, "account-refused"),
    # the document is in NOK, its amounts in EUR
    "ehf__payment-request-3.0__PaymentRequest-example-2.xml": "currency-refused",
    # two accounts in one payment means; two legal entities of one party
    "mustang__not_validating_full_invoice_based_onTest_EeISI_300_CENfullmodel.ubl.xml": "element-doubled",
    "nl-si__SI-UBL-2.0_UBL-SR-09_error_multiple_legalentity_registrationname.xml": "element-doubled",
    "nl-si__SI-UBL-2.0_UBL-SR-17_error_multiple_legalentity_companyid.xml": "element-doubled",
    # made to break BR-CO-16 and BR-DEX-09: 337.04 and 29.96 of third parties, but nothing due
    "xr-gen__ubl-inv-br-dex-09-test-3-271-code-0.xml": "amounts-do-not-add-up",
}

NOT_BILLS = {
    "fragment_invalid/unit__cen-unit-cii__BR-CO-15__CrossIndustryInvoice__error.xml": "not-a-bill",
    "fragment_invalid/unit__cen-unit__BR-02__CreditNote__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-02__Invoice__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-50__CreditNote__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-50__Invoice__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-CL-04__Invoice__error.xml": "currency-refused",
    "fragment_invalid/unit__cen-unit__BR-CL-16__CreditNote__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-CL-16__Invoice__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-CO-10__Invoice__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-CO-15__CreditNote__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-CO-15__Invoice__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-CO-16__Invoice__error.xml": "element-missing",
    "fragment_invalid/unit__cen-unit__BR-CO-26__Invoice__error.xml": "element-missing",
    "fragment_invalid/unit__peppol-unit__PEPPOL-EN16931-R061__Invoice__error.xml": "element-missing",
    "not_invoice/horstoeko__xml_dummy.xml": "not-a-bill",
    "not_invoice/moov-iso__invalid_pain_v11.xml": "not-a-bill",
}


def samples() -> Path:
    return shared_folder() / "samples"


def expected_rows() -> list[dict[str, str]]:
    with (samples() / "expected_invoices.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["format"].startswith("ubl-")]


def code_of_refusal(path: Path) -> str | None:
    try:
        ubl.read(path.read_bytes())
    except BillRefused as refused:
        return refused.code
    return None


def one_line(value: str | None) -> str:
    return " ".join((value or "").split())


def wrong_values(row: dict[str, str], bill: Bill) -> list[str]:
    """The names of what differs from the expected row, in the sense of samples/compare.py."""
    assert bill.seller is not None
    pairs = {
        "invoice_number": (bill.number, row["invoice_number"]),
        "issue_date": (bill.issued_on.isoformat(), row["issue_date"]),
        "due_date": (
            bill.due_on.isoformat() if bill.due_on else "",
            row["due_date"] or row["due_date_fallback"],
        ),
        "currency": (bill.payable.currency, row["currency"]),
        "amount_due": (bill.payable.decimal(), Decimal(row["amount_due"])),
        # the CSV has BT-27 only; we fall back to the name of the party
        "seller_name": (
            one_line(bill.seller.name),
            one_line(row["seller_name"] or row["seller_trading_name"]),
        ),
        "remittance_reference": (one_line(bill.remittance_reference), one_line(row["remittance_reference"])),
        "order_ref": (one_line(bill.order_reference), one_line(row["order_ref"])),
        "payee_account": (account(bill), expected_account(row)),
    }
    return [name for name, (got, expected) in pairs.items() if got != expected]


def account(bill: Bill) -> str:
    found = bill.payee and (bill.payee.iban or bill.payee.other_account)
    return (found or "").replace(" ", "").upper()


def expected_account(row: dict[str, str]) -> str:
    """Of all accounts in the row the first valid IBAN, else the first; none without a credit transfer."""
    if row["means_code"] and not ubl.CREDIT_TRANSFER_CODES & set(row["means_code"].split("|")):
        return ""
    accounts = [each.replace(" ", "").upper() for each in row["payee_account"].split("|")]
    valid = row["payee_account_valid_iban"].split("|")
    return next((each for each, is_valid in zip(accounts, valid, strict=True) if is_valid == "yes"), accounts[0])


def test_no_value_of_any_sample_is_read_wrongly() -> None:
    wrong = {}
    read = 0
    for row in expected_rows():
        path = samples() / row["file"]
        if path.name in REFUSED:
            continue
        if names := wrong_values(row, ubl.read(path.read_bytes())):
            wrong[path.name] = names
        read += 1
    assert wrong == {}
    assert read == 118


def test_exactly_these_samples_are_refused() -> None:
    found = {path.name: code_of_refusal(path) for path in (samples() / "train/ubl").iterdir()}
    assert len(found) == 150
    assert {name: code for name, code in found.items() if code} == REFUSED


def test_what_is_no_whole_bill_is_refused() -> None:
    train = samples() / "train"
    paths = [*(train / "fragment_invalid").glob("*.xml"), *(train / "not_invoice").glob("*.xml")]
    assert {str(path.relative_to(train)): code_of_refusal(path) for path in paths} == NOT_BILLS
