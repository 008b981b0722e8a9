"""Who may deliver to whom: one address of the customer's space for each biller."""

from __future__ import annotations

import base64
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.people.models import Connection
from consent.base import new_id


def connect(uow: UnitOfWork, *, customer_id: str, biller_id: str, space_domain: str) -> str:
    """Let a biller deliver to a customer. Returns the address; the same one when they are connected already."""
    known = uow.session.scalar(
        select(Connection.address).where(Connection.customer_id == customer_id, Connection.biller_id == biller_id)
    )
    if known is not None:
        return known
    # 60 random bits: an address cannot be guessed, and says nothing about the person
    local = base64.b32encode(secrets.token_bytes(8)).decode()[:12].lower()
    connection = Connection(
        id=new_id("cnx"),
        customer_id=customer_id,
        biller_id=biller_id,
        address=f"{local}@{space_domain}",
        created_at=uow.now,
    )
    uow.session.add(connection)
    uow.session.flush()
    return connection.address


def customer_behind(session: Session, *, address: str, biller_id: str) -> str | None:
    """The customer whose address this is, if it was given to this very biller."""
    return session.scalar(
        select(Connection.customer_id).where(Connection.address == address.lower(), Connection.biller_id == biller_id)
    )
