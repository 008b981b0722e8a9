"""`quittance keys`: a key of the vault is added, spread, activated, seals everything anew, and the old one goes."""

from __future__ import annotations

import datetime as dt
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from app.cli import main
from app.db.engine import make_engine
from app.keys.files import KeysMissing
from app.keys.installation import Keys
from app.keys.vault_keys import VaultKeys
from consent.models import Sealed
from consent.vault import Vault

pytestmark = pytest.mark.slow  # hundreds of secrets for each

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
SECRETS = {f"consent:con_{number:04}:token": f"token {number}" for number in range(450)}  # more than two pages

Say = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Path:
    """The keys of an installation."""
    monkeypatch.setenv("QUITTANCE_DATA", str(tmp_path))
    monkeypatch.setenv("QUITTANCE_DATABASE_URL", database_url)
    monkeypatch.setenv("QUITTANCE_CUSTOMER_KEYS_URL", f"sqlite:///{tmp_path}/customer-keys.sqlite3")
    monkeypatch.setenv("QUITTANCE_BASE_URL", "https://bills.example")
    Keys.init(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def engine(folder: Path, database_url: str) -> Iterator[Engine]:
    """Its database, in which the first key has sealed all."""
    made = make_engine(database_url)
    with Session(made) as session:
        for row_id, secret in SECRETS.items():
            vault_of(folder).put(session, row_id, secret, now=NOW)
        session.commit()
    yield made
    made.dispose()


def vault_of(folder: Path) -> Vault:
    """As a process has it that starts now."""
    keys = Keys.load(folder)
    return Vault(keys.vault, active=keys.vault_active)


def opened(engine: Engine, vault: Vault) -> dict[str, str]:
    with Session(engine) as session:
        return {row_id: vault.get(session, row_id) for row_id in session.scalars(select(Sealed.id))}


def said(say: Say, *arguments: str, status: int = 0) -> str:
    assert main(["keys", *arguments]) == status
    written = say.readouterr()
    return written.out + written.err


# ----------------------------------------------------------------------------------------------------- the whole turn


@pytest.mark.each_database
def test_at_every_point_of_the_turn_each_process_opens_what_every_other_one_seals(
    engine: Engine, folder: Path, capsys: Say
) -> None:
    before = vault_of(folder)
    assert "Only then: `quittance keys activate k2`" in said(capsys, "add")
    spread = vault_of(folder)
    assert (repr(before), repr(spread)) == ("Vault(active='k1')", "Vault(active='k1')")
    assert opened(engine, before) == opened(engine, spread) == SECRETS

    said(capsys, "activate", "k2")
    turned = vault_of(folder)
    with Session(engine) as session:
        turned.put(session, "consent:new:token", "of the new key", now=NOW)
        before.put(session, "consent:old:token", "of a process that was not started anew", now=NOW)
        session.commit()
    whole = opened(engine, spread)
    assert whole == opened(engine, turned)
    assert len(whole) == len(SECRETS) + 2
    assert said(capsys, "list").split("\n")[:2] == [
        "k1          opens         451 secrets",
        "k2          seals           1 secrets",
    ]
    assert "451 secrets are sealed with k1: run `quittance keys rewrap`" in said(capsys, "remove", "k1", status=1)

    assert "451 secrets are sealed with k2 now, 0 are not." in said(capsys, "rewrap")
    assert opened(engine, spread) == opened(engine, turned) == whole
    assert "0 secrets are sealed with k2 now, 0 are not." in said(capsys, "rewrap")

    assert "k1 is gone" in said(capsys, "remove", "k1")
    assert Keys.load(folder).vault.keys() == {"k2"}
    assert opened(engine, vault_of(folder)) == whole


@pytest.mark.each_database
def test_only_the_wrapping_changes_and_an_end_stays_what_it_was(engine: Engine, folder: Path, capsys: Say) -> None:
    with Session(engine) as session:
        row = session.get_one(Sealed, "consent:con_0000:token")
        row.expires_at = NOW + dt.timedelta(days=400)
        session.commit()
        box = row.box
    said(capsys, "add")
    said(capsys, "activate", "k2")
    said(capsys, "rewrap")
    with Session(engine) as session:
        row = session.get_one(Sealed, "consent:con_0000:token")
        assert row.expires_at == NOW + dt.timedelta(days=400)
        nonce_and_secret = 12 + len("token 0") + 16
        assert row.box[-nonce_and_secret:] == box[-nonce_and_secret:]
        assert row.box[:4] == b"\x01\x02k2"


@pytest.mark.each_database
def test_what_does_not_open_is_named_and_left(engine: Engine, folder: Path, capsys: Say) -> None:
    with Session(engine) as session:
        altered = session.get_one(Sealed, "consent:con_0007:token")
        altered.box = altered.box[:20] + bytes([altered.box[20] ^ 1]) + altered.box[21:]
        lost = session.get_one(Sealed, "consent:con_0300:token")
        lost.box = Vault({"k9": b"9" * 32}, active="k9").seal(lost.id, b"of a key that is gone")
        session.commit()
        boxes = altered.box, lost.box
    said(capsys, "add")
    said(capsys, "activate", "k2")
    assert said(capsys, "rewrap", status=1).splitlines() == [
        "448 secrets are sealed with k2 now, 2 are not.",
        "consent:con_0007:token does not open, and is left as it is",
        "consent:con_0300:token does not open, and is left as it is",
    ]
    assert said(capsys, "list").splitlines() == [
        "k1          opens           1 secrets",
        "k2          seals         448 secrets",
        "1 secrets are sealed with a key that is not here",
    ]
    with Session(engine) as session:
        assert boxes == tuple(session.get_one(Sealed, f"consent:con_{number}:token").box for number in ("0007", "0300"))


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_row_that_somebody_holds_is_neither_waited_for_nor_forgotten(
    engine: Engine, folder: Path, capsys: Say
) -> None:
    said(capsys, "add")
    said(capsys, "activate", "k2")
    with Session(engine) as holder:
        vault_of(folder).put(holder, "consent:con_0005:token", "set anew meanwhile", now=NOW)
        holder.flush()
        assert "449 secrets are sealed with k2 now, 1 are not." in said(capsys, "rewrap", status=1)
        holder.commit()
    assert "0 secrets are sealed with k2 now, 0 are not." in said(capsys, "rewrap")
    assert opened(engine, vault_of(folder))["consent:con_0005:token"] == "set anew meanwhile"


# -------------------------------------------------------------------------------------------------- the files of keys


def test_a_new_key_seals_nothing_until_it_is_activated(tmp_path: Path) -> None:
    Keys.init(tmp_path)
    keys = VaultKeys(tmp_path / "vault")
    first = keys.read()["k1"]
    assert keys.add().name == "k2.key"
    assert (keys.active(), Keys.load(tmp_path).vault_active) == ("k1", "k1")
    assert keys.read()["k1"] == first != keys.read()["k2"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys.folder.iterdir()} == {0o600}
    keys.activate("k2")
    assert Keys.load(tmp_path).vault_active == "k2"
    for number in range(3, 12):
        assert keys.add().name == f"k{number}.key"
    assert keys.names()[-2:] == ["k10", "k11"]
    assert keys.active() == "k2"


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * 31, "ab" * 33])
def test_a_file_that_holds_no_key_is_named(tmp_path: Path, text: str) -> None:
    Keys.init(tmp_path)
    (tmp_path / "vault" / "k1.key").write_text(text)
    with pytest.raises(KeysMissing, match=r"k1\.key is no key of the vault: put it back"):
        Keys.load(tmp_path)


def test_an_active_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    Keys.init(tmp_path)
    (tmp_path / "vault" / "active").write_text("k7\n")
    with pytest.raises(KeysMissing, match=r"active names 'k7', which is not there: put k7\.key back"):
        Keys.load(tmp_path)


def test_what_cannot_be_done_is_said_in_one_sentence(engine: Engine, folder: Path, capsys: Say) -> None:
    assert "The vault has no key 'k5': it has k1." in said(capsys, "activate", "k5", status=1)
    assert "The vault has no key '../form': it has k1." in said(capsys, "remove", "../form", status=1)
    with Session(engine) as session:
        session.query(Sealed).delete()
        session.commit()
    assert "k1 seals what comes: activate another one first." in said(capsys, "remove", "k1", status=1)
    (folder / "vault" / "k1.key").unlink()
    for verb in (["list"], ["add"], ["activate", "k1"], ["rewrap"], ["remove", "k1"]):
        assert "make the keys with `quittance keys init`" in said(capsys, *verb, status=1)
