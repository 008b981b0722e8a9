"""Where each key of a TOML file stands. tomllib does not tell, and an error that names no line is a search.

Only for text that tomllib has read already: what it accepts is followed here, what it refuses is not looked for again.
Keys are decoded by tomllib itself, so that a quoted or dotted key is the same here as there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

#: ("quirks", "b64_header"); an element of an array is named by its place, counted from 0
Path = tuple[str | int, ...]

_BASIC, _LITERAL = r'"(?:[^"\\\n]|\\.)*"', r"'[^'\n]*'"
_KEY = rf"(?:[A-Za-z0-9_-]+|{_BASIC}|{_LITERAL})"
_KEYS = re.compile(rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*")
#: a text over several lines may end with two quotation marks of its own before the three that close it
_STRING = re.compile(
    rf'"""(?:\\.|[^\\])*?"""(?:"{{0,2}})'
    rf"|'''.*?'''(?:'{{0,2}})"
    rf"|{_BASIC}|{_LITERAL}",
    re.DOTALL,
)
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
#: a number, a date or a truth value: up to what may follow a value
_PLAIN = re.compile(r"[^,\]}#\n]*")


def lines_of(text: str) -> Mapping[Path, int]:
    """The number of the line, from 1, on which each key first stands, and each element of an array."""
    return _Reader(text).read()


class _Reader:
    """Goes through the text once, from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines: dict[Path, int] = {}
        self._counts: dict[Path, int] = {}  #: of the tables of an array ([[…]]) that were opened so far

    def read(self) -> Mapping[Path, int]:
        table: Path = ()
        while self._skip_blank():
            if self._take("[["):
                table = self._header(repeated=True)
            elif self._take("["):
                table = self._header(repeated=False)
            else:
                self._pair(table)
        return self._lines

    def _header(self, *, repeated: bool) -> Path:
        self._skip_blank()
        start, names = self._at, self._keys()
        path: Path = ()
        for last, name in ((place == len(names) - 1, name) for place, name in enumerate(names)):
            path = (*path, name)
            self._note(path, start)
            if last and repeated:
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
                self._note(path, start)
        self._skip_blank()
        self._take("]]" if repeated else "]")
        return path

    def _pair(self, table: Path) -> None:
        start, names = self._at, self._keys()
        for end in range(1, len(names) + 1):
            self._note((*table, *names[:end]), start)
        self._skip_blank()
        self._take("=")
        self._skip_blank()
        self._value((*table, *names))

    def _value(self, path: Path) -> None:
        if self._take("["):
            self._array(path)
        elif self._take("{"):
            while self._skip_blank() and not self._take("}"):
                if not self._take(","):
                    self._pair(path)
        else:
            found = _STRING.match(self._text, self._at) or _PLAIN.match(self._text, self._at)
            self._at = found.end() if found else len(self._text)

    def _array(self, path: Path) -> None:
        place = 0
        while self._skip_blank() and not self._take("]"):
            if not self._take(","):
                self._note((*path, place), self._at)
                self._value((*path, place))
                place += 1

    def _keys(self) -> list[str]:
        found = _KEYS.match(self._text, self._at)
        if found is None:
            message = f"no key at character {self._at}: this is not TOML"
            raise ValueError(message)
        self._at = found.end()
        names: list[str] = []
        inner: object = tomllib.loads(f"{found[0]} = 0")
        while isinstance(inner, dict):
            [(name, inner)] = inner.items()
            names.append(name)
        return names

    def _skip_blank(self) -> bool:
        """Over spaces, line ends and comments. Whether anything is left."""
        found = _BLANK.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at < len(self._text)

    def _take(self, mark: str) -> bool:
        there = self._text.startswith(mark, self._at)
        self._at += len(mark) * there
        return there

    def _note(self, path: Path, at: int) -> None:
        self._lines.setdefault(path, self._text.count("\n", 0, at) + 1)
