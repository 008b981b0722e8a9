"""A biller's program at the door, and a customer who is connected with its biller."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.services import Services
from app.web.billers.limits import limiter
from tests.support.billers_door import Program
from tests.support.billers_world import World


@pytest.fixture
def world(services: Services, client: FlaskClient) -> World:
    limiter.reset()  # it counts in the process, and every test comes from one address
    return World(services, client)


@pytest.fixture
def aquarelle(world: World) -> Program:
    """A biller's program with all scopes."""
    return world.program()


@pytest.fixture
def address(world: World, aquarelle: Program) -> str:
    """A customer who is connected with it."""
    return world.connect(aquarelle)
