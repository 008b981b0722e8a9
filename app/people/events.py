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
class DeviceAdded(Event):
    """What a customer is told is shown in one more browser, or sent to one of theirs at another address than before."""

    customer_id: str
    device_id: str


@dataclass(frozen=True, kw_only=True)
class AddressChanged(Event):
    """A customer has another e-mail address."""

    customer_id: str
    before: str  #: the row of the vault that has the one of before, for two days; "": it was not shown to be theirs


@dataclass(frozen=True, kw_only=True)
class RecoveryCodesMade(Event):
    """A customer made recovery codes; those of before are void."""

    customer_id: str


@dataclass(frozen=True, kw_only=True)
class RecoveryCodeUsed(Event):
    """Somebody came in with one of a customer's recovery codes, and may make a passkey."""

    customer_id: str


@dataclass(frozen=True, kw_only=True)
class RecoveryAsked(Event):
    """Somebody wants words at an e-mail address, which may be nobody's."""

    attempt_id: str


@dataclass(frozen=True, kw_only=True)
class RecoveryWordsDrawn(Event):
    """It is this customer's, who is sent them."""

    customer_id: str
    words: str  #: the row of the vault that has them, for some minutes


@dataclass(frozen=True, kw_only=True)
class RecoveryBegun(Event):
    """Somebody who reads a customer's e-mail waits for a way in; nothing of the customer's is begun meanwhile."""

    customer_id: str
    recovery_id: str


@dataclass(frozen=True, kw_only=True)
class RecoveryWaits(Event):
    """It still waits, or is about to open."""

    customer_id: str
    recovery_id: str


@dataclass(frozen=True, kw_only=True)
class RecoveryOver(Event):
    """It came to nothing: a passkey stopped it, or its time is over."""

    customer_id: str


@dataclass(frozen=True, kw_only=True)
class RecoveryDone(CustomerStopped):
    """There is a new passkey after the wait, and no other one: all that whoever was here before had allowed ends, as
    when everything is stopped."""


@dataclass(frozen=True, kw_only=True)
class SpaceExported(Event):
    """A customer asked for all of their papers in one archive."""

    customer_id: str


@dataclass(frozen=True, kw_only=True)
class ErasureAsked(Event):
    """A passkey of a customer's asked for their space to be erased, in some days."""

    customer_id: str
