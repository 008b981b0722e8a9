"""What the UK banks take from the environment, and which banks they then are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from environs import EnvError

from connectors.sandbox_bank.openbanking_uk.brands import BRANDS, PROFILES, in_profile
from connectors.sandbox_bank.openbanking_uk.settings import UkBankSettings


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    (tmp_path / "tpps.json").write_text(json.dumps({"quittance": {"keys": []}}), "utf-8")
    monkeypatch.setenv("UK_SANDBOX_BANK_URL", "https://127.0.0.1:8003")
    monkeypatch.setenv("UK_SANDBOX_BANK_DATABASE", str(tmp_path / "bank.db"))
    monkeypatch.setenv("UK_SANDBOX_BANK_FOLDER", str(tmp_path))
    monkeypatch.setenv("UK_SANDBOX_BANK_LEDGER_TOKEN", "secret")
    for name in ("SETTLE_S", "PROFILE"):
        monkeypatch.delenv(f"UK_SANDBOX_BANK_{name}", raising=False)
    return monkeypatch


def test_from_the_environment(environ: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = UkBankSettings.from_environ()
    assert (settings.database, settings.settle_after_s, settings.profile) == (tmp_path / "bank.db", 1.0, None)
    assert settings.tpps == {"quittance": {"keys": []}}
    assert "secret" not in repr(settings)
    environ.setenv("UK_SANDBOX_BANK_PROFILE", "fapi2_dpop")
    assert UkBankSettings.from_environ().profile == "fapi2_dpop"


@pytest.mark.parametrize("name", ["URL", "DATABASE", "FOLDER", "LEDGER_TOKEN"])
def test_a_missing_variable_stops_the_start(environ: pytest.MonkeyPatch, name: str) -> None:
    environ.delenv(f"UK_SANDBOX_BANK_{name}")
    with pytest.raises(EnvError):
        UkBankSettings.from_environ()


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"base_url": "https://127.0.0.1:8003/"}, "base_url"),
        ({"base_url": "http://127.0.0.1:8003"}, "base_url"),
        ({"ledger_token": ""}, "ledger_token"),
        ({"profile": "fapi3"}, "profile must be one of fapi1_advanced"),
    ],
)
def test_a_bank_that_would_be_half_set_up(environ: pytest.MonkeyPatch, changes: dict[str, str], about: str) -> None:
    settings = UkBankSettings.from_environ()
    with pytest.raises(ValueError, match=about):
        replace(settings, **changes)  # type: ignore[arg-type]  # what mypy would refuse is what is tried


def test_each_brand_is_in_its_own_profile_or_all_in_one() -> None:
    assert in_profile(None) is BRANDS
    for profile in PROFILES:
        changed = in_profile(profile)
        assert changed.keys() == BRANDS.keys()
        assert {brand.profile for brand in changed.values()} == {profile}
    assert in_profile("fapi2_mtls")["caledonia"].client_auth == "tls_client_auth"
    assert in_profile("fapi2_dpop")["caledonia"].client_auth == "private_key_jwt"
