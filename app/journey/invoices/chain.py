"""Bills that replace each other: from each to the one that it stands in for, and to the one that stands in for it.

A bill has one new version at the most, so that they form a line. Whoever locks several begins with the earliest.
"""

from __future__ import annotations

import datetime as dt
import enum
import functools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, Row, Select, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db.many import among, among_named
from app.journey.intake.means import MeansKind
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.ledger import service as ledger
from connectors.money import Money

#: far more than the door takes of one bill (``intake/rules.py``): so that whatever is wrong has an end
STEPS_MOST = 1000


class Taken(enum.IntEnum):
    """What payments have of a bill, the more the worse for whoever pays its new version as well."""

    NOTHING = 0
    PAID = 1  #: be it in part: it is owed back, and the customer may know that
    IN_PAYMENT = 2  #: nobody knows yet


@dataclass(frozen=True, slots=True, kw_only=True)
class NotHereBefore:
    """A bill that another one stands in for and that was not to be paid from here: nobody tells whether it was paid."""

    id: str
    number: str
    means: str  #: MeansKind
    due_on: dt.date | None
    asked: Money  #: of it, before this one took its place


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierBill:
    """The bill that another one stands in for; of several the one of which payments have the most."""

    id: str
    number: str
    taken: Taken
    not_here: NotHereBefore | None  #: the last one before it, wherever in the line that is

    @property
    def is_paid(self) -> bool:
        return self.taken is Taken.PAID

    @property
    def is_in_payment(self) -> bool:
        return self.taken is Taken.IN_PAYMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierPayments:
    """Of all the bills that one stands in for."""

    in_payment: bool = False  #: one of these bills is: nobody knows yet what becomes of that
    executed: tuple[str, ...] = ()  #: the ids of the payments that banks executed and did not take back
    not_here: tuple[str, ...] = ()  #: the ids of those that were not to be paid from here, and may have been paid

    def come_first(self, *, paid: Collection[str], not_here: Collection[str]) -> bool:
        """Whether a payment of the newer bill gives way to them. Not where its customer decided on it when they were
        shown that of exactly these: the payments ``paid``, the bills ``not_here``."""
        return self.in_payment or not set(self.executed) <= set(paid) or not set(self.not_here) <= set(not_here)


def earlier_ids(session: Session, invoice_id: str) -> list[str]:
    """The bills that this one stands in for, the nearest first."""
    return [found[1] for found in _walk(session, {invoice_id}, Invoice.id, Invoice.replaces_id)]


def later_ids(session: Session, invoice_id: str) -> list[str]:
    """The bills that stand in for this one, the earliest first: in the order in which they are locked."""
    return [found[1] for found in _walk(session, {invoice_id}, Invoice.replaces_id, Invoice.id)]


def lines_of(session: Session, invoice_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
    """For each of these all the bills that replace each other of which it is one, the earliest first."""
    if not invoice_ids:
        return {}
    lines = {each: [each] for each in invoice_ids}
    for invoice_id, earlier_id in _walk(session, invoice_ids, Invoice.id, Invoice.replaces_id):
        lines[invoice_id].insert(0, earlier_id)
    for invoice_id, later_id in _walk(session, invoice_ids, Invoice.replaces_id, Invoice.id):
        lines[invoice_id].append(later_id)
    return {invoice_id: tuple(line) for invoice_id, line in lines.items()}


def earlier_payments(session: Session, invoice_id: str) -> EarlierPayments:
    """What payments have, or may have, as it is now, of the bills that this one stands in for."""
    ids = earlier_ids(session, invoice_id)
    if not ids:
        return EarlierPayments()
    rows = session.execute(select(Invoice.id, Invoice.state, Invoice.means).where(Invoice.id.in_(ids))).all()
    return EarlierPayments(
        in_payment=any(row.state == InvoiceState.IN_PAYMENT for row in rows),
        executed=ledger.executed_of(session, ids),
        not_here=tuple(sorted(row.id for row in rows if row.means != MeansKind.CREDIT_TRANSFER)),
    )


def earlier_bills(session: Session, invoice_ids: Collection[str]) -> dict[str, EarlierBill]:
    """For each of these that stands in for another one: which that is, and what is known of its having been paid."""
    walked = _walk(session, invoice_ids, Invoice.id, Invoice.replaces_id)
    ids = {earlier for _, earlier in walked}
    if not ids:
        return {}
    asked = (Invoice.amount_minor, Invoice.credited_minor, Invoice.retracted_minor, Invoice.currency)
    columns = (Invoice.id, Invoice.number, Invoice.state, Invoice.paid_minor, Invoice.means, Invoice.due_on, *asked)
    rows = {row.id: row for row in session.execute(select(*columns).where(among(session, Invoice.id, ids)))}
    taken = {each: _taken(row.state, paid_minor=row.paid_minor) for each, row in rows.items()}
    most: dict[str, str] = {}
    not_here: dict[str, NotHereBefore] = {}
    for invoice_id, earlier_id in walked:  # the nearest first
        if taken[earlier_id] > taken[most.setdefault(invoice_id, earlier_id)]:
            most[invoice_id] = earlier_id
        row = rows[earlier_id]
        if row.means != MeansKind.CREDIT_TRANSFER and invoice_id not in not_here:
            not_here[invoice_id] = _not_here(row)
    return {
        invoice_id: EarlierBill(id=each, number=rows[each].number, taken=taken[each], not_here=not_here.get(invoice_id))
        for invoice_id, each in most.items()
    }


def _not_here(row: Row[*tuple[Any, ...]]) -> NotHereBefore:
    return NotHereBefore(id=row.id, number=row.number, means=row.means, due_on=row.due_on, asked=asked_before(row))


def asked_before(invoice: Invoice | Row[*tuple[Any, ...]]) -> Money:
    """What was asked of a bill before it was withdrawn or replaced; all of it, where credit notes had left nothing.

    It may have been paid or collected, where nobody tells us of that."""
    left = max(invoice.amount_minor - invoice.credited_minor + invoice.retracted_minor, 0)
    return Money(left or invoice.amount_minor, invoice.currency)


def _taken(state: str, *, paid_minor: int) -> Taken:
    if state == InvoiceState.IN_PAYMENT:
        return Taken.IN_PAYMENT
    return Taken.PAID if paid_minor else Taken.NOTHING


def _walk(
    session: Session,
    begin: Collection[str],
    at: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    to: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
) -> list[tuple[str, str]]:
    """Each of ``begin`` with all that is found by going on, the nearest first."""
    line = _line(session.get_bind().dialect.name, at.key, to.key)
    return [(row.begin, row.found) for row in session.execute(line, {"invoice_ids": list(begin)})]


@functools.cache
def _line(dialect: str, at_key: str, to_key: str) -> Select[tuple[str, str]]:
    """The query of ``_walk``, for any ``invoice_ids``. It is asked before each step of a payment, and to put it
    together takes longer than to ask it."""
    at, to = getattr(Invoice, at_key), getattr(Invoice, to_key)
    first = select(at.label("begin"), to.label("found"), literal(1, Integer).label("steps")).where(
        among_named(dialect, at, "invoice_ids"), to.is_not(None)
    )
    line = first.cte("line", recursive=True)
    line = line.union_all(
        select(line.c.begin, to, line.c.steps + 1).where(at == line.c.found, to.is_not(None), line.c.steps < STEPS_MOST)
    )
    return select(line.c.begin, line.c.found).order_by(line.c.steps)
