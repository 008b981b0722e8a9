"""Two tables: every posting, and the balances that are locks."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from consent.base import Base, Id

KINDS = ("billed", "initiated", "released", "reclaimed", "settled", "reversed", "corrected", "applied", "credited")


class LedgerEntry(Base):
    """One line of a posting; its lines sum to zero. Append-only: a mistake is mended by another posting.

    But for a bill that its customer added and never began to pay: removing it leaves nothing of it.
    """

    __tablename__ = "ledger_entry"
    __table_args__ = (
        # a posting's name says what it is about ("settled:pay_…"; of what may come again: which time it is), so nothing
        # is ever posted twice
        UniqueConstraint("posting", "account"),
        CheckConstraint("amount_minor <> 0", name="amount_not_zero"),
        CheckConstraint(f"kind IN ({', '.join(repr(kind) for kind in KINDS)})", name="kind_known"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    posting: Mapped[str] = mapped_column(String(60))
    kind: Mapped[str] = mapped_column(String(10))
    account: Mapped[str] = mapped_column(String(60), index=True)  # due:inv_…, settled:blr_… and so on
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int]
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id"), index=True)
    payment_id: Mapped[str | None] = mapped_column(Id, index=True)  # decided, and perhaps not prepared yet
    at: Mapped[dt.datetime]


class LedgerBalance(Base):
    """The balance of an account that is a lock: what of an invoice is free to pay, and what a payment holds of it.

    Totals of billers are sums over entries and have no row here: one row that every payment of a biller had to update
    would make all of them wait for each other.
    """

    __tablename__ = "ledger_balance"
    __table_args__ = (
        CheckConstraint("balance_minor >= 0", name="never_overdrawn"),
        CheckConstraint("owed_minor >= 0", name="owed_not_negative"),
        # a process of before corrections, which gives back what is owed, is refused here
        CheckConstraint("owed_minor = 0 OR balance_minor = 0", name="never_due_and_owed"),
    )

    account: Mapped[str] = mapped_column(String(60), primary_key=True)  # due:inv_… or inflight:pay_…
    currency: Mapped[str] = mapped_column(String(3))
    balance_minor: Mapped[int]
    # of due:inv_…, what owed:inv_… holds, turned round: it changes with what is due, in one statement
    owed_minor: Mapped[int] = mapped_column(default=0, server_default="0")
