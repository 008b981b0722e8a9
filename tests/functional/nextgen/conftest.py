"""An installation at the NextGenPSD2 sandbox banks, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.keys.installation import Keys
from app.services import Services
from config.settings import Settings
from connectors.sandbox_bank.context import EXTENSION
from tests.conftest import Clock
from tests.support import nextgen_bank
from tests.support.installation import make_services_over_tls
from tests.support.journey import Journey
from tests.support.sandbox_tpp import InProcess, Person
from tests.support.wsgi_adapter import WSGIAdapter


@pytest.fixture
def bank_keys(settings: Settings) -> Path:
    return nextgen_bank.make_folder(settings.bank_keys / "sandbox-bank-nextgen")


@pytest.fixture
def bank(tmp_path: Path, bank_keys: Path, clock: Clock, naps: list[float]) -> Iterator[Flask]:
    def hang(seconds: float) -> None:
        naps.append(seconds)
        raise TimeoutError

    app = nextgen_bank.make_nextgen_bank(bank_keys, database=tmp_path / "nextgen.db", clock=clock, sleep=hang)
    yield app
    app.extensions[EXTENSION].store.close()


@pytest.fixture
def bank_wire(bank: Flask, bank_keys: Path) -> WSGIAdapter:
    return WSGIAdapter(bank, environ=nextgen_bank.with_certificate(bank_keys / "client.pem"))


@pytest.fixture
def services(settings: Settings, keys: Keys, bank_wire: WSGIAdapter, clock: Clock) -> Iterator[Services]:
    made = make_services_over_tls(
        settings, keys, bank_wire, standard="nextgen", base_url=nextgen_bank.BASE_URL, clock=clock
    )
    yield made
    made.engine.dispose()


@pytest.fixture
def there(journey: Journey) -> Journey:
    journey.person = Person(transport=InProcess(journey.bank), base_url=nextgen_bank.BASE_URL)
    return journey
