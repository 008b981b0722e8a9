"""Which key seals how much, and having the active one seal all: `quittance keys …`. Returns lines for a person."""

from __future__ import annotations

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.keys.customers import CustomerKeys
from app.keys.vault_keys import VaultKeys
from consent.vault import Vault

#: rows in one transaction
_PAGE = 200
#: so often is begun anew for the rows that others held
_ROUNDS = 5
#: ids of rows that are printed
_SHOWN = 20


def list_keys(engine: Engine, keys: VaultKeys, customers: CustomerKeys) -> list[str]:
    """Each key of the vault, whether it is the one that seals, and how many secrets it has sealed, the keys of
    customers among them."""
    active = keys.active()
    counts = _counts(engine, keys, customers)
    lost = counts.pop("")
    lines = [
        f"{name:<12}{'seals' if name == active else 'opens':<8}{count:>9} secrets" for name, count in counts.items()
    ]
    return [*lines, *([f"{lost} secrets are sealed with a key that is not here"] if lost else [])]


def rewrap(engine: Engine, keys: VaultKeys, customers: CustomerKeys) -> tuple[list[str], bool]:
    """Have the active key seal all. Returns lines, and whether all is so now.

    May be stopped and repeated, and may run while everything else does.
    """
    active = keys.active()
    vault = Vault(keys.read(), active=active)
    done, unopened = 0, set[str]()
    while True:
        of_customers, closed = customers.rewrap(most=_PAGE)
        done += of_customers
        unopened.update(closed)
        if not of_customers:
            break
    left = _left(_counts(engine, keys, customers), active)
    for _ in range(_ROUNDS):
        if left == len(unopened):
            break
        after: str | None = ""
        while after is not None:
            with Session(engine) as session:
                page = vault.rewrap(session, after=after, most=_PAGE)
                session.commit()
            done, after = done + page.done, page.last
            unopened.update(page.unopened)
        left = _left(_counts(engine, keys, customers), active)
    lines = [f"{done} secrets are sealed with {active} now, {left} are not."]
    lines += [f"{row_id} does not open, and is left as it is" for row_id in sorted(unopened)[:_SHOWN]]
    return lines, left == 0


def remove(engine: Engine, keys: VaultKeys, customers: CustomerKeys, name: str) -> list[str]:
    """Forget a key with which nothing is sealed any more. Raises Invalid, and Conflict while it is needed."""
    sealed = _counts(engine, keys, customers).get(name, 0)
    if sealed:
        raise Conflict("key-is-needed", f"{sealed} secrets are sealed with {name}: run `quittance keys rewrap` first.")
    keys.remove(name)
    return [f"{name} is gone. A copy of the database from before needs it still: keep it with that copy."]


def _left(counts: dict[str, int], active: str) -> int:
    return sum(count for name, count in counts.items() if name != active)


def _counts(engine: Engine, keys: VaultKeys, customers: CustomerKeys) -> dict[str, int]:
    vault = Vault(keys.read(), active=keys.active())
    with Session(engine.execution_options(read_only=True)) as session:
        secrets, of_customers = vault.count(session), customers.count()
    return {name: count + of_customers.get(name, 0) for name, count in secrets.items()}
