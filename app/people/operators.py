"""Who says something about billers and their accounts, and why."""

from __future__ import annotations

import re

from app.errors import Invalid

NOTE_MAX = 300
#: two spellings of one person would be two people, so nothing that is easily left out
_PERSON = re.compile(r"[a-z][a-z0-9]{0,59}")


def person(written: str) -> str:
    """An operator, as history names them: small letters and digits. Raises Invalid."""
    name = written.strip().lower()
    if not _PERSON.fullmatch(name):
        detail = f"{written!r} does not name a person: letters from a to z, then digits, nothing else."
        raise Invalid("person", detail)
    return name


def check_reason(note: str | None) -> None:
    """Raises Invalid for one that nobody could read."""
    if note is not None and (not 1 <= len(note.strip()) <= NOTE_MAX or not note.isprintable()):
        raise Invalid("reason", f"Say why in 1 to {NOTE_MAX} characters, on one line.")
