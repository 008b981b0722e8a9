"""Which banks are a customer's, and how often we ask one. Consents themselves stand in consent/models.py."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from consent.base import Base


class CustomerBank(Base):
    """A bank that a customer has here. Removing it takes away no bill, no receipt and no history."""

    __tablename__ = "customer_bank"

    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    bank_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    rank: Mapped[int]  # in which order they are shown
    added_at: Mapped[dt.datetime]
    removed_at: Mapped[dt.datetime | None]


class BankBudget(Base):
    """How much a bank is asked for statuses: all payments, standing consents and workers share it (K8)."""

    __tablename__ = "bank_budget"

    bank_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    minute: Mapped[dt.datetime]  # the minute that ``calls`` counts
    calls: Mapped[int]
    not_before: Mapped[dt.datetime | None]  # the bank said so (Retry-After): nobody asks it earlier
