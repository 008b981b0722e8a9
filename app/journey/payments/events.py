"""What happened to a payment. ``sequence`` is the line of its history: it puts the news in order."""

from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class CustomerReturned(Event):
    """The browser came back from the bank. A hint, never a proof of payment."""

    payment_id: str


@dataclass(frozen=True, kw_only=True)
class TwinMoved(Event):
    """A bill that may be the same as that of this payment, which is under way, was paid after all, or is free again."""

    payment_id: str


@dataclass(frozen=True, kw_only=True)
class PayeeMoved(Event):
    """The account that this payment, which is under way, goes to was frozen or closed, or is open again."""

    payment_id: str


@dataclass(frozen=True, kw_only=True)
class ConsentMoved(Event):
    """The standing consent that this payment, which is under way, is under may be used no more, or again."""

    payment_id: str


@dataclass(frozen=True, kw_only=True)
class DecisionVoid(Event):
    """The customer of this payment, which is under way, stopped everything."""

    payment_id: str


@dataclass(frozen=True, kw_only=True)
class PaymentAccepted(Event):
    """Approved by the customer at the bank, not settled."""

    payment_id: str
    sequence: int


@dataclass(frozen=True, kw_only=True)
class KeptUnwanted(Event):
    """What a bank keeps until a day is not wanted any more: it gives way to something, or its decision is void. Or
    its customer wants it back. ``refused``: the bank was asked to drop it, and keeps it."""

    payment_id: str
    refused: bool


@dataclass(frozen=True, kw_only=True)
class PaymentSettled(Event):
    """The bank says that the money moved; the invoice is paid."""

    payment_id: str
    sequence: int


@dataclass(frozen=True, kw_only=True)
class PaymentFailed(Event):
    """It will not happen: rejected, cancelled or expired. The invoice may be paid again."""

    payment_id: str
    sequence: int


@dataclass(frozen=True, kw_only=True)
class PaymentUnknown(Event):
    """The bank may have acted and does not tell. The claim on the invoice stays."""

    payment_id: str
    sequence: int


@dataclass(frozen=True, kw_only=True)
class PaymentReversed(Event):
    """It was settled, and the bank took it back. The invoice is due again."""

    payment_id: str
    sequence: int
