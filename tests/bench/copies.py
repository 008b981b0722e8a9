"""A large database out of a small one: the same rows again and again, each time under other ids."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import JSON, Column, Connection, Engine, Table, text

from app.tables import metadata
from consent.private import Private, PrivateJSON
from tests.bench.stories import Rows

#: what the payments share: the people, the biller's program and door, and what is counted for a bank
ONCE = frozenset(
    {
        "customer",
        "passkey",
        "customer_session",
        "ceremony",
        "biller",
        "biller_identifier",
        "biller_history",
        "payee_account",
        "payee_account_history",
        "api_client",
        "connection",
        "connection_history",
        "connection_code",
        "redemption",
        "address_leak",
        "stray_bill",
        "invitation",
        "answer_policy",
        "webhook_endpoint",
        "used_assertion",
        "bank_budget",
    }
)
#: the first digits of whatever must be unique: our ids, hashes, UUIDs; a copy has its own number there
_FIRST = re.compile(r"[0-9a-f]{8}(?=[0-9a-f]{24}|(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
#: stands for the number of the copy in a row that is still a pattern
_COPY = "\N{SYMBOL FOR SUBSTITUTE}"
_CHUNK = 20_000
#: the log of the copies: every entry in it once, and one checkpoint, which nobody signed
_NUMBERED = (
    "DELETE FROM log_tile",
    "DELETE FROM log_checkpoint",
    "UPDATE log_entry SET number = ranked.number FROM"
    " (SELECT id, ROW_NUMBER() OVER (ORDER BY id) - 1 AS number FROM log_entry) ranked WHERE ranked.id = log_entry.id",
    "INSERT INTO log_checkpoint (size, note, made_at) SELECT COUNT(*), 'of copies', MAX(at) FROM log_entry",
)
#: as long as the connection is open; `synchronous` may not be changed within a transaction, the driver's has begun
_HURRY = {"sqlite": ("PRAGMA cache_size=-500000",), "postgresql": ("SET statement_timeout = 0",)}

Row = tuple[Any, ...]


def fill(engine: Engine, rows: Rows, *, copies: int) -> None:
    """Write the rows into an empty, migrated database, those of each payment ``copies`` times."""
    shared = {value for name in ONCE for row in rows[name] for value in row.values() if isinstance(value, str)}
    shared_ids = frozenset(found.group() for found in re.finditer(r"[0-9a-f]{32}", " ".join(shared)))
    with engine.connect() as connection:
        for hurry in _HURRY[engine.dialect.name]:
            connection.exec_driver_sql(hurry)
        for table in metadata.sorted_tables:
            if table.name == "log_head":  # its one row comes with the migration
                continue
            columns = [column for column in table.columns if column is not table.autoincrement_column]
            stored = [_stored(connection, table, columns, row) for row in rows[table.name]]
            patterns = [tuple(_pattern(value, shared_ids) for value in row) for row in stored]
            _insert(connection, table, columns, stored if table.name in ONCE else _copied(patterns, copies))
        for statement in _NUMBERED:
            connection.exec_driver_sql(statement)
        connection.commit()
    if engine.dialect.name == "postgresql":  # what autovacuum does by itself, only later
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("VACUUM ANALYZE"))


def _stored(connection: Connection, table: Table, columns: Sequence[Column[Any]], row: dict[str, Any]) -> Row:
    """As the driver writes it. JSON stays text, so that the ids in it are renamed as well."""
    values = []
    for column in columns:
        value = row[column.name]
        if table.name == "receipt" and column.name == "number":
            value = row["id"]  # the short number for people is unique among few payments only
        if table.name == "log_entry" and column.name == "number":
            value = None
        if isinstance(column.type, JSON | PrivateJSON):
            value = json.dumps(value)
        elif isinstance(column.type, Private):
            pass  # in clear, as an older release had it: what is checked reads none of it
        elif connection.dialect.name == "sqlite" and (process := column.type.bind_processor(connection.dialect)):
            value = process(value)
        values.append(value)
    return tuple(values)


def _pattern(value: Any, shared_ids: frozenset[str]) -> Any:
    def mark(found: re.Match[str]) -> str:
        whole = found.string[found.start() : found.start() + 32]
        return found.group() if whole in shared_ids else _COPY

    return _FIRST.sub(mark, value) if isinstance(value, str) else value


def _copied(patterns: Sequence[Row], copies: int) -> Iterator[Row]:
    marked = [(row, [place for place, value in enumerate(row) if _is_marked(value)]) for row in patterns]
    for number in range(copies):
        digits = f"{number + 1:08x}"
        for pattern, places in marked:
            if not places and number:
                continue  # it belongs to what is shared, as the secret of the biller's door
            row = list(pattern)
            for place in places:
                row[place] = row[place].replace(_COPY, digits)
            yield tuple(row)


def _is_marked(value: Any) -> bool:
    return isinstance(value, str) and _COPY in value


def _insert(connection: Connection, table: Table, columns: Sequence[Column[Any]], rows: Iterable[Row]) -> None:
    names = ", ".join(connection.dialect.identifier_preparer.format_column(column) for column in columns)
    if connection.dialect.name == "postgresql":
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    insert = f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
    waiting = iter(rows)
    while chunk := list(itertools.islice(waiting, _CHUNK)):
        connection.exec_driver_sql(insert, chunk)
