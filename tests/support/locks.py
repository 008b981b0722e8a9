"""What a transaction locks, in its order, as PostgreSQL is told."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator, Mapping

from sqlalchemy import Engine, event

_ROW = re.compile(r"FROM (\w+)\s.*FOR (?:NO KEY )?(?:SHARE|UPDATE)", re.DOTALL)
_NAME = re.compile(r"pg_advisory_xact_lock(_shared)?\(")


@contextlib.contextmanager
def locks_taken(engine: Engine) -> Iterator[list[str]]:
    """By this thread: the tables of rows, and "biller:" for a name of that kind that nobody else may hold, "biller:
    shared" for one that is held with others."""
    taken: list[str] = []
    me = threading.get_ident()

    def hear(_connection: object, _cursor: object, statement: str, values: Mapping[str, object], *_: object) -> None:
        if threading.get_ident() != me:
            return
        if row := _ROW.search(statement):
            taken.append(row.group(1))
        elif name := _NAME.search(statement):
            kind = next(str(each).partition(":")[0] for each in values.values() if ":" in str(each))
            taken.append(f"{kind}:{' shared' if name.group(1) else ''}")

    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield taken
    finally:
        event.remove(engine, "before_cursor_execute", hear)
