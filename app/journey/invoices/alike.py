"""Payees that look like a company of their customer's with another account."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.many import among
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A bill that nobody delivered, as far as it may look like somebody's."""

    id: str
    payee_name: str
    payee_iban: str
    number: str
    reference: str | None


def added_of(invoice: Invoice) -> Added:
    """Of one that nobody delivered."""
    name, iban = payee_of(invoice)
    return Added(id=invoice.id, payee_name=name, payee_iban=iban, number=invoice.number, reference=invoice.reference)


def likeness(session: Session, *, invoice_id: str, now: dt.datetime) -> Likeness | None:
    """Whether a bill that nobody delivered looks like one of a company that delivers here, with another account."""
    invoice = session.get_one(Invoice, invoice_id)
    if invoice.is_delivered:
        return None
    return likenesses(session, [added_of(invoice)], customer_id=invoice.customer_id, now=now).get(invoice_id)


def likenesses(session: Session, bills: Sequence[Added], *, customer_id: str, now: dt.datetime) -> dict[str, Likeness]:
    """The same of several bills of one customer that nobody delivered, in a few queries: of those that look like one,
    by the id of each."""
    if not bills:
        return {}
    known = _Known(session, bills, customer_id=customer_id, now=now)
    found = {bill.id: next(known.like(bill), None) for bill in bills}
    return {invoice_id: each for invoice_id, each in found.items() if each is not None}


class _Known:
    """The companies that deliver to a customer, and what some bills could be taken for theirs by."""

    def __init__(self, session: Session, bills: Sequence[Added], *, customer_id: str, now: dt.datetime) -> None:
        delivering = delivering_billers(customer_id)
        rows = session.execute(select(Biller.id, Biller.name).where(Biller.id.in_(delivering)).order_by(Biller.id))
        self._names = {row.id: row.name for row in rows}
        ids = list(self._names)
        accounts = select(PayeeAccount.biller_id, PayeeAccount.iban).join(Biller, with_biller)
        ibans = {bill.payee_iban for bill in bills}
        opened = accounts.where(among(session, PayeeAccount.iban, ibans), is_open(now))
        self._open = {(row.biller_id, row.iban) for row in session.execute(opened)}
        holders = select(PayeeAccount.holder, PayeeAccount.biller_id).order_by(PayeeAccount.id)
        held = session.execute(holders.where(among(session, PayeeAccount.biller_id, ids)))
        self._holders = [(row.holder, row.biller_id) for row in held]
        # of each name once: there are many bills beside them
        known = (*self._names.values(), *(holder for holder, _ in self._holders), *SERVICE_NAMES)
        self._telling = {name: lookalikes.telling(name) for name in known}
        keys = {key for bill in bills for key in _keys(bill)}
        numbered = select(DeliveredBill.number_key, DeliveredBill.biller_id).order_by(DeliveredBill.id)
        billed = session.execute(
            numbered.where(
                DeliveredBill.customer_id == customer_id,
                among(session, DeliveredBill.biller_id, ids),
                among(session, DeliveredBill.number_key, keys),
            )
        )
        self._numbered = [(row.number_key, row.biller_id) for row in billed]

    def like(self, bill: Added) -> Iterator[Likeness]:
        """By the name of a company, of the holder of an account of its, by a number; and then of this service."""
        others = {biller: name for biller, name in self._names.items() if (biller, bill.payee_iban) not in self._open}
        written = lookalikes.telling(bill.payee_name)
        for name in others.values():
            if _are_near(written, self._telling[name]):
                yield Likeness(biller_name=name)
        for holder, biller in self._holders:
            if biller in others and _are_near(written, self._telling[holder]):
                yield Likeness(biller_name=others[biller])
        keys = _keys(bill)
        for key, biller in self._numbered:
            if biller in others and key in keys:
                yield Likeness(biller_name=others[biller], by_number=True)
        for name in SERVICE_NAMES:
            if _are_near(written, self._telling[name]):
                yield Likeness(biller_name=name.title(), of_service=True)


def _keys(bill: Added) -> set[str]:
    return {number_key(each) for each in (bill.number, bill.reference) if each}


def resembles(written: str, known: str) -> bool:
    """Whether a person could take one name for the other: other letters, other words around it, a letter or two."""
    return _are_near(lookalikes.telling(written), lookalikes.telling(known))


def _are_near(one: Collection[str], other: Collection[str]) -> bool:
    """Of the telling words of two names."""
    if not one or not other:
        return False
    if set(one) <= set(other) or set(other) <= set(one):
        return True
    written, known = "".join(one), "".join(other)
    shorter = min(len(written), len(known))
    if 2 * shorter < _NEAR * (len(written) + len(known)):
        return False  # of such lengths no two are as near
    return difflib.SequenceMatcher(None, written, known, autojunk=False).ratio() >= _NEAR
