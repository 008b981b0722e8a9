"""What customers answered to the one question."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.opinions.rules import About, Word
from consent.base import Base, Id


class Opinion(Base):
    """One answer, or that it was skipped. It never changes."""

    __tablename__ = "opinion"
    __table_args__ = (
        CheckConstraint(f"about IN ({', '.join(repr(str(each)) for each in About)})", name="about_known"),
        CheckConstraint(f"word IN ({', '.join(repr(str(each)) for each in Word)})", name="word_known"),
        Index(None, "biller_id", "about", "at"),
    )

    subject_id: Mapped[str] = mapped_column(Id, primary_key=True)  # the payment or the dispute: asked once for each
    about: Mapped[str] = mapped_column(String(7))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"))
    word: Mapped[str] = mapped_column(String(7))
    at: Mapped[dt.datetime]
