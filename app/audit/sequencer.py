"""Giving entries their numbers and signing what the log is then: after they were written, never on their way."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.audit import tree
from app.audit.models import LogCheckpoint, LogEntry, LogHead, LogTile
from app.db.unit_of_work import UnitOfWork
from app.services import Services

#: in one transaction
NUMBERED_AT_ONCE = 1000
HEAD = 1


def number_waiting(services: Services) -> int:
    """Number what waits, oldest first, and sign a checkpoint for each thousand. Returns how many there were."""
    done = 0
    while _is_any_waiting(services):
        with services.unit_of_work() as uow:
            numbered = _number_some(services, uow)
            uow.commit()
        if not numbered:  # another worker was quicker
            break
        done += numbered
    return done


def _is_any_waiting(services: Services) -> bool:
    with services.reading() as uow:
        return uow.session.scalar(select(LogEntry.id).where(LogEntry.number.is_(None)).limit(1)) is not None


def _number_some(services: Services, uow: UnitOfWork) -> int:
    session = uow.session
    session.execute(select(LogHead.id).where(LogHead.id == HEAD).with_for_update()).one()
    size = size_of(session)
    waiting = (
        select(LogEntry.id, LogEntry.leaf)
        .where(LogEntry.number.is_(None))
        .order_by(LogEntry.id)
        .limit(NUMBERED_AT_ONCE)
    )
    entries = session.execute(waiting).all()
    if not entries:
        return 0
    numbers = [{"id": entry.id, "number": size + place} for place, entry in enumerate(entries)]
    session.execute(update(LogEntry), numbers)
    _grow(session, size, [tree.leaf_hash(entry.leaf) for entry in entries])
    size += len(entries)
    note = services.keys.log.checkpoint(size, tree.root(reader(session), size))
    session.add(LogCheckpoint(size=size, note=note, made_at=uow.now))
    return len(entries)


def size_of(session: Session) -> int:
    """How many entries have a number."""
    return session.scalar(select(func.max(LogCheckpoint.size))) or 0


def newest_checkpoint(session: Session) -> str | None:
    """The last note that was signed."""
    return session.scalar(select(LogCheckpoint.note).order_by(LogCheckpoint.size.desc()).limit(1))


def _grow(session: Session, size: int, leaves: Sequence[bytes]) -> None:
    for level, number, hashes in list(tree.grow(reader(session), size, leaves)):
        session.merge(LogTile(level=level, number=number, hashes=b"".join(hashes)))
    session.flush()


def reader(session: Session) -> tree.Tile:
    """The tiles as they are stored."""

    def tile(level: int, number: int) -> Sequence[bytes]:
        stored = session.get(LogTile, (level, number))
        return [] if stored is None else hashes_of(stored.hashes)

    return tile


def hashes_of(stored: bytes) -> list[bytes]:
    return [stored[start : start + tree.HASH_SIZE] for start in range(0, len(stored), tree.HASH_SIZE)]
