"""May this bill be taken? Pure: the bill and what we know in, BillRefused out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from app.journey.intake import links
from app.journey.intake.bill import Bill, BillKind, BillRefused, Doubt
from app.journey.intake.formats import checks, text
from app.journey.intake.means import SEPA_TRANSFER, MeansKind, is_link, kind_of
from app.people import identifiers, lookalikes
from app.people.lookalikes import SERVICE_NAMES
from connectors.money import Money
from connectors.sepa import AMOUNT_MINOR_MAX

#: new versions of one bill; all of them are walked through whenever one of them is paid or corrected
VERSIONS_MOST = 100

#: the stable code of a bill that names an account which is not open as its biller's
NOT_REGISTERED = "account-not-registered"
#: and of a bill of a biller that is suspended
NOT_VETTED = "biller-not-vetted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What we know of a biller when a bill of it comes."""

    name: str
    accounts: Collection[str]  #: that its bills may name now
    number_alike: str | None = None  #: an earlier number that is another one and looks the same
    is_vetted: bool = True  #: it may reach customers now
    seal_missing: bool = False  #: it came without a seal, and the biller has a key to seal with


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
    """What a customer pays, here or elsewhere, what its biller collects, or what takes something off that.

    These are rules of the door: a bill that was taken is opened by its reader alone, whatever they have become since.
    """
    _has_no_hidden_iban(bill)
    if bill.corrects == bill.number:
        detail = "The bill names itself as the one that it corrects: give it a number of its own."
        raise BillRefused("preceding-refused", detail, element="preceding")
    if bill.payable.minor > AMOUNT_MINOR_MAX:
        most = Money(AMOUNT_MINOR_MAX, bill.payable.currency)
        detail = f"The amount is larger than one payment carries ({most}): send it as several bills."
        raise BillRefused("amount-refused", detail, element="payable")
    if bill.kind is BillKind.CREDIT_NOTE:
        if bill.payable.minor <= 0:
            raise BillRefused(
                "nothing-to-credit",
                "The amount of the credit note is not above zero: it credits nothing. Say what it takes off.",
                element="payable",
            )
        return
    if bill.payable.minor <= 0:
        raise BillRefused(
            "nothing-to-pay",
            f"The amount due is not above zero: there is nothing to pay.{_instead_of(bill)}",
            element="payable",
        )
    if kind_of(bill) is None:
        raise BillRefused(
            "no-account",
            "The bill names no account that the money could go to, and no other way in which it is paid.",
            element="payee",
        )


def _has_no_hidden_iban(bill: Bill) -> None:
    """An IBAN that nobody vetted must not pass for an account that has none, nor a SEPA transfer go without one.

    The address of a page is let through there: somebody is to look at such a bill (``account-is-link``).
    """
    payee = bill.payee
    if payee is None or payee.other_account is None:
        return
    account, branch = payee.other_account, payee.branch or ""
    checks.refuse_iban_in(account, branch, payee.name, f"{branch} {account}", f"{account} {branch}", element="payee")
    is_sepa = any((each.code, each.account) == (SEPA_TRANSFER, account) for each in bill.means)
    if is_sepa and bill.payable.currency == "EUR" and not links.is_page(account):
        detail = (
            f"{text.quoted(account)} is not an IBAN, and a SEPA transfer (means {SEPA_TRANSFER}) goes to one:"
            " send the IBAN, or another means (30) with this account."
        )
        raise BillRefused("account-refused", detail, element="payee")


def is_open(bill: Bill, *, today: dt.date) -> None:
    """May its customer still say yes to it, on their own day?"""
    if bill.expires_on is not None and bill.expires_on < today:
        raise BillRefused(
            "expired",
            f"The request to pay was open until {bill.expires_on.isoformat()}: send one with a later day, or without.",
            element="XpryDt",
        )


def _instead_of(bill: Bill) -> str:
    """What to do about the earlier bill that a refused one was to stand in for: it is still asked for."""
    if bill.corrects is None:
        return ""
    return (
        f" Bill {bill.corrects} is still there to pay. If nothing of it is to be paid here any more, withdraw it:"
        " POST /bills/{its id}/withdrawal."
    )


def is_from(bill: Bill, *, vat_id: str | None) -> None:
    """A bill that names another company's VAT number than the vetted biller's is not that biller's."""
    named = bill.seller.vat_id if bill.seller else None
    if named and vat_id and _bare(named) != _bare(vat_id) and not identifiers.is_same_vat(named, vat_id):
        raise BillRefused("seller-differs", f"The bill is from {named}, but you are {vat_id}.", element="seller")


