"""One engine for each database of the tests' process: a new one for each test would compile every statement anew."""

from __future__ import annotations

import functools

from sqlalchemy import Engine

from app.db.engine import make_engine


@functools.cache
def engine_for(url: str, *, pool_size: int = 12) -> Engine:
    """The engine of this database."""
    return make_engine(url, pool_size=pool_size)


def let_go(engine: Engine) -> None:
    """A test is done with it. The file of SQLite is another one for the next; a server of PostgreSQL is the same, and
    a connection that has read the tables once has what a new one reads again."""
    if engine.dialect.name == "sqlite":
        engine.dispose()
