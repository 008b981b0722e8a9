"""Who may deliver to whom: one address of the customer's space for each biller."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.many import among
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


def customers_behind(session: Session, *, addresses: Collection[str], biller_id: str) -> dict[str, str]:
    """The customers whose addresses these are, by address, as far as they were given to this very biller."""
    named = {address.lower(): address for address in addresses}
    rows = session.execute(
        select(Connection.address, Connection.customer_id).where(
            among(session, Connection.address, named), Connection.biller_id == biller_id
        )
    )
    return {named[address]: customer_id for address, customer_id in rows}
