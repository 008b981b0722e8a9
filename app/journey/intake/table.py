"""Bills as rows of a table, one for each file. Without it nobody could lay what we read beside what is true."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TextIO

from app.journey.intake.bill import Bill, BillKind, BillRefused, Seller
from app.journey.intake.formats import BYTES_MAX, checks, read_any
from app.journey.intake.means import MeansKind, kind_of

_NOBODY = Seller()
_PAYS = {
    MeansKind.CREDIT_TRANSFER: "payable",
    MeansKind.DIRECT_DEBIT: "collected by direct debit",
    MeansKind.CARD: "by card",
    MeansKind.ELSEWHERE: "not from here",
}
#: what a spreadsheet would run; a minus before digits is an amount, and a reference may begin with +++
_FORMULA = re.compile(r"[=@\t\r]|[+-]+[A-Za-z(=@]")


def _due(bill: Bill, *, of_means: bool) -> str:
    return bill.due_on.isoformat() if bill.due_on and bill.due_on_of_means is of_means else ""


def _accounts(bill: Bill) -> list[str]:
    """All that the bill names, once each; for what is offered see ``pays``."""
    found = (account for each in bill.means for account in (each.account, each.second_account) if account)
    return list(dict.fromkeys(found))


def _references(bill: Bill) -> str:
    found = dict.fromkeys(each.reference for each in bill.means if each.reference)
    return "|".join(found) or bill.remittance_reference or ""


def _of_seller(read: Callable[[Seller], str | None]) -> Callable[[Bill], str | None]:
    return lambda bill: read(bill.seller or _NOBODY)


def _early_payments(bill: Bill) -> str:
    return "|".join(f"{each.until.isoformat()} {each.discount}" for each in bill.early_payments)


def _late_fee(bill: Bill) -> str:
    return f"{bill.late_fee.starts_on.isoformat()} {bill.late_fee.amount}" if bill.late_fee else ""


#: column → what a bill has there
COLUMNS: Mapping[str, Callable[[Bill], object]] = {
    "invoice_number": lambda bill: bill.number,
    "type_code": lambda bill: bill.type_code,
    "issue_date": lambda bill: bill.issued_on.isoformat(),
    "due_date": lambda bill: _due(bill, of_means=False),
    "due_date_fallback": lambda bill: _due(bill, of_means=True),
    "due_dates_all": lambda bill: "|".join(each.isoformat() for each in sorted(bill.due_dates)),
    "currency": lambda bill: bill.payable.currency,
    "tax_currency": lambda bill: bill.tax_currency,
    "amount_due": lambda bill: bill.payable,
    "total_with_vat": lambda bill: bill.total,
    "prepaid": lambda bill: bill.prepaid,
    "rounding": lambda bill: bill.rounding,
    "seller_name": _of_seller(lambda seller: seller.legal_name),
    "seller_trading_name": _of_seller(lambda seller: seller.trading_name),
    "seller_vat": _of_seller(lambda seller: seller.vat_id),
    "seller_legal_id": _of_seller(lambda seller: seller.legal_id),
    "seller_endpoint": _of_seller(lambda seller: seller.endpoint),
    "seller_endpoint_scheme": _of_seller(lambda seller: seller.endpoint_scheme),
    "seller_country": _of_seller(lambda seller: seller.country),
    "buyer_name": lambda bill: bill.buyer_name,
    "buyer_endpoint": lambda bill: bill.to,
    "buyer_endpoint_scheme": lambda bill: bill.to_scheme,
    "buyer_id": lambda bill: bill.buyer_id,
    "payee_name": lambda bill: bill.payee_name,
    "means_code": lambda bill: "|".join(bill.means_codes),
    "payee_account": lambda bill: "|".join(_accounts(bill)),
    "payee_account_valid_iban": lambda bill: "|".join(
        "yes" if checks.valid_iban(each) else "no" for each in _accounts(bill)
    ),
    "payee_bic": lambda bill: "|".join(each.branch for each in bill.means if each.branch),
    "remittance_reference": _references,
    "mandate": lambda bill: next((each.mandate for each in bill.means if each.mandate), None),
    "buyer_reference": lambda bill: bill.buyer_reference,
    "order_ref": lambda bill: bill.order_reference,
    "preceding_invoice": lambda bill: "|".join(bill.preceding_numbers),
    "customization": lambda bill: bill.specification,
    "pdf_attachments": lambda bill: "|".join(sorted(bill.attachments)),
    "early_payment": _early_payments,
    "late_fee": _late_fee,
    "pays": lambda bill: _pays(bill),
    "held": lambda bill: "; ".join(doubt.detail for doubt in bill.doubts),
}
HEADER = ("file", *COLUMNS, "refused")


def write(files: Iterable[str], out: TextIO) -> None:
    """One row for each file, in their order, as soon as it is read."""
    rows = csv.DictWriter(out, HEADER, lineterminator="\n")
    rows.writeheader()
    for file in files:
        rows.writerow({"file": file, **row(Path(file))})


def row(path: Path) -> dict[str, str]:
    """What the file says, or why it is refused: never both."""
    try:
        with path.open("rb") as file:
            bill = read_any(file.read(BYTES_MAX + 1))
    except BillRefused as refused:
        where = f" [{refused.element}]" if refused.element else ""
        return {"refused": f"{refused.code}: {refused.detail}{where}"}
    return {name: _cell(read(bill)) for name, read in COLUMNS.items()}


def _pays(bill: Bill) -> str:
    """Which way the money goes, if any."""
    if bill.kind is BillKind.CREDIT_NOTE or bill.payable.minor < 0:
        return "credit"
    if bill.payable.minor == 0:
        return "nothing due"
    kind = kind_of(bill)
    return _PAYS[kind] if kind else "no account that can be paid to"


def _cell(value: object) -> str:
    """As text. One that a spreadsheet would run as a formula gets the apostrophe that stops it."""
    written = "" if value is None else str(value)
    return f"'{written}" if _FORMULA.match(written) else written
