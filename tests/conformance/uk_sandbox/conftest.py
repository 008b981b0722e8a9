"""The UK sandbox banks in this process, with a clock that stands still and with two TPPs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.support.sandbox_tpp import Clock
from tests.support.uk_bank import AtBrand, inside, make_bank, make_folder, tpp_at
from tests.support.uk_judge import Judged
from tests.support.uk_orders import Orders, OrdersAt
from tests.support.uk_wire import InProcess, UkPerson


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the brands' keys and databases: keys are made once, each test has a database of its own."""
    return tmp_path_factory.mktemp("banks")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bank(folder: Path, keys: Path, tmp_path: Path, clock: Clock) -> Iterator[Flask]:
    app = make_bank(folder, keys / f"{tmp_path.name}.sqlite3", clock=clock, sleep=lambda _: None)
    yield app
    inside(app).store.close()


@pytest.fixture
def at(bank: Flask, folder: Path, clock: Clock) -> AtBrand:
    return lambda brand="albion", **changes: tpp_at(bank, folder, brand, clock=clock, **changes)


@pytest.fixture
def person(bank: Flask) -> UkPerson:
    return UkPerson(transport=InProcess(bank))


@pytest.fixture
def judged(bank: Flask) -> Judged:
    """The way to the banks on which the official files look at all that passes. Mark its tests `shared`."""
    return Judged(InProcess(bank))


@pytest.fixture
def orders_at(at: AtBrand, judged: Judged, person: UkPerson) -> OrdersAt:
    def made(brand: str = "albion") -> Orders:
        tpp = at(brand)
        tpp.transport = judged
        return Orders(tpp=tpp, person=person)

    return made
