"""Bills that may be the same one, and payees that look like a company of their customer's with another account."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, or_, select, true
from sqlalchemy.orm import Session

from app.journey.connections.access import delivering_billers
from app.journey.intake import lookalikes
from app.journey.intake.models import DeliveredBill, number_key
from app.journey.intake.rules import SERVICE_NAMES
from app.journey.invoices.access import payee_of
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.people.models import Biller, PayeeAccount
from connectors.money import Money

#: bills that one may be the same as; more tell nothing more
TWINS_MOST = 10
#: bills of every month may be alike in two of the three: of one month one was perhaps written in another way
TWINS_APART = dt.timedelta(days=25)
#: letters that two names have in common, of all
_NEAR = 0.85
_WORDS = re.compile(r"\w+")
#: of companies' names, what tells nothing of which one it is
_FORMS = frozenset(
    lookalikes.glance(form)
    for form in [
        *("ab", "ag", "bv", "co", "eg", "ev", "gmbh", "inc", "kg", "llc", "ltd", "nv", "oy", "plc"),
        *("sa", "sarl", "sas", "se", "spa", "srl", "the", "und", "et"),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """Another bill of the same customer that may be the same one: two of account, amount and reference are equal."""

    id: str
    name: str  #: of its biller, or of the payee where its customer added it
    number: str
    amount: Money
    state: str
    is_delivered: bool

    @property
    def is_taken(self) -> bool:
        """Paid, or a payment of it is under way."""
        return self.state in (InvoiceState.PAID, InvoiceState.IN_PAYMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """A company that delivers to this customer and has other accounts than the bill names; or this very service."""

    biller_name: str
    by_number: bool = False  #: it is the number of a bill of that company's; else its name
    of_service: bool = False  #: nobody pays a bill to this service


def twins(session: Session, *, invoice_id: str) -> list[Twin]:
    """Those that may be paid twice with this one: delivered ones first, the latest first. None that is cleared.

    Of a delivered bill only such as its customer added: that a biller delivers one twice is for the intake to see.
    """
    invoice = session.get_one(Invoice, invoice_id)
    number, words = _spellings(invoice.number), _spellings(invoice.number) | _spellings(invoice.reference or "")
    bare_number, bare_reference = func.replace(Invoice.number, " ", ""), func.replace(Invoice.reference, " ", "")
    account = Invoice.payee_iban == invoice.payee_iban
    amount = Invoice.amount_minor == invoice.amount_minor
    reference = or_(bare_number.in_(words), bare_reference.in_(words))
    near = Invoice.received_at.between(invoice.received_at - TWINS_APART, invoice.received_at + TWINS_APART)
    same = [near & or_(account & amount, account & reference, amount & reference), account & amount & reference]
    if invoice.number != invoice.reference:  # a number of its own, which no other bill of that payee has
        same.append(account & bare_number.in_(number))
    rows = session.execute(
        select(Invoice, Biller.name)
        .outerjoin(Biller, Biller.id == Invoice.biller_id)
        .where(
            Invoice.customer_id == invoice.customer_id,
            Invoice.id != invoice.id,
            Invoice.currency == invoice.currency,
            Invoice.state != InvoiceState.CLEARED,
            Invoice.own_bill_id.is_not(None) if invoice.is_delivered else true(),
            or_(*same),
        )
        .order_by(Invoice.bill_id.is_(None), Invoice.id.desc())
        .limit(TWINS_MOST)
    )
    return [
        Twin(
            id=other.id,
            name=name or payee_of(other)[0],
            number=other.number,
            amount=other.amount,
            state=other.state,
            is_delivered=other.is_delivered,
        )
        for other, name in rows
    ]


def likeness(session: Session, *, invoice_id: str) -> Likeness | None:
    """Whether a bill that nobody delivered looks like one of a company that delivers here, with another account."""
    invoice = session.get_one(Invoice, invoice_id)
    if invoice.is_delivered:
        return None
    return next(_likenesses(session, invoice), None)


def _likenesses(session: Session, invoice: Invoice) -> Iterator[Likeness]:
    payee_name, payee_iban = payee_of(invoice)
    delivering = delivering_billers(invoice.customer_id)
    has_account = select(PayeeAccount.biller_id).where(PayeeAccount.iban == payee_iban)
    billers = session.execute(
        select(Biller.id, Biller.name)
        .where(Biller.id.in_(delivering), Biller.id.not_in(has_account))
        .order_by(Biller.id)
    ).all()
    for each in billers:
        if resembles(payee_name, each.name):
            yield Likeness(biller_name=each.name)
    holders = session.execute(
        select(PayeeAccount.holder, Biller.name)
        .join(Biller, Biller.id == PayeeAccount.biller_id)
        .where(Biller.id.in_([each.id for each in billers]))
        .order_by(PayeeAccount.id)
    )
    for holder, name in holders:
        if resembles(payee_name, holder):
            yield Likeness(biller_name=name)
    keys = {number_key(each) for each in (invoice.number, invoice.reference) if each}
    numbered = session.scalar(
        select(Biller.name)
        .join(DeliveredBill, DeliveredBill.biller_id == Biller.id)
        .where(
            Biller.id.in_([each.id for each in billers]),
            DeliveredBill.customer_id == invoice.customer_id,
            DeliveredBill.number_key.in_(keys),
        )
        .limit(1)
    )
    if numbered is not None:
        yield Likeness(biller_name=numbered, by_number=True)
    for name in SERVICE_NAMES:
        if resembles(payee_name, name):
            yield Likeness(biller_name=name.title(), of_service=True)


def _spellings(written: str) -> set[str]:
    bare = written.replace(" ", "")
    return {bare, bare.lower(), bare.upper()} - {""}


def resembles(written: str, known: str) -> bool:
    """Whether a person could take one name for the other: other letters, other words around it, a letter or two."""
    one, other = _telling(written), _telling(known)
    if not one or not other:
        return False
    if set(one) <= set(other) or set(other) <= set(one):
        return True
    return difflib.SequenceMatcher(None, "".join(one), "".join(other), autojunk=False).ratio() >= _NEAR


def _telling(name: str) -> list[str]:
    """The words of a name, as they look, without those that every company has."""
    return [word for word in _WORDS.findall(lookalikes.glance(name)) if word not in _FORMS]
