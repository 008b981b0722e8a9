from __future__ import annotations

from dataclasses import dataclass

from app.db.events import Event


@dataclass(frozen=True, kw_only=True)
class AnswerChanged(Event):
    """A customer has answered a bill, or that answer has ended."""

    answer_id: str
    state: str  #: of the answer then
    sequence: int  #: 1 when it is said, 2 when it ends


@dataclass(frozen=True, kw_only=True)
class AnswerOverdue(Event):
    """Nobody has replied to an answer in the time that its company has. It happens once to an answer."""

    answer_id: str
