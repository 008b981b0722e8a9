"""Changing a customer's e-mail address: a passkey signs it, the old address is told, and the new one is still to be
shown to be theirs. docs/recovery.md says why it takes a while until a way back can go by it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict
from app.people import mailboxes, passkeys, safe_words
from app.people.customers import checked_email, lock_customer
from app.people.events import AddressChanged
from app.people.models import Customer
from app.people.passkeys import RelyingParty, Started
from app.people.sessions import SignedIn
from consent.base import new_id
from consent.models import Sealed
from consent.vault import Vault

#: for the message that says so there, which is tried for a day
BEFORE_KEPT = dt.timedelta(days=2)
_PURPOSE = "change-address"


def start_changing(uow: UnitOfWork, *, party: RelyingParty, signed_in: SignedIn, email: object) -> Started:
    """Ask for a passkey before the address becomes this one. Raises Invalid, NotAllowed, and Conflict where it is this
    one already."""
    signed_in.check_acts()
    address = checked_email(email)
    if address == signed_in.customer.email:
        raise Conflict("address-same", "This is the address already. Nothing was changed.")
    return passkeys.start_approval(
        uow, party=party, customer_id=signed_in.customer.id, purpose=_PURPOSE, data={"email": address}
    )


def change(
    vault: Vault,
    uow: UnitOfWork,
    *,
    party: RelyingParty,
    signed_in: SignedIn,
    ceremony: object,
    credential: dict[str, Any],
) -> None:
    """From now on it is the one that was signed, and nobody has shown yet that they read what is sent there. Words that
    were sent to the one of before prove nothing any more. Raises Invalid, NotAllowed."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    lock_customer(uow.session, customer_id)
    taken = passkeys.take(uow, token=ceremony, purpose=_PURPOSE, customer_id=customer_id)
    passkeys.verify(uow, party=party, ceremony=taken, credential=credential, customer_id=customer_id)
    customer = uow.session.get_one(Customer, customer_id, populate_existing=True)
    kept_as = ""
    if customer.email_proven_at is not None:
        kept_as = f"customer:{customer_id}:address:{new_id('adr')}"
        vault.put(uow.session, kept_as, customer.email, now=uow.now, expires_at=uow.now + BEFORE_KEPT)
    customer.email_proven_at, customer.email_changed_at = None, uow.now
    mailboxes.give(uow.session, customer, taken.data["email"])
    asked = uow.session.get(Sealed, safe_words.row_of_asked(customer_id))
    if asked is not None:
        uow.session.delete(asked)
    uow.record(AddressChanged(customer_id=customer_id, before=kept_as))


def before(vault: Vault, session: Session, row: str) -> str | None:
    """The address that is told that it is the customer's no more; None: it is not kept any more."""
    return vault.get(session, row) if row and session.get(Sealed, row) is not None else None
