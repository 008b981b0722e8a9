"""What a customer wants to be told, and what was told. No text: it is composed anew from kind and language."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.notices.kinds import CHOICES, NoticeKind
from app.journey.notices.states import NoticeState
from consent.base import Base, Id

_CHOICES = ", ".join(f"'{kind.value}'" for kind in CHOICES)
_KINDS = ", ".join(f"'{kind.value}'" for kind in NoticeKind)
_STATES = ", ".join(f"'{state.value}'" for state in NoticeState)


class NoticeChoice(Base):
    """A kind of message that this customer wants by e-mail. No row, no e-mail."""

    __tablename__ = "notice_choice"
    __table_args__ = (CheckConstraint(f"kind IN ({_CHOICES})", name="kind_known"),)

    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    chosen_at: Mapped[dt.datetime]


class Notice(Base):
    """One message to one customer about one fact. Its id is its Message-ID, the same for every try."""

    __tablename__ = "notice"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_KINDS})", name="kind_known"),
        CheckConstraint(f"state IN ({_STATES})", name="state_known"),
        CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name="end_has_its_moment"),
        Index(None, "customer_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    event_id: Mapped[str] = mapped_column(ForeignKey("event.id"), unique=True)  # one fact is told once
    kind: Mapped[str] = mapped_column(String(20))
    locale: Mapped[str] = mapped_column(String(5))
    state: Mapped[str] = mapped_column(String(8), default=NoticeState.WAITING)
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[dt.datetime] = mapped_column(index=True)
    begun_at: Mapped[dt.datetime | None]  #: when it was tried for the first time: its Date, the same for every try
    ended_at: Mapped[dt.datetime | None]
