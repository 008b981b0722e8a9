"""Columns that only a customer's own keys open. What one of the two keys sealed is gone, wherever a copy of it lies,
once that key is: so a space is erased also in the backups that nobody can edit.

A sealed value is ``~1:<kind>:<customer>:`` and nonce and ciphertext behind it; text has these in base64, and a JSON
column holds that text as one string.
Each customer has two keys (``KeyKind``), kept apart from this database (``app/keys/customers.py``). Whose a value is
stands on the row, and is said by hand where the row does not have it (``owned``): a value of nobody's is not stored.
Values of before there were keys are read as they are, until they are sealed (``quittance privacy seal``).

Whoever may write to the database can put one customer's sealed value into another's row, and it opens there as what it
was: the key says whose it is, not where it stands. What must not be moved is in the log.
"""

from __future__ import annotations

import base64
import binascii
import enum
import functools
import json
import secrets
import weakref
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import (
    JSON,
    BindParameter,
    ColumnElement,
    Engine,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    bindparam,
    event,
    inspect,
)
from sqlalchemy import cast as cast_in_sql
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Mapper, Session

from consent.base import Base

T = TypeVar("T", str, bytes, list[Any], dict[str, Any])
_MARK = "~1:"
_MARK_IN_JSON = f'"{_MARK}'
_NONCE = 12


class _Erased(str):
    __slots__ = ()


#: what is read of a text whose key is gone: this very object, so nobody who writes the same word looks like it
ERASED = _Erased("(erased)")


class KeyKind(enum.StrEnum):
    """Which of a customer's two keys."""

    PROFILE = "profile"  #: who they are, and what they and others wrote to each other: goes when they erase their space
    RECORD = "record"  #: what proves a payment: goes when the law no longer wants it kept


class CustomersKeys(Protocol):
    """Where the keys are."""

    def key_of(self, customer_id: str, kind: KeyKind) -> AESGCM | None:
        """The key, made where there never was one. None: it was destroyed, for good."""
        ...

    def is_destroyed(self, customer_id: str, kind: KeyKind) -> bool:
        """By the keys themselves, whatever is in memory."""
        ...

    def hash_of(self, text: str) -> str:
        """By which a text is found again without standing anywhere."""
        ...


class KeyMissing(Exception):
    """What was sealed does not open, and was not erased: the keys are those of another installation, or too old."""


#: by the dialect of an engine, which each engine has for itself and its options share
_KEYS: weakref.WeakKeyDictionary[Dialect, CustomersKeys] = weakref.WeakKeyDictionary()


def open_with(engine: Engine, keys: CustomersKeys) -> Engine:
    """Have the private columns of this database opened and sealed with these keys. Returns the engine."""
    _KEYS[engine.dialect] = keys
    return engine


def keys_of(session: Session) -> CustomersKeys:
    """Those of the database of this session. Raises KeyMissing."""
    return keys_behind(session.get_bind().dialect)


def keys_behind(dialect: Dialect) -> CustomersKeys:
    """Raises KeyMissing for a database that was opened without any."""
    keys = _KEYS.get(dialect)
    if keys is None:
        raise KeyMissing("this database was opened without its customers' keys")
    return keys


# ------------------------------------------------------------------------------------------------------ sealing


def seal(keys: CustomersKeys, customer_id: str, kind: KeyKind, value: bytes, *, what: str = "") -> bytes:
    """The value as a column of bytes keeps it. Where the key is gone, nothing of it is. ``what``: it is not to be taken
    for anything else that is theirs."""
    head = f"{_MARK}{kind}:{customer_id}:".encode()
    key = keys.key_of(customer_id, kind)
    if key is None:
        return head
    nonce = secrets.token_bytes(_NONCE)
    return head + nonce + key.encrypt(nonce, value, _bound_to(customer_id, kind, what))


def unseal(keys: CustomersKeys, stored: bytes, *, what: str = "") -> bytes | None:
    """What was sealed. None: its key is gone. Raises KeyMissing."""
    mark, kind, customer, box = stored.split(b":", 3)
    return _open(keys, f"{mark.decode()}:{kind.decode()}:{customer.decode()}", box, what)


