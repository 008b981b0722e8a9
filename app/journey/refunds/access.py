"""The only ways from an outside id to a refund, and what is owed of a bill."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import NotFound
from app.journey.invoices.models import Invoice
from app.journey.invoices.service import refund_of
from app.journey.invoices.states import InvoiceState
from app.journey.ledger.service import overpaid_of
from app.journey.refunds.models import Refund, RefundAccount
from app.journey.refunds.rules import left_to_promise
from app.journey.refunds.states import AccountState, RefundState
from connectors.money import Money


def refund_of_customer(session: Session, *, refund_id: str, customer_id: str, lock: bool = False) -> Refund:
    """Raises NotFound alike for none and for somebody else's."""
    return _mine(session, refund_id, "customer_id", customer_id, lock=lock)


def refund_of_biller(session: Session, *, refund_id: str, biller_id: str, lock: bool = False) -> Refund:
    """Raises NotFound alike for none and for one of another biller's bill."""
    return _mine(session, refund_id, "biller_id", biller_id, lock=lock)


def _mine(session: Session, refund_id: str, whose: str, owner_id: str, *, lock: bool) -> Refund:
    refund = session.get(Refund, refund_id, populate_existing=True, with_for_update=lock or None)
    if refund is None or getattr(refund, whose) != owner_id:
        raise NotFound("refund")
    return refund


def account_of(session: Session, refund_id: str, state: AccountState) -> RefundAccount | None:
    """The account of this refund in a state in which there is one at the most: typed, or released. Who means to change
    it has locked the refund."""
    return session.scalar(
        select(RefundAccount)
        .where(RefundAccount.refund_id == refund_id, RefundAccount.state == state)
        .execution_options(populate_existing=True)
    )


def refund_owed(session: Session, invoice: Invoice) -> Money:
    """What its biller took off and cannot be left unpaid any more. Nothing as long as a payment is under way."""
    return Money(0, invoice.currency) if invoice.state == InvoiceState.IN_PAYMENT else refund_of(session, invoice.id)


def all_owed(session: Session, invoice: Invoice) -> Money:
    """What its company owes of a bill: of what it took off, and of what was paid on top of another payment. Of a bill
    that nobody delivered there is nobody to say anything of it."""
    if not invoice.is_delivered:
        return Money(0, invoice.currency)
    twice = overpaid_of(session, invoice.id) if invoice.is_paid_here else 0
    return Money(refund_of(session, invoice.id).minor + twice, invoice.currency)


def standing_minor(session: Session, invoice_id: str) -> int:
    """The sum of its refunds that were not taken back, whatever else was said of them."""
    standing = (Refund.invoice_id == invoice_id, Refund.state != RefundState.WITHDRAWN)
    return int(session.scalar(select(func.sum(Refund.amount_minor)).where(*standing)) or 0)


def unpromised(session: Session, invoice: Invoice) -> Money:
    """What is owed of it and no refund is for. Nothing as long as a payment is under way: nobody knows yet."""
    if invoice.state == InvoiceState.IN_PAYMENT:
        return Money(0, invoice.currency)
    left = left_to_promise(
        owed_minor=all_owed(session, invoice).minor, standing_minor=standing_minor(session, invoice.id)
    )
    return Money(left, invoice.currency)
