"""A customer's browser and a biller's program, as far as the doors are concerned."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from app.invariants import check
from app.services import Services
from app.worker import Worker
from tests.conftest import Clock
from tests.support.journey import Journey
from tests.support.wsgi_adapter import WSGIAdapter


@pytest.fixture(autouse=True)
def books_in_order(request: pytest.FixtureRequest, clock: Clock) -> Iterator[None]:
    """Whatever a test does through the doors, what must always be true is true after it.

    A test without services of its own, as that of a demo in its own folder, has none because of this, and runs once.
    """
    services: Services | None = request.getfixturevalue("services") if "services" in request.fixturenames else None
    yield
    if services is not None and request.node.get_closest_marker("tampers") is None:
        assert not [str(broken) for broken in check(services.engine, now=clock(), late=False)]


@pytest.fixture
def journey(
    app: Flask, services: Services, worker: Worker, bank: Flask, clock: Clock, bank_wire: WSGIAdapter
) -> Journey:
    """One customer with a passkey, one biller, the bank: ready to pay."""
    return Journey.begin(app=app, services=services, worker=worker, bank=bank, clock=clock, bank_wire=bank_wire)


@pytest.fixture
def journeys(
    app: Flask, services: Services, worker: Worker, bank: Flask, clock: Clock, bank_wire: WSGIAdapter
) -> Callable[[], Journey]:
    """As many of them as a test needs, in one installation."""
    return lambda: Journey.begin(app=app, services=services, worker=worker, bank=bank, clock=clock, bank_wire=bank_wire)
