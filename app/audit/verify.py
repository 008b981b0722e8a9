"""`quittance audit verify`: is the log what it was, and are the rows what the log says of them?

Everything is computed anew from the entries. What nobody can see from inside is a history that was written anew and
signed with the right key: for that a checkpoint is needed that somebody else has kept.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, LargeBinary, Table, Text, func, select, text, tuple_, type_coerce

from app.audit import tree
from app.audit.entries import canonical, commitment, said, subject
from app.audit.kinds import SOURCES, Kind, Source, without_entry
from app.audit.models import LogCheckpoint, LogEntry, LogHead, LogTile
from app.audit.sequencer import hashes_of
from app.signed_note import Checkpoint, NoteError, Verifier
from consent.base import Base
from consent.private import CustomersKeys, KeyMissing, is_sealed, keys_behind, opened, whose

READ_AT_ONCE = 1000
#: what was sealed is opened here, so that what does not open can be named
_AS_KEPT = select(
    *(LogEntry.id, LogEntry.number, LogEntry.kind, LogEntry.subject, LogEntry.at, LogEntry.leaf),
    type_coerce(LogEntry.opening, Text).label("opening"),
    type_coerce(LogEntry.salt, LargeBinary).label("salt"),
)


@dataclass(frozen=True, slots=True)
class _Opened:
    """An entry that says what it committed to."""

    entry: Any
    opening: str


@dataclass
class Audit:
    """What was found. ``wrong`` has a sentence for each thing that is not as it was."""

    entries: int = 0
    waiting: int = 0
    checkpoints: int = 0
    outside: int = 0  #: rows from before the log began
    erased: int = 0  #: entries whose customer has erased their space: they stand, and nobody can tell what they said
    wrong: list[str] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        self.wrong.append(sentence)


def verify(connection: Connection, verifier: Verifier, *, outside: Collection[str] = ()) -> Audit:
    """Read the whole log in one transaction. ``outside`` are notes that were kept elsewhere.

    Raises NoteError for one of these that is not of this log: then nothing was compared.
    """
    audit = Audit()
    kept = [(verifier.open(note), "a checkpoint kept outside") for note in outside]
    kept += _checkpoints(audit, connection, verifier)
    roots = _read_entries(audit, connection, wanted={checkpoint.size for checkpoint, _ in kept})
    for checkpoint, name in kept:
        if checkpoint.size > audit.entries:
            audit.say(f"{name} is over {checkpoint.size} entries, and there are {audit.entries}: some were dropped")
        elif roots[checkpoint.size] != checkpoint.root:
            audit.say(f"{name}: the first {checkpoint.size} entries are not those that it was signed over")
    if audit.entries > max((checkpoint.size for checkpoint, _ in kept), default=0):
        audit.say("the last entries have numbers and no checkpoint")
    _check_beginning(audit, connection)
    _check_missing(audit, connection)
    return audit


def _checkpoints(audit: Audit, connection: Connection, verifier: Verifier) -> Iterator[tuple[Checkpoint, str]]:
    """Our own, as far as they are signed."""
    for size, note in connection.execute(select(LogCheckpoint.size, LogCheckpoint.note).order_by(LogCheckpoint.size)):
        audit.checkpoints += 1
        try:
            checkpoint = verifier.open(note)
        except NoteError as error:
            audit.say(f"checkpoint {size}: {error}")
            continue
        if checkpoint.size != size:
            audit.say(f"checkpoint {size}: it is signed for {checkpoint.size} entries")
        yield checkpoint, f"checkpoint {size}"


def _read_entries(audit: Audit, connection: Connection, *, wanted: Collection[int]) -> Mapping[int, bytes]:
    """Check each entry and the tiles over all of them. Returns the roots over the first so many that are wanted."""
    growing, tiles = tree.Growing(), _Tiles()
    roots = {0: growing.root()}
    for entries in _entries(connection):
        _check_numbers(audit, growing.size, entries)
        leaves = [tree.leaf_hash(entry.leaf) for entry in entries]
        tiles.add(growing.size, leaves)
        for leaf in leaves:
            growing.add(leaf)
            if growing.size in wanted:
                roots[growing.size] = growing.root()
        _check_facts(audit, connection, entries)
    audit.entries = growing.size
    _check_tiles(audit, connection, tiles)
    for entries in _parts(connection.execute(_AS_KEPT.where(LogEntry.number.is_(None))).all()):
        audit.waiting += len(entries)
        _check_facts(audit, connection, entries)
    return roots


def _entries(connection: Connection) -> Iterator[Sequence[Any]]:
    """All that have a number, in their order."""
    last = -1
    numbered = _AS_KEPT.order_by(LogEntry.number).limit(READ_AT_ONCE)
    while entries := connection.execute(numbered.where(LogEntry.number > last)).all():
        yield entries
        last = entries[-1].number


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), READ_AT_ONCE):
        yield rows[start : start + READ_AT_ONCE]


def _check_numbers(audit: Audit, size: int, entries: Sequence[Any]) -> None:
    """Named where the row of it is gone; after that all numbers are one too high, and only the first is said."""
    for expected, entry in enumerate(entries, start=size):
        if entry.number != expected:
            audit.say(f"entry {expected} is gone: the next one has the number {entry.number}")
            return


class _Tiles(dict[tuple[int, int], list[bytes]]):
    """The tiles as they must be."""

    def add(self, size: int, leaves: Sequence[bytes]) -> None:
        for level, number, hashes in list(tree.grow(lambda *which: self.get(which, []), size, leaves)):
            self[level, number] = hashes


def _check_tiles(audit: Audit, connection: Connection, tiles: Mapping[tuple[int, int], list[bytes]]) -> None:
    stored = {(row.level, row.number): hashes_of(row.hashes) for row in connection.execute(select(LogTile))}
    for level, number in sorted(tiles.keys() | stored.keys()):
        must_be, are = tiles.get((level, number), []), stored.get((level, number), [])
        if must_be == are:
            continue
        if level > 0:
            audit.say(f"tile {level}/{number} is not that of the entries")
            continue
        first = number * tree.WIDTH
        places = (place for place, pair in enumerate(zip(must_be, are, strict=False)) if pair[0] != pair[1])
        audit.say(
            f"entry {first + next(places, min(len(must_be), len(are)))} is not what it was when it got its number"
        )


def _check_beginning(audit: Audit, connection: Connection) -> None:
    """Whoever moves it forward hides what has no entry."""
    begun_at = connection.scalar(select(LogHead.begun_at))
    first = connection.scalar(select(func.min(LogEntry.at)))
    if begun_at is None:
        audit.say("nothing says when the log began: its row in log_head is gone")
    elif first is not None and first < begun_at:
        audit.say(f"the log is said to have begun at {begun_at}, and its first entry is older")
    for source in SOURCES.values():
        table = Base.metadata.tables[source.table]
        before = select(func.count()).select_from(table).where(table.columns[source.since] < begun_at)
        audit.outside += connection.scalar(before) or 0


def _check_missing(audit: Audit, connection: Connection) -> None:
    for kind, source in SOURCES.items():
        for (which,) in connection.execute(text(without_entry(kind))):
            audit.say(f"{source.table} {which}: no entry says {kind.value} of it")


def _check_facts(audit: Audit, connection: Connection, entries: Sequence[Any]) -> None:
    """That each entry says what it committed to, and its row says so too."""
    by_kind: dict[Kind, list[_Opened]] = {}
    keys = keys_behind(connection.dialect)
    for entry in entries:
        kind, committed = _of_leaf(entry.leaf)
        try:
            opening, salt = opened(keys, entry.opening), opened(keys, entry.salt)
        except (KeyMissing, ValueError):
            audit.say(f"{_name(entry)}: what it says does not open")
            continue
        if opening is None and is_sealed(entry.opening):
            if _is_erased(connection, keys, kind, entry):
                audit.erased += 1
            else:
                audit.say(f"{_name(entry)}: what it said is gone")
        elif opening is None or salt is None:
            audit.say(f"{_name(entry)}: what it said is gone")
        elif kind is None or not hmac.compare_digest(commitment(salt, opening.decode()).encode(), committed.encode()):
            audit.say(f"{_name(entry)}: what it says is not what it said")
        else:
            by_kind.setdefault(kind, []).append(_Opened(entry, opening.decode()))
    for kind, of_kind in by_kind.items():
        _check_rows(audit, connection, kind, of_kind)


def _is_erased(connection: Connection, keys: CustomersKeys, kind: Kind | None, entry: Any) -> bool:
    """Whether its customer has erased what it said: the key is destroyed, and the row that it speaks of, as far as it
    is there still, is that customer's. Else somebody has emptied it who wants it not to be read."""
    owner, key = whose(entry.opening)
    source = SOURCES[kind] if kind is not None else None
    if source is None or key is not source.key_kind or not keys.is_destroyed(owner, key):
        return False
    others = f"SELECT 1 FROM {source.table} fact WHERE {source.subject} = :which AND NOT ({source.theirs})"  # noqa: S608  # nosec B608  # our names
    return connection.execute(text(others), {"which": entry.subject, "customer": owner}).first() is None


