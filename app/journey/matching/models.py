"""What a customer prefers."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from consent.base import Base


class PayFirst(Base):
    """By which consent, or at which bank, the customer wants to pay a biller first."""

    __tablename__ = "pay_first"
    __table_args__ = (CheckConstraint("(consent_id IS NULL) <> (bank_id IS NULL)", name="one_way"),)

    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"), primary_key=True)
    consent_id: Mapped[str | None] = mapped_column(ForeignKey("consent.id"))
    bank_id: Mapped[str | None] = mapped_column(String(60))
    chosen_at: Mapped[dt.datetime]
