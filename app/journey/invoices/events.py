from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class InvoiceOpened(Event):
    """The bill stands in the customer's space."""

    invoice_id: str


@dataclass(frozen=True, kw_only=True)
class BillUnseen(Event):
    """Its customer has not opened the bill for ``days`` days. It happens once to a bill."""

    invoice_id: str
    days: int


@dataclass(frozen=True, kw_only=True)
class CorrectionDue(Event):
    """What a delivery that corrects an earlier bill waited for has happened: a bill that it names was opened, or a
    payment has ended of one that it is to replace."""

    bill_id: str  #: of that delivery


@dataclass(frozen=True, kw_only=True)
class RefundOwed(Event):
    """Its biller took more off a bill than was left to pay of it: ``amount_minor`` in all is to be given back.

    Zero: nothing any more, since the bank took the payment back. What was paid on top of another payment is not in it.
    """

    invoice_id: str
    amount_minor: int
    state: str  #: of the invoice then
    sequence: int  #: grows with every fact about corrections of this invoice
