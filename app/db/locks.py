"""Holding what has no row of its own."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def lock_name(session: Session, name: str) -> None:
    """Hold this name until the transaction ends: whoever comes second waits. Taken behind all locks of rows.

    On SQLite whoever writes is alone anyway. Two names of one hash wait for each other, which only takes longer.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))
