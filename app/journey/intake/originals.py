"""The very bytes that a biller delivered: found by their SHA-256, sealed at rest, never changed.

A held bill and the bill it becomes have the same original; the same bytes are kept once. Whoever reads one checks that
it is what its name says. Rows of older releases hold their bytes themselves, in clear, until ``quittance bill seal``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Protocol

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.db.many import among, insert_new
from app.db.unit_of_work import UnitOfWork
from app.journey.intake.models import DeliveredBill, HeldBill, Original
from app.services import Services
from consent.vault import Vault, VaultError

#: in one transaction: bills, and their bytes, but for one that has more by itself
SEALED_AT_ONCE, SEALED_BYTES_AT_ONCE = 200, 16 * 1024 * 1024


class Kept(Protocol):
    """A row of a bill: delivered or held."""

    @property
    def sha256(self) -> str: ...
    @property
    def content(self) -> bytes | None: ...


def keep(vault: Vault, uow: UnitOfWork, contents: Mapping[str, bytes]) -> None:
    """Keep these bytes, by their SHA-256. What is kept already stays as it is."""
    rows = [
        {"sha256": sha256, "box": vault.seal(_name(sha256), content), "kept_at": uow.now}
        for sha256, content in contents.items()
    ]
    insert_new(uow.session, Original, rows, unique=("sha256",))


def content_of(vault: Vault, session: Session, bill: Kept) -> bytes:
    """The bytes of one bill. Raises VaultError when they are gone or are not what was delivered."""
    return contents_of(vault, session, [bill])[bill.sha256]


def contents_of(vault: Vault, session: Session, bills: Collection[Kept]) -> dict[str, bytes]:
    """The bytes of these bills, by their SHA-256. Raises VaultError."""
    found = {bill.sha256: bill.content for bill in bills if bill.content is not None}
    sealed = {bill.sha256 for bill in bills} - found.keys()
    rows = session.execute(select(Original.sha256, Original.box).where(among(session, Original.sha256, sealed)))
    found |= {sha256: vault.open(_name(sha256), box) for sha256, box in rows}
    for sha256 in sealed:
        if sha256 not in found:
            raise VaultError(f"the original {sha256} is not there")
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
                rows = uow.session.execute(select(table.sha256, table.content).where(these))
                keep(services.vault, uow, {row.sha256: row.content for row in rows if row.content is not None})
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


def _name(sha256: str) -> str:
    return f"original:{sha256}"
