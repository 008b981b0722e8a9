"""The payment, its history, and every call to a bank that could lead to money."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.payments.states import PaymentState, Source
from connectors.money import Money
from consent.base import Base, Id

_SOURCES = ", ".join(f"'{source.value}'" for source in Source)
_STATES = ", ".join(f"'{state.value}'" for state in PaymentState)


class Payment(Base):
    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint(f"state IN ({_STATES})", name="state_known"),
        CheckConstraint("trip_id IS NOT NULL OR consent_id IS NOT NULL", name="has_its_approval"),
        CheckConstraint("send_from IS NULL OR trip_id IS NULL", name="sent_later_without_a_trip"),
        UniqueConstraint("bank_id", "bank_payment_id"),  # a bank that repeats an id must not settle two payments
        Index(
            "uq_payment_single_consent",
            "consent_id",
            unique=True,
            postgresql_where=text("trip_id IS NOT NULL"),
            sqlite_where=text("trip_id IS NOT NULL"),
        ),
        Index(
            "ix_payment_know_by",
            "know_by",
            postgresql_where=text("know_by IS NOT NULL"),
            sqlite_where=text("know_by IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    decision_id: Mapped[str] = mapped_column(ForeignKey("decision.id"), unique=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id"), index=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    # null: of a bill that its customer added
    biller_id: Mapped[str | None] = mapped_column(ForeignKey("biller.id"), index=True)
    bank_id: Mapped[str] = mapped_column(String(60))
    consent_id: Mapped[str | None] = mapped_column(ForeignKey("consent.id"), index=True)
    # null: it is paid under a standing consent, so that nobody is sent to the bank
    trip_id: Mapped[str | None] = mapped_column(ForeignKey("trip.id"), unique=True)
    submitted_apart: Mapped[bool] = mapped_column(default=False)  # its approval executes nothing: we submit it
    # decided for a later day: it is not first sent before. Null: at once
    send_from: Mapped[dt.datetime | None]
    # approved by itself for a later day: its bank keeps it until then, and carries it out. Null: at once
    kept_until: Mapped[dt.datetime | None]
    take_back_since: Mapped[dt.datetime | None]  # its customer wants back what the bank keeps
    bank_payment_id: Mapped[str | None] = mapped_column(String(140))  # the bank's own, once it has what it may execute
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int]
    end_to_end_id: Mapped[str] = mapped_column(String(35), unique=True)  # EndToEndIdentification
    state: Mapped[str] = mapped_column(String(20))
    transaction_status: Mapped[str | None] = mapped_column(String(35))  # the bank's last word, as it said it
    fact: Mapped[str | None] = mapped_column(String(10))  # debited or credited, once settled
    reason: Mapped[str | None] = mapped_column(String(30))  # why not, in one of our codes
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]  # the last news for its page; of what has ended late looks count from here
    accepted_at: Mapped[dt.datetime | None]
    settled_at: Mapped[dt.datetime | None]
    looked_at: Mapped[dt.datetime | None]  # when the bank was last asked
    next_look_at: Mapped[dt.datetime | None]  # when the bank is asked again
    silent_since: Mapped[dt.datetime | None]  # the bank gives no readable answer since then
    doubted_since: Mapped[dt.datetime | None]  # since then the bank says otherwise of what has ended: it is asked again
    status_says: Mapped[str | None] = mapped_column(String(8))  # of an end by other evidence (StatusSays)
    fence_at: Mapped[dt.datetime | None]  # from then on nothing that we or the customer hold can move money (K4)
    know_by: Mapped[dt.datetime | None]  # unknown: the customer was promised to know by then
    told_until: Mapped[dt.datetime | None]  # only with the token that the order was given with, which dies then
    untold_since: Mapped[dt.datetime | None]  # not over, and nobody can be asked any more: no time is promised
    promises_broken: Mapped[int] = mapped_column(default=0)  # how often that time passed and we did not know
    unwanted_since: Mapped[dt.datetime | None]  # another one has paid the bill, or may have: this one is to give way
    sequence: Mapped[int] = mapped_column(default=0)  # how many lines its history has

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def was_taken_back(self) -> bool:
        """It was settled, and is not any more: whatever became of it since."""
        return self.settled_at is not None and self.state != PaymentState.SETTLED

    @property
    def is_to_submit(self) -> bool:
        """Whether its approval alone executes nothing, and the bank has not said that it has what we submitted."""
        return self.submitted_apart and self.bank_payment_id is None


class PaymentHistory(Base):
    """One step of a payment: unbroken, append-only, with whose word it was and the words themselves."""

    __tablename__ = "payment_history"
    __table_args__ = (CheckConstraint(f"source IN ({_SOURCES})", name="source_known"),)

    payment_id: Mapped[str] = mapped_column(ForeignKey("payment.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1, 2, 3 …
    before: Mapped[str | None] = mapped_column(String(20))  # null: it came into being
    after: Mapped[str] = mapped_column(String(20))
    source: Mapped[str] = mapped_column(String(10))
    evidence: Mapped[str] = mapped_column(Text)  # bank:ACSC, not_found, camt:<message>/<entry>, an operator's sentence
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)  # what the bank said, byte by byte
    at: Mapped[dt.datetime]


class BankCall(Base):
    """A call that could lead to money: its key and exact bytes, stored before the first byte is sent (K1, K2)."""

    __tablename__ = "bank_call"
    __table_args__ = (
        UniqueConstraint("payment_id", "verb"),
        CheckConstraint("verb IN ('initiate', 'complete', 'submit', 'cancel')", name="verb_known"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payment.id"))
    verb: Mapped[str] = mapped_column(String(10))
    request_id: Mapped[str] = mapped_column(String(40), unique=True)  # one for life, the same for every attempt
    method: Mapped[str] = mapped_column(String(8))
    path: Mapped[str] = mapped_column(String(300))
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[dt.datetime]


class BankAttempt(Base):
    """One sending of a call, written before it is sent. ``outcome`` is null while nobody knows."""

    __tablename__ = "bank_attempt"

    call_id: Mapped[str] = mapped_column(ForeignKey("bank_call.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1, 2, 3 …
    sent_at: Mapped[dt.datetime]
    answered_at: Mapped[dt.datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(20))
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)  # what the bank said, without secrets
