"""All banks of an installation: which are there, which can be used, and with which keys."""

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

from connectors.capabilities import Recurs
from connectors.contract import Connector
from connectors.openbanking_uk.connector import OpenBankingUkConnector
from connectors.openbanking_uk.quirks import Quirks
from connectors.registry import Registry, UnknownBank, UnusableBank
from tests.support.bank_keys import SIGNING, make_bank_keys
from tests.unit.connectors.bank_files import KEY, UK_FILE, registry, write

CONFIG = Path(__file__).resolve().parents[3] / "config" / "banks"


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
        connector = banks.connector(bank_id)
        assert isinstance(connector, Recurs)  # also where its file has stopped offering them: some may be there
        assert bool(connector.recurring.kinds) is bool(bank.recurring) is (bank_id != "clyde")
        assert (bank.help_phone[:13], bank.help_url) == ("+44 20 7946 0", f"{UK_URL}/{bank_id}/yours")


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
        (
            spoil("signing.json", json.dumps({**SIGNING.as_dict(private=True), "use": "enc"})),
            "signing.json cannot be used: it says that it is for something else",
        ),
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
