"""In which order a customer's bills stand, and moving one in their own order. It changes nothing about payment."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, case, delete, func, select

from app.db.many import insert_many
from app.db.unit_of_work import UnitOfWork
from app.journey.invoices.access import invoice_of_customer, kept
from app.journey.invoices.models import Invoice, OwnOrder
from app.journey.invoices.states import InvoiceState
from app.people.customers import lock_customer
from app.people.sessions import SignedIn

#: in a query what ``pay_by`` is of a bill
PAY_BY = func.coalesce(Invoice.extended_to, Invoice.due_on)
_IN_ORDER = (InvoiceState.TO_PAY, InvoiceState.IN_PAYMENT)
_RANK = select(OwnOrder.rank).where(OwnOrder.invoice_id == Invoice.id).correlate(Invoice).scalar_subquery()


class Sort(enum.StrEnum):
    DUE = "due"
    AMOUNT = "amount"
    COMPANY = "company"
    MINE = "mine"


class Direction(enum.StrEnum):
    UP = "up"
    DOWN = "down"


def is_in_order(*, state: str, is_set_aside: bool) -> bool:
    """Whether a bill has a place in its customer's own order: it is to be paid, or in payment."""
    return state in _IN_ORDER and not is_set_aside


def in_order() -> ColumnElement[bool]:
    """The same in a query."""
    return and_(Invoice.state.in_(_IN_ORDER), Invoice.is_set_aside.is_(False))


def by_rank() -> tuple[SQLColumnExpression[Any], ...]:
    """In a query: as their customer ordered them, then those that came since; what has no place in the order stands
    behind it."""
    return case((in_order(), 0), else_=1), case((in_order(), _RANK), else_=None).nulls_last()


def _day_key(pay_by: dt.date | None, issued_on: dt.date, invoice_id: str) -> tuple[bool, dt.date, dt.date, str]:
    """By the day by which a bill is to be paid. What names none stands behind, as it was issued."""
    return pay_by is None, pay_by or issued_on, issued_on, invoice_id


def by_day() -> tuple[SQLColumnExpression[Any], ...]:
    """The same in a query."""
    return PAY_BY.nulls_last(), Invoice.issued_on, Invoice.id


def newest_of(over: ColumnElement[bool]) -> SQLColumnExpression[Any]:
    """In a query, before ``by_day``: of what is over the newest first, and all else alike."""
    return case((over, func.coalesce(PAY_BY, Invoice.issued_on)), else_=None).desc().nulls_last()


def move(uow: UnitOfWork, *, signed_in: SignedIn, invoice_id: str, to: Direction | str) -> int | None:
    """Let a bill and the one before or behind it change places, or let it stand where another one stands (``to`` is the
    id), and those between make room. Returns its place, from 0, also where it stays there: it is the first or the last
    one, or the other has none. None: it has no place in the order (any more) itself. Raises NotFound, NotAllowed."""
    signed_in.check_acts()
    customer_id = signed_in.customer.id
    invoice_of_customer(uow.session, invoice_id=invoice_id, customer_id=customer_id)
    lock_customer(uow.session, customer_id)  # who moves another one meanwhile sees these places
    rows = uow.session.execute(
        select(Invoice.id, _RANK, PAY_BY, Invoice.issued_on)
        .where(Invoice.customer_id == customer_id, in_order())
        .order_by(Invoice.id)
    ).all()
    ranks: dict[str, int | None] = {row[0]: row[1] for row in rows}
    in_line = sorted(rows, key=lambda row: (row[1] is None, row[1] or 0, _day_key(row[2], row[3], row[0])))
    order = [row[0] for row in in_line]
    if invoice_id not in ranks:
        return None
    place = order.index(invoice_id)
    if isinstance(to, Direction):
        other = place + (1 if to is Direction.DOWN else -1)
    else:
        other = order.index(to) if to in ranks else place
    if other == place or not 0 <= other < len(order):
        return place
    # as far as anything has been ordered each has a number of its own; what comes later stands behind that
    known = sum(rank is not None for rank in ranks.values())
    order.insert(other, order.pop(place))
    found = {each: number for number, each in enumerate(order[: max(known, place + 1, other + 1)], 1)}
    changed = {each: rank for each, rank in found.items() if ranks[each] != rank}
    there = kept(uow.session, changed)
    uow.session.execute(delete(OwnOrder).where(OwnOrder.invoice_id.in_(there)))
    rows_now = [{"invoice_id": each, "customer_id": customer_id, "rank": changed[each]} for each in there]
    insert_many(uow.session, OwnOrder, rows_now)
    return other
