"""The only ways from an outside id to a connection."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from sqlalchemy import ColumnElement, Select, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db.many import among
from app.errors import Conflict, NotFound
from app.journey.connections.models import Connection, Redemption
from app.journey.connections.states import OPEN, ConnectionState
from app.people.biller_states import KNOWN, BillerState
from app.people.clients import billers_that_answer
from app.people.models import Biller


def known_biller(session: Session, biller_id: str) -> Biller:
    """One that is vetted, or was and is suspended now. Raises NotFound."""
    biller = session.get(Biller, biller_id)
    if biller is None or biller.state not in KNOWN:
        raise NotFound("biller")
    return biller


def must_be_vetted(session: Session, biller_id: str) -> None:
    """At this moment: who is suspended meets no new customer. Raises NotFound, Conflict."""
    if known_biller(session, biller_id).state != BillerState.VETTED:
        raise Conflict("biller-suspended", "This company is suspended here: nothing new is begun with it now.")


def biller_that_answers(session: Session, biller_id: str) -> None:
    """Raises NotFound, and Conflict where none of its programs can answer a customer or redeem what one hands over."""
    must_be_vetted(session, biller_id)
    if not billers_that_answer(session, [biller_id]):
        raise Conflict("cannot-be-asked", "This company cannot be asked from here yet.")


def connection_of_biller(session: Session, *, connection_id: str, biller_id: str, lock: bool = False) -> Connection:
    """One that this biller knows of. Raises NotFound alike for none, for others' and for what it may not know."""
    connection = session.get(Connection, connection_id, with_for_update=lock or None)
    if connection is None or connection.biller_id != biller_id or connection.shared_at is None:
        raise NotFound("connection")
    return connection


def redemption_of_biller(session: Session, *, redemption_id: str, biller_id: str) -> Redemption:
    """Raises NotFound."""
    redemption = session.get(Redemption, redemption_id)
    if redemption is None or redemption.biller_id != biller_id:
        raise NotFound("redemption")
    return redemption


def customers_behind(session: Session, *, addresses: Collection[str], biller_id: str) -> dict[str, str]:
    """The customers whose addresses these are, by address, as far as this very biller may deliver there.

    It stays so until the caller's transaction ends: a customer who leaves or blocks at this moment waits for it.
    """
    return _behind(session, addresses, biller_id, open_only=True)


def customers_once_behind(session: Session, *, addresses: Collection[str], biller_id: str) -> dict[str, str]:
    """The same wherever the address was ever this biller's: to know again what it delivered while it might."""
    return _behind(session, addresses, biller_id, open_only=False)


def may_deliver(session: Session, *, customer_id: str, biller_id: str) -> bool:
    """Whether bills of this biller reach this customer. It stays so until the caller's transaction ends."""
    query = select(Connection.id).where(
        Connection.customer_id == customer_id, Connection.biller_id == biller_id, Connection.state.in_(OPEN)
    )
    return session.scalar(query.with_for_update(read=True)) is not None


def delivering_billers(customer_id: str) -> Select[str]:
    """Ids of the billers whose bills reach this customer, for a query of bills."""
    return select(Connection.biller_id).where(Connection.customer_id == customer_id, Connection.state.in_(OPEN))


def is_silenced(
    *,
    customer_id: InstrumentedAttribute[str],
    biller_id: InstrumentedAttribute[str] | InstrumentedAttribute[str | None],
    at: InstrumentedAttribute[dt.datetime] | InstrumentedAttribute[dt.datetime | None],
) -> ColumnElement[bool]:
    """For a query: whether the customer had blocked the biller when it said something ``at`` this moment, and still
    has. What it means for their bills they see, and none of its words."""
    return exists().where(
        Connection.customer_id == customer_id,
        Connection.biller_id == biller_id,
        Connection.state == ConnectionState.BLOCKED,
        Connection.changed_at <= at,
    )


def _behind(session: Session, addresses: Collection[str], biller_id: str, *, open_only: bool) -> dict[str, str]:
    named = {address.lower(): address for address in addresses}
    query = select(Connection.address, Connection.customer_id).where(
        among(session, Connection.address, named), Connection.biller_id == biller_id
    )
    if open_only:
        # in one order: two deliveries never wait for each other in a circle
        query = query.where(Connection.state.in_(OPEN)).order_by(Connection.id).with_for_update(read=True)
    return {named[address]: customer_id for address, customer_id in session.execute(query)}
