"""Customers' own keys: made once, destroyed for good, sealed with the vault, and what they seal."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, make_url, select, text, update
from sqlalchemy.orm import Session

from app.db.engine import make_engine, make_keys_engine
from app.keys.customers import CustomerKeys, metadata
from app.people.mailboxes import mailbox_of
from app.people.models import Customer
from consent.base import new_id
from consent.private import (
    ERASED,
    KeyKind,
    KeyMissing,
    Private,
    PrivateJSON,
    PrivateText,
    is_sealed,
    keys_behind,
    open_all,
    open_with,
    owned,
    seal,
    unseal,
)
from consent.vault import Vault, VaultError

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


def vault(*names: str, active: str | None = None) -> Vault:
    return Vault({name: name.encode().ljust(32, b"\0") for name in names}, active=active or names[-1])


@pytest.fixture
def keys_engine(database_url: str, tmp_path: Path) -> Iterator[Engine]:
    """A database of their own of each kind: on PostgreSQL beside the tables of the tests."""
    is_file = make_url(database_url).get_backend_name() == "sqlite"
    made = make_keys_engine(f"sqlite:///{tmp_path / 'keys.sqlite3'}" if is_file else database_url)
    yield made
    metadata.drop_all(made)
    made.dispose()


def keys_of(engine: Engine, by: Vault | None = None) -> CustomerKeys:
    """As a process has them that starts now."""
    return CustomerKeys(engine, by or vault("k1"), clock=lambda: NOW)


@pytest.mark.each_database
def test_every_process_has_the_same_keys_and_each_customer_their_own(keys_engine: Engine) -> None:
    one, other = keys_of(keys_engine), keys_of(keys_engine)
    for kind in KeyKind:
        box = seal(one, "cus_1", kind, b"words")
        assert unseal(other, box) == b"words"
        assert b"words" not in box
        with pytest.raises(KeyMissing):
            unseal(other, box.replace(b"cus_1", b"cus_2"))
    profile = seal(one, "cus_1", KeyKind.PROFILE, b"words")
    with pytest.raises(KeyMissing):
        unseal(one, profile.replace(b"profile", b"record"))
    with pytest.raises(KeyMissing):
        unseal(one, profile, what="something else")


@pytest.mark.each_database
def test_thousands_are_opened_as_each_by_itself(engine: Engine) -> None:
    keys = keys_behind(engine.dialect)
    lines, note = PrivateJSON(KeyKind.PROFILE, gone=list), PrivateText(KeyKind.PROFILE)

    def kept(column: Private, value: Any) -> str:
        return str(column.process_bind_param(owned(value, "cus_1"), engine.dialect))

    of_rows = [kept(note, "Énergie"), f'"{kept(lines, [{"description": "eau"}])}"', None, "in clear", '[{"a": 1}]', ""]
    assert open_all(keys, of_rows) == ["Énergie", '[{"description":"eau"}]', None, "in clear", '[{"a": 1}]', ""]
    sealed = of_rows[0] or ""
    for cut in (sealed[:-4], sealed.replace("cus_1", "cus_2"), sealed[:-1] + "!"):
        with pytest.raises(KeyMissing):
            open_all(keys, [cut])
    assert open_all(keys, [sealed[: sealed.rindex(":") + 1]]) == [None]  # sealed when the key was gone already


@pytest.mark.each_database
def test_what_was_destroyed_is_gone_for_good_in_every_process(keys_engine: Engine) -> None:
    one = keys_of(keys_engine)
    profile, record = (seal(one, "cus_1", kind, b"words") for kind in KeyKind)
    one.destroy("cus_1", KeyKind.PROFILE)
    one.destroy("cus_1", KeyKind.PROFILE)
    for each in (one, keys_of(keys_engine)):
        assert unseal(each, profile) is None
        assert unseal(each, record) == b"words"
        again = seal(each, "cus_1", KeyKind.PROFILE, b"later")
        assert (b"later" in again, unseal(each, again)) == (False, None)
        assert each.is_destroyed("cus_1", KeyKind.PROFILE)
    one.destroy("cus_never", KeyKind.RECORD)
    assert keys_of(keys_engine).key_of("cus_never", KeyKind.RECORD) is None


@pytest.mark.each_database
def test_of_many_that_ask_at_once_all_get_the_same_one(keys_engine: Engine) -> None:
    processes = [keys_of(keys_engine) for _ in range(6)]
    start, boxes, wrong = threading.Barrier(len(processes)), [], []

    def ask(keys: CustomerKeys) -> None:
        try:
            start.wait()
            boxes.append(seal(keys, "cus_1", KeyKind.RECORD, b"words"))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is looked at
            wrong.append(error)

    threads = [threading.Thread(target=ask, args=(each,)) for each in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert [unseal(keys_of(keys_engine), box) for box in boxes] == [b"words"] * len(processes)


def test_another_installation_opens_nothing(tmp_path: Path) -> None:
    """Whoever has a copy of this database has no key of any customer without the vault's."""
    engine = make_keys_engine(f"sqlite:///{tmp_path / 'keys.sqlite3'}")
    seal(keys_of(engine), "cus_1", KeyKind.PROFILE, b"words")
    with pytest.raises(VaultError):
        keys_of(engine, vault("k2")).key_of("cus_1", KeyKind.PROFILE)


