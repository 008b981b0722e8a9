"""Bills of a customer that may be the same one: added beside a delivered one, or added twice."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.db.many import among, among_named
from app.journey.invoices.chain import lines_of
from app.journey.invoices.models import Invoice
from app.journey.invoices.rules import NUMBER_LEAST, Paper, Word, may_be_same, same_in
from app.journey.invoices.states import InvoiceState
from app.people.models import Biller
from connectors.money import Money

_COLUMNS = (
    Invoice.id,
    Invoice.payee_name,
    Invoice.payee_iban,
    Invoice.number,
    Invoice.reference,
    Invoice.currency,
    Invoice.amount_minor,
    Invoice.state,
    Invoice.paid_minor,
    Invoice.bill_id,
    Invoice.received_at,
    Biller.name,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """Another bill of the same customer that may be the same one."""

    id: str
    name: str  #: of its biller, or of the payee where its customer added it
    number: str
    amount: Money
    state: str
    is_paid_in_part: bool  #: of it something is paid, and something is left
    is_delivered: bool
    same: tuple[str, ...]  #: which of account, amount and reference are the same; of one by version none
    is_by_version: bool  #: not these two are alike, but one of them and a bill in whose line the other one is
    is_last: bool  #: of its line: the one of it that can be paid, if any can

    @property
    def is_taken(self) -> bool:
        """Paid, be it in part, or a payment of it is under way."""
        return self.is_paid_in_part or self.state in (InvoiceState.PAID, InvoiceState.IN_PAYMENT)

    @property
    def is_cleared(self) -> bool:
        """Nothing is asked of it any more, nor of any bill in its line."""
        return self.state == InvoiceState.CLEARED


def twins(session: Session, *, invoice_id: str) -> list[Twin]:
    """All that may be paid twice with this one: taken ones first, then delivered ones, then the latest. Of two bills
    each is a twin of the other, or none is (``rules.may_be_same``).

    Bills that replace each other are one debt: where one of them may be the same, so may all. Of such a line these are
    found of which something is asked, or was paid; where there is none, its last one. Of a delivered bill only such as
    its customer added: that a biller delivers one twice is for the intake to see.
    """
    invoice = session.get_one(Invoice, invoice_id)
    if invoice.is_delivered and not _has_own_bills(session, invoice.customer_id):
        return []  # every gate asks, and most customers have added none
    own_line = lines_of(session, [invoice_id])[invoice_id] if invoice.is_delivered else (invoice_id,)
    papers = {row.id: _paper(row) for row in _rows(session, among(session, Invoice.id, own_line))}
    rows: dict[str, Row[Any]] = {}
    alike: dict[str, tuple[str, ...]] = {}  # those that are like this very bill, and in what
    for row in _near_by(session, own_line, only_own=invoice.is_delivered, but=own_line):
        if may_be_same(papers[row.beside], _paper(row)):
            rows[row.id] = row
            if row.beside == invoice_id:
                alike[row.id] = same_in(papers[invoice_id], _paper(row))
    return _sorted(_ends_of(session, rows), alike)


def twins_among(session: Session, *, customer_id: str, invoice_ids: Collection[str]) -> dict[str, list[Twin]]:
    """``twins`` of each of these bills of one customer, for a list: in as many queries as of one. Bills without any are
    not in it."""
    if not invoice_ids or not _has_own_bills(session, customer_id):
        return {}
    begun = {row.id: row for row in _rows(session, among(session, Invoice.id, invoice_ids))}
    own_lines, papers_of = _whole_lines(session, begun)
    papers = {row.id: _paper(row) for row in papers_of.values()}
    near: dict[str, dict[str, Row[Any]]] = {}
    for is_delivered in (True, False):
        beside = [each for each in papers if papers[each].is_delivered is is_delivered]
        for row in _near_by(session, beside, only_own=is_delivered, but=()) if beside else ():
            if row.id != row.beside and may_be_same(papers[row.beside], _paper(row)):
                near.setdefault(row.beside, {})[row.id] = row
    lines, rows = _whole_lines(session, {key: row for each in near.values() for key, row in each.items()})
    found = {}
    for invoice_id in begun:
        of_line = {key for each in own_lines[invoice_id] for key in near.get(each, {})}
        ends = _ends({lines[each] for each in of_line}, rows)
        own = papers[invoice_id]
        found[invoice_id] = _sorted(
            ends, {key: same_in(own, _paper(row)) for key, row in near.get(invoice_id, {}).items()}
        )
    return {invoice_id: each for invoice_id, each in found.items() if each}


def _sorted(ends: Collection[tuple[Row[Any], bool]], alike: Mapping[str, tuple[str, ...]]) -> list[Twin]:
    """``alike``: of those that are like the very bill of which they are twins, by their ids, in what they are."""
    return sorted(
        (_twin(row, same=alike.get(row.id), is_last=is_last) for row, is_last in ends),
        key=lambda twin: (not twin.is_taken, not twin.is_delivered, twin.is_cleared),
    )


_OWN_BILL = (
    select(Invoice.id).where(Invoice.customer_id == bindparam("of_customer"), Invoice.own_bill_id.is_not(None)).limit(1)
)


def _has_own_bills(session: Session, customer_id: str) -> bool:
    return session.scalar(_OWN_BILL, {"of_customer": customer_id}) is not None


def _near_by(session: Session, own_line: Collection[str], *, only_own: bool, but: Collection[str]) -> list[Row[Any]]:
    """All bills of their customer ``but`` these that may be the same as one of ``own_line`` by ``may_be_same``, each
    beside that one; and some that may not. The database looks through thousands of them in the time in which a few
    hundred are fetched."""
    found = _found_near_by(session.get_bind().dialect.name, only_own)
    return list(session.execute(found, {"own_line": list(own_line), "but": list(but)}))


@functools.cache
def _found_near_by(dialect: str, only_own: bool) -> Select[*tuple[Any, ...]]:
    """The query of ``_near_by``, for any ``own_line``: every gate asks it, and it is long."""
    beside = aliased(Invoice)
    account, amount = Invoice.payee_iban == beside.payee_iban, Invoice.amount_minor == beside.amount_minor
    words = [
        _may_say(one, other)
        for one in (Invoice.number_letters, Invoice.reference_letters)
        for other in (beside.number_letters, beside.reference_letters)
    ]
    found = (
        select(*_COLUMNS, beside.id.label("beside"))
        .join(beside, and_(beside.customer_id == Invoice.customer_id, beside.currency == Invoice.currency))
        .outerjoin(Biller, Biller.id == Invoice.biller_id)
        .where(
            among_named(dialect, beside.id, "own_line"),
            Invoice.id.not_in(bindparam("but", expanding=True)),
            or_(and_(account, amount), and_(or_(account, amount), or_(*words))),
        )
    )
    return found.where(Invoice.own_bill_id.is_not(None)) if only_own else found


def _may_say(one: InstrumentedAttribute[str], other: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Whether the letters are equal, or stand in the other ones: of letters and digits none has a meaning in LIKE."""
    return or_(
        and_(one == other, one != ""),
        and_(func.length(one) >= NUMBER_LEAST, other.contains(one)),
        and_(func.length(other) >= NUMBER_LEAST, one.contains(other)),
    )


