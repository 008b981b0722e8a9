"""What an entry of a calendar may say, and what is told of its changes. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: signs by which a program makes an address, a link or a path of a name: within a word they become a middle dot
_JOINS = re.compile(r"[./:@\\](?=\S)")
#: what a telephone would offer to call
_NUMBER = re.compile(r"\d(?:\D{0,2}\d){6,}")
NAME_MOST = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry, as it is to be read."""

    uid: str
    day: dt.date
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The same, with when and how often it changed."""

    line: Line
    sequence: int
    changed_at: dt.datetime


#: as CalendarFeed.told
Kept = dict[str, list[Any]]


def plain_name(name: str) -> str:
    """A company's name as a calendar may show it: in one line, and nothing in it that could be followed or called.

    Nobody has verified the payee of a bill that a customer added, and calendars make links of what looks like one.
    """
    written = unicodedata.normalize("NFKC", name)
    written = " ".join("".join(sign if sign.isprintable() else " " for sign in written).split())
    return _NUMBER.sub("…", _JOINS.sub("·", written))[:NAME_MOST].strip()


def told(lines: Sequence[Line], before: Kept, *, changes: int, now: dt.datetime) -> tuple[list[Told], Kept, int]:
    """What each says of its changes, what is to be kept of that, and how many changes there were until now.

    ``changes`` grows by one wherever anything is another than before; its number is the sequence of what changed, so
    that what goes and comes back has a higher one than it had.
    """
    hashes = {line.uid: _hash(line) for line in lines}
    is_first = not before and not changes
    is_same = hashes == {uid: each[0] for uid, each in before.items()}
    number = changes if is_first or is_same else changes + 1
    kept: Kept = {}
    for uid, is_now in hashes.items():
        was = before.get(uid)
        kept[uid] = was if was is not None and was[0] == is_now else [is_now, number, now.isoformat()]
    found = [
        Told(line=line, sequence=kept[line.uid][1], changed_at=dt.datetime.fromisoformat(kept[line.uid][2]))
        for line in lines
    ]
    return found, kept, number


def _hash(line: Line) -> str:
    return hashlib.sha256(f"{line.day}\n{line.summary}".encode()).hexdigest()[:16]
