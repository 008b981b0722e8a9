"""The life cycle of an invoice, as the customer sees it."""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class InvoiceState(enum.StrEnum):
    TO_PAY = "to_pay"
    IN_PAYMENT = "in_payment"  #: one payment holds the claim; no second one can start
    PAID = "paid"


class InvoiceStep(enum.Enum):
    CLAIM = enum.auto()
    RELEASE = enum.auto()
    SETTLE = enum.auto()
    REOPEN = enum.auto()
    CORRECT = enum.auto()


INVOICE = Lifecycle(
    {
        (InvoiceState.TO_PAY, InvoiceStep.CLAIM): InvoiceState.IN_PAYMENT,
        (InvoiceState.IN_PAYMENT, InvoiceStep.RELEASE): InvoiceState.TO_PAY,
        (InvoiceState.IN_PAYMENT, InvoiceStep.SETTLE): InvoiceState.PAID,
        (InvoiceState.PAID, InvoiceStep.REOPEN): InvoiceState.TO_PAY,
        # a payment that was closed as not done turns out to have happened
        (InvoiceState.TO_PAY, InvoiceStep.CORRECT): InvoiceState.PAID,
    }
)
