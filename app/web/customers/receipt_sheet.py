"""The words of a receipt: one sheet for the page and for the PDF, so that both say the same."""

from __future__ import annotations

from dataclasses import dataclass

from app.journey.payments.states import Source
from app.journey.receipts.read import ReceiptView
from app.web.customers.filters import iban, long_day, moment, money, sort_code
from app.web.customers.french import words as _
from connectors.contract import Fact

MINUS = "\N{MINUS SIGN}\N{WORD JOINER}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A line of how the amount comes about."""

    label: str
    value: str  #: ``€84.20``, ``−€5.00``, ``none``


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A fact of the payment."""

    label: str
    value: str
    more: tuple[str, ...] = ()  #: lines below it
    is_code: bool = False  #: to be read sign by sign


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    title: str
    number: str
    issued: str
    heading: str
    lede: str
    demo: str | None  #: no money moved: it is of the demonstration
    void: str | None  #: why it proves nothing any more
    unverified: str | None  #: nobody verified who sent the bill
    amounts: tuple[Amount, ...]
    paid: Amount
    payment_heading: str
    payment: tuple[Said, ...]
    ground_heading: str
    ground: str  #: which fact of a bank it rests on
    beside: str


def sheet_of(receipt: ReceiptView, *, zone: str, is_demo: bool) -> Sheet:
    """In the language and the zone of the page; the bank's name stands in the view already."""
    number = _("Receipt %(number)s", number=receipt.number)
    return Sheet(
        title=_("Void receipt %(number)s", number=receipt.number) if receipt.void else number,
        number=number,
        issued=_("issued %(time)s", time=moment(receipt.issued_at)),
        heading=_("Void receipt of payment") if receipt.void else _("Receipt of payment"),
        lede=_lede(receipt),
        demo=_("Demonstration receipt: stand-in bank, no money moved.") if is_demo else None,
        void=_(
            "This payment was reversed after the receipt had been issued. It no longer proves that the bill is paid."
        )
        if receipt.void
        else None,
        unverified=None
        if receipt.is_delivered
        else _("The payer added this bill; who sent it was verified by nobody."),
        amounts=_amounts(receipt),
        paid=Amount(label=_("Paid"), value=money(receipt.amount)),
        payment_heading=_("The payment"),
        payment=_payment(receipt),
        ground_heading=_("What this receipt rests on"),
        ground=_ground(receipt),
        beside=_beside(receipt, zone),
    )


def _lede(receipt: ReceiptView) -> str:
    names = {
        "amount": money(receipt.amount),
        "payee": receipt.payee_name,
        "number": receipt.invoice_number,
        "biller": receipt.biller_name,
    }
    if receipt.void and receipt.is_delivered:
        return _(
            "%(amount)s had been paid to %(payee)s for bill %(number)s from %(biller)s, and was taken back.", **names
        )
    if receipt.void:
        return _("%(amount)s had been paid to %(payee)s for bill %(number)s, and was taken back.", **names)
    if receipt.is_delivered:
        return _("%(amount)s paid to %(payee)s for bill %(number)s from %(biller)s.", **names)
    return _("%(amount)s paid to %(payee)s for bill %(number)s.", **names)


def _amounts(receipt: ReceiptView) -> tuple[Amount, ...]:
    lines = [Amount(label=_("Amount of the bill"), value=money(receipt.billed))]
    if receipt.credited:
        label = _("Credited before by %(biller)s", biller=receipt.biller_name)
        lines.append(Amount(label=label, value=MINUS + money(receipt.credited)))
    if receipt.discount and receipt.discount_until:
        label = _("Taken off for early payment (by %(day)s)", day=long_day(receipt.discount_until))
        lines.append(Amount(label=label, value=MINUS + money(receipt.discount)))
    if receipt.before:
        lines.append(Amount(label=_("Paid before, in parts"), value=MINUS + money(receipt.before)))
    if receipt.rest:
        lines.append(Amount(label=_("Left to pay then"), value=MINUS + money(receipt.rest)))
    return (*lines, Amount(label=_("Charges by Quittance"), value=_("none")))


def _payment(receipt: ReceiptView) -> tuple[Said, ...]:
    account = [iban(receipt.payee_iban)]
    if british := sort_code(receipt.payee_iban):
        account.append(_("Sort code %(code)s, account %(number)s", code=british[0], number=british[1]))
    reference, at_bank = receipt.reference, receipt.bank_payment_id
    consent = ", " + _("with a consent") if receipt.under_consent else ""
    return (
        Said(label=_("Payee"), value=receipt.payee_name, more=tuple(account)),
        Said(label=_("Reference"), value=reference or _("None on the bill"), is_code=reference is not None),
        Said(label=_("Paid through"), value=receipt.bank_name + consent),
        Said(label=_("Signed by the payer"), value=moment(receipt.decided_at)),
        Said(label=_("Settled"), value=moment(receipt.settled_at)),
        Said(label=_("Number at the bank"), value=at_bank or _("The bank has given none"), is_code=at_bank is not None),
        Said(label=_("End-to-end reference"), value=receipt.end_to_end_id, is_code=True),
        Said(label=_("Number at Quittance"), value=receipt.payment_id, is_code=True),
    )


def _ground(receipt: ReceiptView) -> str:
    """In the past tense: it stays true when the payment is reversed later."""
    credited, bank = receipt.fact == Fact.CREDITED, receipt.bank_name
    if receipt.source == Source.STATEMENT and credited:
        said = _("A statement of account showed that the payment was carried out.")
    elif receipt.source == Source.STATEMENT:
        said = _("A statement of account showed that the amount left the payer’s account.")
    elif receipt.source == Source.OPERATOR:
        said = _("%(bank)s confirmed in writing that the amount left the payer’s account.", bank=bank)
    elif receipt.arrival_confirmed:
        said = _(
            "%(bank)s confirmed that the amount left the payer’s account and that it reached the payee’s.", bank=bank
        )
    else:
        said = _("%(bank)s confirmed that the amount left the payer’s account.", bank=bank)
    if not credited:
        return said + " " + _("That it reached the payee’s account is not part of what was confirmed.")
    return said if receipt.arrival_confirmed else said + " " + _("It reached the payee’s account.")


def _beside(receipt: ReceiptView, zone: str) -> str:
    if receipt.under_consent:
        return _(
            "Quittance passed on the payer’s order, which a consent of the payer at the bank covers, and never held the"
            " money. Times are those of %(zone)s.",
            zone=zone,
        )
    return _(
        "Quittance passed on the payer’s order, which the payer approved at the bank, and never held the money. Times"
        " are those of %(zone)s.",
        zone=zone,
    )
