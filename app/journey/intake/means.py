"""How a bill is paid. Only a credit transfer to an IBAN is offered here; anything else is shown as what it is.

The codes are those of UNCL 4461 (BT-81), as far as bills have them. A bill may name several means.
"""

from __future__ import annotations

import enum

from app.journey.intake import links
from app.journey.intake.bill import AccountScheme, Bill


class MeansKind(enum.StrEnum):
    CREDIT_TRANSFER = "credit_transfer"  #: its customer pays it, from here
    DIRECT_DEBIT = "direct_debit"  #: its biller collects it
    CARD = "card"  #: it is taken from a card, by its biller
    ELSEWHERE = "elsewhere"  #: to an account that is no IBAN, in cash, by cheque: its customer pays it, not from here


#: its biller takes the money: its customer can pay it neither early nor late
COLLECTED = frozenset({MeansKind.DIRECT_DEBIT, MeansKind.CARD})

SEPA_TRANSFER = "58"
#: The customer sends the money. ZZZ is "as agreed"; EHF payment requests may leave the code out; 50, 56 and 93 are the
#: giros of the north, Z02 is PayNow: what their accounts are, the accounts say.
CREDIT_TRANSFERS = frozenset({"30", SEPA_TRANSFER, "31", "42", "57", "1", "50", "56", "93", "ZZZ", "Z02", ""})
DIRECT_DEBITS = frozenset({"49", "59"})
CARDS = frozenset({"48", "54", "55"})
CASH, CHEQUE = "10", "20"
#: besides: an online payment service, clearing between partners
OTHERS = frozenset({CASH, CHEQUE, "68", "97"})


def kind_of(bill: Bill) -> MeansKind | None:
    """The one that counts; None: it names none by which anybody could pay.

    Under a mandate, at whichever means it stands, the biller collects, whatever other account stands beside it: a
    transfer would pay the bill a second time. Otherwise what can be paid here is offered.
    """
    iban, other = (bill.payee.iban, bill.payee.other_account) if bill.payee else (None, None)
    codes = {each.code for each in bill.means} or {""}
    by_transfer = not CREDIT_TRANSFERS.isdisjoint(codes)
    collected = not DIRECT_DEBITS.isdisjoint(codes)
    if collected and any(each.mandate for each in bill.means):
        return MeansKind.DIRECT_DEBIT
    if by_transfer and iban:
        return MeansKind.CREDIT_TRANSFER
    if collected:
        return MeansKind.DIRECT_DEBIT
    if by_transfer and other:
        return MeansKind.ELSEWHERE
    if not CARDS.isdisjoint(codes):
        return MeansKind.CARD
    return None if OTHERS.isdisjoint(codes) else MeansKind.ELSEWHERE


def details_of(bill: Bill) -> dict[str, str]:
    """What the bill says of a means that is not offered, for its customer to read; nobody has checked any of it.

    Of a direct debit ``mandate`` and ``creditor_id``; of an account ``account``, ``scheme``, ``branch`` and ``holder``;
    of another means its ``code``. Of a transfer that is offered ``besides``, where the bill names a direct debit, too.
    What the bill does not say is absent.
    """
    kind = kind_of(bill)
    mandate = next((each.mandate for each in bill.means if each.mandate), None)
    said: dict[str, str | None] = {}
    if kind is MeansKind.DIRECT_DEBIT:
        said = {"mandate": mandate, "creditor_id": bill.creditor_id}
    elif kind is MeansKind.CREDIT_TRANSFER and (mandate or not DIRECT_DEBITS.isdisjoint(bill.means_codes)):
        said = {"besides": MeansKind.DIRECT_DEBIT.value}
    elif kind is MeansKind.ELSEWHERE and bill.payee is not None and bill.payee.other_account:
        payee = bill.payee
        said = {"account": payee.other_account, "scheme": payee.scheme.value, "branch": payee.branch}
        said["holder"] = payee.name
    elif kind is MeansKind.ELSEWHERE:
        said = {"code": next((each.code for each in bill.means if each.code in OTHERS), None)}
    return {name: value for name, value in said.items() if value}


def is_link(bill: Bill) -> bool:
    """Whether it names the address of a page where an account belongs, its branch or its holder."""
    payee = bill.payee
    if payee is None:
        return False
    return payee.scheme is AccountScheme.LINK or links.is_page(payee.branch or "") or links.names_page(payee.name)
