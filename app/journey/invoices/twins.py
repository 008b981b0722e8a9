"""Bills of a customer that may be the same one: added beside a delivered one, or added twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select, true
from sqlalchemy.orm import Session

from app.journey.invoices.models import Invoice
from app.journey.invoices.rules import Paper, Word, may_be_same
from app.journey.invoices.states import InvoiceState
from app.people.models import Biller
from connectors.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """Another bill of the same customer that may be the same one."""

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


def twins(session: Session, *, invoice_id: str) -> list[Twin]:
    """All that may be paid twice with this one: taken ones first, then delivered ones, then the latest. None that is
    cleared. Of two bills each is a twin of the other, or none is (``rules.may_be_same``).

    Of a delivered bill only such as its customer added: that a biller delivers one twice is for the intake to see.
    """
    invoice = session.get_one(Invoice, invoice_id)
    rows = session.execute(
        select(
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
        .outerjoin(Biller, Biller.id == Invoice.biller_id)
        .where(
            Invoice.customer_id == invoice.customer_id,
            Invoice.id != invoice.id,
            Invoice.currency == invoice.currency,
            Invoice.state != InvoiceState.CLEARED,
            Invoice.own_bill_id.is_not(None) if invoice.is_delivered else true(),
            or_(Invoice.payee_iban == invoice.payee_iban, Invoice.amount_minor == invoice.amount_minor),
        )
        .order_by(Invoice.id.desc())
    )
    this = _paper(invoice)
    found = [
        Twin(
            id=row.id,
            name=row.name or row.payee_name,
            number=row.number,
            amount=Money(row.amount_minor, row.currency),
            state=row.state,
            is_delivered=row.bill_id is not None,
        )
        for row in rows
        if may_be_same(this, _paper(row))
    ]
    return sorted(found, key=lambda twin: (not twin.is_taken, not twin.is_delivered))


def _paper(row: Any) -> Paper:
    """Of an invoice, or of these columns of one."""
    return Paper(
        account=row.payee_iban,
        amount_minor=row.amount_minor,
        number=Word.of(row.number),
        reference=Word.of(row.reference or ""),
        is_delivered=row.bill_id is not None,
        received_at=row.received_at,
    )
