"""A decision: who, what, when and the proof. It comes before any payment and is never changed."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from connectors.money import Money
from consent.base import Base, Id


class Verb(enum.StrEnum):
    PAY_NOW = "pay_now"


class Decision(Base):
    __tablename__ = "decision"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("discount_minor >= 0", name="discount_not_negative"),
        CheckConstraint("credited_minor >= 0", name="credited_not_negative"),
        CheckConstraint("verb IN ('pay_now')", name="verb_known"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id"), index=True)
    verb: Mapped[str] = mapped_column(String(20))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int]  # what is to leave the account, after the discount
    discount_minor: Mapped[int]  # fixed now, whatever the clock says when the bank acts
    # what the biller had taken off the bill until then: once it takes off more, the decision is void
    credited_minor: Mapped[int] = mapped_column(default=0)
    # the payments of bills that this one replaces, as the page warned of them: once there are others, it is to give way
    earlier_paid: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    pay_on: Mapped[dt.date]  # the customer's local day
    bank_id: Mapped[str] = mapped_column(String(60))
    payee_name: Mapped[str] = mapped_column(String(70))
    payee_iban: Mapped[str] = mapped_column(String(34))
    reference: Mapped[str | None] = mapped_column(String(140))
    payment_id: Mapped[str] = mapped_column(Id, unique=True)  # the payment this decision starts
    evidence: Mapped[dict[str, Any]]  # the passkey assertion over exactly these values
    psu: Mapped[dict[str, Any]]  # ip_address and user_agent of the browser: banks ask for them
    decided_at: Mapped[dt.datetime]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)
