from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class BillDelivered(Event):
    """A bill is durably ours to deliver; the biller has our acknowledgement."""

    bill_id: str
