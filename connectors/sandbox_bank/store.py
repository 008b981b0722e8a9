"""The bank's own SQLite file: tables and transactions. Without it a kill -9 would lose or double money.

Every write is one short BEGIN IMMEDIATE with synchronous=FULL, so what was answered is on disk.
Amounts are integer cents, moments integer milliseconds since 1970 (names end in `_ms`).
"""

from __future__ import annotations

# Plain SQLite on purpose: the bank must share nothing with the service that it judges.
import sqlite3  # noqa: TID251
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, LifoQueue

BUSY_TIMEOUT_MS = 10_000

Connection = sqlite3.Connection
Row = sqlite3.Row

# The schema guards what must not happen twice: a booking of a kind per payment, a use of an assertion.
SCHEMA = """
CREATE TABLE IF NOT EXISTS customer (
    customer_id TEXT PRIMARY KEY,
    name TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS account (
    account_id TEXT PRIMARY KEY,
    customer_id TEXT NOT NULL REFERENCES customer,
    iban TEXT NOT NULL UNIQUE,
    product TEXT NOT NULL,
    opening_minor INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS payment (
    payment_id TEXT PRIMARY KEY,
    tpp TEXT NOT NULL,
    brand TEXT NOT NULL,
    body TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    redirect_uri TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    decision TEXT NOT NULL DEFAULT 'open' CHECK (decision IN ('open', 'approved', 'refused', 'cancelled')),
    pin_failures INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    account_id TEXT REFERENCES account,
    timetable TEXT,
    status_reads INTEGER NOT NULL DEFAULT 0,
    CHECK ((decision = 'approved') = (account_id IS NOT NULL AND timetable IS NOT NULL))
) STRICT;
CREATE TABLE IF NOT EXISTS due (
    payment_id TEXT NOT NULL REFERENCES payment,
    kind TEXT NOT NULL CHECK (kind IN ('debit', 'reversal')),
    due_ms INTEGER NOT NULL,
    PRIMARY KEY (payment_id, kind)
) STRICT;
CREATE INDEX IF NOT EXISTS due_when ON due (due_ms);
CREATE TABLE IF NOT EXISTS booking (
    booking_id INTEGER PRIMARY KEY,
    payment_id TEXT NOT NULL REFERENCES payment,
    kind TEXT NOT NULL CHECK (kind IN ('debit', 'reversal')),
    account_id TEXT NOT NULL REFERENCES account,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    end_to_end_id TEXT NOT NULL,
    booked_ms INTEGER NOT NULL,
    UNIQUE (payment_id, kind)
) STRICT;
CREATE INDEX IF NOT EXISTS booking_account ON booking (account_id, kind, amount_minor);
CREATE INDEX IF NOT EXISTS booking_end_to_end ON booking (end_to_end_id);
CREATE TABLE IF NOT EXISTS visit (
    handle TEXT PRIMARY KEY,
    secret_hash TEXT NOT NULL,
    payment_id TEXT NOT NULL REFERENCES payment,
    state TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    customer_id TEXT REFERENCES customer,
    created_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS code (
    code_hash TEXT PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE REFERENCES visit,
    expires_ms INTEGER NOT NULL,
    spent_ms INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS token (
    token_hash TEXT PRIMARY KEY,
    tpp TEXT NOT NULL,
    payment_id TEXT REFERENCES payment,
    code_hash TEXT REFERENCES code,
    expires_ms INTEGER NOT NULL,
    revoked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS token_code ON token (code_hash);
CREATE INDEX IF NOT EXISTS token_expires ON token (expires_ms);
CREATE TABLE IF NOT EXISTS assertion (
    jti_hash TEXT PRIMARY KEY,
    expires_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS assertion_expires ON assertion (expires_ms);
"""


class Store:
    """Connections to one file; idle ones are kept. The constructor leaves none, so a fork inherits none."""

    def __init__(self, path: Path, schema: str = SCHEMA) -> None:
        self._path = path
        self._idle: LifoQueue[Connection] = LifoQueue()
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect()
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(schema)
        connection.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent picture; writes inside are refused by SQLite."""
        with self._borrowed() as connection:
            connection.execute("PRAGMA query_only = ON")
            try:
                with _transaction(connection, "BEGIN"):
                    yield connection
            finally:
                connection.execute("PRAGMA query_only = OFF")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Alone in the file until the commit; an exception undoes everything. Never wait inside."""
        with self._borrowed() as connection, _transaction(connection, "BEGIN IMMEDIATE"):
            yield connection

    def close(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return

    @contextmanager
    def _borrowed(self) -> Iterator[Connection]:
        try:
            connection = self._idle.get_nowait()
        except Empty:
            connection = self._connect()
        try:
            yield connection
        finally:
            self._idle.put(connection)

    def _connect(self) -> Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection


@contextmanager
def _transaction(connection: Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
