"""The NextGenPSD2 banks in this process, with a clock that stands still, two TPPs and the official file between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from connectors.sandbox_bank.context import EXTENSION
from connectors.sandbox_bank.nextgen.context import NextGenBank
from tests.support import nextgen_bank
from tests.support.nextgen_judge import Judged
from tests.support.nextgen_tpp import NextGenTpp
from tests.support.sandbox_tpp import Clock, InProcess, Ledger, Person
from tests.support.uk_wire import InProcess as WithCertificate


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return nextgen_bank.make_folder(tmp_path / "files")


@pytest.fixture
def bank(tmp_path: Path, folder: Path, clock: Clock) -> Iterator[Flask]:
    naps: list[float] = []
    app = nextgen_bank.make_nextgen_bank(folder, database=tmp_path / "bank.db", clock=clock, sleep=naps.append)
    yield app
    inside: NextGenBank = app.extensions[EXTENSION]
    inside.store.close()


@pytest.fixture
def tpp(bank: Flask, folder: Path) -> NextGenTpp:
    return NextGenTpp(transport=Judged(WithCertificate(bank)), files=folder)


@pytest.fixture
def person(bank: Flask) -> Person:
    return Person(transport=InProcess(bank), base_url=nextgen_bank.BASE_URL)


@pytest.fixture
def ledger(bank: Flask) -> Ledger:
    def entries(**query: str) -> list[dict[str, str]]:
        got = bank.test_client().get("/sandbox/ledger", query_string=query, headers={"Authorization": "Bearer ledger"})
        assert got.json is not None
        found: list[dict[str, str]] = got.json["entries"]
        return found

    return entries
