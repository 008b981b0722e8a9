"""Having nothing left of a customer in the tables, by what ``holdings.py`` says of each. Safe to repeat."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import BindParameter, bindparam, select, text
from sqlalchemy.orm import Session

from app.db.events import EventRow
from app.db.unit_of_work import UnitOfWork
from app.journey.connections.events import ConnectionChanged
from app.journey.connections.models import Connection
from app.journey.erasure.holdings import HOLDINGS, UNPAID, Stays
from app.journey.intake import originals
from consent.base import Base
from consent.private import KeyKind, Private, emptied

_GONE = (Stays.WHILE_HERE, Stays.SHORT)


def empty(uow: UnitOfWork, customer_id: str) -> None:
    """What goes at once: rows, and of rows that stay what tells who it was."""
    uow.session.flush()
    originals.drop_of(uow.session, customer_id)
    _forget_references(uow.session, customer_id)
    for name, holding in HOLDINGS.items():
        for column, value in holding.first.items():
            _set(uow.session, name, column, value, holding.whose, customer_id)
    for table in reversed(Base.metadata.sorted_tables):  # those that refer to others before them
        holding = HOLDINGS[table.name]
        if holding.whose and holding.stays in _GONE:
            _run(uow.session, f"DELETE FROM {table.name} WHERE {holding.whose}", customer_id)  # noqa: S608  # nosec B608  # our names
    for name, where in UNPAID.items():
        for column, value in HOLDINGS[name].forgotten.items():
            _set(uow.session, name, column, value, where, customer_id)
    for name, holding in HOLDINGS.items():
        for column, value in holding.emptied.items():
            _set(uow.session, name, column, value, holding.whose, customer_id)
    _empty_private(uow.session, KeyKind.PROFILE, customer_id)
    uow.session.expire_all()


def forget(uow: UnitOfWork, customer_id: str) -> None:
    """The rest: nobody can tell any more which payments these were."""
    uow.session.flush()
    for name, holding in HOLDINGS.items():
        for column, value in holding.forgotten.items():
            _set(uow.session, name, column, value, holding.whose, customer_id)
    _empty_private(uow.session, KeyKind.RECORD, customer_id)
    uow.session.expire_all()


def _empty_private(session: Session, kind: KeyKind, customer_id: str) -> None:
    """Also what older releases wrote in clear."""
    for table in Base.metadata.sorted_tables:
        holding = HOLDINGS[table.name]
        for column in table.columns:
            if isinstance(column.type, Private) and column.type.kind is kind and holding.stays not in _GONE:
                nothing = emptied(column.type, customer_id, name="nothing")
                _set(session, table.name, column.name, ":nothing", holding.whose, customer_id, nothing)


def _forget_references(session: Session, customer_id: str) -> None:
    """By which companies knew them: what happened to a connection says it as well, and nothing finds that but a look at
    each."""
    theirs = set(session.scalars(select(Connection.id).where(Connection.customer_id == customer_id)))
    changed = select(EventRow).where(EventRow.kind == ConnectionChanged.__name__)
    for row in session.scalars(changed.execution_options(yield_per=1000)) if theirs else ():
        if row.payload.get("connection_id") in theirs and row.payload.get("reference"):
            row.payload = {**row.payload, "reference": None}


def _set(
    session: Session, table: str, column: str, value: str, where: str, customer_id: str, *bound: BindParameter[Any]
) -> None:
    put = f"UPDATE {table} SET {column} = {value} WHERE ({where}) AND {column} IS NOT NULL"  # noqa: S608  # nosec B608  # our names
    _run(session, put, customer_id, *bound)


def _run(session: Session, statement: str, customer_id: str, *bound: BindParameter[Any]) -> None:
    chance: list[BindParameter[Any]] = [bindparam("chance", secrets.token_hex(8))] if ":chance" in statement else []
    session.execute(text(statement).bindparams(bindparam("customer", customer_id), *chance, *bound))
