"""What a biller said of its own bill later."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.corrections.states import Because, CorrectionKind, CorrectionState
from connectors.money import Money
from consent.base import Base, Id
from consent.private import KeyKind, PrivateText

NUMBER_MAX = 100
REASON_MAX = 500
_KINDS = ", ".join(f"'{kind.value}'" for kind in CorrectionKind)
_BECAUSE = ", ".join(f"'{because.value}'" for because in Because)


class Correction(Base):
    """One correction. It is said once and never changed; only the bill that it is about may still have to come."""

    __tablename__ = "correction"
    __table_args__ = (
        CheckConstraint(f"kind IN ({_KINDS})", name="kind_known"),
        CheckConstraint("state IN ('standing', 'applied')", name="state_known"),
        CheckConstraint("(state = 'applied') = (invoice_id IS NOT NULL)", name="applied_to_a_bill"),
        CheckConstraint("(state = 'applied') = (applied_at IS NOT NULL)", name="applied_has_its_moment"),
        CheckConstraint(f"because IS NULL OR because IN ({_BECAUSE})", name="because_known"),
        CheckConstraint("(state = 'standing') = (because IS NOT NULL)", name="standing_says_why"),
        CheckConstraint("(kind = 'withdrawal') = (bill_id IS NULL)", name="a_withdrawal_is_no_document"),
        CheckConstraint("taken_minor >= 0", name="taken_not_negative"),
        Index(
            "uq_correction_whole",
            "invoice_id",
            "kind",
            unique=True,
            postgresql_where=text("kind <> 'credit_note'"),
            sqlite_where=text("kind <> 'credit_note'"),
        ),
        Index(None, "customer_id", "state"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(11))
    state: Mapped[str] = mapped_column(String(8), default=CorrectionState.STANDING)
    biller_id: Mapped[str] = mapped_column(ForeignKey("biller.id"))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    bill_id: Mapped[str | None] = mapped_column(ForeignKey("delivered_bill.id"), unique=True)  # the credit note, …
    invoice_id: Mapped[str | None] = mapped_column(ForeignKey("invoice.id"), index=True)  # what it corrects
    number: Mapped[str] = mapped_column(String(NUMBER_MAX))  # of the credit note or new version; of a withdrawn bill
    names: Mapped[str | None] = mapped_column(String(NUMBER_MAX))  # the number of the bill that it says it corrects
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int]  # as the document says it
    taken_minor: Mapped[int] = mapped_column(default=0)  # what came off the bill because of it
    because: Mapped[str | None] = mapped_column(String(20))  # why it stands
    reason: Mapped[str | None] = mapped_column(PrivateText(KeyKind.PROFILE))  # in the biller's words
    said_at: Mapped[dt.datetime]
    applied_at: Mapped[dt.datetime | None]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def taken(self) -> Money:
        return Money(self.taken_minor, self.currency)