def pays_into(bill: Bill, accounts: Collection[str]) -> Doubt | None:
    """The account must be one of the biller's that is open (``people.accounts``): a swapped one never gets a cent."""
    if bill.payee is not None and bill.payee.iban in accounts:
        return None
    if bill.kind is BillKind.CREDIT_NOTE or kind_of(bill) not in (MeansKind.CREDIT_TRANSFER, None):
        return None  # nobody pays to it from here
    return Doubt(
        code=NOT_REGISTERED,
        detail="The account in the bill is not registered as yours, or not open now. Once it is, send the bill again.",
        element="payee",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Preceding:
    """What is known of the bill that a correction names."""

    customer_id: str
    kind: str
    currency: str


def can_correct(bill: Bill, preceding: Preceding, *, customer_id: str) -> None:
    """May this one correct that one, as far as it was delivered?"""
    named = bill.corrects
    if preceding.customer_id != customer_id:
        detail = f"You delivered {named} to another customer: a correction goes to the customer of its bill."
        raise BillRefused("preceding-refused", detail, element="preceding")
    if preceding.kind == BillKind.CREDIT_NOTE:
        detail = f"{named} is a credit note: name the bill that is to be corrected."
        raise BillRefused("preceding-refused", detail, element="preceding")
    if bill.kind is BillKind.CREDIT_NOTE and bill.payable.currency != preceding.currency:
        detail = f"{named} is in {preceding.currency}, and the credit note in {bill.payable.currency}: send it in"
        raise BillRefused("currency-differs", f"{detail} {preceding.currency}.", element="currency")


def can_replace(*, versions: int) -> None:
    """May there be one more of the bill, beside the ``versions`` that there are?"""
    if versions >= VERSIONS_MOST:
        detail = (
            f"There are {versions} new versions of this bill already, and no more are taken. Withdraw the last one, and"
            " send this as a bill that replaces none."
        )
        raise BillRefused("too-many-versions", detail, element="preceding")


def doubts(bill: Bill, known: Known) -> tuple[Doubt, ...]:
    """Why somebody must look before the customer may pay: what the document says of itself, then what we know."""
    # none of a suspended biller is open: that is no reason of the bill's own
    account = (pays_into(bill, known.accounts) if known.is_vetted else None) or _about_link(bill)
    found = [
        *bill.doubts,
        _about_biller(known),
        account,
        _about_seal(known),
        *_about_number(known),
        *_about_name(bill, known),
    ]
    return tuple(doubt for doubt in found if doubt is not None)


def _about_link(bill: Bill) -> Doubt | None:
    """Who reads it must not be led to a page that nobody has looked at."""
    if bill.kind is BillKind.CREDIT_NOTE or kind_of(bill) is not MeansKind.ELSEWHERE or not is_link(bill):
        return None
    detail = "Where an account, its branch or its holder belongs the bill has the address of a page."
    return Doubt(code="account-is-link", detail=detail, element="payee")


def _about_biller(known: Known) -> Doubt | None:
    if known.is_vetted:
        return None
    return Doubt(code=NOT_VETTED, detail="You are suspended here. What you deliver is kept, and reaches nobody now.")


def _about_seal(known: Known) -> Doubt | None:
    """Who seals its bills seals all of them: one without may come from somebody who only got into its access."""
    if not known.seal_missing:
        return None
    detail = "It is not sealed, and you have a key to seal with. Seal it, then send it again."
    return Doubt(code="seal-missing", detail=detail, element="Bill-Signature")


def _about_number(known: Known) -> Iterator[Doubt]:
    if known.number_alike is not None:
        detail = f"You delivered a bill before whose number {known.number_alike} looks the same."
        yield Doubt(code="number-alike", detail=detail, element="number")


def _about_name(bill: Bill, known: Known) -> Iterator[Doubt]:
    """A seller is known by its access, never by its name; a name that pretends is a reason to look."""
    names = [name for name in (bill.seller.legal_name, bill.seller.trading_name) if name] if bill.seller else []
    if not names:
        return
    if any(lookalikes.disguised(name, known.name) or lookalikes.mixes(name) for name in names):
        detail = "The seller's name is written with letters of another alphabet that look like its own."
        yield Doubt(code="name-alike", detail=detail, element="seller")
    services = [each for each in SERVICE_NAMES if each not in lookalikes.key(known.name)]
    if any(service in lookalikes.key(name) for name in names for service in services):
        yield Doubt(code="name-of-service", detail="The seller calls itself like this service.", element="seller")


def _bare(identifier: str) -> str:
    return "".join(character for character in identifier if character.isalnum()).upper()
