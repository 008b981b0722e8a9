"""One engine for each database of the tests' process: a new one for each test would compile every statement anew."""

from __future__ import annotations

import functools

from sqlalchemy import Engine

from app.db.engine import make_engine


@functools.cache
def engine_for(url: str, *, pool_size: int = 12) -> Engine:
    """The engine of this database. Whoever is done with it disposes of its connections, as of any engine's."""
    return make_engine(url, pool_size=pool_size)
