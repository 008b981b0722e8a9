"""Payees that look like a company of their customer's with another account."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.journey.connections.access import delivering_billers
from app.journey.intake.models import DeliveredBill, number_key
from app.journey.invoices.access import payee_of
from app.journey.invoices.models import Invoice
from app.people import lookalikes
from app.people.accounts import is_open, with_biller
from app.people.lookalikes import SERVICE_NAMES
from app.people.models import Biller, PayeeAccount

#: letters that two names have in common, of all
_NEAR = 0.85


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """A company that delivers to this customer and has other accounts than the bill names; or this very service."""

    biller_name: str
    by_number: bool = False  #: it is the number of a bill of that company's; else its name
    of_service: bool = False  #: nobody pays a bill to this service


def likeness(session: Session, *, invoice_id: str, now: dt.datetime) -> Likeness | None:
    """Whether a bill that nobody delivered looks like one of a company that delivers here, with another account."""
    invoice = session.get_one(Invoice, invoice_id)
    if invoice.is_delivered:
        return None
    return next(_likenesses(session, invoice, now), None)


def _likenesses(session: Session, invoice: Invoice, now: dt.datetime) -> Iterator[Likeness]:
    payee_name, payee_iban = payee_of(invoice)
    delivering = delivering_billers(invoice.customer_id)
    has_account = (
        select(PayeeAccount.biller_id).join(Biller, with_biller).where(PayeeAccount.iban == payee_iban, is_open(now))
    )
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


def resembles(written: str, known: str) -> bool:
    """Whether a person could take one name for the other: other letters, other words around it, a letter or two."""
    one, other = lookalikes.telling(written), lookalikes.telling(known)
    if not one or not other:
        return False
    if set(one) <= set(other) or set(other) <= set(one):
        return True
    return difflib.SequenceMatcher(None, "".join(one), "".join(other), autojunk=False).ratio() >= _NEAR
