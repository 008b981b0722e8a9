"""The invoice: what the customer sees and decides on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from app.journey.intake.bill import LateFee
from app.journey.intake.means import COLLECTED, MeansKind
from app.journey.intake.models import MEANS
from app.journey.invoices.rules import Discount, Word, discount_left
from app.journey.invoices.states import InvoiceState
from connectors.money import Money
from consent.base import Base, Id
from consent.private import KeyKind, PrivateJSON, PrivateText


def _letters_of(column: str) -> Callable[[Any], str]:
    return lambda context: Word.of(context.get_current_parameters().get(column) or "").letters


class Delivery(NamedTuple):
    bill_id: str
    biller_id: str


class Invoice(Base):
    __tablename__ = "invoice"
    __table_args__ = (
        UniqueConstraint("biller_id", "number"),
        Index(None, "customer_id", "state", "due_on"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("discount_minor >= 0 AND discount_minor < amount_minor", name="discount_within_amount"),
        CheckConstraint("(discount_minor = 0) = (discount_until IS NULL)", name="discount_has_its_day"),
        CheckConstraint(
            "discount_until IS NOT NULL OR CAST(later_discounts AS TEXT) = '[]'", name="later_discounts_follow_one"
        ),
        CheckConstraint("late_fee_minor >= 0", name="late_fee_not_below_zero"),
        CheckConstraint("(late_fee_minor = 0) = (late_fee_from IS NULL)", name="late_fee_has_its_day"),
        CheckConstraint("late_fee_from > due_on", name="late_fee_after_its_day"),
        Index(
            "ix_invoice_unseen",
            "opened_at",
            postgresql_where=text("seen_at IS NULL AND unseen_at IS NULL"),
            sqlite_where=text("seen_at IS NULL AND unseen_at IS NULL"),
        ),
        Index(
            "uq_invoice_replaces_id",
            "replaces_id",
            unique=True,
            postgresql_where=text("replaces_id IS NOT NULL"),
            sqlite_where=text("replaces_id IS NOT NULL"),
        ),
        Index(
            "ix_invoice_own",
            "customer_id",
            postgresql_where=text("own_bill_id IS NOT NULL"),
            sqlite_where=text("own_bill_id IS NOT NULL"),
        ),
        CheckConstraint("state IN ('to_pay', 'in_payment', 'paid', 'not_here', 'cleared')", name="state_known"),
        CheckConstraint(f"means IN ({MEANS})", name="means_known"),
        CheckConstraint(
            "CASE WHEN means = 'credit_transfer' THEN state <> 'not_here' AND payee_iban IS NOT NULL"
            " AND payee_name IS NOT NULL ELSE state IN ('not_here', 'cleared') AND payee_iban IS NULL"
            " AND payee_name IS NULL END",
            name="paid_here_or_never",
        ),
        CheckConstraint("credited_minor >= 0", name="credited_not_negative"),
        CheckConstraint("paid_minor >= 0", name="paid_not_negative"),
        CheckConstraint("retracted_minor BETWEEN 0 AND credited_minor", name="retracted_of_credited"),
        CheckConstraint("(bill_id IS NULL) = (biller_id IS NULL)", name="delivered_by_a_biller"),
        CheckConstraint("held_back_minor = 0 OR (held_back_minor > 0 AND NOT is_set_aside)", name="held_back_or_aside"),
        CheckConstraint("extended_to IS NULL OR extended_to > due_on", name="extended_beyond_its_day"),
        CheckConstraint("(bill_id IS NULL) = (own_bill_id IS NOT NULL)", name="delivered_or_own"),
        CheckConstraint(
            "own_bill_id IS NULL OR (credited_minor = 0 AND discount_minor = 0 AND replaces_id IS NULL)",
            name="own_is_as_it_was_kept",
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    # of an invoice whose customer added the bill: no bill and no biller, since nobody has proven to have sent it
    bill_id: Mapped[str | None] = mapped_column(ForeignKey("delivered_bill.id"), unique=True)
    own_bill_id: Mapped[str | None] = mapped_column(ForeignKey("own_bill.id"), unique=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    biller_id: Mapped[str | None] = mapped_column(ForeignKey("biller.id"))
    number: Mapped[str] = mapped_column(String(100))
    state: Mapped[str] = mapped_column(String(12), default=InvoiceState.TO_PAY)
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int]
    # that its biller took off since. No default in the database: a process of before corrections is refused there
    credited_minor: Mapped[int] = mapped_column(default=0)
    # that payments have paid of it, with the discount that they were let off. No default in the database: a process of
    # before parts is refused there
    paid_minor: Mapped[int] = mapped_column(default=0)
    # of that, by a withdrawal or a new version, which name no amount
    retracted_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    sequence: Mapped[int] = mapped_column(default=0, server_default="0")  # of what is told of corrections of it
    replaces_id: Mapped[str | None] = mapped_column(ForeignKey("invoice.id"))  # of which this is the new version
    # early payment: the first tier, which most bills have alone, and those after it as {"until": "2026-12-05", "minor":
    # 100}, the earliest first. In the row itself: it is locked and logged with it, and a list asks nothing besides for
    # it. That of each two the later one saves less is F12 of `quittance check`
    discount_minor: Mapped[int] = mapped_column(default=0)
    discount_until: Mapped[dt.date | None]
    later_discounts: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    # what its biller may ask besides, if it is paid on that day or later. In no amount that is asked or paid
    late_fee_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    late_fee_from: Mapped[dt.date | None]
    issued_on: Mapped[dt.date]
    due_on: Mapped[dt.date | None]
    expires_on: Mapped[dt.date | None]  # the last day of a request to pay
    is_amount_fixed: Mapped[bool] = mapped_column(default=False, server_default=false())  # to be paid in one
    # a payment of it was closed as not done that others than we could have made happen: what is left is paid in one
    may_have_been_paid: Mapped[bool] = mapped_column(default=False, server_default=false())
    extended_to: Mapped[dt.date | None]  # its company has given more time: the day until which it is to be paid
    # by its customer, who says that it is paid elsewhere, declines or disputes it: not to be paid while that stands
    is_set_aside: Mapped[bool] = mapped_column(default=False, server_default=false())
    # of what is left: what the lines come to that its customer disputes, where the rest may be paid meanwhile
    held_back_minor: Mapped[int] = mapped_column(default=0, server_default="0")
    means: Mapped[str] = mapped_column(
        String(15), default=MeansKind.CREDIT_TRANSFER, server_default=MeansKind.CREDIT_TRANSFER
    )
    means_details: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")  # intake/means.py
    payee_name: Mapped[str | None] = mapped_column(String(70))  # vetted; null: it is not paid here
    payee_iban: Mapped[str | None] = mapped_column(String(34))
    reference: Mapped[str | None] = mapped_column(String(140))  # remittance information
    # of both what they are compared by (rules.Word), so that the database finds bills that may be the same
    number_letters: Mapped[str] = mapped_column(Text, default=_letters_of("number"))
    reference_letters: Mapped[str] = mapped_column(Text, default=_letters_of("reference"))
    order_reference: Mapped[str | None] = mapped_column(String(100))
    lines: Mapped[list[Any]] = mapped_column(PrivateJSON(KeyKind.PROFILE, gone=list))
    note: Mapped[str | None] = mapped_column(PrivateText(KeyKind.PROFILE))
    terms: Mapped[str | None] = mapped_column(PrivateText(KeyKind.PROFILE))
    received_at: Mapped[dt.datetime]  # its biller delivered it, or its customer added it
    # it came into the space: later, where it is a new version that waited for a payment of an earlier one
    opened_at: Mapped[dt.datetime]
    seen_at: Mapped[dt.datetime | None]  # when its customer first opened it
    unseen_at: Mapped[dt.datetime | None]  # when its biller was to be told that nobody had

    @property
    def is_delivered(self) -> bool:
        """By a biller's verified access. Every other one was added by its customer, and nobody has verified it."""
        return self.bill_id is not None

    @property
    def delivery(self) -> Delivery:
        """Of one that was delivered. To ask it of any other one is a fault: raises ValueError."""
        if self.bill_id is None or self.biller_id is None:
            raise ValueError(f"{self.id} was delivered by nobody")
        return Delivery(self.bill_id, self.biller_id)

    @property
    def creditor(self) -> str:
        """Whose totals it counts to in the ledger: its biller's; what nobody delivered stands by itself."""
        return self.biller_id or self.id

    @property
    def is_paid_here(self) -> bool:
        return self.means == MeansKind.CREDIT_TRANSFER

    def is_expired(self, day: dt.date) -> bool:
        """Whether it was asked for until a day that is over: its biller may have asked anew."""
        return self.expires_on is not None and self.expires_on < day

    @property
    def pay_by(self) -> dt.date | None:
        """The day until which it is to be paid, with the time that its company has given since."""
        return self.extended_to or self.due_on

    @property
    def late_fee(self) -> LateFee | None:
        """What being late costs. Who was given more time is not late before it is over. What its biller collects itself
        is paid late by nobody."""
        if self.late_fee_from is None or self.means in COLLECTED:
            return None
        starts_on = self.late_fee_from
        if self.extended_to is not None:
            starts_on = max(starts_on, self.extended_to + dt.timedelta(days=1))
        return LateFee(starts_on=starts_on, amount=Money(self.late_fee_minor, self.currency))

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)

    @property
    def asked(self) -> Money:
        """What its biller asks of it after all corrections."""
        return Money(max(self.amount_minor - self.credited_minor, 0), self.currency)

    @property
    def left(self) -> Money:
        """What of that is not paid yet. A payment that is under way has none of it paid."""
        return Money(max(self.asked.minor - self.paid_minor, 0), self.currency)

    @property
    def held_back(self) -> Money:
        """What of that its customer disputes: it is not paid while that stands."""
        return Money(min(self.held_back_minor, self.left.minor), self.currency)

    @property
    def to_pay(self) -> Money:
        """What is left, without what is held back of it."""
        return self.left - self.held_back

    @property
    def discounts(self) -> tuple[Discount, ...]:
        """What early payment takes off what is asked, the earliest day first: of a bill that is paid in one, and not in
        parts. One of which nothing is left is none any more."""
        if self.paid_minor:
            return ()
        return tuple(each for each in map(self._left_of, self._tiers()) if each.saves.minor)

    @property
    def discount_days(self) -> tuple[dt.date, ...]:
        """The last days of all discounts that it names, whatever has been taken off it since."""
        return tuple(each.until for each in self._tiers())

    def _tiers(self) -> Iterator[Discount]:
        """As its biller delivered them."""
        if self.discount_until is None:
            return
        yield Discount(self.discount_until, Money(self.discount_minor, self.currency))
        for each in self.later_discounts:
            yield Discount(dt.date.fromisoformat(each["until"]), Money(each["minor"], self.currency))

    def _left_of(self, tier: Discount) -> Discount:
        left = discount_left(
            amount_minor=self.amount_minor, asked_minor=self.asked.minor, discount_minor=tier.saves.minor
        )
        return Discount(tier.until, Money(left, self.currency))


class OwnOrder(Base):
    """A bill's place in its customer's own order of what is to be paid (ordering.py). One without a row stands behind
    those that have one."""

    __tablename__ = "own_order"

    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id", ondelete="CASCADE"), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    rank: Mapped[int]
