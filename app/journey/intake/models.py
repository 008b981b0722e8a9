"""The bill as it was delivered."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.intake import lookalikes
from consent.base import Base, Id

NUMBER_MAX = 100


def number_key(number: str) -> str:
    """The same for numbers that look the same; as long as its column."""
    return lookalikes.key(number)[:NUMBER_MAX]


def _key_of_number(context: Any) -> str:
    return number_key(context.get_current_parameters()["number"])


class DeliveredBill(Base):
    """The very bytes a biller delivered, kept beside the invoice that we made of them."""

    __tablename__ = "delivered_bill"
    __table_args__ = (UniqueConstraint("biller_id", "number"), Index(None, "biller_id", "number_key"))

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("api_client.client_id"))  # whose verified access delivered it
    number: Mapped[str] = mapped_column(String(100))
    # null: written by a process of an older release, which runs beside this one for a while
    number_key: Mapped[str | None] = mapped_column(String(100), default=_key_of_number)
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int]  # as billed
    media_type: Mapped[str] = mapped_column(String(80))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[str] = mapped_column(String(64))
    delivered_at: Mapped[dt.datetime]


class HeldBill(Base):
    """A bill at which somebody must look. There is no invoice of it: it is shown as not verified and cannot be paid."""

    __tablename__ = "held_bill"
    __table_args__ = (
        UniqueConstraint("biller_id", "sha256"),
        CheckConstraint("ended_as IN ('released', 'discarded')", name="end_known"),
        CheckConstraint("(ended_as IS NULL) = (ended_at IS NULL)", name="end_has_its_moment"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("api_client.client_id"))
    number: Mapped[str] = mapped_column(String(100))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int]
    media_type: Mapped[str] = mapped_column(String(80))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[str] = mapped_column(String(64))
    reasons: Mapped[list[Any]]  # [{code, detail, element}]
    held_at: Mapped[dt.datetime]
    ended_as: Mapped[str | None] = mapped_column(String(9))
    ended_at: Mapped[dt.datetime | None]
