"""How often the same is asked: a part of it in `make test`, all of it in `make test-long`, which passes `--thorough`.

For what is more of the same and no other question: examples of a property, rounds of a race, samples of a heap. What is
a question of its own, and too long for `make test`, is marked ``long``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import pytest

_Size = TypeVar("_Size", int, float)

OPTION = "--thorough"
#: whether this run was asked to be; tests/conftest.py notes it before a test is collected
_asked: list[bool] = []


def be_thorough() -> None:
    _asked.append(True)


def thorough(few: _Size, full: _Size) -> _Size:
    """``few`` of them, or ``full`` many."""
    return full if _asked else few


def spread(cases: Sequence[object], *, every: int, first: int = 0) -> list[object]:
    """Parameters: every so many-th from the ``first`` on, the others ``long``. A tuple has the values of several
    parameters; what has an id or marks is a ``pytest.param`` and keeps them."""
    return [_as_param(case, is_long=(number - first) % every != 0) for number, case in enumerate(cases)]


def _as_param(case: object, *, is_long: bool) -> object:
    if not is_long:
        return case
    if isinstance(case, type(pytest.param())):
        return pytest.param(*case.values, id=case.id, marks=[*case.marks, pytest.mark.long])
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.long)