def _check_rows(audit: Audit, connection: Connection, kind: Kind, entries: Sequence[_Opened]) -> None:
    source = SOURCES[kind]
    openings = [_opening(source, each.opening) for each in entries]
    try:
        rows = _rows(connection, source, [opening for opening in openings if opening is not None])
    except KeyMissing:
        if len(entries) > 1:
            for each in entries:
                _check_rows(audit, connection, kind, [each])
        else:
            audit.say(f"{source.table} {entries[0].entry.subject} was changed: it does not open")
        return
    for each, opening in zip(entries, openings, strict=True):
        entry = each.entry
        if opening is None:
            audit.say(f"{_name(entry)} does not say what an entry of {kind.value} says")
            continue
        which = subject(source, opening)
        if (entry.kind, entry.subject) != (kind.value, which):
            audit.say(f"{_name(entry)} is of {kind.value} {which}, and is kept as one of {entry.kind} {entry.subject}")
        if which not in rows:
            audit.say(f"{_name(entry)}: its row in {source.table}, {which}, is gone")
            continue
        of_before = {name: value for name, value in source.added.items() if name not in opening}
        row = canonical({name: value for name, value in rows[which].items() if of_before.get(name, ...) != value})
        if row != each.opening:
            audit.say(f"{source.table} {which} was changed: {_difference(each.opening, row)}")


