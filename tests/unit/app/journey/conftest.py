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
