from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class InvoiceOpened(Event):
    """The bill stands in the customer's space."""

    invoice_id: str