def _opening(source: Source, opening: str) -> dict[str, Any] | None:
    try:
        read = json.loads(opening)
    except ValueError:
        return None
    return read if isinstance(read, dict) and read.keys() >= set(source.key) else None


def _rows(connection: Connection, source: Source, openings: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What their rows say now, by subject."""
    table: Table = Base.metadata.tables[source.table]
    key = [table.columns[name] for name in source.key]
    wanted = [tuple(opening[name] for name in source.key) for opening in openings]
    columns = [table.columns[name] for name in dict.fromkeys((*source.key, *source.columns, *source.digests))]
    found = [row._asdict() for row in connection.execute(select(*columns).where(tuple_(*key).in_(wanted)))]
    return {subject(source, row): said(source, row) for row in found}


def _name(entry: Any) -> str:
    return f"entry {entry.number}" if entry.number is not None else f"the waiting entry {entry.id}"


def _of_leaf(leaf: bytes) -> tuple[Kind | None, str]:
    """Its kind, None for none that we know, and its commitment."""
    try:
        read = json.loads(leaf)
        return Kind(read["kind"]), str(read["commitment"])
    except (ValueError, KeyError, TypeError):
        return None, ""


def _difference(before: str, after: str) -> str:
    """By name only: values may be a person's."""
    old, new = json.loads(before), json.loads(after)
    return ", ".join(sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name)))
