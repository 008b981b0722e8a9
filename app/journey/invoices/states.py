"""The life cycle of an invoice, as the customer sees it.

One that is to be paid here begins as TO_PAY, and from then on its state is what the ledger says of it (``state_of``): a
bill may be paid in parts, one after the other. One that its biller collects, or that is paid to an account which is no
IBAN, begins as NOT_HERE: no claim leads out of it, and nobody here is told whether it was paid.
"""

from __future__ import annotations

import enum

from consent.lifecycle import Lifecycle


class InvoiceState(enum.StrEnum):
    TO_PAY = "to_pay"  #: all of it, or what payments of parts of it have left
    IN_PAYMENT = "in_payment"  #: a payment holds a claim on it; no further one can start
    PAID = "paid"
    NOT_HERE = "not_here"  #: not paid from here, whatever became of it
    CLEARED = "cleared"  #: nothing of it is left to pay, since its biller took it back, replaced or credited it whole


class InvoiceStep(enum.Enum):
    CLAIM = enum.auto()  #: also by a payment that was closed, and may happen after all
    FREE = enum.auto()  #: no payment has it any more, and something is left to pay
    SETTLE = enum.auto()  #: nothing is left to pay, and payments have paid of it
    CLEAR = enum.auto()  #: nothing is left to pay, and nobody has paid any of it


INVOICE = Lifecycle(
    {
        (InvoiceState.TO_PAY, InvoiceStep.CLAIM): InvoiceState.IN_PAYMENT,
        # a payment that was closed as not done may have happened, or turns out to have
        (InvoiceState.CLEARED, InvoiceStep.CLAIM): InvoiceState.IN_PAYMENT,
        **{(taken, InvoiceStep.FREE): InvoiceState.TO_PAY for taken in (InvoiceState.IN_PAYMENT, InvoiceState.PAID)},
        **{
            (open_, InvoiceStep.SETTLE): InvoiceState.PAID
            for open_ in (InvoiceState.IN_PAYMENT, InvoiceState.TO_PAY, InvoiceState.CLEARED)
        },
        **{
            (open_, InvoiceStep.CLEAR): InvoiceState.CLEARED
            for open_ in (InvoiceState.TO_PAY, InvoiceState.IN_PAYMENT, InvoiceState.PAID, InvoiceState.NOT_HERE)
        },
    }
)
_STEP_TO = {
    InvoiceState.IN_PAYMENT: InvoiceStep.CLAIM,
    InvoiceState.TO_PAY: InvoiceStep.FREE,
    InvoiceState.PAID: InvoiceStep.SETTLE,
    InvoiceState.CLEARED: InvoiceStep.CLEAR,
}


def state_of(before: InvoiceState, *, is_held: bool, left_minor: int, paid_minor: int) -> InvoiceState:
    """The state of an invoice of which a payment holds a claim (``is_held``), or else ``left_minor`` units are free to
    be paid and ``paid_minor`` units are paid. Raises IllegalStep where that does not lead from ``before``."""
    if is_held:
        after = InvoiceState.IN_PAYMENT
    elif left_minor:
        after = InvoiceState.TO_PAY
    else:
        after = InvoiceState.PAID if paid_minor else InvoiceState.CLEARED
    return before if before is after else INVOICE.next(before, _STEP_TO[after])
