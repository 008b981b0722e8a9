"""What happened to a payment."""

from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class CustomerReturned(Event):
    """The browser came back from the bank. A hint, never a proof of payment."""

    payment_id: str


@dataclass(frozen=True, kw_only=True)
class PaymentEvent(Event):
    """A payment took a step. ``sequence`` is its line in the history: whoever is told can put the news in order."""

    payment_id: str
    sequence: int


@dataclass(frozen=True, kw_only=True)
class PaymentAccepted(PaymentEvent):
    """Approved by the customer at the bank, not settled."""


@dataclass(frozen=True, kw_only=True)
class PaymentSettled(PaymentEvent):
    """The bank says that the money moved; the invoice is paid."""


@dataclass(frozen=True, kw_only=True)
class PaymentFailed(PaymentEvent):
    """It will not happen: rejected, cancelled or expired. The invoice may be paid again."""


@dataclass(frozen=True, kw_only=True)
class PaymentUnknown(PaymentEvent):
    """The bank may have acted and does not tell. The claim on the invoice stays."""


@dataclass(frozen=True, kw_only=True)
class PaymentReversed(PaymentEvent):
    """It was settled, and the bank took it back. The invoice is due again."""
