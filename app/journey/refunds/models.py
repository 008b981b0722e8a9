"""Refunds as they were promised, what was said of each, and the accounts that customers released for them."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.refunds.rules import Way
from app.journey.refunds.states import AccountState, By, RefundState
from connectors.money import Money
from consent.base import Base, Id
from consent.private import KeyKind, PrivateText


def _known(choices: type[enum.StrEnum]) -> str:
    return ", ".join(f"'{choice.value}'" for choice in choices)


class Refund(Base):
    """One refund. Its terms (amount, currency, day) never change; what is said of it is a line of its history."""

    __tablename__ = "refund"
    __table_args__ = (
        UniqueConstraint("invoice_id", "number"),
        CheckConstraint("amount_minor > 0", name="of_something"),
        CheckConstraint("amount_minor <= owed_minor", name="of_what_is_owed"),
        CheckConstraint(f"state IN ({_known(RefundState)})", name="state_known"),
        CheckConstraint(f"way IS NULL OR way IN ({_known(Way)})", name="way_known"),
        CheckConstraint("state NOT IN ('sent', 'missing') OR sent_on IS NOT NULL", name="sent_on_a_day"),
        Index(None, "biller_id", "id"),
        Index(
            "ix_refund_overdue",
            "promised_by",
            postgresql_where=text("state = 'promised' AND overdue_at IS NULL"),
            sqlite_where=text("state = 'promised' AND overdue_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id"))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"))
    number: Mapped[int]  # of the refunds of this bill, from 1
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int]
    owed_minor: Mapped[int]  # of the bill, when this was promised
    promised_by: Mapped[dt.date]
    said_at: Mapped[dt.datetime]
    state: Mapped[str] = mapped_column(String(9), default=RefundState.PROMISED)
    sequence: Mapped[int]  # of the last line of its history
    # as the company said last
    sent_on: Mapped[dt.date | None]
    way: Mapped[str | None] = mapped_column(String(16))
    reference: Mapped[str | None] = mapped_column(Text)
    overdue_at: Mapped[dt.datetime | None]  # when it was noticed that nobody had sent it in time

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


class RefundHistory(Base):
    """One thing that was said of a refund, or done with an account for it: unbroken, append-only."""

    __tablename__ = "refund_history"
    __table_args__ = (
        CheckConstraint(f"source IN ({_known(By)})", name="source_known"),
        CheckConstraint("(step = 'send') = (sent_on IS NOT NULL)", name="sent_on_of_sent"),
        CheckConstraint("step <> 'withdraw' OR words IS NOT NULL", name="withdrawn_with_a_reason"),
    )

    refund_id: Mapped[str] = mapped_column(ForeignKey("refund.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1, 2, 3 …
    step: Mapped[str] = mapped_column(String(10))  # states.WHOSE
    before: Mapped[str | None] = mapped_column(String(9))  # null: it was promised
    after: Mapped[str] = mapped_column(String(9))
    source: Mapped[str] = mapped_column(String(8))
    words: Mapped[str | None] = mapped_column(PrivateText(KeyKind.PROFILE))
    sent_on: Mapped[dt.date | None]
    way: Mapped[str | None] = mapped_column(String(16))
    reference: Mapped[str | None] = mapped_column(Text)
    at: Mapped[dt.datetime]


class RefundAccount(Base):
    """An account that a customer types, and releases to one company for one refund. Its number is sealed as
    ``refund:<id>`` and stands nowhere else; here are its last signs."""

    __tablename__ = "refund_account"
    __table_args__ = (
        CheckConstraint(f"state IN ({_known(AccountState)})", name="state_known"),
        CheckConstraint("(state = 'typed') = (released_at IS NULL)", name="released_at_a_moment"),
        CheckConstraint("(released_at IS NULL) = (evidence IS NULL)", name="released_by_a_passkey"),
        CheckConstraint("(state IN ('taken_back', 'erased')) = (ended_at IS NOT NULL)", name="ended_at_a_moment"),
        CheckConstraint("first_read_at IS NULL OR released_at IS NOT NULL", name="read_once_released"),
        CheckConstraint("(first_read_at IS NULL) = (last_read_at IS NULL)", name="read_first_and_last"),
        Index(
            "uq_refund_account_open",
            "refund_id",
            "state",
            unique=True,
            postgresql_where=text("state IN ('typed', 'released')"),
            sqlite_where=text("state IN ('typed', 'released')"),
        ),
        Index(
            "ix_refund_account_over",
            "erase_at",
            postgresql_where=text("state IN ('typed', 'released')"),
            sqlite_where=text("state IN ('typed', 'released')"),
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    refund_id: Mapped[str] = mapped_column(ForeignKey("refund.id"), index=True)
    state: Mapped[str] = mapped_column(String(10), default=AccountState.TYPED)
    mask: Mapped[str] = mapped_column(String(8))
    typed_at: Mapped[dt.datetime]
    released_at: Mapped[dt.datetime | None]
    evidence: Mapped[dict[str, Any] | None]  # of the passkey that released it
    first_read_at: Mapped[dt.datetime | None]  # by the company
    last_read_at: Mapped[dt.datetime | None]
    erase_at: Mapped[dt.datetime]  # if nothing ends it before
    ended_at: Mapped[dt.datetime | None]
