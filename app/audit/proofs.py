"""Taking facts out of the log so that a stranger can check them: with nothing but the log's public key, and offline.

A proof is JSON: the log's public key (to be held against a copy that came another way), a checkpoint, and for each fact
its entry, what the entry committed to, and the path from it to the root that the checkpoint has.
"""

from __future__ import annotations

import base64
from collections.abc import Collection
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import tree
from app.audit.kinds import Kind
from app.audit.models import LogCheckpoint, LogEntry
from app.audit.sequencer import reader
from app.signed_note import Verifier
from consent.private import ERASED

FORMAT = "quittance-proof-1"


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


def number_of(session: Session, kind: Kind, *, subject: str) -> int | None:
    """The place of one fact in the log."""
    return session.scalar(select(LogEntry.number).where(LogEntry.subject == subject, LogEntry.kind == kind.value))


def _fact(session: Session, entry: LogEntry, *, size: int) -> dict[str, Any]:
    if entry.number is None or entry.opening is None or entry.opening is ERASED or entry.salt is None:
        raise ValueError(f"{entry.id} cannot be shown")
    return {
        "number": entry.number,
        "entry": entry.leaf.decode(),
        "says": entry.opening,
        "salt": base64.b64encode(entry.salt).decode(),
        "path": [base64.b64encode(step).decode() for step in tree.inclusion(reader(session), entry.number, size)],
    }
