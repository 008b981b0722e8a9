"""The house in which a journey's stages are tried one by one."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from app.people.models import Customer
from tests.conftest import Clock
from tests.unit.app.journey.house import House


@pytest.fixture
def house(engine: Engine, customer: Customer, clock: Clock) -> House:
    return House(engine, clock, customer)


@pytest.fixture(params=[32, pytest.param(1, marks=pytest.mark.long)])
def every(request: pytest.FixtureRequest) -> int:
    """From every so many-th moment: a race takes a third of a second. `make test-long` begins at each of them."""
    every: int = request.param
    return every
