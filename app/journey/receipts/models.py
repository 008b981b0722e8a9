"""The receipt: frozen when the payment settled."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from consent.base import Base, Id


class Receipt(Base):
    """What it says is read from the decision, the payment and the invoice, which do not change any more."""

    __tablename__ = "receipt"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payment.id"), unique=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    number: Mapped[str] = mapped_column(String(40), unique=True)  # for people: Q-2026-…
    fact: Mapped[str] = mapped_column(String(10))  # debited (ACSC) or credited (ACCC)
    issued_at: Mapped[dt.datetime]
