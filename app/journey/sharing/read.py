"""What one customer has given to one company, for the page that lists it. Every list has a limit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.errors import NotFound
from app.journey.answers.models import BillAnswer
from app.journey.answers.states import AnswerState
from app.journey.connections.access import known_biller
from app.journey.connections.models import Connection
from app.journey.connections.states import CONNECTION, ConnectionState, ConnectionStep, Told, told
from app.journey.invoices.models import Invoice
from app.journey.payments.models import Payment
from app.journey.payments.states import MEANING, PaymentState
from app.journey.plans.models import Plan
from app.journey.plans.states import PlanState
from app.journey.refunds.models import Refund, RefundHistory
from app.journey.refunds.read import AccountView, accounts_of_company
from app.journey.refunds.states import By
from app.journey.sharing.fields import BY_KEY, GIVEN, Given, Key, Withdraw
from app.people.models import Biller, Customer
from connectors.money import Money

#: bills, payments, answers and plans under one entry, the newest
ITEMS_MOST = 10
#: companies on one page
COMPANIES_MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that was told: about a bill, a payment, an answer or a plan."""

    number: str  #: of the bill
    invoice_id: str
    at: dt.datetime  #: since when it is told
    word: str  #: how it stands, as the company is told it
    id: str | None = None  #: of the payment, the answer or the plan
    kind: str | None = None  #: of an answer: AnswerKind
    words: str | None = None  #: of an answer: what its customer wrote
    amount: Money | None = None
    reference: str | None = None  #: of a payment: what stands on both statements
    may_end: bool = False  #: its customer can take it back now


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One field, or several of a kind, that a company is given."""

    given: Given
    since: dt.datetime | None  #: None: nothing of it was given
    is_over: bool = False  #: the company is not shown it any more
    value: str | None = None
    count: int = 0  #: of items there are
    items: tuple[Item, ...] = ()
    accounts: tuple[AccountView, ...] = field(default=())
    may_withdraw: bool = False  #: of all of it at once: by leaving

    @property
    def key(self) -> Key:
        return self.given.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """All entries, in the order of the list: also those of which nothing was given."""

    biller_id: str
    biller_name: str
    is_known: bool  #: the company has ever been told of this customer
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """A company that was given something."""

    biller_id: str
    biller_name: str
    since: dt.datetime
    is_over: bool  #: the connection has ended


def companies_told(session: Session, *, customer_id: str) -> list[Company]:
    """Those that know of this customer, or knew, by their names."""
    rows = session.execute(
        select(Connection, Biller.name)
        .join(Biller, Biller.id == Connection.biller_id)
        .where(Connection.customer_id == customer_id, Connection.shared_at.is_not(None))
        .order_by(Biller.name, Biller.id)
        .limit(COMPANIES_MOST)
    )
    return [
        Company(
            biller_id=row.biller_id,
            biller_name=name,
            since=row.shared_at or row.changed_at,
            is_over=told(ConnectionState(row.state)) is Told.ENDED,
        )
        for row, name in rows
    ]


def sharing_of(session: Session, *, customer: Customer, biller_id: str) -> Sharing:
    """Raises NotFound where there is nothing between the two."""
    biller = known_biller(session, biller_id)
    connection = session.scalar(
        select(Connection).where(Connection.customer_id == customer.id, Connection.biller_id == biller_id)
    )
    if connection is None:
        raise NotFound("company")
    found = {entry.key: entry for entry in _entries(session, customer, connection)}
    return Sharing(
        biller_id=biller.id,
        biller_name=biller.name,
        is_known=connection.shared_at is not None,
        entries=tuple(found.get(each.key, Entry(given=each, since=None)) for each in GIVEN),
    )


def _entries(session: Session, customer: Customer, connection: Connection) -> Iterator[Entry]:
    """Those of which something was given."""
    biller_id = connection.biller_id
    yield from _of_connection(customer, connection)
    bills = _bills(session, customer.id, biller_id)
    for key in (Key.STATUS, Key.UNSEEN, Key.LOG):  # which go with each bill
        if bills.since is not None:
            with_items = key is Key.STATUS
            yield Entry(
                given=BY_KEY[key],
                since=bills.since,
                count=bills.count if with_items else 0,
                items=bills.items if with_items else (),
            )
    for key, items in (
        (Key.PAYMENT, _payments(session, customer.id, biller_id)),
        (Key.ANSWER, _answers(session, customer.id, biller_id)),
        (Key.PLAN, _plans(session, customer.id, biller_id)),
        (Key.REFUND, _refunds(session, customer.id, biller_id)),
    ):
        if items.since is not None:
            yield Entry(given=BY_KEY[key], since=items.since, count=items.count, items=items.items)
    accounts = accounts_of_company(session, biller_id=biller_id, customer_id=customer.id)
    if accounts:
        yield Entry(
            given=BY_KEY[Key.ACCOUNT],
            since=min(each.released_at for each in accounts),
            is_over=not any(each.is_open for each in accounts),
            count=len(accounts),
            accounts=accounts,
        )


def _of_connection(customer: Customer, connection: Connection) -> Iterator[Entry]:
    since = connection.shared_at
    if since is None:
        return
    state = ConnectionState(connection.state)
    status, may_leave = told(state), CONNECTION.allows(state, ConnectionStep.LEAVE)
    values = {Key.NAME: customer.name, Key.REFERENCE: connection.reference, Key.ADDRESS: connection.address}
    over = {Key.NAME: status is Told.ENDED, Key.ADDRESS: status is not Told.ACTIVE, Key.CONNECTION: False}
    for key in (Key.NAME, Key.REFERENCE, Key.ADDRESS, Key.CONNECTION):
        if key is Key.CONNECTION or values[key]:
            given = BY_KEY[key]
            is_over = over.get(key, False)
            yield Entry(
                given=given,
                since=since,
                is_over=is_over,
                value=values.get(key),
                may_withdraw=given.withdraw is Withdraw.LEAVE and may_leave and not is_over,
            )


@dataclass(frozen=True, slots=True)
class _Items:
    since: dt.datetime | None
    count: int
    items: tuple[Item, ...]


def _bills_of(customer_id: str, biller_id: str) -> Select[str]:
    """In a query: those that this company delivered to this customer. All that is told is told of them."""
    return select(Invoice.id).where(Invoice.customer_id == customer_id, Invoice.biller_id == biller_id)


def _bills(session: Session, customer_id: str, biller_id: str) -> _Items:
    of_both = (Invoice.customer_id == customer_id, Invoice.biller_id == biller_id)
    since, count = session.execute(select(func.min(Invoice.opened_at), func.count()).where(*of_both)).one()
    rows = session.scalars(select(Invoice).where(*of_both).order_by(Invoice.id.desc()).limit(ITEMS_MOST))
    items = tuple(Item(number=row.number, invoice_id=row.id, at=row.opened_at, word=row.state) for row in rows)
    return _Items(since, count, items)


def _of_bills(
    session: Session,
    customer_id: str,
    biller_id: str,
    table: type[Payment | BillAnswer | Plan],
    at: InstrumentedAttribute[dt.datetime],
) -> tuple[dt.datetime | None, int, Sequence[Any]]:
    """Since when there are rows about these bills, how many, and the last ones, each with the number of its bill."""
    of_both = (table.invoice_id.in_(_bills_of(customer_id, biller_id)), table.biller_id == biller_id)
    since, count = session.execute(select(func.min(at), func.count()).where(*of_both)).one()
    last = (
        select(table, Invoice.number)
        .join(Invoice, Invoice.id == table.invoice_id)
        .where(*of_both)
        .order_by(table.id.desc())
        .limit(ITEMS_MOST)
    )
    return since, count, session.execute(last).all()


def _payments(session: Session, customer_id: str, biller_id: str) -> _Items:
    since, count, rows = _of_bills(session, customer_id, biller_id, Payment, Payment.created_at)
    items = tuple(
        Item(
            number=number,
            invoice_id=row.invoice_id,
            at=row.updated_at,
            word=MEANING[PaymentState(row.state)].outside,
            id=row.id,
            amount=row.amount,
            reference=row.end_to_end_id,
        )
        for row, number in rows
    )
    return _Items(since, count, items)


def _answers(session: Session, customer_id: str, biller_id: str) -> _Items:
    since, count, rows = _of_bills(session, customer_id, biller_id, BillAnswer, BillAnswer.said_at)
    items = tuple(
        Item(
            number=number,
            invoice_id=row.invoice_id,
            at=row.said_at,
            word=row.state,
            id=row.id,
            kind=row.kind,
            words=row.words,
            may_end=row.state == AnswerState.OPEN,
        )
        for row, number in rows
    )
    return _Items(since, count, items)


def _plans(session: Session, customer_id: str, biller_id: str) -> _Items:
    since, count, rows = _of_bills(session, customer_id, biller_id, Plan, Plan.made_at)
    items = tuple(
        Item(
            number=number,
            invoice_id=row.invoice_id,
            at=row.made_at,
            word=row.state,
            id=row.id,
            may_end=row.state == PlanState.STANDING,
        )
        for row, number in rows
    )
    return _Items(since, count, items)


def _refunds(session: Session, customer_id: str, biller_id: str) -> _Items:
    """What their customer said of them."""
    of_both = (
        Refund.invoice_id.in_(_bills_of(customer_id, biller_id)),
        RefundHistory.source == By.CUSTOMER,
        RefundHistory.step.in_(("arrive", "miss")),
    )
    joined = select(RefundHistory).join(Refund, Refund.id == RefundHistory.refund_id).where(*of_both).subquery()
    since, count = session.execute(select(func.min(joined.c.at), func.count()).select_from(joined)).one()
    rows = session.execute(
        select(RefundHistory, Refund, Invoice.number)
        .join(Refund, Refund.id == RefundHistory.refund_id)
        .join(Invoice, Invoice.id == Refund.invoice_id)
        .where(*of_both)
        .order_by(RefundHistory.at.desc(), RefundHistory.refund_id, RefundHistory.sequence.desc())
        .limit(ITEMS_MOST)
    )
    items = tuple(
        Item(number=number, invoice_id=refund.invoice_id, at=line.at, word=line.step, amount=refund.amount)
        for line, refund, number in rows
    )
    return _Items(since, count, items)
