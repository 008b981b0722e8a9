"""The declarative base, column types and ids that every table here and in app/ shares.

They stand in consent/ because app may import consent and never the other way round.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from typing import Any, ClassVar

import uuid_utils
from sqlalchemy import JSON, BigInteger, DateTime, Integer, MetaData, String, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase

#: every constraint has a name, or a migration could never change it
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UTCDateTime(TypeDecorator[dt.datetime]):
    """An aware UTC time on both databases (SQLite forgets the zone by itself). A naive time is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time may not be stored")
        value = value.astimezone(dt.UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


class Id(String):
    """A prefixed id such as ``inv_0197f0c2…``: 3 to 5 letters, underscore, 32 hex digits of a UUIDv7."""

    def __init__(self) -> None:
        super().__init__(40)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    # 64 bits for every whole number: an amount in minor units may have 15 digits
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger().with_variant(Integer, "sqlite"),
        dt.datetime: UTCDateTime,
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }


def new_id(kind: str) -> str:
    """A new id of its kind (``inv``, ``pay``, ``con`` …), sortable by time. Not a secret: never use it as one."""
    return f"{kind}_{uuid_utils.uuid7().hex}"


def random_id(kind: str) -> str:
    """The same, but it does not tell when it was made."""
    return f"{kind}_{secrets.token_hex(16)}"


def new_secret() -> str:
    """256 unguessable bits as URL-safe text, for cookies, states and tokens."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """How a secret that is only compared is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()
