"""The fake bank in this process, with a clock that stands still and with two TPPs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from connectors.sandbox_bank.app import create_bank
from connectors.sandbox_bank.context import EXTENSION, Bank
from connectors.sandbox_bank.settings import BankSettings
from tests.support.sandbox_tpp import (
    BASE_URL,
    Clock,
    InProcess,
    Ledger,
    Person,
    Tpp,
    jwks_of,
    new_key,
)

KEY = new_key()
OTHER_KEY = new_key("PS256")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def naps() -> list[float]:
    """How long the bank made somebody wait."""
    return []


@pytest.fixture
def bank(tmp_path: Path, clock: Clock, naps: list[float]) -> Iterator[Flask]:
    app = create_bank(
        BankSettings(
            base_url=BASE_URL,
            database=tmp_path / "bank.db",
            ledger_token="ledger",
            tpps={"quittance": jwks_of(KEY), "other": jwks_of(OTHER_KEY)},
            clock=clock,
            sleep=naps.append,
        )
    )
    app.testing = True
    yield app
    inside: Bank = app.extensions[EXTENSION]
    inside.store.close()


@pytest.fixture
def tpp(bank: Flask, clock: Clock) -> Tpp:
    return Tpp(transport=InProcess(bank), base_url=BASE_URL, key=KEY, now_s=clock.seconds)


@pytest.fixture
def other_tpp(bank: Flask, clock: Clock) -> Tpp:
    return Tpp(
        transport=InProcess(bank),
        base_url=BASE_URL,
        key=OTHER_KEY,
        now_s=clock.seconds,
        client_id="other",
        algorithm="PS256",
    )


@pytest.fixture
def person(bank: Flask) -> Person:
    return Person(transport=InProcess(bank), base_url=BASE_URL)


@pytest.fixture
def ledger(bank: Flask) -> Ledger:
    def entries(**query: str) -> list[dict[str, str]]:
        got = bank.test_client().get("/sandbox/ledger", query_string=query, headers={"Authorization": "Bearer ledger"})
        assert got.status_code == 200
        assert got.json is not None
        found: list[dict[str, str]] = got.json["entries"]
        return found

    return entries
