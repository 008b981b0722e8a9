"""How thoroughly the races are run."""

from __future__ import annotations

import pytest


@pytest.fixture(params=[4, pytest.param(1, marks=pytest.mark.long)])
def every(request: pytest.FixtureRequest) -> int:
    """From every so many-th moment: a race takes a third of a second. `make faults` begins at each of them."""
    every: int = request.param
    return every
