"""The bill as it was delivered."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from consent.base import Base, Id


class DeliveredBill(Base):
    """The very bytes a biller delivered, kept beside the invoice that we made of them."""

    __tablename__ = "delivered_bill"
    __table_args__ = (UniqueConstraint("biller_id", "number"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("api_client.client_id"))  # whose verified access delivered it
    number: Mapped[str] = mapped_column(String(100))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int]  # as billed
    media_type: Mapped[str] = mapped_column(String(80))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[str] = mapped_column(String(64))
    delivered_at: Mapped[dt.datetime]
