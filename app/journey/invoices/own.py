"""The invoice of a bill that its customer added: kept once they confirmed its values, and removed while none was paid.

It has no biller and no delivered bill, and it is never changed: who wants another account adds the bill again.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, NotFound
from app.journey.intake.models import OwnBill
from app.journey.intake.own_bills import OwnValues, own_bill_of
from app.journey.invoices.access import invoice_of_customer
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.ledger import service as ledger
from consent import sign_ins
from consent.base import new_id


def keep(uow: UnitOfWork, *, own_bill_id: str, customer_id: str, values: OwnValues, today: dt.date) -> str:
    """Put it among its customer's bills. Returns the invoice, the same one when it is kept already. Raises NotFound."""
    own = own_bill_of(uow.session, own_bill_id=own_bill_id, customer_id=customer_id, lock=True)
    kept = uow.session.scalar(select(Invoice.id).where(Invoice.own_bill_id == own.id))
    if kept is not None:
        return kept
    own.kept_at = uow.now
    invoice = Invoice(
        id=new_id("inv"),
        own_bill_id=own.id,
        customer_id=customer_id,
        number=values.number,
        state=InvoiceState.TO_PAY,
        currency=values.amount.currency,
        amount_minor=values.amount.minor,
        issued_on=today,
        due_on=values.due_on,
        payee_name=values.payee,
        payee_iban=values.iban,
        reference=values.reference,
        lines=[],
        received_at=uow.now,
        opened_at=uow.now,
        seen_at=uow.now,
    )
    uow.session.add(invoice)
    uow.session.flush()
    ledger.bill(uow, invoice_id=invoice.id, creditor=invoice.creditor, amount=invoice.amount)
    return invoice.id


def doubts_of(session: Session, *, invoice_id: str) -> tuple[str, ...]:
    """What in its own file speaks against a bill that its customer added, whatever they made of it. Of a delivered one
    nothing: it would be held."""
    own_bill_id = session.get_one(Invoice, invoice_id).own_bill_id
    return session.get_one(OwnBill, own_bill_id).doubts if own_bill_id is not None else ()


def remove(uow: UnitOfWork, *, invoice_id: str, customer_id: str) -> None:
    """Leave nothing of it. Raises NotFound, and Conflict for one that was delivered or of which a payment was begun."""
    invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer_id)
    sign_ins.forget_of_invoice(uow.session, invoice_id)  # trips before invoices, as everybody
    invoice = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer_id, lock=True)
    if invoice.own_bill_id is None:
        raise NotFound("bill")
    if not ledger.unbill(uow, invoice_id=invoice.id):
        raise Conflict("payment-begun", "A payment of this bill was begun: it stays, with what became of that payment.")
    own_bill_id = invoice.own_bill_id
    uow.session.execute(delete(Invoice).where(Invoice.id == invoice.id))
    uow.session.execute(delete(OwnBill).where(OwnBill.id == own_bill_id))
