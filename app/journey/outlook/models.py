"""What a customer says of the money that they have, and of the money that comes."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.outlook.rules import Every
from connectors.money import Total
from consent.base import Base, Id
from consent.private import KeyKind, PrivateText


class Outlook(Base):
    """By their own word: nobody has asked a bank. May be below nothing, both."""

    __tablename__ = "outlook"

    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id", ondelete="CASCADE"), primary_key=True)
    currency: Mapped[str] = mapped_column(String(3))  # of all that is said here
    balance_minor: Mapped[int]
    balance_on: Mapped[dt.date]  # the customer's local day
    floor_minor: Mapped[int]  # below which they do not want to go
    updated_at: Mapped[dt.datetime]

    @property
    def balance(self) -> Total:
        return Total(self.balance_minor, self.currency)

    @property
    def floor(self) -> Total:
        return Total(self.floor_minor, self.currency)


class Payday(Base):
    """Money that comes on a day, or again and again, in the currency of the outlook."""

    __tablename__ = "payday"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint(f"every IN ({', '.join(repr(str(each)) for each in Every)})", name="every_known"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("outlook.customer_id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(PrivateText(KeyKind.PROFILE, 60))
    amount_minor: Mapped[int]
    every: Mapped[str] = mapped_column(String(9))
    next_on: Mapped[dt.date]  # one of its days, as its customer said it; later ones follow from it
    created_at: Mapped[dt.datetime]
