"""The installation's keys: made once, never overwritten, readable by the service alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from app.keys.files import KeysMissing
from app.keys.installation import Keys

NAMES = {"form.key", "log.key", "vault/k1.key", "oauth.jwk.json", "bank-client.jwk.json", "web-push.jwk.json"}


def test_init_makes_what_load_needs(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "keys"
    assert {str(path.relative_to(folder)) for path in Keys.init(folder)} == NAMES
    keys = Keys.load(folder)
    assert keys.vault_active == "k1"
    assert len(keys.vault["k1"]) == 32
    assert len(keys.form) >= 43  # 256 bits in base64url
    for jwk in (keys.oauth, keys.bank_client, keys.web_push):
        assert ECKey.import_key(jwk).is_private
        assert jwk["kid"]
    assert len({jwk["d"] for jwk in (keys.oauth, keys.bank_client, keys.web_push)}) == 3


def test_only_the_service_may_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    for path in Keys.init(folder):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == NAMES  # no draft stays


def test_init_again_touches_nothing(tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in Keys.init(tmp_path)}
    assert Keys.init(tmp_path) == []
    assert {path: path.read_bytes() for path in before} == before


def test_init_makes_only_what_is_missing(tmp_path: Path) -> None:
    Keys.init(tmp_path)
    (tmp_path / "form.key").unlink()
    assert Keys.init(tmp_path) == [tmp_path / "form.key"]


def test_the_last_vault_key_by_name_is_active_and_the_others_still_open(tmp_path: Path) -> None:
    Keys.init(tmp_path)
    (tmp_path / "vault" / "k2.key").write_text("ab" * 32)
    keys = Keys.load(tmp_path)
    assert keys.vault_active == "k2"
    assert set(keys.vault) == {"k1", "k2"}
    assert Keys.init(tmp_path) == []


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_missing_key_is_named_with_the_command_that_makes_it(tmp_path: Path, name: str) -> None:
    Keys.init(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(KeysMissing, match="is missing: make the keys with `quittance keys init`") as refused:
        Keys.load(tmp_path)
    assert Path(name).suffix in str(refused.value)


def test_repr_shows_no_key(tmp_path: Path) -> None:
    Keys.init(tmp_path)
    assert repr(Keys.load(tmp_path)) == "Keys(vault_active='k1')"
