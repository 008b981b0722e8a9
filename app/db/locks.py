"""Holding what has no row of its own."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def lock_name(session: Session, name: str, *, shared: bool = False) -> None:
    """Hold this name until the transaction ends: whoever comes second waits, and nobody overtakes who waits, as they do
    at a row. ``shared``: with others who share it.

    On SQLite whoever writes is alone anyway. Two names of one hash wait for each other, which only takes longer.
    """
    if session.get_bind().dialect.name == "postgresql":
        hold = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        session.execute(select(hold(func.hashtextextended(name, 0))))
