"""Secret addresses from which a customer's calendar reads their days."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from consent.base import Base, Id


class Detail(enum.StrEnum):
    """How much the entries of a feed say: whoever keeps the calendar, and whoever looks at it, can read them."""

    DISCREET = "discreet"  #: that there is something on that day, and nothing else
    COMPANY = "company"  #: the company's name as well
    FULL = "full"  #: and the amount


_DETAILS = ", ".join(f"'{detail.value}'" for detail in Detail)


class CalendarFeed(Base):
    """One address. The row holds only the SHA-256 of the token in it."""

    __tablename__ = "calendar_feed"
    __table_args__ = (
        CheckConstraint(f"detail IN ({_DETAILS})", name="detail_known"),
        Index(None, "customer_id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    detail: Mapped[str] = mapped_column(String(8), default=Detail.DISCREET)
    created_at: Mapped[dt.datetime]
    read_at: Mapped[dt.datetime | None]  # last, to the minute
    ended_at: Mapped[dt.datetime | None]
    # of what was read last: uid → [hash of what it said, the number of its change, its moment]. So a calendar is told
    # of a change when there is one, and only then
    told: Mapped[dict[str, Any]] = mapped_column(default=dict)
    changes: Mapped[int] = mapped_column(default=0)  # how often something in it was another than before
