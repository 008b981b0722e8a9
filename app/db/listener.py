"""Hearing PostgreSQL call that work became due: LISTEN, on a connection of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from app.db.work import CHANNEL

if TYPE_CHECKING:
    import psycopg

log = logging.getLogger("quittance.listener")

#: after the connection was lost; workers look for themselves meanwhile
AGAIN_S = 1.0
#: how often it looks whether it is to end
ROUND_S = 0.5
#: a connection that is gone without a word must be noticed: nothing is ever sent on it
CONNECT: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "application_name": "quittance listener",
}


def listen(engine: Engine, on_call: Callable[[], None], *, until: threading.Event) -> None:
    """Call ``on_call`` for every call, and whenever it could have missed one. It outlives the database's restarts."""
    said = False
    while not until.is_set():
        try:
            with _connect(engine) as connection:
                connection.execute(f"LISTEN {CHANNEL}")
                log.info("listening for work")
                said = False
                on_call()
                while not until.is_set():
                    for _ in connection.notifies(timeout=ROUND_S):
                        on_call()
        except Exception:  # the edge of the thread: the database is away, or ended this connection
            if not said:  # once, not every second
                log.warning("not listening for work, only looking for it", exc_info=True)
            said = True
            until.wait(AGAIN_S)


def _connect(engine: Engine) -> psycopg.Connection[Any]:
    import psycopg

    where, how = engine.dialect.create_connect_args(engine.url)
    return psycopg.connect(*where, **{**CONNECT, **how}, autocommit=True)