def _ends_of(session: Session, rows: dict[str, Row[Any]]) -> list[tuple[Row[Any], bool]]:
    """Of each line in which one of these is: what is not cleared, or else its last bill; with whether that is the last
    of them. The latest first."""
    lines, rows = _whole_lines(session, rows)
    return _ends(set(lines.values()), rows)


def _whole_lines(session: Session, rows: dict[str, Row[Any]]) -> tuple[dict[str, tuple[str, ...]], dict[str, Row[Any]]]:
    """Of each of these its line, and the rows of all bills in these lines."""
    lines = lines_of(session, [row.id for row in rows.values() if row.bill_id is not None])
    lines |= {row.id: (row.id,) for row in rows.values() if row.bill_id is None}
    others = {each for line in lines.values() for each in line}.difference(rows)
    if others:
        rows = rows | {row.id: row for row in _rows(session, among(session, Invoice.id, others))}
    return lines, rows


def _ends(lines: Collection[tuple[str, ...]], rows: dict[str, Row[Any]]) -> list[tuple[Row[Any], bool]]:
    found: dict[str, tuple[Row[Any], bool]] = {}
    for line in lines:
        ends = [rows[each] for each in line if rows[each].state != InvoiceState.CLEARED] or [rows[line[-1]]]
        found |= {row.id: (row, row is ends[-1]) for row in ends}
    return [found[each] for each in sorted(found, reverse=True)]


def _rows(session: Session, *wanted: ColumnElement[bool]) -> list[Row[Any]]:
    return list(session.execute(select(*_COLUMNS).outerjoin(Biller, Biller.id == Invoice.biller_id).where(*wanted)))


def _twin(row: Row[Any], *, same: tuple[str, ...] | None, is_last: bool) -> Twin:
    return Twin(
        id=row.id,
        name=row.name or row.payee_name,
        number=row.number,
        amount=Money(row.amount_minor, row.currency),
        state=row.state,
        is_paid_in_part=row.paid_minor > 0 and row.state == InvoiceState.TO_PAY,
        is_delivered=row.bill_id is not None,
        same=same or (),
        is_by_version=same is None,
        is_last=is_last,
    )


def _paper(row: Row[Any]) -> Paper:
    return Paper(
        account=row.payee_iban,
        amount_minor=row.amount_minor,
        number=Word.of(row.number),
        reference=Word.of(row.reference or ""),
        is_delivered=row.bill_id is not None,
        received_at=row.received_at,
    )
