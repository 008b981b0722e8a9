"""Secrets at rest: they open in their own row, unaltered, with a key that is still there; else not at all."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.models import Sealed
from consent.vault import Vault, VaultError, drop_expired
from tests.conftest import Clock
from tests.unit.conftest import Begin

K1, K2 = b"1" * 32, b"2" * 32
ROW = "consent:con_1:token"
VAULT = Vault({"k1": K1}, active="k1")
SECOND = dt.timedelta(seconds=1)


@given(secret=st.binary(max_size=200), row=st.text(min_size=1, max_size=60))
def test_what_was_sealed_opens_in_its_row(secret: bytes, row: str) -> None:
    assert VAULT.open(row, VAULT.seal(row, secret)) == secret


def test_a_box_shows_nothing_and_is_never_the_same_twice() -> None:
    one, two = VAULT.seal(ROW, b"very secret"), VAULT.seal(ROW, b"very secret")
    assert one != two
    assert b"very secret" not in one
    assert len(one) == 2 + len("k1") + 12 + 48 + 12 + len(b"very secret") + 16


def test_a_box_that_is_moved_to_another_row_does_not_open() -> None:
    box = VAULT.seal(ROW, b"secret")
    with pytest.raises(VaultError, match="consent:con_2:token does not open"):
        VAULT.open("consent:con_2:token", box)


def test_no_altered_byte_goes_unnoticed() -> None:
    box = VAULT.seal(ROW, b"secret")
    for place in range(len(box)):
        altered = bytearray(box)
        altered[place] ^= 1
        with pytest.raises(VaultError):
            VAULT.open(ROW, bytes(altered))


def test_no_part_of_a_box_opens() -> None:
    box = VAULT.seal(ROW, b"secret")
    for length in range(len(box)):
        with pytest.raises(VaultError):
            VAULT.open(ROW, box[:length])


def test_a_key_that_is_gone_or_is_another_one_opens_nothing() -> None:
    box = VAULT.seal(ROW, b"secret")
    for keys, active in (({"k2": K2}, "k2"), ({"k1": K2}, "k1")):
        with pytest.raises(VaultError, match="its key is gone"):
            Vault(keys, active=active).open(ROW, box)


def test_rotation_seals_with_the_new_key_and_still_opens_with_the_old_one() -> None:
    both = Vault({"k1": K1, "k2": K2}, active="k2")
    assert both.open(ROW, VAULT.seal(ROW, b"old")) == b"old"
    new = both.seal(ROW, b"new")
    assert both.open(ROW, new) == b"new"
    assert Vault({"k2": K2}, active="k2").open(ROW, new) == b"new"
    with pytest.raises(VaultError):
        VAULT.open(ROW, new)


def test_the_active_key_must_be_there() -> None:
    with pytest.raises(VaultError, match=r"'k3' is not among \['k1'\]"):
        Vault({"k1": K1}, active="k3")


def test_neither_repr_nor_error_shows_a_key_or_a_secret() -> None:
    assert repr(VAULT) == "Vault(active='k1')"
    with pytest.raises(VaultError) as refused:
        VAULT.open("elsewhere", VAULT.seal(ROW, b"secret"))
    assert "secret" not in str(refused.value)


def test_rows_are_put_replaced_and_dropped_at_their_end(begin: Begin, clock: Clock) -> None:
    with begin() as uow:
        VAULT.put(uow.session, ROW, "first", now=clock.now)
        VAULT.put(uow.session, ROW, "sécond", now=clock.now, expires_at=clock.now + SECOND)
        VAULT.put(uow.session, "webhook:whe_1:secret", "for ever", now=clock.now)
        uow.commit()
    with begin() as uow:
        assert VAULT.get(uow.session, ROW) == "sécond"
        row = uow.session.get_one(Sealed, ROW)
        assert row.expires_at == clock.now + SECOND
        assert "sécond".encode() not in row.box
        drop_expired(uow.session, now=clock.now)
        uow.commit()
    with begin() as uow:
        assert VAULT.get(uow.session, ROW) == "sécond"
        drop_expired(uow.session, now=clock.now + SECOND)
        uow.commit()
    with begin() as uow:
        assert VAULT.get(uow.session, "webhook:whe_1:secret") == "for ever"
        with pytest.raises(VaultError, match="nothing is sealed as"):
            VAULT.get(uow.session, ROW)
