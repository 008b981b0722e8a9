"""A database of each kind without the rest of an installation, for what stands below the rooms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, delete, make_url, text

from app.db.engine import make_engine
from app.db.unit_of_work import UnitOfWork
from app.journey.route import ROUTE
from app.people.customers import add_customer
from app.people.models import Customer
from app.tables import metadata
from tests.conftest import Clock

Begin = Callable[[], UnitOfWork]


@pytest.fixture(scope="session")
def unit_postgres(postgres_template: str) -> str:
    """One database that the unit tests empty after each other: quicker than a new one for each."""
    admin = create_engine(postgres_template, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE unit TEMPLATE template_quittance"))
    admin.dispose()
    return str(make_url(postgres_template).set(database="unit"))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty, migrated database of each kind."""
    if request.param == "sqlite":
        path = tmp_path / "quittance.sqlite3"
        path.write_bytes(request.getfixturevalue("sqlite_template").read_bytes())
        yield f"sqlite:///{path}"
        return
    url: str = request.getfixturevalue("unit_postgres")
    yield url
    engine = make_engine(url)
    with engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))
    engine.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url)
    yield made
    made.dispose()


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
