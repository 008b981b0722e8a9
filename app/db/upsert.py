"""Inserting a row once: who comes second changes nothing and gets no error, which would end its transaction."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, literal_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from consent.base import Base
from consent.private import owning


def insert_once(
    session: Session,
    table: type[Base],
    values: Mapping[str, Any],
    *,
    unique: Sequence[str],
    where: ColumnElement[bool] | None = None,
) -> bool:
    """Write the row, unless there is one with the same values in the columns ``unique``. True when it was written.
    ``where``: of rows that are unique among some alone, among which; one object for all calls, the statement is kept.

    An insert of another transaction that is not over yet is waited for.
    """
    session.flush()  # what it refers to may still wait there
    insert = _insert(session.get_bind().dialect.name, table, tuple(unique), where)
    return session.scalar(insert, dict(owning(table, values))) is not None


@functools.cache
def _insert(dialect: str, table: type[Base], unique: tuple[str, ...], where: ColumnElement[bool] | None) -> Any:
    """To put it together takes longer than to write the row."""
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table_of(table))
    once = insert.on_conflict_do_nothing(index_elements=unique, index_where=where)
    return once.returning(literal_column("1"))


def table_of(table: type[Base]) -> Table:
    """Of a mapped class: for statements that leave the objects of a session alone."""
    made: Table = table.__table__  # type: ignore[assignment]  # every class of ours has a table
    return made
