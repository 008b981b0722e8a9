"""Several banks side by side: which are a customer's, adding one, removing one. No bill, receipt or history goes."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.journey.consents.access import locked, takeable
from app.journey.consents.models import CustomerBank
from app.journey.consents.step import take_back
from app.people import stops
from app.people.customers import lock_customer
from app.people.sessions import SignedIn
from consent import sign_ins
from consent.models import SignIn, Standing
from consent.states import ConsentSource


def keep_bank(uow: UnitOfWork, *, customer_id: str, bank_id: str) -> None:
    """It is one of the customer's, if it was not before. One that they removed stays so."""
    last = uow.session.scalar(select(func.max(CustomerBank.rank)).where(CustomerBank.customer_id == customer_id)) or 0
    values = {"customer_id": customer_id, "bank_id": bank_id, "rank": last + 1, "added_at": uow.now}
    insert_once(uow.session, CustomerBank, values, unique=["customer_id", "bank_id"])


def has_removed(session: Session, *, customer_id: str, bank_id: str) -> bool:
    """Whether the customer wants nothing more of this bank here."""
    row = session.get(CustomerBank, (customer_id, bank_id))
    return row is not None and row.removed_at is not None


def is_wanted(session: Session, standing: Standing) -> bool:
    """Whether its customer has neither stopped everything nor removed its bank."""
    return not stops.is_stopped(session, standing.customer_id) and not has_removed(
        session, customer_id=standing.customer_id, bank_id=standing.bank_id
    )


def banks_of(session: Session, *, customer_id: str) -> dict[str, bool]:
    """The customer's banks in their order: id → whether they removed it."""
    rows = session.scalars(
        select(CustomerBank).where(CustomerBank.customer_id == customer_id).order_by(CustomerBank.rank)
    )
    return {row.bank_id: row.removed_at is not None for row in rows}


def add_bank(uow: UnitOfWork, *, signed_in: SignedIn, bank_id: str) -> None:
    """One more, or one that was removed, once again. Nothing of before comes back with it."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    lock_customer(uow.session, customer_id)
    keep_bank(uow, customer_id=customer_id, bank_id=bank_id)
    uow.session.execute(
        update(CustomerBank)
        .where(CustomerBank.customer_id == customer_id, CustomerBank.bank_id == bank_id)
        .values(removed_at=None)
    )


def remove_bank(uow: UnitOfWork, *, signed_in: SignedIn, bank_id: str) -> list[str]:
    """Take back what was allowed there and forget the sign-ins; it is not offered any more. Payments that are at the
    bank already are told of as before. Returns the consents that are taken back: the bank is still to confirm them."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    lock_customer(uow.session, customer_id)  # whoever agrees on one at this moment is seen here, or sees this
    keep_bank(uow, customer_id=customer_id, bank_id=bank_id)
    uow.session.execute(
        update(CustomerBank)
        .where(CustomerBank.customer_id == customer_id, CustomerBank.bank_id == bank_id)
        .values(removed_at=uow.now)
    )
    taken = []
    for consent_id in takeable(uow.session, customer_id=customer_id, bank_id=bank_id):
        _, standing = locked(uow.session, consent_id)
        if take_back(uow, standing, source=ConsentSource.CUSTOMER, evidence="its bank was removed here"):
            taken.append(consent_id)
    theirs = select(SignIn).where(SignIn.customer_id == customer_id, SignIn.bank_id == bank_id)
    for sign_in in uow.session.scalars(theirs).all():
        sign_ins.forget(uow.session, sign_in)
    return taken
