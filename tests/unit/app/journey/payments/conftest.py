"""What the tests of payments share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app import failpoints


@pytest.fixture
def points() -> Iterator[list[str]]:
    """The failpoints that were passed: the kill matrix stops a process at each of these names."""
    passed: list[str] = []
    failpoints.hook = passed.append
    yield passed
    failpoints.hook = None
