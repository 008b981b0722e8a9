"""The STET banks in this process, with a clock that stands still, two TPPs and the official file between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from connectors.sandbox_bank.context import EXTENSION
from connectors.sandbox_bank.stet.context import StetBank
from tests.support import stet_bank
from tests.support.sandbox_tpp import Clock, InProcess, Ledger, Person
from tests.support.stet_judge import Judged
from tests.support.stet_tpp import StetTpp
from tests.support.uk_wire import InProcess as WithCertificate

NewTpp = Callable[..., StetTpp]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def naps() -> list[float]:
    """How long the bank made somebody wait."""
    return []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return stet_bank.make_folder(tmp_path / "files")


@pytest.fixture
def bank(tmp_path: Path, folder: Path, clock: Clock, naps: list[float]) -> Iterator[Flask]:
    app = stet_bank.make_stet_bank(folder, database=tmp_path / "bank.db", clock=clock, sleep=naps.append)
    yield app
    inside: StetBank = app.extensions[EXTENSION]
    inside.store.close()


@pytest.fixture
def new_tpp(bank: Flask, folder: Path) -> NewTpp:
    def make(brand: str = "remparts", *, number: str = stet_bank.NUMBER) -> StetTpp:
        files = folder if number == stet_bank.NUMBER else folder / "other"
        return StetTpp(transport=Judged(WithCertificate(bank)), files=files, brand=brand, number=number)

    return make


@pytest.fixture
def tpp(new_tpp: NewTpp) -> StetTpp:
    return new_tpp()


@pytest.fixture
def other(new_tpp: NewTpp) -> StetTpp:
    return new_tpp(number=stet_bank.OTHER)


@pytest.fixture
def person(bank: Flask) -> Person:
    return Person(transport=InProcess(bank), base_url=stet_bank.BASE_URL)


@pytest.fixture
def ledger(bank: Flask) -> Ledger:
    def entries(**query: str) -> list[dict[str, str]]:
        got = bank.test_client().get("/sandbox/ledger", query_string=query, headers={"Authorization": "Bearer ledger"})
        assert got.status_code == 200
        assert got.json is not None
        found: list[dict[str, str]] = got.json["entries"]
        return found

    return entries
