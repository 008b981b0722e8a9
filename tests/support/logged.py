"""What a test writes by hand stands in no log: this writes it there, as the service would have."""

from __future__ import annotations

from sqlalchemy import select, text

from app.audit.entries import subject, write_many
from app.audit.kinds import SOURCES, without_entry
from app.db.unit_of_work import UnitOfWork
from consent.base import Base


def log_all(uow: UnitOfWork) -> None:
    """Every fact that no entry tells of gets one."""
    uow.session.flush()
    for kind, source in SOURCES.items():
        missing = set(uow.session.scalars(text(without_entry(kind))))
        if missing:
            rows = uow.session.execute(select(Base.metadata.tables[source.table])).mappings()
            write_many(uow, kind, [dict(row) for row in rows if subject(source, dict(row)) in missing])
