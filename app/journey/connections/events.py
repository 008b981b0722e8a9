from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class CodePresented(Event):
    """A biller came with a code or an address. Whether there is anybody behind it, nobody has looked yet."""

    redemption_id: str


@dataclass(frozen=True, kw_only=True)
class ConnectionChanged(Event):
    """What the biller is told of a connection is another word from now on. ``sequence`` counts these words.

    ``reference`` is the biller's own name for its customer as it was at that word: a later one may be about another.
    """

    connection_id: str
    reference: str | None
    status: str
    sequence: int