def _open(keys: CustomersKeys, head: str, box: bytes, what: str = "") -> bytes | None:
    customer_id, kind = _read(head)
    key = keys.key_of(customer_id, kind)
    if key is None or not box:
        return None
    try:
        return key.decrypt(box[:_NONCE], box[_NONCE:], _bound_to(customer_id, kind, what))
    except (InvalidTag, ValueError) as error:
        raise KeyMissing(f"what is sealed for {customer_id} does not open with the key that is there") from error


@functools.lru_cache(maxsize=1000)
def _read(head: str) -> tuple[str, KeyKind]:
    """Whose, and with which key: thousands of values of a page have the same."""
    _, kind, customer_id = head.split(":")
    return customer_id, KeyKind(kind)


def is_sealed(stored: object) -> bool:
    """Whether a stored value is one of these, and not of before there were keys."""
    return stored[: len(_MARK)] in (_MARK, _MARK.encode()) if isinstance(stored, str | bytes) else False


def whose(stored: bytes | str) -> tuple[str, KeyKind]:
    """Of a sealed value: the customer, and with which of their keys."""
    head = stored if isinstance(stored, str) else stored.decode("latin-1")
    return _read(":".join(head.split(":", 3)[:3]))


def opened(keys: CustomersKeys, stored: bytes | str | None) -> bytes | None:
    """A value as its column keeps it, also one in clear. None: nothing, or erased. Raises KeyMissing."""
    if stored is None:
        return None
    if not is_sealed(stored):
        return stored if isinstance(stored, bytes) else stored.encode()
    if isinstance(stored, bytes):
        return unseal(keys, stored)
    head, _, box = stored.rpartition(":")
    try:
        return _open(keys, head, binascii.a2b_base64(box))
    except binascii.Error as error:
        raise KeyMissing("what is sealed was cut") from error


def as_stored(column: Any) -> ColumnElement[str]:
    """What a private column of text or JSON keeps, as it stands there, for ``open_all``."""
    return cast_in_sql(column, Text)


def open_all(keys: CustomersKeys, stored: Iterable[str | None]) -> list[str | None]:
    """The texts of thousands of rows, as ``as_stored`` gives them, each as its column would read it but JSON, which
    stays a text. None: nothing, or erased. Raises KeyMissing.

    A column opens each value by itself, which takes three times as long.
    """
    found: list[str | None] = []
    customers: dict[str, tuple[AESGCM | None, bytes]] = {}
    for value in stored:
        sealed = value[1:-1] if value is not None and value.startswith(_MARK_IN_JSON) else value
        if sealed is None or not sealed.startswith(_MARK):
            found.append(sealed)
            continue
        head, _, box = sealed.rpartition(":")
        if head not in customers:
            customer_id, kind = _read(head)
            customers[head] = keys.key_of(customer_id, kind), _bound_to(customer_id, kind, "")
        key, bound_to = customers[head]
        if key is None or not box:
            found.append(None)
            continue
        try:
            raw = binascii.a2b_base64(box)
            found.append(key.decrypt(raw[:_NONCE], raw[_NONCE:], bound_to).decode())
        except (InvalidTag, ValueError) as error:
            raise KeyMissing(f"what is sealed ({head}) does not open with the key that is there") from error
    return found


def _as_text(sealed: bytes) -> str:
    """The same for a column of text: all behind the head in base64."""
    mark, kind, customer, box = sealed.split(b":", 3)
    return b":".join((mark, kind, customer, base64.b64encode(box))).decode()


@functools.lru_cache(maxsize=1000)
def _bound_to(customer_id: str, kind: KeyKind, what: str) -> bytes:
    return f"{kind}|{customer_id}|{what}".encode()


def emptied(column: Private, customer_id: str, *, name: str) -> BindParameter[Any]:
    """What stands in such a column once its key is gone, for a statement that no column type has a hand in."""
    head = f"{_MARK}{column.kind}:{customer_id}:"
    if isinstance(column, PrivateBytes):
        return bindparam(name, head.encode(), type_=LargeBinary())
    return bindparam(name, head, type_=JSON() if isinstance(column, PrivateJSON) else Text())


# -------------------------------------------------------------------------------------------------- whose it is


class _Owned:
    """Whose a value is, and which key is meant where its column has values of both."""

    owner: str
    key: KeyKind | None


class _OwnedStr(_Owned, str):
    """A text of somebody's."""


class _OwnedBytes(_Owned, bytes):
    """Bytes of somebody's."""


class _OwnedList(_Owned, list[Any]):
    """A list of somebody's."""


class _OwnedDict(_Owned, dict[str, Any]):
    """An object of somebody's."""


