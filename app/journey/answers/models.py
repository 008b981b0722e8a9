"""What customers said of bills, and what companies have published about that."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.answers.rules import ANSWER_DAYS_MOST, INSTALMENTS_MOST, LATER, MORE_TIME_MOST, Policy, Reason
from app.journey.answers.states import AnswerKind, AnswerState
from consent.base import Base, Id
from consent.private import KeyKind, PrivateText


def _known(choices: Iterable[enum.StrEnum]) -> str:
    return ", ".join(f"'{choice.value}'" for choice in choices)


class EndedBy(enum.StrEnum):
    """What ended an answer."""

    CUSTOMER = "customer"
    BILLER = "biller"
    POLICY = "policy"  #: of the company, published before the answer was said
    CORRECTION = "correction"  #: the company changed the bill
    PAYMENT = "payment"  #: the bill was paid


class BillAnswer(Base):
    """One answer. What it says is never changed; it ends once."""

    __tablename__ = "bill_answer"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_known(AnswerKind)})", name="kind_known"),
        CheckConstraint(f"state IN ({_known(AnswerState)})", name="state_known"),
        CheckConstraint(f"reason IS NULL OR reason IN ({_known(Reason)})", name="reason_known"),
        CheckConstraint("(reason IS NOT NULL) = (kind IN ('declined', 'disputed'))", name="reason_where_asked"),
        CheckConstraint(f"(until IS NOT NULL) = (kind IN ({_known(LATER)}))", name="until_of_a_later_day"),
        CheckConstraint("(instalments IS NOT NULL) = (kind = 'instalments')", name="instalments_have_their_days"),
        CheckConstraint("(paid_minor IS NOT NULL) = (kind = 'instalments')", name="paid_before_instalments"),
        CheckConstraint("paid_minor >= 0", name="paid_not_negative"),
        CheckConstraint("paid_on IS NULL OR kind = 'paid_elsewhere'", name="paid_on_of_paid_elsewhere"),
        CheckConstraint("(state = 'open') = (ended_at IS NULL)", name="ended_has_its_moment"),
        CheckConstraint("(state = 'open') = (ended_by IS NULL)", name="ended_by_something"),
        CheckConstraint(f"ended_by IS NULL OR ended_by IN ({_known(EndedBy)})", name="ended_by_known"),
        CheckConstraint("(biller_id IS NULL) = (reply_by IS NULL)", name="a_biller_has_its_time"),
        CheckConstraint(
            "disputed_minor IS NULL OR (disputed_minor > 0 AND kind = 'disputed')", name="disputed_minor_of_lines"
        ),
        Index(
            "uq_bill_answer_open",
            "invoice_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
            sqlite_where=text("state = 'open'"),
        ),
        Index(
            "ix_bill_answer_waiting",
            "biller_id",
            "reply_by",
            postgresql_where=text("state = 'open'"),
            sqlite_where=text("state = 'open'"),
        ),
        Index(
            "ix_bill_answer_overdue",
            "reply_by",
            postgresql_where=text("state = 'open' AND overdue_at IS NULL"),
            sqlite_where=text("state = 'open' AND overdue_at IS NULL"),
        ),
        Index(None, "biller_id", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id", ondelete="CASCADE"), index=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    biller_id: Mapped[str | None] = mapped_column(ForeignKey("biller.id"))  # None: its customer added the bill
    kind: Mapped[str] = mapped_column(String(14))
    state: Mapped[str] = mapped_column(String(9), default=AnswerState.OPEN)
    reason: Mapped[str | None] = mapped_column(String(14))
    words: Mapped[str | None] = mapped_column(PrivateText(KeyKind.PROFILE))  # the customer's
    # which lines of the bill are disputed, the first is 1. None of them: the whole bill
    lines: Mapped[list[Any]] = mapped_column(default=list)
    # what these lines come to with their tax, at the most. None: the whole bill, or the bill does not tell
    disputed_minor: Mapped[int | None]
    paid_on: Mapped[dt.date | None]  # as the customer says
    until: Mapped[dt.date | None]  # the day until which the customer asks for time, or that of the last instalment
    # [{"pay_on": "2026-12-15", "minor": 2500}, …]: they sum to what was left when they were proposed
    instalments: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    paid_minor: Mapped[int | None]  # that had been paid of the bill when they were
    reply_by: Mapped[dt.date | None]  # the customer's local day, by the company's policy of then
    said_at: Mapped[dt.datetime]
    overdue_at: Mapped[dt.datetime | None]  # when it was noticed that nobody had replied in time
    ended_at: Mapped[dt.datetime | None]
    ended_by: Mapped[str | None] = mapped_column(String(10))
    reply: Mapped[str | None] = mapped_column(PrivateText(KeyKind.PROFILE))  # the company's words

    @property
    def sequence(self) -> int:
        """Of what is told of it: it is said, and it ends."""
        return 1 if self.state == AnswerState.OPEN else 2


class AnswerPolicy(Base):
    """What a company has published of how it takes answers. One that has published nothing has no row."""

    __tablename__ = "answer_policy"
    __table_args__ = (
        CheckConstraint(f"more_time_days BETWEEN 0 AND {MORE_TIME_MOST}", name="more_time_within_a_year"),
        CheckConstraint(f"answer_days BETWEEN 1 AND {ANSWER_DAYS_MOST}", name="answer_days_bounded"),
        CheckConstraint(f"instalments_most BETWEEN 0 AND {INSTALMENTS_MOST}", name="instalments_bounded"),
        CheckConstraint(f"instalments_days BETWEEN 0 AND {MORE_TIME_MOST}", name="instalments_within_a_year"),
    )

    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"), primary_key=True)
    more_time_days: Mapped[int]
    answer_days: Mapped[int]
    instalments_most: Mapped[int] = mapped_column(default=0, server_default="0")
    instalments_days: Mapped[int] = mapped_column(default=0, server_default="0")
    published_at: Mapped[dt.datetime]

    @property
    def policy(self) -> Policy:
        return Policy(
            more_time_days=self.more_time_days,
            answer_days=self.answer_days,
            instalments_most=self.instalments_most,
            instalments_days=self.instalments_days,
        )
