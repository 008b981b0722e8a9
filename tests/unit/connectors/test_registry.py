"""A bank is a file: what it may say, and how it is told that it is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc.jwk import ECKey

from connectors.contract import Connector
from connectors.openbanking_uk.connector import OpenBankingUkConnector
from connectors.openbanking_uk.quirks import Quirks
from connectors.profile import POLL_S, BankProfile, ProfileError
from connectors.registry import Registry, UnknownBank, UnusableBank
from tests.support.bank_keys import SIGNING, make_bank_keys

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


def registry(folder: Path, **changes: Any) -> Registry:
    usual: dict[str, Any] = {"sandbox_bank_url": None, "client_key": KEY, "allow_http": False}
    return Registry.from_folder(folder, **{**usual, **changes})


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
        ({"quirk": "yes"}, "tested.toml line 7: quirk: unknown; did you mean quirks?"),
        ({"id": "tested"}, "tested.toml line 7: id: unknown for this standard"),
        ({"name": ...}, "tested.toml: name: Missing data for required field."),
        ({"country": "de"}, "tested.toml line 2: country: must be two letters"),
        ({"country": "DE\n"}, "tested.toml line 2: country: must be two letters"),
        (
            {"standard": "pigeon"},
            "tested.toml line 3: standard: 'pigeon' is not built; known: berlin_group, openbanking_uk",
        ),
        ({"standard": ...}, "tested.toml: standard: missing; known: berlin_group, openbanking_uk"),
        ({"standard": 7}, "tested.toml line 3: standard: 7 is not built"),
        (
            {"base_url": "http://api.bank.test"},
            "tested.toml line 4: base_url: 'http://api.bank.test' is not an address",
        ),
        ({"base_url": "https://api.bank.test/"}, "tested.toml line 4: base_url: must not have a slash"),
        ({"base_url": "https://api.bank.test?x"}, "tested.toml line 4: base_url: must not have"),
        ({"issuer": "login.bank.test"}, "tested.toml line 5: issuer: 'login.bank.test' is not an address"),
        (
            {"issuer": "{sandbox_bank_url}"},
            "tested.toml line 5: issuer: {sandbox_bank_url} is for a file with sandbox = true",
        ),
        (
            {"issuer": "{sandbox}", "sandbox": True},
            "tested.toml line 5: issuer: {sandbox} is unknown; known: {sandbox_",
        ),
        ({"issuer": "https://a:b@login.bank.test"}, "tested.toml line 5: issuer: "),
        ({"redirect": "true"}, "tested.toml line 7: redirect: Not a valid boolean."),
        ({"redirect": False}, "tested.toml: redirect = false: only SCA by redirect is built"),
        (
            {"status_access": "magic"},
            "tested.toml line 7: status_access: must be one of: client_credentials, psu_token",
        ),
        ({"currencies": ["EUR", "XXX"]}, "tested.toml line 7: currencies.1: is not a currency that we know"),
        ({"currencies": []}, "tested.toml line 7: currencies: "),
        ({"authorisation_minutes": 0}, "tested.toml line 7: authorisation_minutes: Must be greater"),
        ({"authorisation_minutes": "90"}, "tested.toml line 7: authorisation_minutes: Not a valid integer."),
        ({"poll_s": [5]}, "tested.toml line 7: poll_s.0: Must be greater"),
        ({"poll_s": []}, "tested.toml line 7: poll_s: "),
        ({"version": "4.0"}, "tested.toml line 7: version: unknown"),
        ({"keys": "../keys"}, "tested.toml line 7: keys: must be the name of a folder"),
        ({"hosts": ["https://x.test"]}, "tested.toml line 7: hosts.0: must be a host"),
        ({"profile": "fapi3"}, "tested.toml line 7: profile: must be one of: oauth2, fapi1_advanced"),
        ({"profile": "fapi1_advanced"}, "tested.toml: keys: missing: this profile proves who we are by a TLS"),
        (
            {"profile": "fapi2_dpop", "client_auth": "tls_client_auth", "keys": "k"},
            "tested.toml line 8: client_auth: fapi2_dpop allows only private_key_jwt",
        ),
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


#: id → version, profile, client_auth, quirks
UK = {
    "albion": ("4.0", "fapi1_advanced", "private_key_jwt", Quirks()),
    "caledonia": ("3.1", "fapi1_advanced", "tls_client_auth", Quirks()),
    "severn": ("4.0", "fapi2_dpop", "private_key_jwt", Quirks()),
    "mersey": ("4.0", "fapi2_mtls", "private_key_jwt", Quirks()),
    "tyne": ("4.0", "fapi1_advanced_jarm", "private_key_jwt", Quirks()),
    "humber": (
        "3.1",
        "fapi1_advanced",
        "private_key_jwt",
        Quirks(b64_header=True, correct_contract_indicator=True, unsigned_answers=True),
    ),
    "trent": (
        "4.0",
        "fapi1_advanced",
        "private_key_jwt",
        Quirks(id_token_without_nonce=True, id_token_without_intent=True, answer_in_query=True),
    ),
    "avon": (
        "4.0",
        "fapi1_advanced",
        "private_key_jwt",
        Quirks(scope_in_code_exchange=True, interaction_id_not_echoed=True),
    ),
    "clyde": (
        "4.0",
        "fapi1_advanced",
        "private_key_jwt",
        Quirks(
            request_object_aud="urn:clyde-bank:authorization",
            intent_id_prefix="urn:clyde-bank:intent:",
            repeated_parameters=True,
        ),
    ),
}
UK_URL = "https://127.0.0.1:8003"


def test_the_files_of_the_uk_sandbox_bank(tmp_path: Path) -> None:
    make_bank_keys(tmp_path / "sandbox-bank-uk")
    banks = registry(CONFIG, sandbox_bank_uk_url=UK_URL, bank_keys=tmp_path)
    assert {bank.id for bank in banks.banks()} == UK.keys()  # without the other sandbox bank, and without http
    for bank_id, expected in UK.items():
        bank = banks.profile(bank_id)
        assert (bank.version, bank.security_profile, bank.client_auth, bank.quirks) == expected
        assert bank.name == f"{bank_id.title()} Bank"
        assert (bank.country, bank.currencies, bank.standard, bank.sandbox) == ("GB", ("GBP",), "openbanking_uk", True)
        assert bank.base_url == f"{UK_URL}/{bank_id}/open-banking/v{bank.version}/pisp"
        assert bank.issuer == f"{UK_URL}/{bank_id}"
        assert bank.openid
        assert isinstance(banks.connector(bank_id), OpenBankingUkConnector)


def test_each_sandbox_bank_brings_its_own_files(tmp_path: Path) -> None:
    make_bank_keys(tmp_path / "sandbox-bank-uk")
    ids = [
        {bank.id for bank in registry(CONFIG, allow_http=True, bank_keys=tmp_path, **urls).banks()}
        for urls in (
            {},
            {"sandbox_bank_url": "http://127.0.0.1:8001"},
            {"sandbox_bank_uk_url": UK_URL},
            {"sandbox_bank_url": "http://127.0.0.1:8001", "sandbox_bank_uk_url": UK_URL},
        )
    ]
    assert ids == [set(), {"horizon"}, set(UK), {"horizon", *UK}]


def test_each_bank_has_a_line_of_its_own(tmp_path: Path) -> None:
    make_bank_keys(tmp_path / "sandbox-bank-uk")
    banks = registry(CONFIG, sandbox_bank_uk_url=UK_URL, bank_keys=tmp_path)
    lines = [banks.line(bank.id) for bank in banks.banks()]
    assert len({id(line.session) for line in lines}) == len({id(line.oauth) for line in lines}) == len(UK)


# ------------------------------------------------------------------------------------------------------- keys of a bank

UK_FILE = {
    **GOOD,
    "country": "GB",
    "standard": "openbanking_uk",
    "version": "4.0",
    "profile": "fapi1_advanced",
    "keys": "ours",
    "organisation_id": "0015800001041RHAAY",
    "software_id": "1p8bGrHhJRrphjFk0qwNAU",
}


def spoil(name: str, text: str | None) -> Callable[[Path], None]:
    def spoiling(folder: Path) -> None:
        (folder / name).unlink()
        if text is not None:
            (folder / name).write_text(text)

    return spoiling


def another_key(folder: Path) -> None:
    kept = (folder / "client.pem").read_bytes()
    make_bank_keys(folder)
    (folder / "client.pem").write_bytes(kept)


def locked(folder: Path) -> None:
    key = load_pem_private_key((folder / "client.key").read_bytes(), password=None)
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (folder / "client.key").write_bytes(sealed)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (spoil("signing.json", None), "signing.json cannot be read: No such file"),
        (spoil("signing.json", "x"), "signing.json is not JSON"),
        (spoil("signing.json", "[]"), "signing.json is not a JWK"),
        (spoil("signing.json", "{}"), "signing.json cannot be used: it is not a JWK"),
        (spoil("signing.json", json.dumps(SIGNING.as_dict(private=False))), "signing.json cannot be used: the key"),
        (spoil("signing.json", json.dumps(KEY)), "signing.json cannot be used: x-jws-signature is PS256"),
        (spoil("client.pem", None), "client.pem cannot be read: No such file"),
        (spoil("client.key", None), "client.key cannot be read: No such file"),
        (spoil("client.pem", "x"), "client.pem holds no certificate"),
        (spoil("client.key", "x"), "client.key holds no private key"),
        (spoil("ca.pem", "x"), "ca.pem holds no certificate"),
        (another_key, "client.key is not the key of client.pem"),
        (locked, "client.key has a password"),
        (shutil.rmtree, "keys/ours is not there: it is where our keys"),
    ],
)
def test_a_bank_without_its_keys_stops_no_other(
    wrong: Callable[[Path], None], told: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_bank_keys(tmp_path / "keys" / "ours")
    wrong(tmp_path / "keys" / "ours")
    write(tmp_path)
    write(tmp_path, stem="uk", **UK_FILE)
    banks = registry(tmp_path, bank_keys=tmp_path / "keys")
    assert [bank.id for bank in banks.banks()] == ["tested"]
    assert {bank.id for bank in banks.all_banks()} == {"tested", "uk"}
    assert told in (banks.why_unusable("uk") or "")
    assert told in caplog.text
    assert banks.profile("uk").name == "Bank of Tests"
    for ask in (banks.connector, banks.line):
        with pytest.raises(UnusableBank, match="bank 'uk' cannot be used"):
            ask("uk")
    assert banks.why_unusable("tested") is None


def test_a_secret_is_in_no_text_about_a_key(tmp_path: Path) -> None:
    secret = str(SIGNING.as_dict(private=True)["d"])
    make_bank_keys(tmp_path / "ours")
    (tmp_path / "ours" / "signing.json").write_text(json.dumps({"kty": "RSA", "d": secret}))
    write(tmp_path, **UK_FILE)
    assert secret not in (registry(tmp_path, bank_keys=tmp_path).why_unusable("tested") or secret)


def test_without_a_folder_of_keys_a_bank_cannot_be_used(tmp_path: Path) -> None:
    write(tmp_path, **UK_FILE)
    assert registry(tmp_path).why_unusable("tested") == "this installation has no folder of keys for banks"


def test_a_certificate_is_for_a_profile_that_wants_it(tmp_path: Path) -> None:
    make_bank_keys(tmp_path / "ours")
    for name in ("client.pem", "client.key"):
        (tmp_path / "ours" / name).unlink()
    write(tmp_path, stem="dpop", **{**UK_FILE, "profile": "fapi2_dpop"})
    write(tmp_path, stem="mtls", **{**UK_FILE, "profile": "fapi2_mtls"})
    banks = registry(tmp_path, bank_keys=tmp_path)
    assert [bank.id for bank in banks.banks()] == ["dpop"]


def test_dpop_wants_an_ec_key_of_the_installation(tmp_path: Path) -> None:
    make_bank_keys(tmp_path / "ours")
    write(tmp_path, **{**UK_FILE, "profile": "fapi2_dpop"})
    rsa = SIGNING.as_dict(private=True)
    banks = Registry.from_folder(tmp_path, sandbox_bank_url=None, client_key=rsa, allow_http=False, bank_keys=tmp_path)
    assert banks.why_unusable("tested") == "DPoP needs the installation's own key for banks to be an EC key (P-256)"


def test_a_berlin_group_bank_may_have_a_certificate_too(tmp_path: Path) -> None:
    make_bank_keys(tmp_path / "ours")
    write(tmp_path, keys="ours", client_auth="tls_client_auth")
    assert registry(tmp_path, bank_keys=tmp_path).line("tested").key.algorithm == "PS256"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"keys": ...}, "tested.toml: keys: Missing data for required field."),
        ({"version": "3.2"}, "tested.toml line 7: version: must be one of: 4.0, 3.1"),
        ({"version": ...}, "tested.toml: version: Missing data"),
        ({"status_access": "psu_token"}, "tested.toml line 12: status_access: unknown"),
        ({"tpp_token": False}, "tested.toml line 12: tpp_token: unknown"),
        ({"currencies": ["EUR"]}, "tested.toml line 12: currencies.0: must be one of: GBP"),
        ({"organisation_id": "a/b"}, "tested.toml line 10: organisation_id: must be"),
        ({"tan": "https://openbanking.org.uk"}, "tested.toml line 12: tan: must be a host"),
    ],
)
def test_a_wrong_uk_file(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    write(tmp_path, **{**UK_FILE, **changes})
    with pytest.raises(ProfileError) as caught:
        registry(tmp_path)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("lines", "told", "changes"),
    [
        ("b64_heder = true", "tested.toml line 14: quirks.b64_heder: unknown; did you mean b64_header?", {}),
        ("b64_header = 1", "tested.toml line 14: quirks.b64_header: Not a valid boolean.", {}),
        ("intent_id_prefix = true", "tested.toml line 14: quirks.intent_id_prefix: Not a valid string.", {}),
        ("request_object_aud = ''", "tested.toml line 14: quirks.request_object_aud: ", {}),
        (
            "b64_header = true\n# why\ncorrect_contract_indicator = true",
            "tested.toml line 16: quirks.correct_contract_indicator: 4.0 spells it so itself",
            {},
        ),
        *(
            (f"{name} = {value}", f"tested.toml line 14: quirks.{name}: ", {"profile": profile})
            for name, value, profile in [
                ("id_token_without_nonce", "true", "fapi2_mtls"),
                ("id_token_without_nonce", "true", "fapi1_advanced_jarm"),
                ("id_token_without_intent", "true", "fapi2_mtls"),
                ("answer_in_query", "true", "fapi1_advanced_jarm"),
                ("request_object_aud", "'x'", "fapi2_mtls"),
                ("repeated_parameters", "true", "fapi2_mtls"),
                ("repeated_parameters", "true", "fapi2_message_signing"),
                ("without_pkce", "true", "fapi2_mtls"),
                ("without_pkce", "true", "fapi2_message_signing"),
            ]
        ),
    ],
)
def test_a_wrong_quirk(lines: str, told: str, changes: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path, **{**UK_FILE, **changes})
    with (tmp_path / "tested.toml").open("a") as file:
        file.write(f"\n\n[quirks]\n{lines}\n")
    with pytest.raises(ProfileError) as caught:
        registry(tmp_path)
    assert str(caught.value).startswith(told)


def test_the_quirks_of_one_standard_are_not_those_of_another(tmp_path: Path) -> None:
    write(tmp_path)
    with (tmp_path / "tested.toml").open("a") as file:
        file.write("\n[quirks]\nb64_header = true\n")
    with pytest.raises(ProfileError, match=r"line 8: quirks.b64_header: unknown for this standard"):
        registry(tmp_path)


def test_all_that_is_wrong_is_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, country="de", issuer=..., poll_s=[300, 5])
    with pytest.raises(ProfileError) as caught:
        registry(tmp_path)
    first, second, third = str(caught.value).split("; ")
    assert first.startswith("tested.toml: issuer: ")
    assert second.startswith("line 2: country: ")
    assert third.startswith("line 6: poll_s.1: ")
