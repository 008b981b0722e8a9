from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class RefundMoved(Event):
    """Somebody said something of a refund, or an account was released for it, or is not there any more."""

    refund_id: str
    sequence: int  #: of the line of its history


@dataclass(frozen=True, kw_only=True)
class RefundOverdue(Event):
    """A refund was promised by a day that is over, and nobody said that it was sent. It happens once to a refund."""

    refund_id: str
    sequence: int  #: of the last line of its history then
