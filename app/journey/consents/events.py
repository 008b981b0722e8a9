"""What happens to standing consents."""

from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class ConsentReturned(Event):
    """The customer is back from the bank, in the browser that left."""

    consent_id: str
    trip_id: str


@dataclass(frozen=True, kw_only=True)
class ConsentChanged(Event):
    """It can be used from now on, or no longer, or it will never be, or pays from another account: line ``sequence`` of
    its history says which."""

    consent_id: str
    sequence: int


@dataclass(frozen=True, kw_only=True)
class ConsentEnding(Event):
    """Its last day is near."""

    consent_id: str
