"""Who wanted their space erased, and how far that is. It says nothing of who they were."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.erasure.states import ErasureState
from consent.base import Base, Id

_STATES = ", ".join(f"'{state.value}'" for state in ErasureState)


class Erasure(Base):
    __tablename__ = "erasure"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES})", name="state_known"),
        CheckConstraint("(state IN ('erased', 'forgotten')) = (erased_at IS NOT NULL)", name="erased_at_a_moment"),
        CheckConstraint("(erased_at IS NULL) = (keep_until IS NULL)", name="kept_for_a_time"),
        Index(
            "uq_erasure_of_customer",
            "customer_id",
            unique=True,
            sqlite_where=text("state <> 'taken_back'"),
            postgresql_where=text("state <> 'taken_back'"),
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    state: Mapped[str] = mapped_column(String(10), default=ErasureState.WAITING)
    asked_at: Mapped[dt.datetime]
    not_before: Mapped[dt.datetime]  # until then it can be taken back, whatever is under way
    ended_at: Mapped[dt.datetime | None]  # taken back
    erased_at: Mapped[dt.datetime | None]
    profile_gone_at: Mapped[dt.datetime | None]  # the first of their keys was destroyed
    keep_until: Mapped[dt.datetime | None]  # what proves payments; what there is none of is over at once
    record_gone_at: Mapped[dt.datetime | None]  # the second
    swept_at: Mapped[dt.datetime | None]  # what came meanwhile, since something was under way, went too
