"""On which line a key of a bank's file stands, against files whose lines are known because they were written here."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.profile_lines import Path, lines_of

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=6)
BARE = st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True)
GAPS = st.sampled_from(["", " ", "\t "])
COMMENTS = st.sampled_from(["", " # x = 1", ' # "', " #'''", " # [t]", ' # """'])
PLAIN = st.sampled_from(
    [
        "1",
        "true",
        "-0.5",
        "1979-05-27 07:32:00",
        "''",
        '"a # b"',
        r'"\" = 1"',
        "'\\'",
        "'''x'''",
        '"""x"""',
        '""""x"""""',
    ]
)
LONG = st.sampled_from(
    ['"""\nname = 1\n[t]\n\\""" x"""', "'''\n# no\nname = 1\n''''", '"""\\\n  x""" ', '"""\n"" "\n"""""', '"""\r\na"""']
)


@dataclass
class File:
    """Text that grows, and what is on which line of it."""

    text: str = ""
    lines: dict[Path, int] = field(default_factory=dict)

    @property
    def line(self) -> int:
        return self.text.count("\n") + 1

    def note(self, path: Path) -> None:
        self.lines.setdefault(path, self.line)


def spelt(draw: st.DrawFn, name: str) -> str:
    """A name as a key: bare where it may be, else quoted."""
    if name.isascii() and name.replace("_", "a").replace("-", "a").isalnum() and draw(st.booleans()):
        return name
    if "'" not in name and draw(st.booleans()):
        return f"'{name}'"
    return json.dumps(name, ensure_ascii=draw(st.booleans()) and name.isascii())


def write_key(draw: st.DrawFn, file: File, table: Path, names: list[str]) -> Path:
    for end in range(1, len(names) + 1):
        file.note((*table, *names[:end]))
    gap = draw(GAPS)
    file.text += f"{gap}.{gap}".join(spelt(draw, name) for name in names)
    return (*table, *names)


def write_value(draw: st.DrawFn, file: File, path: Path, depth: int) -> None:
    kind = draw(st.sampled_from(["plain", "plain", "long", *(["array", "table"] if depth < 2 else [])]))
    if kind == "array":
        file.text += "["
        count = draw(st.integers(0, 3))
        for place in range(count):
            file.text += draw(st.sampled_from(["", " ", "\n", " # [\n\n", "\n  "]))
            file.note((*path, place))
            write_value(draw, file, (*path, place), depth + 1)
            file.text += draw(st.sampled_from([",", " ,", "\n,"])) if place < count - 1 or draw(st.booleans()) else ""
        file.text += draw(st.sampled_from(["]", "\n]", " # ]\n]"]))
    elif kind == "table":
        file.text += "{ "
        for place, name in enumerate(draw(st.lists(NAMES, max_size=3, unique=True))):
            file.text += ", " if place else ""
            write_key(draw, file, path, [name])
            file.text += " = "
            write_value(draw, file, (*path, name), depth + 1)
        file.text += " }"
    else:
        file.text += draw(PLAIN if kind == "plain" else LONG)


@st.composite
def files(draw: st.DrawFn) -> File:
    """Pairs at the top, then tables and arrays of tables, whose names do not meet."""
    file = File()
    tops = draw(st.lists(NAMES | BARE, max_size=8, unique=True))
    for place, top in enumerate(tops):
        file.text += draw(st.sampled_from(["", "\n", "# a\n\n", "  "]))
        kind = "pairs" if place < len(tops) // 2 else draw(st.sampled_from(["table", "tables"]))
        if kind == "pairs":
            path = write_key(draw, file, (), [top, *draw(st.lists(NAMES, max_size=2))])
            file.text += draw(GAPS) + "=" + draw(GAPS)
            write_value(draw, file, path, 0)
            file.text += draw(COMMENTS) + "\n"
            continue
        for number in range(1 if kind == "table" else draw(st.integers(1, 3))):
            file.note((top,))
            table: Path = (top,) if kind == "table" else (top, number)
            file.note(table)
            file.text += f"[{spelt(draw, top)}]" if kind == "table" else f"[[ {spelt(draw, top)} ]]"
            file.text += draw(COMMENTS) + "\n"
            for name in draw(st.lists(NAMES, max_size=3, unique=True)):
                file.text += draw(st.sampled_from(["", "\n", "\t"]))
                path = write_key(draw, file, table, [name])
                file.text += " = "
                write_value(draw, file, path, 0)
                file.text += draw(COMMENTS) + "\n"
    return file


@given(files())
def test_every_key_stands_where_it_was_written(file: File) -> None:
    tomllib.loads(file.text)  # it is TOML
    assert lines_of(file.text) == file.lines


@given(files())
def test_line_ends_of_another_system_change_nothing(file: File) -> None:
    lone = file.text.replace("\r\n", "\n")
    assert lines_of(lone.replace("\n", "\r\n")) == lines_of(lone)


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = 1\n\n[quirks]\n# b = 2\nb = 3\n", ("quirks", "b"), 5),
        ("a.b = 1\na.c = 2\n", ("a", "c"), 2),
        ('"a.b" = 1\n', ("a.b",), 1),
        ("[a.b]\nc = 1\n[a]\nd = 1\n", ("a",), 1),
        ("[[a]]\nb = 1\n[a.c]\n[[a]]\nb = 2\n[a.c]\nd = 3\n", ("a", 1, "c", "d"), 7),
        ("a = [\n 1,\n 2, # two\n 3]\n", ("a", 2), 4),
        ("a = '''\nb = 1\n'''\nb = 2\n", ("b",), 4),
        ("a = 1\nb = {c = 1,\td = [{e = 1}]}\n", ("b", "d", 0, "e"), 2),
    ],
)
def test_some_by_hand(text: str, path: Path, line: int) -> None:
    assert lines_of(text)[path] == line