@pytest.mark.each_database
def test_the_turn_of_the_vaults_key_takes_them_along(keys_engine: Engine) -> None:
    old = keys_of(keys_engine)
    boxes = [seal(old, f"cus_{number}", KeyKind.PROFILE, b"words") for number in range(5)]
    old.destroy("cus_4", KeyKind.PROFILE)
    turned = keys_of(keys_engine, vault("k1", "k2"))
    assert turned.count() == {"k1": 4, "k2": 0, "": 0}
    assert [turned.rewrap(most=3), turned.rewrap(most=3), turned.rewrap(most=3)] == [(3, []), (1, []), (0, [])]
    assert turned.count() == {"k1": 0, "k2": 4, "": 0}
    after = keys_of(keys_engine, vault("k2"))
    assert [unseal(after, box) for box in boxes] == [b"words"] * 4 + [None]


def test_what_does_not_open_is_named_and_left(tmp_path: Path) -> None:
    engine = make_keys_engine(f"sqlite:///{tmp_path / 'keys.sqlite3'}")
    seal(keys_of(engine, vault("lost")), "cus_1", KeyKind.PROFILE, b"words")
    assert keys_of(engine, vault("k1")).rewrap(most=5) == (0, ["customer-key:profile:cus_1"])
    assert keys_of(engine, vault("k1")).count() == {"k1": 0, "": 1}


def test_a_hash_is_the_same_in_every_process_and_another_in_another_installation(tmp_path: Path) -> None:
    here, there = (make_keys_engine(f"sqlite:///{tmp_path / name}") for name in ("a.sqlite3", "b.sqlite3"))
    assert keys_of(here).hash_of("camille@example.org") == keys_of(here).hash_of("camille@example.org")
    assert keys_of(here).hash_of("camille@example.org") != keys_of(there).hash_of("camille@example.org")


# ---------------------------------------------------------------------------------------------------- in the tables


@pytest.fixture
def people(database_url: str, keys_engine: Engine) -> Iterator[Engine]:
    engine = open_with(make_engine(database_url), keys_of(keys_engine))
    yield engine
    engine.dispose()


def add(engine: Engine, name: str) -> str:
    with Session(engine) as session:
        row = Customer(id=new_id("cus"), name=name, email="a@example.org", time_zone="UTC", locale="en", created_at=NOW)
        session.add(row)
        session.commit()
        return row.id


@pytest.mark.each_database
def test_a_column_is_sealed_where_it_lies_and_read_as_what_it_was(people: Engine) -> None:
    customer_id = add(people, "Zoë ~1:profile:x:y")  # also what looks like a sealed one
    with people.connect() as connection:
        stored = connection.scalar(text("SELECT name FROM customer"))
    assert is_sealed(stored)
    with Session(people) as session:
        row = session.get_one(Customer, customer_id)
        assert row.name == "Zoë ~1:profile:x:y"
        row.name = "Anna"
        session.commit()
    with Session(people) as session:
        assert session.scalars(select(Customer.name)).all() == ["Anna"]


@pytest.mark.each_database
def test_nothing_is_written_or_looked_for_that_is_nobodys(people: Engine) -> None:
    """Nobody writes in clear by forgetting whose it is, and nobody compares what can never be equal."""
    customer_id = add(people, "Anna")
    with Session(people) as session:
        with pytest.raises(Exception, match="whose a private value is must be said"):
            session.execute(update(Customer).values(name="Eve"))
        with pytest.raises(Exception, match="whose a private value is must be said"):
            session.execute(select(Customer).where(Customer.name == "Anna"))
        session.execute(update(Customer).values(name=owned("Berta", customer_id)))
        session.commit()
    with Session(people) as session:
        assert session.get_one(Customer, customer_id).name == "Berta"


def test_a_database_that_was_opened_without_keys_tells_nothing(sqlite_template: Path) -> None:
    engine = make_engine(f"sqlite:///{sqlite_template}")
    with pytest.raises(Exception, match="opened without its customers' keys"):
        add(engine, "Anna")
    engine.dispose()


@pytest.mark.each_database
def test_what_was_erased_is_read_as_that(people: Engine, keys_engine: Engine) -> None:
    customer_id = add(people, "Anna")
    gone = keys_of(keys_engine)
    gone.destroy(customer_id, KeyKind.PROFILE)
    with Session(open_with(people, gone)) as session:
        assert session.get_one(Customer, customer_id).name is ERASED


@given(st.emails())
def test_a_label_is_no_other_mailbox(address: str) -> None:
    local, _, domain = address.rpartition("@")
    assert mailbox_of(f"{local}+x@{domain}") == mailbox_of(address)
    assert "+" not in mailbox_of(address).rpartition("@")[0]
