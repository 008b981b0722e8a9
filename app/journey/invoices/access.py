"""The only way from an outside id to an invoice."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.many import among
from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, NotFound
from app.journey.invoices.models import Invoice
from app.journey.invoices.states import InvoiceState
from app.journey.ledger import service as ledger
from app.journey.ledger.rules import due
from app.people.accounts import may_be_paid


def invoice_of_customer(session: Session, *, invoice_id: str, customer_id: str, lock: bool = False) -> Invoice:
    """This customer's invoice. Raises NotFound alike for none and for somebody else's."""
    invoice = locked_invoice(session, invoice_id) if lock else session.get(Invoice, invoice_id)
    if invoice is None or invoice.customer_id != customer_id:
        raise NotFound("bill")
    return invoice


def not_paid_here() -> Conflict:
    return Conflict("not-paid-here", "This bill is not paid from here. No money moved, and nothing was changed.")


def already_in_payment() -> Conflict:
    return Conflict("already-in-payment", "A payment of this bill is under way, or it is paid already.")


def must_be_free(invoice: Invoice) -> None:
    """Nobody pays it now, and something is left to pay. Raises Conflict."""
    if invoice.state != InvoiceState.TO_PAY:
        raise already_in_payment()


def must_not_be_set_aside(invoice: Invoice) -> None:
    """Its customer has not said that it is paid elsewhere, declined or disputed it. Raises Conflict."""
    if invoice.is_set_aside:
        raise Conflict(
            "set-aside", "You have answered this bill otherwise. No money moved: take that back before you pay it."
        )


def takes_parts(invoice: Invoice) -> bool:
    """Whether it may be paid in parts: its biller's own bill, unless a request to pay says that its amount is fixed. Of
    a bill that its customer added the whole amount is what was checked.

    Once a payment of it was closed that others than we could have made happen, what is left is paid in one: should that
    payment have happened after all, it takes all that is left or finds nothing, and nobody is asked for a rest that it
    has paid. Whoever cancels before the bank's link is given out loses nothing by it.
    """
    return invoice.is_delivered and not invoice.is_amount_fixed and not invoice.may_have_been_paid


def is_paid_apart(invoice: Invoice) -> bool:
    """Whether some of its lines may be disputed and the rest be paid meanwhile: as a part of it."""
    return invoice.is_paid_here and takes_parts(invoice)


def must_take_parts(invoice: Invoice) -> None:
    """Raises Conflict."""
    if not takes_parts(invoice):
        raise Conflict("not-in-parts", "This bill is to be paid in one. Nothing was paid.")


def payee_of(invoice: Invoice) -> tuple[str, str]:
    """The vetted holder and account that a payment of it goes to. Raises Conflict where it is not paid here."""
    if invoice.payee_name is None or invoice.payee_iban is None:
        raise not_paid_here()
    return invoice.payee_name, invoice.payee_iban


def must_have_open_account(uow: UnitOfWork, invoice: Invoice, *, lock: bool = False) -> None:
    """Of a delivered bill: its biller's account is open at this moment, and with ``lock`` until this transaction ends.
    Of one that its customer added: nobody has stopped payments to its account. Raises Conflict."""
    _, iban = payee_of(invoice)
    if not may_be_paid(uow.session, biller_id=invoice.biller_id, iban=iban, moment=uow.now, lock=lock):
        must_be_free(invoice)  # a payment that is under way may have moved money
        raise Conflict("account-held", "Nothing is paid to the account of this bill now. No money moved.")


def locked_invoice(session: Session, invoice_id: str) -> Invoice | None:
    """The row as it is now, locked together with what is due of it.

    One order for everybody: the payments of an invoice, what is due of it, the invoice. Whoever only writes down
    something that refers to it is not kept waiting (FOR NO KEY UPDATE).
    """
    ledger.balance_of(session, due(invoice_id), lock=True)
    return session.get(Invoice, invoice_id, with_for_update={"key_share": True}, populate_existing=True)


def kept(session: Session, invoice_ids: Collection[str]) -> list[str]:
    """Those of these invoices that are there, and that nobody removes before the transaction ends: for whoever writes
    rows that refer to them. Whoever pays or corrects them is not kept waiting (FOR KEY SHARE)."""
    ids = select(Invoice.id).where(among(session, Invoice.id, invoice_ids)).order_by(Invoice.id)
    return list(session.scalars(ids.with_for_update(read=True, key_share=True)))


def lock_invoices(session: Session, invoice_ids: Collection[str]) -> None:
    """The same for several, of which no two replace each other: whoever locks more of one of their lines waits for
    nobody outside it."""
    ledger.lock_balances(session, [due(each) for each in invoice_ids])
    ids = select(Invoice.id).where(among(session, Invoice.id, invoice_ids)).order_by(Invoice.id)
    session.execute(ids.with_for_update(key_share=True))