_OWNED: dict[type[Any], Any] = {str: _OwnedStr, bytes: _OwnedBytes, list: _OwnedList, dict: _OwnedDict}


def owned(value: T, customer_id: str, key: KeyKind | None = None) -> T:
    """The same value, of which is known whose it is: for a row that does not say so itself."""
    made: Any = next(marked(value) for plain, marked in _OWNED.items() if isinstance(value, plain))
    made.owner, made.key = customer_id, key
    return cast("T", made)


def _own(values: Mapping[str, Any], columns: list[str], customer_id: str | None) -> dict[str, Any]:
    """Those of the values whose owner was not known."""
    if customer_id is None:
        return {}
    return {
        name: owned(values[name], customer_id)
        for name in columns
        if values.get(name) is not None and not isinstance(values[name], _Owned)
    }


def private_columns(table: type[Base]) -> list[str]:
    """The names of a table's private columns, which are those of its attributes."""
    return _columns_of(inspect(table))


@functools.cache
def _columns_of(mapper: Mapper[Any]) -> list[str]:
    return [column.key for column in mapper.columns if isinstance(column.type, Private)]


def owning(table: type[Base], row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row that is inserted by a statement of its own, with its private values marked as its customer's."""
    columns = private_columns(table)
    if not columns:
        return row
    return {**row, **_own(row, columns, row.get("id" if table.__tablename__ == "customer" else "customer_id"))}


@event.listens_for(Base, "before_insert", propagate=True)
@event.listens_for(Base, "before_update", propagate=True)
def _mark(mapper: Mapper[Any], _: object, row: Any) -> None:
    columns = _columns_of(mapper)
    if columns:
        values = row.__dict__
        customer_id = values.get("id") if row.__tablename__ == "customer" else values.get("customer_id")
        values.update(_own(values, columns, customer_id))


# ------------------------------------------------------------------------------------------------ column types


class Private(TypeDecorator[Any]):
    """What all of them have: which key, and what is read once that is gone."""

    impl: Any = Text
    cache_ok = True

    def __init__(self, kind: KeyKind, *, gone: Any = None, may_be_nobodys: bool = False) -> None:
        super().__init__()
        self.kind, self.gone, self.may_be_nobodys = kind, gone, may_be_nobodys

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        if isinstance(value, _Owned):
            return self._stored(seal(keys_behind(dialect), value.owner, value.key or self.kind, self._as_bytes(value)))
        if self.may_be_nobodys:
            return value
        raise ValueError("whose a private value is must be said: nothing was stored")

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        if not is_sealed(value):
            return value
        raw = opened(keys_behind(dialect), value)
        return self._gone() if raw is None else self._of_bytes(raw)

    def _stored(self, sealed: bytes) -> Any:
        return _as_text(sealed)

    def _gone(self) -> Any:
        return self.gone

    def _as_bytes(self, value: Any) -> bytes:
        return str(value).encode()

    def _of_bytes(self, opened: bytes) -> Any:
        return opened.decode()


class PrivateText(Private):
    """Text of at most ``length`` characters in clear; None: of any."""

    cache_ok = True

    def __init__(
        self, kind: KeyKind, length: int | None = None, *, gone: str | None = ERASED, may_be_nobodys: bool = False
    ) -> None:
        super().__init__(kind, gone=gone, may_be_nobodys=may_be_nobodys)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """SQLite, which knows no lengths, keeps the type that the column had when it was in clear."""
        is_short = self.length is not None and dialect.name == "sqlite"
        return String(self.length) if is_short else Text()


class PrivateJSON(Private):
    """A JSON object or list. ``gone``: the type of what is read once its key is."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def __init__(self, kind: KeyKind, *, gone: type[list[Any]] | type[dict[str, Any]]) -> None:
        super().__init__(kind, gone=gone)

    def _gone(self) -> Any:
        return self.gone()

    def _as_bytes(self, value: Any) -> bytes:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    def _of_bytes(self, opened: bytes) -> Any:
        return json.loads(opened)


class PrivateBytes(Private):
    """Bytes. None is read once their key is gone."""

    impl = LargeBinary
    cache_ok = True

    def _stored(self, sealed: bytes) -> Any:
        return sealed

    def _as_bytes(self, value: Any) -> bytes:
        return bytes(value)

    def _of_bytes(self, opened: bytes) -> Any:
        return opened
