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
