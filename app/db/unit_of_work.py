"""One transaction: rows, facts and the work that follows from them are committed together or not at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.db import work
from app.db.events import Event, EventRow
from app.db.many import insert_many
from consent.base import new_id

#: what is done at once, in the very transaction that records these facts: nobody ever sees the one without the other
AtOnce = Callable[["UnitOfWork", Sequence[Event]], None]
#: event -> what is done at once and the names of its handlers; app/journey/route.py is the one that is used
Route = Mapping[type[Event], Sequence[AtOnce | str]]

#: what stands in line at the end of a transaction, by a key that is compared with others of its kind
LastOrder = tuple[str, int, dt.date]

#: work that a web request wants to do itself waits this long for it before a worker may take it
HEAD_START = dt.timedelta(seconds=2)
#: the handler that does for many facts at once what the handler before this ending does for one
TOGETHER = "_together"


@dataclass(frozen=True)
class Recorded:
    """A recorded fact and the keys of the work it asked for, by handler name."""

    event_id: str
    work_keys: Mapping[str, str]


class UnitOfWork:
    """``with uow: …; uow.commit()``. Leaving without commit rolls back. Never call a bank or a biller inside."""

    session: Session

    def __init__(self, engine: Engine, *, route: Route, clock: Callable[[], dt.datetime]) -> None:
        self._engine = engine
        self._route = route
        self._clock = clock
        self._last: list[tuple[LastOrder, Callable[[], object]]] = []

    def __enter__(self) -> UnitOfWork:
        self._last = []
        self.session = Session(self._engine, expire_on_commit=False)
        self.session.connection()  # begins: on SQLite this may wait for other writers, and the time is read after it
        self.now = self._clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.close()  # rolls back what was not committed

    def commit(self) -> None:
        if self._last:
            self.session.flush()
            for _, act in sorted(self._last, key=lambda each: each[0]):
                act()
            self._last = []
        self.session.commit()

    def at_the_end(self, order: LastOrder, act: Callable[[], object]) -> None:
        """Do this when all else of the transaction is written, right before it is committed: for rows that everybody
        locks last. In this order, whatever asked for which of them first, so that no two transactions wait for each
        other. Not from within a savepoint that may be rolled back: it would be done all the same."""
        self._last.append((order, act))

    def record(self, event: Event, *, head_start: bool = False) -> Recorded:
        """Write the fact down and ask for the work of every handler that route.py names for it.

        With ``head_start`` workers leave the work for a moment to the web request that goes on with it itself.
        """
        event_id = new_id("evt")
        self.session.add(
            EventRow(id=event_id, kind=type(event).__name__, payload=event.payload(), recorded_at=self.now)
        )
        keys = {}
        for handler in self._handlers_of([event]):
            keys[handler] = f"{handler}:{event_id}"
            work.enqueue(
                self.session,
                handler=handler,
                key=keys[handler],
                payload={"event": event_id, **event.payload()},
                now=self.now,
                run_at=self.now + HEAD_START if head_start else None,
            )
        return Recorded(event_id, keys)

    def record_together(self, events: Sequence[Event]) -> None:
        """Write down facts of one kind that came together: a row each, and one piece of work for all of them.

        Its handler has the name of the one that would be asked for each, with ``_together`` behind it; under ``facts``
        in its payload is what each one's would have been.
        """
        if not events:
            return
        kind = type(events[0]).__name__
        rows: list[dict[str, Any]] = [
            {"id": new_id("evt"), "kind": kind, "payload": event.payload(), "recorded_at": self.now} for event in events
        ]
        insert_many(self.session, EventRow, rows)
        facts = [{"event": row["id"], **row["payload"]} for row in rows]
        for handler in self._handlers_of(events):
            work.enqueue(
                self.session,
                handler=f"{handler}{TOGETHER}",
                key=f"{handler}{TOGETHER}:{facts[0]['event']}",
                payload={"facts": facts},
                now=self.now,
            )

    def _handlers_of(self, events: Sequence[Event]) -> list[str]:
        """Do what is done at once of these, which are of one kind. Returns the names of the handlers of the rest."""
        steps = self._route[type(events[0])]
        for step in steps:
            if not isinstance(step, str):
                step(self, events)
        return [step for step in steps if isinstance(step, str)]

    def ask_apart(self, handler: str, fact: dict[str, Any]) -> None:
        """Of facts that came together: have this one done by itself, because it keeps the others up."""
        work.enqueue(self.session, handler=handler, key=f"{handler}:{fact['event']}", payload=fact, now=self.now)
