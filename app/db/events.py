"""Facts of the journey: append-only rows. Recording one inserts the work of every handler in the same transaction."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from consent.base import Base, Id


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened. A subclass names it in the past tense and carries ids, never contents."""

    #: filled by subclassing: name -> class, to read rows back
    kinds: ClassVar[dict[str, type[Event]]] = {}

    def __init_subclass__(cls) -> None:
        Event.kinds[cls.__name__] = cls

    def payload(self) -> dict[str, Any]:
        return dict(vars(self))  # a fact is flat


class EventRow(Base):
    __tablename__ = "event"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(60), index=True)
    payload: Mapped[dict[str, Any]]
    recorded_at: Mapped[dt.datetime] = mapped_column(index=True)

    def event(self) -> Event:
        """The fact as it was recorded."""
        return Event.kinds[self.kind](**self.payload)
