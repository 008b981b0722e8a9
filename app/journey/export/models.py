"""That a customer took their papers along, and archives that they brought from other places."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from consent.base import Base, Id


class Export(Base):
    """All of a customer's papers were asked for, by a passkey. The archive itself is not kept here."""

    __tablename__ = "export"
    __table_args__ = (
        CheckConstraint("(made_at IS NULL) = (size_bytes IS NULL)", name="made_has_its_size"),
        CheckConstraint("(made_at IS NULL) = (manifest_sha256 IS NULL)", name="made_has_its_manifest"),
        Index(None, "customer_id", "asked_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    asked_at: Mapped[dt.datetime]
    made_at: Mapped[dt.datetime | None]  # null: it was not finished, and nobody has it
    size_bytes: Mapped[int | None]
    bills: Mapped[int | None]
    manifest_sha256: Mapped[str | None] = mapped_column(String(64))  # by which one can tell which archive it was
    evidence: Mapped[dict[str, Any]]  # the passkey assertion


class Brought(Base):
    """An archive of another place that its customer brought along. It was checked then, and moves nothing here."""

    __tablename__ = "brought"
    __table_args__ = (
        UniqueConstraint("customer_id", "sha256"),
        CheckConstraint("size_bytes > 0", name="size_positive"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    sha256: Mapped[str] = mapped_column(String(64))  # of the archive
    size_bytes: Mapped[int]
    bills: Mapped[int]
    receipts: Mapped[int]
    brought_at: Mapped[dt.datetime]
    # whose it says it is, and what stands in its list of papers (read.Paper): sealed with the key of their profile
    box: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class BroughtPart(Base):
    """Some of the bytes of such an archive, sealed with the key of its customer's profile: what is looked at is opened
    alone."""

    __tablename__ = "brought_part"

    brought_id: Mapped[str] = mapped_column(ForeignKey("brought.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # from 0
    box: Mapped[bytes] = mapped_column(LargeBinary)
