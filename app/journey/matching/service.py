"""What a customer wants to pay a company by first."""

from __future__ import annotations

from sqlalchemy import delete, exists, select

from app.db.unit_of_work import UnitOfWork
from app.errors import Invalid, NotFound
from app.journey.invoices.access import invoice_of_customer
from app.journey.matching.models import PayFirst
from app.people.customers import lock_customer
from app.people.sessions import SignedIn
from connectors.registry import Registry
from consent.models import Standing


def prefer(
    uow: UnitOfWork,
    banks: Registry,
    *,
    signed_in: SignedIn,
    invoice_id: str,
    consent_id: str | None,
    bank_id: str | None,
) -> None:
    """Show this one first for all bills of the company that delivered this one; neither: none any more.

    Nothing is paid or allowed by it. May be repeated. Raises NotFound, NotAllowed, and Invalid of a bill that nobody
    delivered, of both at once, and of a consent for another company.
    """
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    biller_id = invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer_id).biller_id
    if biller_id is None or (consent_id is not None and bank_id is not None):
        raise Invalid("preference", "Choose one way, for a company that delivers here.")
    if bank_id is not None and bank_id not in {bank.id for bank in banks.all_banks()}:
        raise NotFound("bank")
    if consent_id is not None:
        of_both = exists().where(
            Standing.consent_id == consent_id,
            Standing.customer_id == customer_id,
            Standing.biller_id == biller_id,
            Standing.ended_at.is_(None),
        )
        if not uow.session.scalar(select(of_both)):
            raise NotFound("consent")
    lock_customer(uow.session, customer_id)  # two tabs at once write one after the other
    uow.session.execute(delete(PayFirst).where(PayFirst.customer_id == customer_id, PayFirst.biller_id == biller_id))
    if consent_id is not None or bank_id is not None:
        whose = {"customer_id": customer_id, "biller_id": biller_id}
        uow.session.add(PayFirst(**whose, consent_id=consent_id, bank_id=bank_id, chosen_at=uow.now))
