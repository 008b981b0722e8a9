"""Connections as customers and billers see them. Every list has a limit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.journey.connections import rules
from app.journey.connections.access import connection_of_biller, known_biller, redemption_of_biller
from app.journey.connections.leaks import LeakView, leaks_of
from app.journey.connections.models import Connection, ConnectionCode, ConnectionHistory, Redemption
from app.journey.connections.service import code_row
from app.journey.connections.states import OPEN, REQUESTED, ConnectionState, Told, told
from app.people.biller_states import SUSPENDED, BillerState
from app.people.billers import find_billers
from app.people.clients import billers_that_answer
from app.people.models import Biller, Customer
from consent.vault import Vault

#: billers on a customer's page
LISTED_MOST = 200
#: connections in one answer to a biller
PAGE_MOST = 100
#: steps that a page tells of, the newest
HISTORY_MOST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    step: str
    by: str
    at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionView:
    """One biller as its customer sees it."""

    biller_id: str
    biller_name: str
    country: str  #: two letters
    vat_id: str | None
    answers: bool  #: one of its programs can answer a customer
    is_suspended: bool  #: nothing of it arrives, and nothing is paid to it
    state: str
    reference: str | None
    offered_reference: str | None  #: the one that the company came with, while it asks
    address: str | None  #: once there is one that was given away
    expected_on: dt.date | None
    overdue: bool  #: its answer was expected by now
    offered_until: dt.datetime | None
    changed_at: dt.datetime | None
    steps: tuple[StepView, ...] = ()
    leaks: tuple[LeakView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeView:
    id: str
    code: str  #: with its hyphens
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionForBiller:
    """What the biller of a connection may know of it."""

    id: str
    status: Told
    customer_reference: str | None
    customer_name: str | None  #: None once it has ended
    address: str | None  #: while it is active
    expected_on: dt.date | None
    shared_at: dt.datetime
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionForBiller:
    """``waiting`` until somebody accepts or its time is over: it stays so as well where there is nobody."""

    id: str
    status: str
    customer_reference: str | None
    presented_at: dt.datetime
    expires_at: dt.datetime
    connection_id: str | None


@dataclass(frozen=True, slots=True)
class RedemptionsOfBiller:
    biller_id: str
    biller_name: str
    presented: int
    accepted: int


# ------------------------------------------------------------------------------------------------------- for customers


def connections_of(session: Session, *, customer_id: str, today: dt.date) -> list[ConnectionView]:
    """Those with whom something is, or was: what waits for an answer first, then by name."""
    rows = session.execute(
        select(Biller, Connection)
        .join(Connection, Connection.biller_id == Biller.id)
        .where(Connection.customer_id == customer_id)
        .order_by(Connection.state != ConnectionState.OFFERED, func.lower(Biller.name), Biller.id)
        .limit(LISTED_MOST)
    ).all()
    answering = billers_that_answer(session, [biller.id for biller, _ in rows])
    return [_view(biller, connection, today, answers=biller.id in answering) for biller, connection in rows]


def found_billers(session: Session, typed: str, *, customer_id: str, today: dt.date) -> list[ConnectionView]:
    """Vetted billers by words of their names, each with where it stands with this customer."""
    billers = find_billers(session, typed)
    with_them = session.scalars(
        select(Connection).where(
            Connection.customer_id == customer_id, Connection.biller_id.in_([biller.id for biller in billers])
        )
    )
    theirs = {connection.biller_id: connection for connection in with_them}
    answering = billers_that_answer(session, [biller.id for biller in billers])
    return [_view(biller, theirs.get(biller.id), today, answers=biller.id in answering) for biller in billers]


def connection_view(session: Session, *, biller_id: str, customer_id: str, today: dt.date) -> ConnectionView:
    """One biller that is or was vetted, whether there ever was a connection or not. Raises NotFound."""
    biller = known_biller(session, biller_id)
    answers = biller.state == BillerState.VETTED and bool(billers_that_answer(session, [biller_id]))
    connection = session.scalar(
        select(Connection).where(Connection.customer_id == customer_id, Connection.biller_id == biller_id)
    )
    if connection is None:
        return _view(biller, None, today, answers=answers)
    steps = session.scalars(
        select(ConnectionHistory)
        .where(ConnectionHistory.connection_id == connection.id)
        .order_by(ConnectionHistory.sequence.desc())
        .limit(HISTORY_MOST)
    )
    leaks = leaks_of(session, connection_id=connection.id)
    return _view(
        biller,
        connection,
        today,
        answers=answers,
        steps=tuple(StepView(step=each.step, by=each.source, at=each.at) for each in steps),
        leaks=tuple(leaks),
    )


def codes_of(vault: Vault, session: Session, *, customer_id: str, now: dt.datetime) -> list[CodeView]:
    """Those that are good, the newest first."""
    rows = session.scalars(
        select(ConnectionCode)
        .where(
            ConnectionCode.customer_id == customer_id,
            ConnectionCode.used_at.is_(None),
            ConnectionCode.withdrawn_at.is_(None),
            ConnectionCode.expires_at > now,
        )
        .order_by(ConnectionCode.made_at.desc(), ConnectionCode.id.desc())
        .limit(rules.CODES_MOST)
    )
    return [
        CodeView(id=row.id, code=rules.shown(vault.get(session, code_row(row.id))), expires_at=row.expires_at)
        for row in rows
    ]


def waiting_for_answer(session: Session, *, customer_id: str, now: dt.datetime) -> int:
    """Billers that wait for this customer's yes or no."""
    offers = select(func.count()).where(
        Connection.customer_id == customer_id,
        Connection.state == ConnectionState.OFFERED,
        Connection.offered_until > now,
    )
    return session.scalar(offers) or 0


