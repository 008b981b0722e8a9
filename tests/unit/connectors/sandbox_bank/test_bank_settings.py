"""What the bank takes from the environment, and that it does not start half set up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from environs import EnvError

from connectors.sandbox_bank.settings import BankSettings


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    tpps = tmp_path / "tpps.json"
    tpps.write_text(json.dumps({"quittance": {"keys": []}}), encoding="utf-8")
    monkeypatch.setenv("SANDBOX_BANK_URL", "http://127.0.0.1:8001")
    monkeypatch.setenv("SANDBOX_BANK_DATABASE", str(tmp_path / "bank.db"))
    monkeypatch.setenv("SANDBOX_BANK_LEDGER_TOKEN", "secret")
    monkeypatch.setenv("SANDBOX_BANK_TPPS", str(tpps))
    monkeypatch.delenv("SANDBOX_BANK_SETTLE_S", raising=False)
    return monkeypatch


def test_from_the_environment(environ: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = BankSettings.from_environ()
    assert settings == BankSettings(
        base_url="http://127.0.0.1:8001",
        database=tmp_path / "bank.db",
        ledger_token="secret",
        tpps={"quittance": {"keys": []}},
        settle_after_s=1.0,
    )
    assert "secret" not in repr(settings)
    environ.setenv("SANDBOX_BANK_SETTLE_S", "0.25")
    assert BankSettings.from_environ().settle_after_s == 0.25


def test_a_missing_variable_stops_the_start(environ: pytest.MonkeyPatch) -> None:
    environ.delenv("SANDBOX_BANK_LEDGER_TOKEN")
    with pytest.raises(EnvError):
        BankSettings.from_environ()


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8001/", "127.0.0.1:8001", ""])
def test_an_address_that_would_make_a_wrong_issuer(environ: pytest.MonkeyPatch, base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        replace(BankSettings.from_environ(), base_url=base_url)


def test_the_ledger_is_never_open(environ: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="ledger_token"):
        replace(BankSettings.from_environ(), ledger_token="")
