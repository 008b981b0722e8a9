"""Addresses that turn up where they were not given: nothing arrives, and the customer and an operator see it.

A refusal at the door takes the same work for an address of nobody and for one of somebody: both are written down, and
which of them is whose is looked up later.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session, aliased

from app.db.many import among, insert_many
from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.errors import Invalid
from app.journey.connections.models import AddressLeak, Connection, StrayBill
from app.journey.connections.states import ConnectionState
from app.people.models import Biller
from app.services import Services
from consent.base import new_id

log = logging.getLogger("quittance.connections")

#: stray bills that are looked at in one transaction
TRACED_AT_ONCE = 500
#: leaks that are listed
LISTED_MOST = 100
#: as long as the column: no address of ours comes near
_ADDRESS_MOST = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakView:
    """Somebody used an address that was given to another one."""

    connection_id: str
    given_to: str  #: name of the biller whose address it is
    given_to_id: str
    used_by: str  #: name of the biller that used it
    times: int
    first_at: dt.datetime
    last_at: dt.datetime


def stray(uow: UnitOfWork, *, biller_id: str, addresses: Collection[str]) -> None:
    """Bills were refused because nobody is connected there."""
    rows = [
        {"id": new_id("sty"), "biller_id": biller_id, "address": each[:_ADDRESS_MOST], "refused_at": uow.now}
        for each in sorted(set(addresses))
    ]
    insert_many(uow.session, StrayBill, rows)


def trace_strays(services: Services) -> None:
    """Look whose addresses the stray bills were sent to, and forget all of them."""
    while _trace_some(services):
        pass


def _trace_some(services: Services) -> bool:
    with services.unit_of_work() as uow:
        some = (
            select(StrayBill.id)
            .order_by(StrayBill.id)
            .limit(TRACED_AT_ONCE)
            .with_for_update(skip_locked=True)  # another worker has the others
            .cte("some")
        )
        strays = uow.session.execute(
            delete(StrayBill)
            .where(StrayBill.id.in_(select(some.c.id)))
            .returning(StrayBill.address, StrayBill.biller_id, StrayBill.refused_at)
            .execution_options(synchronize_session=False)
        ).all()
        owned = uow.session.execute(
            select(Connection.address, Connection.id, Connection.biller_id).where(
                among(uow.session, Connection.address, {each.address for each in strays})
            )
        )
        owners = {row.address: row for row in owned}
        for each in sorted(strays, key=lambda each: (each.address, each.biller_id, each.refused_at)):
            owner = owners.get(each.address)
            if owner is not None and owner.biller_id != each.biller_id:
                note(uow, connection_id=owner.id, biller_id=each.biller_id, at=each.refused_at)
        uow.commit()
    return len(strays) == TRACED_AT_ONCE


def note(uow: UnitOfWork, *, connection_id: str, biller_id: str, at: dt.datetime) -> None:
    """``biller_id`` used the address of a connection that is not its own."""
    row = {"connection_id": connection_id, "biller_id": biller_id, "times": 1, "first_at": at, "last_at": at}
    if insert_once(uow.session, AddressLeak, row, unique=["connection_id", "biller_id"]):
        log.warning("the address of %s was used by %s, which was not given it", connection_id, biller_id)
        return
    uow.session.execute(
        update(AddressLeak)
        .where(AddressLeak.connection_id == connection_id, AddressLeak.biller_id == biller_id)
        .values(times=AddressLeak.times + 1, last_at=at)
        .execution_options(synchronize_session=False)
    )


def leaks_seen(uow: UnitOfWork, *, customer_id: str, biller_id: str, until: str) -> None:
    """The customer has read what happened to the address that this biller was given. A later use is shown again.

    ``until``: the last use on the page that they read (ISO 8601). What came while they read it is not read. Raises
    Invalid.
    """
    try:
        read_until = dt.datetime.fromisoformat(until)
    except ValueError:
        raise Invalid("until", "This is not a moment.") from None
    if read_until.tzinfo is None:
        raise Invalid("until", "This is not a moment: it has no time zone.")
    theirs = select(Connection.id).where(Connection.customer_id == customer_id, Connection.biller_id == biller_id)
    uow.session.execute(
        update(AddressLeak)
        .where(AddressLeak.connection_id.in_(theirs))
        .values(seen_at=min(read_until.astimezone(dt.UTC), uow.now))
        .execution_options(synchronize_session=False)
    )


def leaks_of(
    session: Session, *, customer_id: str | None = None, connection_id: str | None = None, unread: bool = False
) -> list[LeakView]:
    """Of one customer or connection, or of everybody for an operator; the newest first, at most LISTED_MOST.

    ``unread``: without those of billers that the customer has blocked, who are not to be noticed any more.
    """
    given_to, used_by = Biller.__table__.alias("given_to"), Biller.__table__.alias("used_by")
    query = (
        select(AddressLeak, given_to.c.name, given_to.c.id, used_by.c.name)
        .join(Connection, Connection.id == AddressLeak.connection_id)
        .join(given_to, given_to.c.id == Connection.biller_id)
        .join(used_by, used_by.c.id == AddressLeak.biller_id)
        .order_by(AddressLeak.last_at.desc(), AddressLeak.connection_id)
        .limit(LISTED_MOST)
    )
    if customer_id is not None:
        query = query.where(Connection.customer_id == customer_id)
    if connection_id is not None:
        query = query.where(Connection.id == connection_id)
    if unread:
        query = query.where(AddressLeak.seen_at.is_(None) | (AddressLeak.seen_at < AddressLeak.last_at))
        user = aliased(Connection)
        query = query.where(
            ~exists().where(
                user.customer_id == Connection.customer_id,
                user.biller_id == AddressLeak.biller_id,
                user.state == ConnectionState.BLOCKED,
            )
        )
    return [
        LeakView(
            connection_id=leak.connection_id,
            given_to=given,
            given_to_id=given_id,
            used_by=used,
            times=leak.times,
            first_at=leak.first_at,
            last_at=leak.last_at,
        )
        for leak, given, given_id, used in session.execute(query)
    ]