def count_by_state(session: Session) -> list[tuple[str, int]]:
    """For an operator."""
    number = func.count()
    rows = session.execute(select(Connection.state, number).group_by(Connection.state).order_by(Connection.state))
    return [(state, count) for state, count in rows]


def redemptions_by_biller(session: Session, *, now: dt.datetime) -> list[RedemptionsOfBiller]:
    """For an operator: of the last OFFER_LIFE, whose redemptions are accepted by nobody first."""
    presented, accepted = func.count(), func.count(Redemption.accepted_at)
    rows = session.execute(
        select(Biller.id, Biller.name, presented, accepted)
        .join(Biller, Biller.id == Redemption.biller_id)
        .where(Redemption.presented_at > now - rules.OFFER_LIFE)
        .group_by(Biller.id, Biller.name)
        .order_by((presented - accepted).desc(), Biller.id)
        .limit(LISTED_MOST)
    )
    return [RedemptionsOfBiller(*row) for row in rows]


def muted_billers(session: Session, *, customer_id: str) -> Collection[str]:
    """Ids of the billers whose bills come without a notice, and stand behind the others."""
    return set(
        session.scalars(
            select(Connection.biller_id).where(
                Connection.customer_id == customer_id, Connection.state == ConnectionState.MUTED
            )
        )
    )


def _view(
    biller: Biller,
    connection: Connection | None,
    today: dt.date,
    *,
    answers: bool,
    steps: tuple[StepView, ...] = (),
    leaks: tuple[LeakView, ...] = (),
) -> ConnectionView:
    state = ConnectionState(connection.state) if connection else ConnectionState.NONE
    given = connection is not None and (state is ConnectionState.HANDED or state in OPEN)
    expected_on = connection.expected_on if connection else None
    return ConnectionView(
        biller_id=biller.id,
        biller_name=biller.name,
        country=biller.country,
        vat_id=biller.vat_id,
        answers=answers,
        is_suspended=biller.state in SUSPENDED,
        state=state,
        reference=connection.reference if connection else None,
        offered_reference=connection.offered_reference if connection else None,
        address=connection.address if connection and given else None,
        expected_on=expected_on,
        overdue=expected_on is not None and state in REQUESTED and expected_on < today,
        offered_until=connection.offered_until if connection else None,
        changed_at=connection.changed_at if connection else None,
        steps=steps,
        leaks=leaks,
    )


# --------------------------------------------------------------------------------------------------------- for billers


def connection_for_biller(session: Session, *, connection_id: str, biller_id: str) -> ConnectionForBiller:
    """Raises NotFound."""
    connection = connection_of_biller(session, connection_id=connection_id, biller_id=biller_id)
    return _for_biller(connection, session.get_one(Customer, connection.customer_id).name)


def connections_for_biller(
    session: Session, *, biller_id: str, after: str, status: Told | None
) -> list[ConnectionForBiller]:
    """At most PAGE_MOST of which this biller knows, in one order, behind the id ``after``."""
    query = (
        select(Connection, Customer.name)
        .join(Customer, Customer.id == Connection.customer_id)
        .where(Connection.biller_id == biller_id, Connection.shared_at.is_not(None), Connection.id > after)
        .order_by(Connection.id)
        .limit(PAGE_MOST)
    )
    if status is not None:
        query = query.where(Connection.state.in_([state for state in ConnectionState if told(state) is status]))
    return [_for_biller(connection, name) for connection, name in session.execute(query)]


def redemption_for_biller(
    session: Session, *, redemption_id: str, biller_id: str, now: dt.datetime
) -> RedemptionForBiller:
    """Raises NotFound."""
    redemption = redemption_of_biller(session, redemption_id=redemption_id, biller_id=biller_id)
    return redemption_view(redemption, now=now)


def redemption_view(redemption: Redemption, *, now: dt.datetime) -> RedemptionForBiller:
    accepted = redemption.accepted_at is not None
    return RedemptionForBiller(
        id=redemption.id,
        status="accepted" if accepted else "waiting" if redemption.expires_at > now else "over",
        customer_reference=redemption.reference,
        presented_at=redemption.presented_at,
        expires_at=redemption.expires_at,
        connection_id=redemption.connection_id if accepted else None,
    )


def _for_biller(connection: Connection, customer_name: str) -> ConnectionForBiller:
    status = told(ConnectionState(connection.state))
    return ConnectionForBiller(
        id=connection.id,
        status=status,
        customer_reference=connection.reference,
        customer_name=customer_name if status is not Told.ENDED else None,
        address=connection.address if status is Told.ACTIVE else None,
        expected_on=connection.expected_on,
        shared_at=connection.shared_at or connection.changed_at,
        sequence=connection.told,
    )
