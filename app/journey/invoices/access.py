"""The only way from an outside id to an invoice."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.errors import NotFound
from app.journey.invoices.models import Invoice


def invoice_of_customer(session: Session, *, invoice_id: str, customer_id: str, lock: bool = False) -> Invoice:
    """This customer's invoice. Raises NotFound alike for none and for somebody else's."""
    invoice = session.get(Invoice, invoice_id, with_for_update=lock or None)
    if invoice is None or invoice.customer_id != customer_id:
        raise NotFound("bill")
    return invoice
