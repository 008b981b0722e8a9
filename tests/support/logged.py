"""What a test writes by hand stands in no log: this writes it there, as the service would have."""

from __future__ import annotations

import itertools

from sqlalchemy import select, text

from app.audit.entries import subject, write_many
from app.audit.kinds import SOURCES, Kind, without_entry
from app.db.unit_of_work import UnitOfWork
from consent.base import Base

#: all kinds in one question: most of them have nothing, and it is asked for each row that a test writes
_MISSING = text(
    " UNION ALL ".join(
        f"SELECT {number}, missing.* FROM ({without_entry(kind)}) AS missing"  # noqa: S608  # our own
        for number, kind in enumerate(SOURCES)
    )
)
_KINDS = list(SOURCES)


def log_all(uow: UnitOfWork) -> None:
    """Every fact that no entry tells of gets one."""
    uow.session.flush()
    found = sorted((int(number), str(name)) for number, name in uow.session.execute(_MISSING))
    for number, missing in itertools.groupby(found, key=lambda each: each[0]):
        _write(uow, _KINDS[number], {name for _, name in missing})


def _write(uow: UnitOfWork, kind: Kind, missing: set[str]) -> None:
    source = SOURCES[kind]
    rows = uow.session.execute(select(Base.metadata.tables[source.table])).mappings()
    write_many(uow, kind, [dict(row) for row in rows if subject(source, dict(row)) in missing])
