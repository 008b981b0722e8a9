"""The database of each kind without the rest of an installation, for what stands below the rooms."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from app.db.unit_of_work import UnitOfWork
from app.journey.route import ROUTE
from app.people.customers import add_customer
from app.people.models import Customer
from consent.private import open_with
from tests.conftest import Clock
from tests.support.engines import engine_for, keys_in_memory, let_go

Begin = Callable[[], UnitOfWork]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = open_with(engine_for(database_url), keys_in_memory())  # whoever had it last may have had others
    yield made
    let_go(made)


@pytest.fixture
def begin(engine: Engine, clock: Clock) -> Begin:
    """`with begin() as uow:` is a transaction of its own."""
    return lambda: UnitOfWork(engine, route=ROUTE, clock=clock)


@pytest.fixture
def customer(begin: Begin) -> Customer:
    with begin() as uow:
        made = add_customer(uow, name="Camille", email="camille@example.org", locale="fr", time_zone="Europe/Paris")
        uow.commit()
    return made
