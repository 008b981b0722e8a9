"""What a person would take for the address of a page. Where an account belongs, it leads to whoever wrote it."""

from __future__ import annotations

import re
import unicodedata

_HOST = r"(?:[\w-]+\.)+[^\W\d_]{2,}"
_NUMBER = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_ANYWHERE = re.compile(rf"[a-z]:/|\bhttps?\b|\bmailto:|\bwww\.|@{_HOST}|(?:{_HOST}|{_NUMBER})[:/?#]\S")
_ALONE = re.compile(rf"{_HOST}/?")


def is_page(text: str) -> bool:
    """Whether it is, or holds, the address of a page or of a mailbox; the name of a host alone is one."""
    return names_page(text) or _ALONE.fullmatch(_plain(text)) is not None


def names_page(text: str) -> bool:
    """Whether there is such an address in it. The name of a host alone is none: companies are called so."""
    return _ANYWHERE.search(_plain(text)) is not None


def _plain(text: str) -> str:
    """As people read it, whatever the width and case of its letters."""
    return unicodedata.normalize("NFKC", text).casefold().strip()
