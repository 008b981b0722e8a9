"""One way to open either database, with the settings that money needs."""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

#: the system's SQLite may have the WAL-reset bug (before 3.51.3, needs concurrent writers: exactly our use)
SQLITE_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # a commit survives a power cut: an acknowledged bill is never lost
    "busy_timeout=10000",
    "foreign_keys=ON",
    "journal_size_limit=67108864",
)
#: longest wait of a thread for the other writers of its process
WRITER_WAIT_S = 10
POSTGRES_OPTIONS = (
    "-c timezone=UTC -c statement_timeout=15000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=30000"
)
#: a server that vanished without a word is noticed in seconds, not when the system's own patience ends
POSTGRES_CONNECTION = {
    "options": POSTGRES_OPTIONS,
    "connect_timeout": 5,
    "tcp_user_timeout": 20_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


def make_engine(url: str, *, pool_size: int = 12) -> Engine:
    """An engine for ``sqlite:///path`` or ``postgresql+psycopg://…``. Make it after fork, or dispose it there."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(url, pool_size=pool_size)
    if parsed.get_backend_name() != "postgresql":
        raise ValueError(f"QUITTANCE_DATABASE_URL: {parsed.get_backend_name()} is neither sqlite nor postgresql")
    return create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=True,
        hide_parameters=True,  # an error must not carry what is in our rows into a log
        pool_recycle=1800,
        connect_args=POSTGRES_CONNECTION,
    )


def make_keys_engine(url: str) -> Engine:
    """An engine for the customers' keys (app/keys/customers.py), which are seldom asked for. SQLite's keeps no
    connection: nobody needs to think of it before a fork."""
    if make_url(url).get_backend_name() == "sqlite":
        made = _sqlite(url, pool_size=0)
        event.listen(made, "connect", _overwrite_what_goes)
        return made
    return make_engine(url, pool_size=4)


def _overwrite_what_goes(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.execute("PRAGMA secure_delete=ON")


#: of PostgreSQL: lock_not_available
_LOCK_TIMEOUT = "55P03"


def is_away(error: BaseException | None) -> bool:
    """Whether an error means that the database cannot be used now: away, restarting, or too busy.

    Nothing was written, unless it broke off in the very commit: who asks again looks first.
    """
    of_ours = isinstance(error, IntegrityError | DataError | ProgrammingError)
    return isinstance(error, DBAPIError | PoolTimeout | WriterTimeout) and not of_ours


def is_kept_out(error: BaseException) -> bool:
    """Whether others held what was to be read or written for too long; nothing was written."""
    if isinstance(error, WriterTimeout):
        return True
    of_driver = error.orig if isinstance(error, DBAPIError) else None
    return getattr(of_driver, "sqlstate", None) == _LOCK_TIMEOUT or str(of_driver) == "database is locked"


class WriterTimeout(TimeoutError):
    """Other writers kept the database for too long; nothing was written."""


def _sqlite(url: str, *, pool_size: int) -> Engine:
    from pysqlite3 import dbapi2

    pool: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 0} if pool_size else {"poolclass": NullPool}
    engine = create_engine(
        url,
        module=dbapi2,
        **pool,
        connect_args={"check_same_thread": False},
        hide_parameters=True,
    )
    # SQLite's own waiting is unfair: threads of one process queue here first, and only processes meet at the file
    writer = threading.Lock()

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver must not begin by itself; `begin` below does
        for pragma in SQLITE_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("read_only"):
            connection.exec_driver_sql("BEGIN")
            return
        if not writer.acquire(timeout=WRITER_WAIT_S):
            raise WriterTimeout("the database was busy for too long; nothing was written")
        connection.info["writing"] = True
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except BaseException:
            _let_go(connection, writer)
            raise

    @event.listens_for(engine, "commit")
    def committed(connection: Connection) -> None:
        # the event comes before the COMMIT itself; the file lock covers the moment between
        _let_go(connection, writer)

    @event.listens_for(engine, "rollback")
    def rolled_back(connection: Connection) -> None:
        _let_go(connection, writer)

    return engine


def _let_go(connection: Connection, writer: threading.Lock) -> None:
    if connection.info.pop("writing", False):
        writer.release()
