"""Words that may not stand in the code, each with what to write instead."""

from __future__ import annotations

import functools
import io
import re
import tokenize
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tidy.conftest import name_of, sources


@dataclass(frozen=True)
class Banned:
    words: str  #: a regular expression over code without comments and strings
    instead: str
    example: str  #: a line that must be caught
    but_in: tuple[str, ...] = ()  #: files, and folders that end with a slash


DEMO, BANK = "app/demo/", "connectors/sandbox_bank/"
RULES = [
    Banned(
        r"\butcnow\b",
        "it gives a naive time; take services.clock() or uow.now",
        "now = datetime.utcnow()",
    ),
    Banned(
        r"\bdatetime\.now\(|\bdate\.today\(|\btime\.time\(",
        "only the clock service reads the time; take services.clock() or uow.now",
        "now = dt.datetime.now(dt.UTC)",
        # the registry's is the default for a connector that is used without our service
        ("app/services.py", "connectors/registry.py", f"{BANK}settings.py", DEMO),
    ),
    Banned(
        r"(?<![\w.])float\(",
        "amounts are whole minor units (connectors.money) and times are datetimes; a float is neither",
        "amount = float(text)",
    ),
    Banned(
        r"\brequests\.(get|post|put|patch|delete|head|options|request)\(",
        "use a Session with trust_env off and a timeout (connectors/http.py): else the environment decides",
        "answer = requests.get(url)",
    ),
    Banned(r"\bauthlib\.jose\b", "it is deprecated; use joserfc", "from authlib.jose import jwt"),
    Banned(
        r"(?<![\w.])print\(",
        "log it (logging.getLogger), so that it goes through the redactor",
        "print(token)",
        ("app/cli/", "app/fonts.py", DEMO),
    ),
    Banned(
        r"\bos\.(environ|getenv|putenv)\b",
        "only config/settings.py reads the environment; take services.settings",
        "url = os.environ['QUITTANCE_BASE_URL']",
        # the command line and the demo hand settings on to the programs that they start; whoever checks an archive runs
        # a file of ours that has no settings
        ("config/settings.py", "app/cli/", DEMO, "app/journey/export/verify.py"),
    ),
]


@functools.cache
def code_of(text: str) -> str:
    """The code line by line as it stands, with comments and strings left out."""
    lines = [list(line) for line in text.splitlines(keepends=True)]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in (tokenize.COMMENT, tokenize.STRING):
            continue
        (first, start), (last, end) = token.start, token.end
        for number in range(first, last + 1):
            line = lines[number - 1]
            here, there = (start if number == first else 0), (end if number == last else len(line) - 1)
            line[here:there] = " " * (there - here)
    return "".join("".join(line) for line in lines)


def found(rule: Banned, text: str) -> list[int]:
    """The numbers of the lines with a banned word."""
    lines = code_of(text).splitlines()
    return [number for number, line in enumerate(lines, 1) if re.search(rule.words, line)]


def excused(rule: Banned, path: Path) -> bool:
    name = name_of(path)
    return any(name == place or (place.endswith("/") and name.startswith(place)) for place in rule.but_in)


@pytest.mark.parametrize("rule", RULES, ids=[rule.words for rule in RULES])
def test_banned_words(rule: Banned) -> None:
    places = [
        f"{name_of(path)}:{line}"
        for path in sources()
        if not excused(rule, path)
        for line in found(rule, path.read_text("utf-8"))
    ]
    assert not places, f"{', '.join(places)}: {rule.instead}."


@pytest.mark.parametrize("rule", RULES, ids=[rule.words for rule in RULES])
def test_each_rule_bites_in_code_and_only_there(rule: Banned) -> None:
    assert found(rule, f"import os\n{rule.example}\n") == [2]
    assert found(rule, f'"""{rule.example}"""\n# {rule.example}\nx = 1\n') == []


@pytest.mark.parametrize("rule", RULES, ids=[rule.words for rule in RULES])
def test_no_excuse_outlives_its_reason(rule: Banned) -> None:
    for place in rule.but_in:
        using = [path for path in sources() if name_of(path).startswith(place) and found(rule, path.read_text("utf-8"))]
        assert using, f"{place} no longer needs its exception for {rule.words}: take it out of this test."
