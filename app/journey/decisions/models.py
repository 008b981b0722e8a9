"""A decision: who, what, when and the proof. It comes before any payment and is never changed."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from connectors.money import Money
from consent.base import Base, Id
from consent.private import KeyKind, PrivateJSON


class Verb(enum.StrEnum):
    PAY_NOW = "pay_now"
    #: later: under a standing consent, and until then it is ours alone; or by itself, at a bank that keeps the day
    PAY_ON_DAY = "pay_on_day"


class PayeeName(Base):
    """What the payee's bank said last of the name on a bill that its customer added. Asked outside any transaction."""

    __tablename__ = "payee_name"

    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id", ondelete="CASCADE"), primary_key=True)
    payee_name: Mapped[str] = mapped_column(String(70))  # that was asked about
    payee_iban: Mapped[str] = mapped_column(String(34))
    outcome: Mapped[str] = mapped_column(String(12))  # NameMatch
    name_found: Mapped[str | None] = mapped_column(String(140))
    asked_at: Mapped[dt.datetime]


class PayeeCheck(Base):
    """What a customer did before a bill is paid that nobody verified, or that may be paid twice. Never changed.

    It is of one payee, account, amount and bank. Where the bill was delivered only ``besides`` was to be confirmed:
    ``typed_iban``, ``name_check`` and ``warning`` are null, and ``doubts`` is empty.
    """

    __tablename__ = "payee_check"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"))
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id", ondelete="CASCADE"), index=True)
    bank_id: Mapped[str] = mapped_column(String(60))
    payee_name: Mapped[str] = mapped_column(String(70))
    payee_iban: Mapped[str] = mapped_column(String(34))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int]
    typed_iban: Mapped[str | None] = mapped_column(String(34))  # by the customer, from the bill
    name_check: Mapped[str | None] = mapped_column(String(20))  # what was shown of the payee's name: NameMatch
    name_found: Mapped[str | None] = mapped_column(String(140))  # of a close match: the name that the bank has
    warning: Mapped[str | None] = mapped_column(String(20))  # which words were confirmed
    likeness: Mapped[str | None] = mapped_column(String(100))  # of which company that delivers here it was said
    # what in its own file speaks against it, and was confirmed all the same: the codes of own_file.Reading
    doubts: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    besides: Mapped[list[Any]]  # ids of the bills that the customer wants to pay as well
    shown: Mapped[str] = mapped_column(String(64))  # SHA-256 of all that the page said
    checked_at: Mapped[dt.datetime] = mapped_column(index=True)


class Decision(Base):
    __tablename__ = "decision"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("discount_minor >= 0", name="discount_not_negative"),
        CheckConstraint("(discount_minor = 0) = (discount_until IS NULL)", name="discount_has_its_day"),
        CheckConstraint("credited_minor >= 0", name="credited_not_negative"),
        CheckConstraint("paid_minor >= 0", name="paid_not_negative"),
        CheckConstraint("rest_minor >= 0", name="rest_not_negative"),
        CheckConstraint("discount_minor = 0 OR (rest_minor = 0 AND paid_minor = 0)", name="discount_of_the_whole"),
        CheckConstraint("verb IN ('pay_now', 'pay_on_day')", name="verb_known"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customer.id"), index=True)
    invoice_id: Mapped[str] = mapped_column(ForeignKey("invoice.id"), index=True)
    verb: Mapped[str] = mapped_column(String(20))
    currency: Mapped[str] = mapped_column(String(3))
    amount_minor: Mapped[int]  # what is to leave the account, after the discount
    discount_minor: Mapped[int]  # fixed now, whatever the clock says when the bank acts
    discount_until: Mapped[dt.date | None]  # which of the bill's discounts it is: the last day of that one
    # what the biller had taken off the bill until then: once it takes off more, the decision is void
    credited_minor: Mapped[int] = mapped_column(default=0)
    # the payments of bills that this one replaces, as the page warned of them: once there are others, it is to give way
    earlier_paid: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    # the bills that this one replaces and that were not to be paid from here: the same
    earlier_not_here: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    # what payments had paid of the invoice by then, and which: once there are others, it is to give way
    paid_minor: Mapped[int] = mapped_column(
        default=0
    )  # no default in the database: who knows no parts is refused there
    parts_paid: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    rest_minor: Mapped[int] = mapped_column(default=0, server_default="0")  # that it leaves to pay: it is of a part
    pay_on: Mapped[dt.date]  # the customer's local day
    bank_id: Mapped[str] = mapped_column(String(60))
    payee_name: Mapped[str] = mapped_column(String(70))
    payee_iban: Mapped[str] = mapped_column(String(34))
    reference: Mapped[str | None] = mapped_column(String(140))
    payment_id: Mapped[str] = mapped_column(Id, unique=True)  # the payment this decision starts
    # the standing consent under which it is to be paid; null: it is approved at the bank
    consent_id: Mapped[str | None] = mapped_column(ForeignKey("consent.id"))
    # where the bill was not delivered, or may be the same as one that was paid
    payee_check_id: Mapped[str | None] = mapped_column(ForeignKey("payee_check.id"), unique=True)
    evidence: Mapped[dict[str, Any]]  # the passkey assertion over exactly these values
    # ip_address and user_agent of the browser: banks ask for them
    psu: Mapped[dict[str, Any]] = mapped_column(PrivateJSON(KeyKind.PROFILE, gone=dict))
    decided_at: Mapped[dt.datetime]

    @property
    def amount(self) -> Money:
        return Money(self.amount_minor, self.currency)
