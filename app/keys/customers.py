"""The two keys of each customer, in a database of their own: small, and kept in backups for thirty days at the most.

Each is sealed with the installation's vault. What was destroyed leaves its row behind, empty, so that nobody makes the
key anew and writes with it what should be gone. Keys are read once and kept in memory for a minute: so long may a
process go on to open what was erased in another one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, Engine, LargeBinary, MetaData, Row, String, Table, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from consent.base import UTCDateTime
from consent.private import KeyKind, KeyMissing
from consent.vault import Vault, VaultError

REMEMBERED_S = 60.0
REMEMBERED_MOST = 20_000
#: the key of what is looked up by its hash; it is no customer's
LOOKUP = "lookup"

metadata = MetaData()
_KEYS = Table(
    "customer_key",
    metadata,
    Column("customer_id", String(40), primary_key=True),
    Column("kind", String(10), primary_key=True),
    Column("box", LargeBinary),  # null: destroyed
    Column("made_at", UTCDateTime, nullable=False),
    Column("destroyed_at", UTCDateTime),
)


@dataclass(frozen=True, slots=True)
class _Known:
    key: AESGCM | None
    until: float  # by the monotonic clock


class CustomerKeys:
    """Safe to use from all threads."""

    def __init__(self, engine: Engine, vault: Vault, *, clock: Callable[[], dt.datetime]) -> None:
        self.engine = engine
        self._reading = engine.execution_options(read_only=True)
        self._vault = vault
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._lookup: bytes | None = None
        self._lock = threading.Lock()
        self._is_ready = False

    def __repr__(self) -> str:
        return "CustomerKeys()"

    def key_of(self, customer_id: str, kind: KeyKind) -> AESGCM | None:
        """The key; one is made for who never had any. None: it was destroyed."""
        known = self._known.get((customer_id, kind))
        if known is not None and known.until > time.monotonic():
            return known.key
        raw = self._raw(customer_id, kind)
        made = AESGCM(raw) if raw is not None else None
        with self._lock:
            self._known[customer_id, kind] = _Known(made, time.monotonic() + REMEMBERED_S)
            while len(self._known) > REMEMBERED_MOST:
                self._known.popitem(last=False)
        return made

    def destroy(self, customer_id: str, kind: KeyKind) -> None:
        """For good; also where there never was one."""
        gone = {"box": None, "destroyed_at": self._clock()}
        its = (_KEYS.c.customer_id == customer_id) & (_KEYS.c.kind == kind.value)
        self.key_of(customer_id, kind)  # who never had one gets a row that says that there is none
        with self.engine.begin() as connection:
            connection.execute(update(_KEYS).where(its, _KEYS.c.box.is_not(None)).values(gone))
        with self._lock:
            self._known.pop((customer_id, kind), None)
        self._leave_nothing()

    def _leave_nothing(self) -> None:
        """What was overwritten lies in the files until they are written anew."""
        if self.engine.dialect.name == "sqlite":
            connection = self.engine.raw_connection()
            try:
                connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
            finally:
                connection.close()
            return
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as vacuuming:
            vacuuming.exec_driver_sql("VACUUM FULL customer_key")

    def is_empty(self) -> bool:
        """Whether there is no key at all."""
        self._make_ready()
        with self._reading.connect() as connection:
            return connection.execute(select(_KEYS.c.kind).limit(1)).first() is None

    def is_destroyed(self, customer_id: str, kind: KeyKind) -> bool:
        """By the database, whatever is in memory."""
        row = self._row(customer_id, kind)
        return row is not None and row.box is None

    def hash_of(self, text: str) -> str:
        """By which a text is found again without standing anywhere: HMAC-SHA-256, in hexadecimal."""
        if self._lookup is None:
            self._lookup = self._raw("", LOOKUP)
        if self._lookup is None:
            raise KeyMissing("the key of what is looked up was destroyed")
        return hmac.new(self._lookup, text.encode(), hashlib.sha256).hexdigest()

    def count(self) -> dict[str, int]:
        """How many keys each key of the vault has sealed. Those of keys that are not here are under the empty name."""
        self._make_ready()
        with self._reading.connect() as connection:
            return self._vault.count(connection, _KEYS.c.box)

    def rewrap(self, *, most: int) -> tuple[int, list[str]]:
        """Have the active key of the vault seal up to ``most`` keys that others have sealed. Returns how many it did,
        and those that do not open, which are left as they are."""
        by_others = select(_KEYS.c.customer_id, _KEYS.c.kind, _KEYS.c.box).where(self._vault.is_by_others(_KEYS.c.box))
        unopened: list[str] = []
        self._make_ready()
        with self.engine.begin() as connection:
            rows = connection.execute(by_others.order_by(_KEYS.c.customer_id, _KEYS.c.kind).limit(most)).all()
            for customer_id, kind, box in rows:
                name = _name(customer_id, kind)
                try:
                    sealed = self._vault.seal(name, self._vault.open(name, box))
                except VaultError:
                    unopened.append(name)
                    continue
                # not one that was destroyed meanwhile
                its = (_KEYS.c.customer_id == customer_id) & (_KEYS.c.kind == kind) & (_KEYS.c.box == box)
                connection.execute(update(_KEYS).where(its).values(box=sealed))
        return len(rows) - len(unopened), unopened

    def _raw(self, customer_id: str, kind: str) -> bytes | None:
        row = self._row(customer_id, kind)
        if row is None:
            made = {
                "customer_id": customer_id,
                "kind": str(kind),
                "box": self._vault.seal(_name(customer_id, kind), secrets.token_bytes(32)),
                "made_at": self._clock(),
            }
            try:
                with self.engine.begin() as connection:
                    connection.execute(insert(_KEYS), made)
            except IntegrityError:
                pass  # somebody else has made it just now
            row = self._row(customer_id, kind)
        if row is None or row.box is None:
            return None
        return self._vault.open(_name(customer_id, kind), row.box)

    def _make_ready(self) -> None:
        """There is one table, and it will always be this one: whoever asks first makes it."""
        if self._is_ready:
            return
        try:
            metadata.create_all(self.engine)
        except DBAPIError:
            metadata.create_all(self.engine)  # another process has made it at this moment: it is there now
        self._is_ready = True

    def _row(self, customer_id: str, kind: str) -> Row[tuple[bytes | None]] | None:
        self._make_ready()
        its = (_KEYS.c.customer_id == customer_id) & (_KEYS.c.kind == str(kind))
        with self._reading.connect() as connection:
            return connection.execute(select(_KEYS.c.box).where(its)).first()


def _name(customer_id: str, kind: str) -> str:
    return f"customer-key:{kind}:{customer_id}"
