from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class BillDelivered(Event):
    """A bill is durably ours to deliver; the biller has our acknowledgement."""

    bill_id: str


@dataclass(frozen=True, kw_only=True)
class CorrectionDelivered(Event):
    """The same of a credit note, or of a bill that replaces an earlier one."""

    bill_id: str


@dataclass(frozen=True, kw_only=True)
class BillHeld(Event):
    """Somebody must look at a bill first; its customer sees it as not verified."""

    held_id: str
