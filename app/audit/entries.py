"""Writing facts into the log, in the transaction that makes them. Their number comes later, off the path of money."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.audit.kinds import SOURCES, Kind, Source
from app.audit.models import LogEntry
from app.db.many import insert_many
from app.db.unit_of_work import UnitOfWork
from consent.base import Base, new_id
from consent.private import owned

#: of the form of a leaf
VERSION = 1
SALT_SIZE = 16


def write(uow: UnitOfWork, kind: Kind, row: Base) -> None:
    """This row was made, or its answer came: one entry, waiting for its number."""
    values = {name: getattr(row, name) for name in (*SOURCES[kind].columns, *SOURCES[kind].digests)}
    uow.session.add(LogEntry(**_entry(kind, values, now=uow.now, customer_id=_whose(uow.session, SOURCES[kind], row))))


def write_many(uow: UnitOfWork, kind: Kind, rows: Sequence[Mapping[str, Any]]) -> None:
    """The same for rows that are inserted together, column by column; a column that is left out is null."""
    made = [_entry(kind, row, now=uow.now, customer_id=row.get("customer_id")) for row in rows]
    insert_many(uow.session, LogEntry, made)


def _whose(session: Session, source: Source, row: Any) -> str | None:
    """The customer whose fact it is, by the rows that it belongs to. None: a company's."""
    for name, table in source.through:
        owner = session.get(_class_of(table), getattr(row, name))
        if owner is None:
            raise LookupError(f"the row of {source.table} belongs to no {table}")
        row = owner
    found: str | None = row.customer_id if source.key_kind is not None else None
    return found


@functools.cache
def _class_of(table: str) -> type[Base]:
    """The log stands below the rooms that own the tables: it goes by their names."""
    return next(mapper.class_ for mapper in Base.registry.mappers if mapper.local_table is Base.metadata.tables[table])


def _entry(kind: Kind, values: Mapping[str, Any], *, now: dt.datetime, customer_id: str | None) -> dict[str, Any]:
    source = SOURCES[kind]
    opening, salt = canonical(said(source, values)), secrets.token_bytes(SALT_SIZE)
    leaf = canonical({"v": VERSION, "kind": kind.value, "at": _plain(now), "commitment": commitment(salt, opening)})
    return {
        "id": new_id("log"),
        "number": None,
        "kind": kind.value,
        "subject": subject(source, values),
        "at": now,
        "leaf": leaf.encode(),
        "opening": owned(opening, customer_id, source.key_kind) if customer_id else opening,
        "salt": owned(salt, customer_id, source.key_kind) if customer_id else salt,
    }


def subject(source: Source, values: Mapping[str, Any]) -> str:
    """The key of the row: ``pay_…``, or ``pay_…/3`` where it has two parts."""
    return "/".join(str(values[name]) for name in source.key)


def said(source: Source, values: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry says of a row: its columns, and the SHA-256 of those with bytes, under ``<column>_sha256``."""
    digests = {f"{name}_sha256": _digest(values[name]) for name in source.digests}
    return {name: _plain(values.get(name)) for name in source.columns} | digests


def commitment(salt: bytes, opening: str) -> str:
    """HMAC-SHA-256, in hexadecimal: who has not the salt cannot try what might have been said."""
    return hmac.new(salt, opening.encode(), hashlib.sha256).hexdigest()


def canonical(value: Mapping[str, Any] | list[Any]) -> str:
    """RFC 8785, for what stands in an entry: texts, whole numbers, null, and lists and objects of them."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, dt.date) else value


def _digest(value: bytes | Mapping[str, Any] | list[Any] | None) -> str | None:
    if value is None:
        return None
    return hashlib.sha256(value if isinstance(value, bytes) else canonical(value).encode()).hexdigest()
