"""The only writer of a connection's state: steps the table, writes history, tells the biller what is its to know."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select, update

from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.errors import Conflict
from app.journey.connections import rules
from app.journey.connections.events import ConnectionChanged
from app.journey.connections.models import Connection, ConnectionHistory, Redemption
from app.journey.connections.states import CONNECTION, OPEN, REQUESTED, By, ConnectionState, ConnectionStep, told
from consent.base import random_id
from consent.lifecycle import IllegalStep

#: what comes with a reference, or says that there is none
_NAMING = frozenset({ConnectionStep.ASK, ConnectionStep.PRESENT_CODE, ConnectionStep.PRESENT_ADDRESS})
#: a biller's answers to a request: it stays the same request
_ANSWERS = frozenset({ConnectionStep.CHECK, ConnectionStep.CONFIRM, ConnectionStep.REFUSE})


def locked(uow: UnitOfWork, *, customer_id: str, biller_id: str) -> Connection | None:
    """The connection of these two, locked; None: there never was one."""
    return uow.session.scalar(
        select(Connection)
        .where(Connection.customer_id == customer_id, Connection.biller_id == biller_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def made(uow: UnitOfWork, *, customer_id: str, biller_id: str, space_domain: str) -> Connection:
    """The same, made when there is none. Of two who make it at the same moment one waits and finds the other's."""
    row = {
        "id": random_id("cnx"),  # the biller is shown it one day, and not since when there is a row
        "customer_id": customer_id,
        "biller_id": biller_id,
        "address": rules.new_address(space_domain),
        "changed_at": uow.now,
        "created_at": uow.now,
    }
    insert_once(uow.session, Connection, row, unique=["customer_id", "biller_id"])
    connection = locked(uow, customer_id=customer_id, biller_id=biller_id)
    if connection is None:
        raise RuntimeError(f"no connection of {customer_id} and {biller_id} although one was just made")
    return connection


def take(
    uow: UnitOfWork,
    connection: Connection,
    step: ConnectionStep,
    *,
    by: By,
    reference: str | None = None,
    until: dt.datetime | None = None,
) -> bool:
    """Step a locked connection. False for a repeat that changes nothing. Raises Conflict where it does not fit.

    ``reference``: by which the customer is known at the biller, where a request, a code or an address names it (or
    names none). ``until``: the end of the offer that it may become.
    """
    before = ConnectionState(connection.state)
    try:
        after = CONNECTION.next(before, step)
    except IllegalStep:
        raise Conflict("connection-state", "The connection is not in a state in which this is possible.") from None
    if after is before:
        return False
    connection.state, connection.changed_at = after, uow.now
    connection.sequence += 1
    if step is ConnectionStep.ACCEPT:
        connection.reference = connection.offered_reference
    elif step in _NAMING and after is not ConnectionState.OFFERED:
        connection.reference = reference
    offer = (until, reference) if after is ConnectionState.OFFERED else (None, None)
    connection.offered_until, connection.offered_reference = offer
    if after not in REQUESTED:
        connection.expected_on = None
    if after in OPEN or after in REQUESTED:
        connection.shared_at = connection.shared_at or uow.now
    uow.session.add(
        ConnectionHistory(
            connection_id=connection.id,
            sequence=connection.sequence,
            step=step.name.lower(),
            before=before,
            after=after,
            source=by,
            at=uow.now,
        )
    )
    if after in OPEN and before not in OPEN:
        _accept_redemptions(uow, connection)
    elif before is ConnectionState.OFFERED:
        _let_go_of_redemptions(uow, connection)
    _tell(uow, connection, step, before=before, after=after, by=by)
    uow.session.flush()
    return True


def _tell(
    uow: UnitOfWork,
    connection: Connection,
    step: ConnectionStep,
    *,
    before: ConnectionState,
    after: ConnectionState,
    by: By,
) -> None:
    """Record what changes for the biller. Of what it does not know, and of a change that it may not see, nothing."""
    if connection.shared_at is None or (connection.told and told(before) is told(after)):
        return
    connection.told += 1
    if step not in _ANSWERS:
        connection.told_anew = connection.told
    if by is By.OPERATOR:
        return  # two who are brought over know each other
    fact = ConnectionChanged(
        connection_id=connection.id,
        reference=connection.reference,
        status=told(after),
        sequence=connection.told,
    )
    uow.record(fact)


def _accept_redemptions(uow: UnitOfWork, connection: Connection) -> None:
    """What the biller came with is accepted; what has run out meanwhile stays so."""
    uow.session.execute(
        update(Redemption)
        .where(
            Redemption.connection_id == connection.id,
            Redemption.accepted_at.is_(None),
            Redemption.expires_at > uow.now,
        )
        .values(accepted_at=uow.now)
        .execution_options(synchronize_session=False)
    )


def _let_go_of_redemptions(uow: UnitOfWork, connection: Connection) -> None:
    """The offer that they stood for was not taken: whatever the two agree on later is not what these came for."""
    uow.session.execute(
        update(Redemption)
        .where(Redemption.connection_id == connection.id, Redemption.accepted_at.is_(None))
        .values(connection_id=None)
        .execution_options(synchronize_session=False)
    )
