"""May this bill be taken? Pure: the bill and what we know in, BillRefused out."""

from __future__ import annotations

from collections.abc import Collection

from app.journey.intake.bill import Bill, BillKind, BillRefused

#: UNCL 4461 means under which the biller itself collects: shown in other systems, never offered for payment here
COLLECTED_BY_BILLER = frozenset({"49", "59"})


def one_address(in_bill: str | None, beside: str | None) -> str:
    """The space address the bill is for, said in the bill, beside it, or in both alike."""
    said = {address.strip().lower() for address in (in_bill, beside) if address}
    if not said:
        raise BillRefused(
            "no-recipient",
            "Say whose bill it is: the customer's space address in the bill or in ?to=.",
            element="to",
        )
    if len(said) > 1:
        raise BillRefused(
            "recipients-differ", "The address in the bill and the one in ?to= are not the same.", element="to"
        )
    return said.pop()


def can_be_taken(bill: Bill) -> None:
    """Only what a customer could pay by a credit transfer is taken so far."""
    if bill.kind is BillKind.CREDIT_NOTE:
        raise BillRefused("credit-note", "Credit notes cannot be delivered yet; only invoices can.", element="kind")
    if bill.payable.minor <= 0:
        raise BillRefused(
            "nothing-to-pay", "The amount due is not above zero: there is nothing to pay.", element="payable"
        )
    for doubt in bill.doubts:
        raise BillRefused(doubt.code, doubt.detail, element=doubt.element)
    if bill.means_codes and set(bill.means_codes) <= COLLECTED_BY_BILLER:
        raise BillRefused(
            "collected-by-biller",
            "This bill says that you collect it by direct debit: it is not for the customer to pay.",
            element="means",
        )
    if bill.payee is None or bill.payee.iban is None:
        raise BillRefused(
            "no-account",
            "The bill names no account with an IBAN that the money could go to.",
            element="payee",
        )


def is_from(bill: Bill, *, vat_id: str | None) -> None:
    """A bill that names another company's VAT number than the vetted biller's is not that biller's."""
    named = bill.seller.vat_id if bill.seller else None
    if named and vat_id and _bare(named) != _bare(vat_id):
        raise BillRefused("seller-differs", f"The bill is from {named}, but you are {vat_id}.", element="seller")


def pays_into(bill: Bill, accounts: Collection[str]) -> None:
    """The account must be one that was vetted as the biller's: a swapped one never gets a cent."""
    if bill.payee is None or bill.payee.iban not in accounts:
        raise BillRefused(
            "account-not-registered",
            "The account in the bill is not registered as yours. Register it first.",
            element="payee",
        )


def _bare(identifier: str) -> str:
    return "".join(character for character in identifier if character.isalnum()).upper()
