"""Inserting a row once: who comes second changes nothing and gets no error, which would end its transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, literal_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from consent.base import Base


def insert_once(
    session: Session,
    table: type[Base],
    values: Mapping[str, Any],
    *,
    unique: Sequence[str],
    where: ColumnElement[bool] | None = None,
) -> bool:
    """Write the row, unless there is one with the same values in the columns ``unique``. True when it was written.
    ``where``: of rows that are unique among some alone, among which.

    An insert of another transaction that is not over yet is waited for.
    """
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    insert = dialect.insert(table).values(**values).on_conflict_do_nothing(index_elements=unique, index_where=where)
    return session.scalar(insert.returning(literal_column("1"))) is not None
