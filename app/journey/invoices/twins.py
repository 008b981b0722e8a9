"""Bills of a customer that may be the same one: added beside a delivered one, or added twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, or_, select, true
from sqlalchemy.orm import Session

from app.db.many import among
from app.journey.invoices.chain import lines_of
from app.journey.invoices.models import Invoice
from app.journey.invoices.rules import Paper, Word, may_be_same
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
    is_delivered: bool
    is_by_version: bool  #: not these two are alike, but one of them and a bill in whose line the other one is
    is_last: bool  #: of its line: the one of it that can be paid, if any can

    @property
    def is_taken(self) -> bool:
        """Paid, or a payment of it is under way."""
        return self.state in (InvoiceState.PAID, InvoiceState.IN_PAYMENT)

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
    versions = {row.id: row for row in _rows(session, among(session, Invoice.id, own_line))}
    papers = {each: _paper(row) for each, row in versions.items()}
    rows = _rows(
        session,
        Invoice.customer_id == invoice.customer_id,
        Invoice.id.not_in(own_line),
        Invoice.own_bill_id.is_not(None) if invoice.is_delivered else true(),
        Invoice.currency.in_({row.currency for row in versions.values()}),
        or_(
            Invoice.payee_iban.in_({row.payee_iban for row in versions.values()} - {None}),
            Invoice.amount_minor.in_({row.amount_minor for row in versions.values()}),
        ),
    )
    alike: dict[str, bool] = {}  # whether it is this very bill that it is like
    for row in rows:
        paper = _paper(row)
        like = [
            each for each in own_line if versions[each].currency == row.currency and may_be_same(papers[each], paper)
        ]
        if like:
            alike[row.id] = invoice_id in like
    found = _ends_of(session, {row.id: row for row in rows if row.id in alike})
    return sorted(
        (_twin(row, is_by_version=not alike.get(row.id), is_last=is_last) for row, is_last in found),
        key=lambda twin: (not twin.is_taken, not twin.is_delivered, twin.is_cleared),
    )


def _has_own_bills(session: Session, customer_id: str) -> bool:
    own = select(Invoice.id).where(Invoice.customer_id == customer_id, Invoice.own_bill_id.is_not(None))
    return session.scalar(own.limit(1)) is not None


def _ends_of(session: Session, rows: dict[str, Row[Any]]) -> list[tuple[Row[Any], bool]]:
    """Of each line in which one of these is: what is not cleared, or else its last bill; with whether that is the last
    of them. The latest first."""
    lines = lines_of(session, [row.id for row in rows.values() if row.bill_id is not None])
    lines |= {row.id: (row.id,) for row in rows.values() if row.bill_id is None}
    others = {each for line in lines.values() for each in line}.difference(rows)
    if others:
        rows = rows | {row.id: row for row in _rows(session, among(session, Invoice.id, others))}
    found: dict[str, tuple[Row[Any], bool]] = {}
    for line in set(lines.values()):
        ends = [rows[each] for each in line if rows[each].state != InvoiceState.CLEARED] or [rows[line[-1]]]
        found |= {row.id: (row, row is ends[-1]) for row in ends}
    return [found[each] for each in sorted(found, reverse=True)]


def _rows(session: Session, *wanted: ColumnElement[bool]) -> list[Row[Any]]:
    return list(session.execute(select(*_COLUMNS).outerjoin(Biller, Biller.id == Invoice.biller_id).where(*wanted)))


def _twin(row: Row[Any], *, is_by_version: bool, is_last: bool) -> Twin:
    return Twin(
        id=row.id,
        name=row.name or row.payee_name,
        number=row.number,
        amount=Money(row.amount_minor, row.currency),
        state=row.state,
        is_delivered=row.bill_id is not None,
        is_by_version=is_by_version,
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
