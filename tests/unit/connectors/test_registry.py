"""A bank is a file: what it may say, and how it is told that it is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from connectors.contract import Connector
from connectors.profile import POLL_S, BankProfile, ProfileError
from connectors.registry import Registry, UnknownBank

CONFIG = Path(__file__).resolve().parents[3] / "config" / "banks"
KEY = ECKey.generate_key("P-256").as_dict(private=True)
GOOD = {
    "name": "Bank of Tests",
    "country": "DE",
    "standard": "berlin_group",
    "base_url": "https://api.bank.test/psd2",
    "issuer": "https://login.bank.test",
    "client_id": "quittance",
}


def write(folder: Path, *, stem: str = "tested", **changes: Any) -> None:
    """A file with the good keys; a change to ... takes one away."""
    values = {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]  # JSON's values are TOML's
    (folder / f"{stem}.toml").write_text("\n".join(lines))


def registry(folder: Path, *, sandbox_bank_url: str | None = None, allow_http: bool = False) -> Registry:
    return Registry.from_folder(folder, sandbox_bank_url=sandbox_bank_url, client_key=KEY, allow_http=allow_http)


def test_the_defaults_of_a_bank(tmp_path: Path) -> None:
    write(tmp_path)
    assert registry(tmp_path).profile("tested") == BankProfile(
        id="tested",
        name="Bank of Tests",
        country="DE",
        standard="berlin_group",
        base_url="https://api.bank.test/psd2",
        issuer="https://login.bank.test",
        client_id="quittance",
        redirect=True,
        tpp_token=True,
        status_access="client_credentials",
        currencies=("EUR",),
        authorisation_minutes=90,
        poll_s=POLL_S,
        status_calls_per_minute=600,
        sandbox=False,
    )


def test_the_default_pace_makes_8_calls_in_two_hours() -> None:
    calls, at_s = [0], 0
    for pause_s in (2, 5, 15, 45, *POLL_S):
        at_s += pause_s
        calls.append(at_s)
    assert len([at_s for at_s in calls if at_s <= 7200]) == 8


def test_banks_are_listed_by_name(tmp_path: Path) -> None:
    for stem, name in [("a", "éclair"), ("b", "Zeta"), ("c", "alpha"), ("d", "Beta")]:
        write(tmp_path, stem=stem, name=name)
    assert [bank.name for bank in registry(tmp_path).banks()] == ["alpha", "Beta", "Zeta", "éclair"]


def test_an_unknown_bank(tmp_path: Path) -> None:
    write(tmp_path)
    banks = registry(tmp_path)
    for ask in (banks.profile, banks.connector):
        with pytest.raises(UnknownBank, match="no bank 'other'"):
            ask("other")
    assert issubclass(UnknownBank, KeyError)


def test_each_bank_has_one_connector(tmp_path: Path) -> None:
    write(tmp_path)
    banks = registry(tmp_path)
    assert isinstance(banks.connector("tested"), Connector)
    assert banks.connector("tested") is banks.connector("tested")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"quirk": "yes"}, "tested.toml: quirk: Unknown field."),
        ({"id": "tested"}, "tested.toml: id: Unknown field."),
        ({"name": ...}, "tested.toml: name: Missing data for required field."),
        ({"country": "de"}, "tested.toml: country: "),
        ({"country": "DE\n"}, "tested.toml: "),
        ({"standard": "pigeon"}, "tested.toml: standard: 'pigeon' is not built; known: berlin_group"),
        (
            {"base_url": "http://api.bank.test"},
            "tested.toml: base_url: 'http://api.bank.test' is not an address",
        ),
        ({"base_url": "https://api.bank.test/"}, "tested.toml: base_url: must not have a slash"),
        ({"base_url": "https://api.bank.test?x"}, "tested.toml: base_url: must not have"),
        ({"issuer": "login.bank.test"}, "tested.toml: issuer: 'login.bank.test' is not an address"),
        (
            {"issuer": "{sandbox_bank_url}"},
            "tested.toml: issuer: {sandbox_bank_url} is for a file with sandbox",
        ),
        ({"issuer": "https://a:b@login.bank.test"}, "tested.toml: issuer: "),
        ({"redirect": "true"}, "tested.toml: redirect: Not a valid boolean."),
        ({"redirect": False}, "tested.toml: redirect = false: only SCA by redirect is built"),
        (
            {"status_access": "magic"},
            "tested.toml: status_access: Must be one of: client_credentials, psu_token.",
        ),
        ({"currencies": ["EUR", "XXX"]}, "tested.toml: currencies.1: is not a currency that we know"),
        ({"currencies": []}, "tested.toml: currencies: "),
        ({"authorisation_minutes": 0}, "tested.toml: authorisation_minutes: Must be greater"),
        ({"authorisation_minutes": "90"}, "tested.toml: authorisation_minutes: Not a valid integer."),
        ({"poll_s": [5]}, "tested.toml: poll_s.0: Must be greater"),
        ({"poll_s": []}, "tested.toml: poll_s: "),
    ],
)
def test_a_wrong_file_is_told_by_file_and_key(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    write(tmp_path, **changes)
    with pytest.raises(ProfileError) as caught:
        registry(tmp_path)
    assert str(caught.value).startswith(told)


def test_a_file_that_is_not_toml(tmp_path: Path) -> None:
    (tmp_path / "tested.toml").write_text("name = ")
    with pytest.raises(ProfileError, match=r"^tested.toml: is not TOML: "):
        registry(tmp_path)


@pytest.mark.parametrize("stem", ["Tested", "te_sted", "-a", "a--b", "é", "a" * 41])
def test_an_id_must_fit_an_address(stem: str, tmp_path: Path) -> None:
    write(tmp_path, stem=stem)
    with pytest.raises(ProfileError, match="small letters, digits and hyphens"):
        registry(tmp_path)


def test_sandbox_banks_are_left_out_where_none_runs(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, stem="toy", sandbox=True, base_url="{sandbox_bank_url}/x", issuer="{sandbox_bank_url}")
    assert [bank.id for bank in registry(tmp_path).banks()] == ["tested"]
    both = registry(tmp_path, sandbox_bank_url="http://127.0.0.1:8001/", allow_http=True)
    assert {bank.id for bank in both.banks()} == {"tested", "toy"}
    assert both.profile("toy").base_url == "http://127.0.0.1:8001/x"
    with pytest.raises(ProfileError, match="must begin with https"):
        registry(tmp_path, sandbox_bank_url="http://127.0.0.1:8001")


def test_a_wrong_sandbox_file_is_told_even_where_none_runs(tmp_path: Path) -> None:
    write(tmp_path, sandbox=True, nme="x")
    with pytest.raises(ProfileError, match="nme"):
        registry(tmp_path)


@pytest.mark.parametrize(
    "key",
    [
        ECKey.generate_key("P-256").as_dict(private=False),
        ECKey.generate_key("P-384").as_dict(private=True),
        {"kty": "oct", "k": "YSBzZWNyZXQgb2YgbWFueSBieXRlcw"},
    ],
)
def test_a_key_that_cannot_sign_stops_the_start(key: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="key for banks must"):
        Registry.from_folder(tmp_path, sandbox_bank_url=None, client_key=key, allow_http=False)


def test_the_shipped_files_are_good() -> None:
    assert registry(CONFIG).banks() == [bank for bank in registry(CONFIG).banks() if not bank.sandbox]
    demo = registry(CONFIG, sandbox_bank_url="http://127.0.0.1:8001", allow_http=True)
    horizon = demo.profile("horizon")
    assert (horizon.name, horizon.country, horizon.sandbox) == ("Horizon Bank", "FR", True)
    assert horizon.base_url == "http://127.0.0.1:8001/berlingroup"
