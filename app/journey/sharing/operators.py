"""What an operator reads of a customer's: each reading says who reads and why, and is written down before it is given.

Lists are no reading: ids, states, counts and companies, so that somebody sees what is to be done and nothing of whom.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.db.unit_of_work import UnitOfWork
from app.errors import NotFound
from app.journey.intake.holding import HeldView, held_bill
from app.journey.invoices.models import Invoice
from app.journey.payments.models import Payment
from app.journey.reconciliation.read import Difference, differences
from app.people.models import Biller
from app.people.operators import Read, check_reason, note_access, person


@dataclass(frozen=True, slots=True)
class Looked:
    """A bill as an operator reads it."""

    invoice: Invoice
    biller_name: str | None  #: None: its customer added it


def look_at_held_bill(uow: UnitOfWork, *, held_id: str, by: str, because: str) -> HeldView:
    """Raises NotFound, Invalid. To be committed before anything of it is shown; so are the others."""
    customer_id, view = held_bill(uow.session, held_id=held_id, now=uow.now)
    note_access(uow, customer_id=customer_id, what=Read.HELD_BILL, subject_id=held_id, by=by, because=because)
    return view


def look_at_bill(uow: UnitOfWork, *, invoice_id: str, by: str, because: str) -> Looked:
    """Raises NotFound, Invalid."""
    invoice = uow.session.get(Invoice, invoice_id)
    if invoice is None:
        raise NotFound("bill")
    biller = uow.session.get_one(Biller, invoice.biller_id) if invoice.biller_id is not None else None
    note_access(uow, customer_id=invoice.customer_id, what=Read.BILL, subject_id=invoice_id, by=by, because=because)
    return Looked(invoice, biller.name if biller is not None else None)


def look_at_difference(uow: UnitOfWork, *, difference_id: str, by: str, because: str) -> Difference:
    """Raises NotFound, Invalid. Of one that is about no payment of ours nobody is to be told."""
    person(by)
    check_reason(because)
    found = next((each for each in differences(uow.session) if each.id == difference_id), None)
    if found is None:
        raise NotFound("difference")
    payment = uow.session.get(Payment, found.payment_id) if found.payment_id is not None else None
    if payment is not None:
        note_access(
            uow, customer_id=payment.customer_id, what=Read.PAYMENT, subject_id=payment.id, by=by, because=because
        )
    return found
