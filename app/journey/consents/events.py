"""What happens to standing consents."""

from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class ConsentChanged(Event):
    """It can be used from now on, or no longer, or it will never be: line ``sequence`` of its history says which."""

    consent_id: str
    sequence: int
