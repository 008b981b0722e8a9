"""Names as people search for them."""

from __future__ import annotations

import re
import unicodedata

_BETWEEN = re.compile(r"[\W_]+")


def words(text: str) -> list[str]:
    """Small letters without accents: ``Crédit`` is found by ``credit``."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return [word for word in _BETWEEN.split(plain.casefold()) if word]


def key(name: str) -> str:
    """The same for a name however it is written: its words, a space before each."""
    return "".join(f" {word}" for word in words(name))
