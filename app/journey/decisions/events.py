from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class PaymentDecided(Event):
    """The customer confirmed a payment with their passkey; the invoice is claimed for it."""

    decision_id: str
    payment_id: str


@dataclass(frozen=True, kw_only=True)
class PaymentScheduled(Event):
    """And it is for a later day, on which nobody will ask them again."""

    decision_id: str
    payment_id: str
