"""What happened to people and companies that others must hear of."""

from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class PayeeAccountMoved(Event):
    """An account of a biller was frozen or closed, or is open again; by itself, or with its biller."""

    account_id: str


@dataclass(frozen=True, kw_only=True)
class BillerVetted(Event):
    """A company is here from now on, or again."""

    biller_id: str


@dataclass(frozen=True, kw_only=True)
class AddressAsked(Event):
    """A customer wants to be written to at their address, and is to show first that it is theirs."""

    customer_id: str


@dataclass(frozen=True, kw_only=True)
class SafeWordsChanged(Event):
    """A customer drew new safe words."""

    customer_id: str
    before: str  #: the row of the vault that has those of before, for two days


@dataclass(frozen=True, kw_only=True)
class CustomerStopped(Event):
    """A customer stopped everything."""

    customer_id: str


@dataclass(frozen=True, kw_only=True)
class StopLifted(Event):
    """A customer may pay again. What they had stopped stays so."""

    customer_id: str


@dataclass(frozen=True, kw_only=True)
class PasskeyAdded(Event):
    """A customer has one more passkey."""

    customer_id: str


@dataclass(frozen=True, kw_only=True)
class PasskeyRemoved(Event):
    """A passkey of a customer's opens and signs nothing any more."""

    customer_id: str


@dataclass(frozen=True, kw_only=True)
class SpaceExported(Event):
    """A customer asked for all of their papers in one archive."""

    customer_id: str
