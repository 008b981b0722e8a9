"""Tables of the log: its entries, the tiles of its tree, the checkpoints that were signed."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from consent.base import Base, Id
from consent.private import KeyKind, PrivateBytes, PrivateText


class LogEntry(Base):
    """One fact. ``leaf`` is what the tree is over, byte by byte; it has no more of the fact than a commitment.

    ``opening`` is what was committed to. Once its customer's key is gone it is erased (``ERASED``): the log still
    holds, and nobody can tell what it was.
    """

    __tablename__ = "log_entry"
    __table_args__ = (
        Index(None, "subject"),
        Index(
            "ix_log_entry_waiting", "id", postgresql_where=text("number IS NULL"), sqlite_where=text("number IS NULL")
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    number: Mapped[int | None] = mapped_column(unique=True)  # its place, from 0; null: it waits for one
    kind: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(60))  # key of the row that has the fact
    at: Mapped[dt.datetime]
    leaf: Mapped[bytes] = mapped_column(LargeBinary)
    #: sealed with a key of the customer whose fact it is, and in clear where it is a company's
    opening: Mapped[str | None] = mapped_column(PrivateText(KeyKind.RECORD, may_be_nobodys=True))
    salt: Mapped[bytes | None] = mapped_column(PrivateBytes(KeyKind.RECORD, may_be_nobodys=True))


class LogHead(Base):
    """The one row of the log itself. Whoever numbers entries has it locked."""

    __tablename__ = "log_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    begun_at: Mapped[dt.datetime]  # what is older stands in no entry


class LogTile(Base):
    """Hashes of the tree, one after the other (``tree.py``)."""

    __tablename__ = "log_tile"

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hashes: Mapped[bytes] = mapped_column(LargeBinary)


class LogCheckpoint(Base):
    """What was signed of the first ``size`` entries: a signed note."""

    __tablename__ = "log_checkpoint"

    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    note: Mapped[str] = mapped_column(Text)
    made_at: Mapped[dt.datetime]
