"""The very bytes that a biller delivered: found by whose they are and their SHA-256, sealed at rest, never changed.

A held bill and the bill it becomes have the same original; the same bytes of one customer are kept once. Whoever reads
one checks that it is what its name says. They are sealed with the key of their customer's profile, and are gone with
it; those of older releases with the installation's, or they stand in clear in their rows until ``quittance bill seal``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Protocol

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.db.many import among, insert_new
from app.db.unit_of_work import UnitOfWork
from app.journey.intake.models import DeliveredBill, HeldBill, Original
from app.services import Services
from consent.private import KeyKind, is_sealed, keys_of, seal, unseal
from consent.vault import Vault, VaultError

#: in one transaction: bills, and their bytes, but for one that has more by itself
SEALED_AT_ONCE, SEALED_BYTES_AT_ONCE = 200, 16 * 1024 * 1024


class Erased(VaultError):
    """Its customer has erased their space: nobody can read it any more."""


class Kept(Protocol):
    """A row of a bill: delivered or held."""

    @property
    def customer_id(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def content(self) -> bytes | None: ...


def keep(uow: UnitOfWork, contents: Mapping[tuple[str, str], bytes]) -> None:
    """Keep these bytes, by their customer and their SHA-256. What is kept already stays as it is."""
    keys = keys_of(uow.session)
    rows = [
        {
            "name": name_of(customer_id, sha256),
            "box": seal(keys, customer_id, KeyKind.PROFILE, content),
            "kept_at": uow.now,
        }
        for (customer_id, sha256), content in contents.items()
    ]
    insert_new(uow.session, Original, rows, unique=("name",))


def content_of(vault: Vault, session: Session, bill: Kept) -> bytes:
    """The bytes of one bill. Raises VaultError when they are gone or are not what was delivered."""
    return contents_of(vault, session, [bill])[bill.sha256]


def contents_of(vault: Vault, session: Session, bills: Collection[Kept]) -> dict[str, bytes]:
    """The bytes of these bills, by their SHA-256. Raises VaultError; Erased where their customer is gone."""
    found = {bill.sha256: bill.content for bill in bills if bill.content is not None}
    # by the name of today before that of older releases
    names = {
        name: bill.sha256
        for bill in bills
        if bill.sha256 not in found
        for name in (bill.sha256, name_of(bill.customer_id, bill.sha256))
    }
    rows = session.execute(select(Original.name, Original.box).where(among(session, Original.name, names.keys())))
    boxes = {row.name: row.box for row in rows}
    for name, sha256 in names.items():
        if name in boxes:
            found[sha256] = _opened(vault, session, sha256, boxes[name])
    for bill in bills:
        if bill.sha256 not in found:
            if keys_of(session).key_of(bill.customer_id, KeyKind.PROFILE) is None:
                raise Erased(f"the original {bill.sha256} was erased")
            raise VaultError(f"the original {bill.sha256} is not there")
    for sha256, content in found.items():
        if hashlib.sha256(content).hexdigest() != sha256:
            raise VaultError(f"the original {sha256} is not what was delivered")
    return found


def seal_old(services: Services) -> int:
    """Seal what older releases kept in clear. Returns how many bills; may be stopped and started again.

    The database's file keeps the bytes until VACUUM.
    """
    sealed = 0
    while done := _seal_some(services):
        sealed += done
    return sealed


def _seal_some(services: Services) -> int:
    done = 0
    with services.unit_of_work() as uow:
        for table in (DeliveredBill, HeldBill):
            ids = _some_in_clear(uow.session, table)
            if ids:
                these = among(uow.session, table.id, ids)
                rows = uow.session.execute(select(table.customer_id, table.sha256, table.content).where(these))
                keep(uow, {(row.customer_id, row.sha256): row.content for row in rows if row.content is not None})
                uow.session.execute(update(table).where(these).values(content=None))
            done += len(ids)
        uow.commit()
    return done


def _some_in_clear(session: Session, table: type[DeliveredBill | HeldBill]) -> list[str]:
    """Bills that fit into one transaction; one at least, where there is one."""
    sizes = session.execute(
        select(table.id, func.length(table.content)).where(table.content.is_not(None)).limit(SEALED_AT_ONCE)
    )
    ids: list[str] = []
    size = 0
    for bill_id, its in sizes:
        size += its
        if ids and size > SEALED_BYTES_AT_ONCE:
            break
        ids.append(bill_id)
    return ids


def seal_with_theirs(vault: Vault, uow: UnitOfWork, customer_id: str) -> None:
    """Seal with this customer's own key what older releases sealed with the installation's. What others have the same
    bytes of stays for them as well."""
    hashes, alone = _hashes_of(uow.session, customer_id)
    rows = uow.session.execute(
        select(Original.name, Original.box).where(among(uow.session, Original.name, hashes))
    ).all()
    keep(uow, {(customer_id, row.name): vault.open(f"original:{row.name}", row.box) for row in rows})
    uow.session.execute(delete(Original).where(among(uow.session, Original.name, alone)))


def drop_of(session: Session, customer_id: str) -> None:
    """All of this customer's, also those of older releases, but for bytes of these that others have as well."""
    hashes, alone = _hashes_of(session, customer_id)
    names = {name_of(customer_id, sha256) for sha256 in hashes} | alone
    session.execute(delete(Original).where(among(session, Original.name, names)))


def _hashes_of(session: Session, customer_id: str) -> tuple[set[str], set[str]]:
    """Of this customer's bills, delivered and held; and those of which nobody else has a bill."""
    hashes, of_others = set[str](), set[str]()
    for table in (DeliveredBill, HeldBill):
        hashes.update(session.scalars(select(table.sha256).where(table.customer_id == customer_id)))
    for table in (DeliveredBill, HeldBill):
        others = select(table.sha256).where(among(session, table.sha256, hashes), table.customer_id != customer_id)
        of_others.update(session.scalars(others))
    return hashes, hashes - of_others


def name_of(customer_id: str, sha256: str) -> str:
    """Where the original lies: whoever has the file cannot tell by it whose it is."""
    return hashlib.sha256(f"{customer_id}:{sha256}".encode()).hexdigest()


def _opened(vault: Vault, session: Session, sha256: str, box: bytes) -> bytes:
    if not is_sealed(box):
        return vault.open(f"original:{sha256}", box)
    opened = unseal(keys_of(session), box)
    if opened is None:
        raise Erased(f"the original {sha256} was erased")
    return opened
