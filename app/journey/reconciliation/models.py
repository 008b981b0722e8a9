"""What banks' statements and billers say of our payments, and what operators noted about differences.

Of a statement only the bookings that are ours, or may be, are kept: what other people pay is none of our business.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.reconciliation.rules import Verdict
from connectors.money import Money
from consent.base import Base, Id

_WAITING = text("verdict = 'matched' AND believed_at IS NULL")
_VERDICTS = ", ".join(f"'{verdict.value}'" for verdict in Verdict)


class Statement(Base):
    """One account's part of a file. The same bytes are one statement, however often they come."""

    __tablename__ = "statement"
    __table_args__ = (
        UniqueConstraint("sha256", "position"),
        CheckConstraint("kind IN ('camt.053', 'camt.054')", name="kind_known"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    message_id: Mapped[str] = mapped_column(String(35))
    number: Mapped[str] = mapped_column(String(35))  # the bank's id of the statement
    account: Mapped[str] = mapped_column(String(35), index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    position: Mapped[int]  # 1, 2, 3 … in its file
    first_day: Mapped[dt.date | None]  # of the days it speaks of
    last_day: Mapped[dt.date | None]
    itemised: Mapped[bool]  # what is not in it was not booked on these days
    entries: Mapped[int]  # all bookings in it, also those that are not kept
    imported_at: Mapped[dt.datetime]


class StatementAccount(Base):
    """An account whose statements an operator has from the bank itself: what is booked on it is proof.

    A customer's or ours; or that of a payee whom nobody vetted. Billers' accounts are not here: those were vetted.
    """

    __tablename__ = "statement_account"

    iban: Mapped[str] = mapped_column(String(34), primary_key=True)
    because: Mapped[str] = mapped_column(Text)
    added_at: Mapped[dt.datetime]


class StatementEntry(Base):
    """One booking that is ours by its EndToEndId, or that could not be read and may be."""

    __tablename__ = "statement_entry"
    __table_args__ = (
        UniqueConstraint("statement_id", "position"),
        CheckConstraint(f"verdict IN ({_VERDICTS})", name="verdict_known"),
        CheckConstraint("direction IN ('credit', 'debit')", name="direction_known"),
        CheckConstraint(
            "verdict = 'unreadable' OR (end_to_end_id IS NOT NULL AND direction IS NOT NULL"
            " AND currency IS NOT NULL AND amount_minor IS NOT NULL)",
            name="whole_or_unreadable",
        ),
        CheckConstraint("verdict <> 'unreadable' OR reason IS NOT NULL", name="unreadable_has_reason"),
        CheckConstraint(
            "verdict IN ('pending', 'unreadable') OR (payment_id IS NULL) = (verdict = 'unknown')",
            name="payment_unless_unknown",
        ),
        Index("ix_statement_entry_waiting", "payment_id", postgresql_where=_WAITING, sqlite_where=_WAITING),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    statement_id: Mapped[str] = mapped_column(ForeignKey("statement.id"))
    position: Mapped[int]  # among the kept ones of its statement
    place: Mapped[str] = mapped_column(String(200))  # the element in the file
    end_to_end_id: Mapped[str | None] = mapped_column(String(35), index=True)  # as the bank writes it
    direction: Mapped[str | None] = mapped_column(String(6))  # of the payment, which a reversal takes back
    reversal: Mapped[bool]
    currency: Mapped[str | None] = mapped_column(String(3))
    amount_minor: Mapped[int | None]
    counterparty_iban: Mapped[str | None] = mapped_column(String(35))  # of debits, to compare the payee
    booked_on: Mapped[dt.date | None]
    bank_reference: Mapped[str | None] = mapped_column(String(35))  # AcctSvcrRef of the transaction
    entry_reference: Mapped[str | None] = mapped_column(String(35))  # AcctSvcrRef of its entry
    return_reason: Mapped[str | None] = mapped_column(String(35))
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payment.id"), index=True)
    verdict: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str | None] = mapped_column(Text)  # why it is unreadable
    believed_at: Mapped[dt.datetime | None]  # since when the payment has taken the step that it proves

    @property
    def amount(self) -> Money | None:
        if self.amount_minor is None or self.currency is None:
            return None
        return Money(self.amount_minor, self.currency)


class BillerWord(Base):
    """What a biller says of the money's arrival: append-only, the last one counts."""

    __tablename__ = "biller_word"
    __table_args__ = (CheckConstraint("(amount_minor IS NULL) = (currency IS NULL)", name="amount_with_currency"),)

    payment_id: Mapped[str] = mapped_column(ForeignKey("payment.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1, 2, 3 …
    client_id: Mapped[str] = mapped_column(ForeignKey("api_client.client_id"))
    received: Mapped[bool]
    currency: Mapped[str | None] = mapped_column(String(3))
    amount_minor: Mapped[int | None]
    booked_on: Mapped[dt.date | None]
    said_at: Mapped[dt.datetime]

    @property
    def amount(self) -> Money | None:
        if self.amount_minor is None or self.currency is None:
            return None
        return Money(self.amount_minor, self.currency)


class DifferenceNote(Base):
    """An operator has looked at a difference and says what it is: listed apart from then on, never hidden."""

    __tablename__ = "difference_note"

    difference_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    because: Mapped[str] = mapped_column(Text)
    noted_at: Mapped[dt.datetime]
