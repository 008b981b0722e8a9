"""Inserting many rows at once: COPY on PostgreSQL, executemany on SQLite. One by one they take many times as long."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, Column, ColumnElement, Dialect, Table, any_, bindparam, insert
from sqlalchemy import Row as DatabaseRow
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.db.upsert import insert_once, table_of
from consent.base import Base
from consent.private import owning

Row = Mapping[str, Any]
#: into this table rows are copied that may be there already; it ends with its transaction
_WAITING = "waiting_rows"


def insert_many(session: Session, table: type[Base], rows: Sequence[Row]) -> None:
    """Write the rows. All have the same columns, and the defaults of the mapping are not filled in."""
    if not rows:
        return
    rows = [owning(table, row) for row in rows]
    session.flush()  # what they refer to may still wait there
    if session.get_bind().dialect.name == "postgresql":
        _copy(session, table_of(table), table_of(table).name, rows)
    else:
        session.execute(insert(table_of(table)), list(rows))


def insert_new(session: Session, table: type[Base], rows: Sequence[Row], *, unique: Sequence[str]) -> list[Row]:
    """Write the rows but those that are there already, by the columns ``unique``. Returns what was written."""
    if len(rows) == 1:
        return [rows[0]] if insert_once(session, table, rows[0], unique=unique) else []
    if not rows:
        return []
    rows = [owning(table, row) for row in rows]
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        written = _copy_new(session, table_of(table), rows, unique)
    else:
        columns = [table_of(table).columns[name] for name in unique]
        once = sqlite.insert(table_of(table)).on_conflict_do_nothing(index_elements=unique).returning(*columns)
        written = session.execute(once, list(rows)).all()
    if len(written) == len(rows):
        return list(rows)
    keys = {tuple(row) for row in written}
    return [row for row in rows if tuple(row[name] for name in unique) in keys]


def _copy_new(session: Session, made: Table, rows: Sequence[Row], unique: Sequence[str]) -> Sequence[DatabaseRow[Any]]:
    """Returns the columns ``unique`` of what was written."""
    connection, names = session.connection(), ", ".join(rows[0])
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE {_WAITING} ON COMMIT DROP AS SELECT {names} FROM {made.name} WITH NO DATA"  # noqa: S608  # nosec B608  # our names
    )
    _copy(session, made, _WAITING, rows)
    columns = ", ".join(unique)
    # in one order for everybody: two that insert the same rows wait for each other, and never both
    written = connection.exec_driver_sql(
        f"INSERT INTO {made.name} ({names}) SELECT {names} FROM {_WAITING} ORDER BY {columns}"  # noqa: S608  # nosec B608  # our names
        f" ON CONFLICT ({columns}) DO NOTHING RETURNING {columns}"
    ).all()
    connection.exec_driver_sql(f"DROP TABLE {_WAITING}")
    return written


def among(session: Session, column: InstrumentedAttribute[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """``column IN values``, for hundreds of values: PostgreSQL's driver would read a statement with as many parts."""
    if session.get_bind().dialect.name == "postgresql":
        return column == any_(bindparam(None, list(values), type_=ARRAY(column.type), unique=True))
    return column.in_(values)


def among_named(dialect: str, column: InstrumentedAttribute[Any], name: str) -> ColumnElement[bool]:
    """``among`` in a statement that is made once: its values, a list, are given by this name with each execution."""
    if dialect == "postgresql":
        return column == any_(bindparam(name, type_=ARRAY(column.type)))
    return column.in_(bindparam(name, expanding=True))


def _copy(session: Session, made: Table, target: str, rows: Sequence[Row]) -> None:
    names = list(rows[0])
    columns: list[Column[Any]] = [made.columns[name] for name in names]
    connection = session.connection()
    processors = [_processor(column, connection.dialect) for column in columns]
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {target} ({', '.join(names)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(_values(row.values(), processors))


def _processor(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """What makes the driver's value of ours: of a JSON value, of a time."""
    return column.type.dialect_impl(dialect).bind_processor(dialect)


def _values(values: Iterable[Any], processors: Sequence[Callable[[Any], Any] | None]) -> list[Any]:
    return [process(value) if process else value for value, process in zip(values, processors, strict=True)]
