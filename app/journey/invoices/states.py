"""The life cycle of an invoice, as the customer sees it.

One that is to be paid here begins as TO_PAY. One that its biller collects, or that is paid to an account which is no
IBAN, begins as NOT_HERE: no claim leads out of it, and nobody here is told whether it was paid.
"""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class InvoiceState(enum.StrEnum):
    TO_PAY = "to_pay"
    IN_PAYMENT = "in_payment"  #: one payment holds the claim; no second one can start
    PAID = "paid"
    NOT_HERE = "not_here"  #: not paid from here, whatever became of it
    CLEARED = "cleared"  #: nothing of it is left to pay, since its biller took it back, replaced or credited it whole


class InvoiceStep(enum.Enum):
    CLAIM = enum.auto()
    RECLAIM = enum.auto()  #: a payment that was closed may happen after all
    RELEASE = enum.auto()
    SETTLE = enum.auto()
    REOPEN = enum.auto()
    CORRECT = enum.auto()
    CLEAR = enum.auto()  #: corrections of its biller leave nothing to pay


INVOICE = Lifecycle(
    {
        (InvoiceState.TO_PAY, InvoiceStep.CLAIM): InvoiceState.IN_PAYMENT,
        (InvoiceState.IN_PAYMENT, InvoiceStep.RELEASE): InvoiceState.TO_PAY,
        (InvoiceState.IN_PAYMENT, InvoiceStep.SETTLE): InvoiceState.PAID,
        (InvoiceState.PAID, InvoiceStep.REOPEN): InvoiceState.TO_PAY,
        **{(asked, InvoiceStep.CLEAR): InvoiceState.CLEARED for asked in (InvoiceState.TO_PAY, InvoiceState.NOT_HERE)},
        # a payment that was closed as not done may have happened, or turns out to have
        **{
            (free, InvoiceStep.RECLAIM): InvoiceState.IN_PAYMENT for free in (InvoiceState.TO_PAY, InvoiceState.CLEARED)
        },
        **{(free, InvoiceStep.CORRECT): InvoiceState.PAID for free in (InvoiceState.TO_PAY, InvoiceState.CLEARED)},
    }
)
