"""The made-up accounts look real to every check, as real ones must."""

from __future__ import annotations

from pathlib import Path

from stdnum import iban

from connectors.sandbox_bank import people
from connectors.sandbox_bank.store import Store


def test_seeding_twice_changes_nothing_and_the_ibans_are_valid(tmp_path: Path) -> None:
    store = Store(tmp_path / "bank.db")
    for _ in range(2):
        with store.write() as connection:
            people.seed(connection)
    with store.read() as connection:
        names = [customer.name for customer in people.customers(connection)]
        accounts = people.accounts_of(connection, "camille") + people.accounts_of(connection, "jonas")
    store.close()
    assert names == ["Camille Laurent", "Jonas Weber"]
    assert [account.available_minor for account in accounts] == [4_218_40, 12_950_00, 1_840_15]
    assert all(iban.is_valid(account.iban) for account in accounts)
