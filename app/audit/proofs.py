"""Taking facts out of the log so that a stranger can check them: with nothing but the log's public key, and offline.

A proof is JSON: the log's public key (to be held against a copy that came another way), a checkpoint, and for each fact
its entry, what the entry committed to, and the path from it to the root that the checkpoint has.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import tree
from app.audit.kinds import Kind
from app.audit.models import LogCheckpoint, LogEntry
from app.audit.sequencer import reader
from app.db.many import among
from app.signed_note import Verifier
from consent.private import ERASED

FORMAT = "quittance-proof-1"
#: tiles that are held in memory while many proofs are made: 8 KiB each
_TILES_MOST = 2048
#: and roots of subtrees, of which facts that stand near each other share most
_ROOTS_MOST = 1 << 16


def proof(session: Session, verifier: Verifier, *, subjects: Collection[str]) -> dict[str, Any] | None:
    """Of all that the log says of these. None: the newest of it waits for its number, for a second or so."""
    of_these = select(LogEntry).where(LogEntry.subject.in_(subjects)).order_by(LogEntry.number)
    entries = session.scalars(of_these).all()
    newest = session.scalars(select(LogCheckpoint).order_by(LogCheckpoint.size.desc()).limit(1)).first()
    if newest is None or not entries or any(entry.number is None for entry in entries):
        return None
    return {
        "format": FORMAT,
        "log": str(verifier),
        "checkpoint": newest.note,
        "facts": [_fact(session, entry, size=newest.size) for entry in entries],
    }


class Proofs:
    """Proofs of many things in one sitting: all to one checkpoint, and each tile is read once while it is needed."""

    def __init__(self, session: Session, verifier: Verifier) -> None:
        self._session, self._log = session, str(verifier)
        self._newest = session.scalars(select(LogCheckpoint).order_by(LogCheckpoint.size.desc()).limit(1)).first()
        self._tile = functools.lru_cache(maxsize=_TILES_MOST)(reader(session))
        self._subtree = functools.lru_cache(maxsize=_ROOTS_MOST)(tree.subtree)

    def of(self, subjects: Mapping[str, Collection[str]]) -> dict[str, dict[str, Any]]:
        """For each name what the log says of its subjects. What it has not numbered yet, or may not say any more, is
        left out, and so is a name of which nothing is left."""
        wanted = {subject for those in subjects.values() for subject in those}
        found: dict[str, list[LogEntry]] = {}
        for entry in self._session.scalars(select(LogEntry).where(among(self._session, LogEntry.subject, wanted))):
            found.setdefault(entry.subject, []).append(entry)
        made = {}
        for name, those in subjects.items():
            entries = [entry for subject in set(those) for entry in found.get(subject, ())]
            if facts := [fact for entry in entries if (fact := self._fact(entry)) is not None]:
                made[name] = self._proof(sorted(facts, key=lambda fact: fact["number"]))
        return made

    def _fact(self, entry: LogEntry) -> dict[str, Any] | None:
        size = self._newest.size if self._newest is not None else 0
        if entry.number is None or entry.number >= size or entry.opening is None or entry.salt is None:
            return None
        return _shown(entry, entry.number, tree.inclusion(self._tile, entry.number, size, known=self._subtree))

    def _proof(self, facts: list[dict[str, Any]]) -> dict[str, Any]:
        if self._newest is None:
            raise ValueError("a log without a checkpoint has no facts")
        return {"format": FORMAT, "log": self._log, "checkpoint": self._newest.note, "facts": facts}


def number_of(session: Session, kind: Kind, *, subject: str) -> int | None:
    """The place of one fact in the log."""
    return session.scalar(select(LogEntry.number).where(LogEntry.subject == subject, LogEntry.kind == kind.value))


def _fact(session: Session, entry: LogEntry, *, size: int) -> dict[str, Any]:
    if entry.number is None or entry.opening is None or entry.opening is ERASED or entry.salt is None:
        raise ValueError(f"{entry.id} cannot be shown")
    return _shown(entry, entry.number, tree.inclusion(reader(session), entry.number, size))


def _shown(entry: LogEntry, number: int, path: list[bytes]) -> dict[str, Any]:
    return {
        "number": number,
        "entry": entry.leaf.decode(),
        "says": entry.opening,
        "salt": base64.b64encode(entry.salt or b"").decode(),
        "path": [base64.b64encode(step).decode() for step in path],
    }
