from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class BillDueSoon(Event):
    """The day of a bill is as near as its customer wants to be told of. It happens once to a bill."""

    invoice_id: str
