"""From a bank's file to a token, with no part of the way made by hand, at an authorization server that is not ours."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from connectors.inspection.check import check
from connectors.inspection.finding import Verdict
from connectors.registry import Registry
from connectors.security.profiles import PROFILES
from tests.support.judges import Judge, clock, running_judge

FILE = """
name = "Judge"
country = "GB"
standard = "openbanking_uk"
version = "4.0"
base_url = "URL/pisp"
issuer = "URL"
client_id = "PROFILE"
profile = "PROFILE"
keys = "ours"
organisation_id = "org"
software_id = "software"
"""


@pytest.fixture(scope="module", params=[False, True], ids=["no nonce", "nonce"])
def judge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with running_judge(tmp_path_factory.mktemp("judge"), nonce=request.param) as running:
        yield running


@pytest.mark.parametrize("name", [name for name in PROFILES if name.startswith("fapi")])
def test_a_bank_of_each_profile_is_reached_by_its_file(judge: Judge, name: str, tmp_path: Path) -> None:
    keys = tmp_path / "ours"
    keys.mkdir()
    (keys / "signing.json").write_text(json.dumps(judge.key.jwk.as_dict(private=True)))
    for source, target in zip((*judge.ours, judge.ca), ("client.pem", "client.key", "ca.pem"), strict=True):
        shutil.copy(source, keys / target)
    (tmp_path / "judge.toml").write_text(FILE.replace("URL", judge.issuer).replace("PROFILE", name))
    banks = Registry.from_folder(
        tmp_path,
        sandbox_bank_url=None,
        client_key=ECKey.generate_key("P-256").as_dict(private=True),
        allow_http=False,
        bank_keys=tmp_path,
    )
    found = list(check(banks.profile("judge"), banks, clock=clock))
    assert [one.text for one in found if one.verdict is Verdict.WRONG] == []
    assert found[-1].step == "token"
