"""The payment, and every call to a bank that could lead to money."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.payments.states import MEANING, PaymentState
from connectors.money import Money
from consent.base import Base, Id

_RELEASED = ", ".join(sorted(f"'{state.value}'" for state, meaning in MEANING.items() if meaning.may_pay_again))
_STATES = ", ".join(f"'{state.value}'" for state in PaymentState)


class Payment(Base):
    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint(f"state IN ({_STATES})", name="state_known"),
        # the last lock of "no bill is paid twice": one payment per invoice that is live or settled
        Index(
            "uq_payment_one_live_per_invoice",
            "invoice_id",
            unique=True,
            sqlite_where=text(f"state NOT IN ({_RELEASED})"),
            postgresql_where=text(f"state NOT IN ({_RELEASED})"),
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    decision_id: Mapped[str] = mapped_column(ForeignKey("decision.id"), unique=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id"), index=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"), index=True)
    bank_id: Mapped[str] = mapped_column(String(60))
    consent_id: Mapped[str | None] = mapped_column(ForeignKey("consent.id"), unique=True)
    trip_id: Mapped[str] = mapped_column(ForeignKey("trip.id"), unique=True)
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int]
    end_to_end_id: Mapped[str] = mapped_column(String(35), unique=True)  # EndToEndIdentification
    state: Mapped[str] = mapped_column(String(20))
    transaction_status: Mapped[str | None] = mapped_column(String(35))  # the bank's last word, as it said it
    bank_answer: Mapped[bytes | None] = mapped_column(LargeBinary)  # the answer that led to this state: the evidence
    fact: Mapped[str | None] = mapped_column(String(10))  # debited or credited, once settled
    reason: Mapped[str | None] = mapped_column(String(30))  # why not, in one of our codes
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
    accepted_at: Mapped[dt.datetime | None]
    settled_at: Mapped[dt.datetime | None]
    looked_at: Mapped[dt.datetime | None]  # when the bank was last asked
    next_look_at: Mapped[dt.datetime | None]  # when the bank is asked again

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)


class BankAttempt(Base):
    """A call that could lead to money, stored with its key and exact bytes before the first byte is sent."""

    __tablename__ = "bank_attempt"
    __table_args__ = (
        UniqueConstraint("payment_id", "verb"),
        CheckConstraint("verb IN ('initiate', 'complete')", name="verb_known"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payment.id"))
    verb: Mapped[str] = mapped_column(String(10))
    request_id: Mapped[str] = mapped_column(String(40), unique=True)  # one for life, the same for every resend
    method: Mapped[str] = mapped_column(String(8))
    path: Mapped[str] = mapped_column(String(300))
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    sends: Mapped[int]
    sent_at: Mapped[dt.datetime | None]
    answered_at: Mapped[dt.datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(20))
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)  # what the bank said, without secrets
