"""What a customer wants to be told, and what was told: in their space, by e-mail, on their devices. No text: it is
composed anew from kind and language."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false, text, true
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.notices.kinds import CHOICES, NoticeKind
from app.journey.notices.states import NoticeState
from app.journey.notices.times import LEAD_MOST, NO_TIMES, QUIET_MOST, Times
from consent.base import Base, Id

_CHOICES = ", ".join(f"'{kind.value}'" for kind in CHOICES)
_KINDS = ", ".join(f"'{kind.value}'" for kind in NoticeKind)
_STATES = ", ".join(f"'{state.value}'" for state in NoticeState)


class NoticeChoice(Base):
    """A kind of which this customer wants more than the notice in their space: by e-mail, on their devices, or both.
    No row: neither."""

    __tablename__ = "notice_choice"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_CHOICES})", name="kind_known"),
        CheckConstraint("by_mail OR by_push", name="one_way_at_least"),
        # whoever looks for bills that are due soon walks through those who want to be told of them
        Index(
            "ix_notice_choice_bill_due",
            "customer_id",
            postgresql_where=text("kind = 'bill_due'"),
            sqlite_where=text("kind = 'bill_due'"),
        ),
    )

    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    by_mail: Mapped[bool] = mapped_column(default=True, server_default=true())
    by_push: Mapped[bool] = mapped_column(default=False, server_default=false())
    chosen_at: Mapped[dt.datetime]


class NoticeTimes(Base):
    """When this customer wants to be told. No row: as ``NO_TIMES`` has it."""

    __tablename__ = "notice_times"
    __table_args__ = (
        CheckConstraint(f"lead_days BETWEEN 0 AND {LEAD_MOST}", name="lead_within"),
        CheckConstraint("(quiet_from IS NULL) = (quiet_to IS NULL)", name="quiet_has_both"),
        CheckConstraint("quiet_from BETWEEN 0 AND 23 AND quiet_to BETWEEN 0 AND 23", name="quiet_of_the_day"),
        CheckConstraint(
            "CASE WHEN quiet_to > quiet_from THEN quiet_to - quiet_from ELSE quiet_to - quiet_from + 24 END"
            f" BETWEEN 1 AND {QUIET_MOST}",
            name="quiet_leaves_some_of_the_day",
        ),
    )

    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    lead_days: Mapped[int] = mapped_column(default=NO_TIMES.lead_days)  # before a bill's day
    # whole hours of the customer's clock: nothing is sent from the one until the other. Null: at any hour
    quiet_from: Mapped[int | None]
    quiet_to: Mapped[int | None]
    changed_at: Mapped[dt.datetime]

    @property
    def times(self) -> Times:
        return Times(self.lead_days, self.quiet_from, self.quiet_to)


class BillReminder(Base):
    """That a bill's day was near enough to be told of, and was looked at. Told of once, whatever becomes of it."""

    __tablename__ = "bill_reminder"

    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id", ondelete="CASCADE"), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    # with which its customer wanted to be told then. Not told, with this lead: it is looked at again with a shorter one
    lead_days: Mapped[int]
    # null: when it came its day was nearer than that, and the message of new bills was the one that told of it
    told_at: Mapped[dt.datetime | None]


class SpaceNotice(Base):
    """That a customer was told of one fact, in their space: always, whatever they chose besides."""

    __tablename__ = "space_notice"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_KINDS})", name="kind_known"),
        Index(None, "customer_id", "created_at"),
        # how many are not read yet is asked for with the page that its customer sees most
        Index(
            "ix_space_notice_unread",
            "customer_id",
            postgresql_where=text("seen_at IS NULL"),
            sqlite_where=text("seen_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    event_id: Mapped[str] = mapped_column(ForeignKey("event.id"), unique=True)  # one fact is told once
    kind: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[dt.datetime] = mapped_column(index=True)
    seen_at: Mapped[dt.datetime | None]  # when the page with it was first shown to its customer


class Notice(Base):
    """One e-mail to one customer about one fact. Its id is its Message-ID, the same for every try."""

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


class PushMessage(Base):
    """One message to one device about one fact. By its id the device knows it again at every try.

    It goes with the device.
    """

    __tablename__ = "push_message"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_KINDS})", name="kind_known"),
        CheckConstraint(f"state IN ({_STATES})", name="state_known"),
        CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name="end_has_its_moment"),
        UniqueConstraint("event_id", "device_id"),  # one fact is told once on each device
        Index(None, "device_id", "kind"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("push_device.id", ondelete="CASCADE"))
    event_id: Mapped[str] = mapped_column(ForeignKey("event.id"))
    kind: Mapped[str] = mapped_column(String(20))
    locale: Mapped[str] = mapped_column(String(5))
    state: Mapped[str] = mapped_column(String(8), default=NoticeState.WAITING)
    tries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[dt.datetime] = mapped_column(index=True)
    begun_at: Mapped[dt.datetime | None]  #: when it was tried for the first time
    ended_at: Mapped[dt.datetime | None]
