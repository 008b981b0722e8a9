"""What was written, and what a query reads: what held over columns that nobody wrote since holds still.

SQLite itself says both: by triggers that count, cascades among them, and by what it asks leave for to read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from pysqlite3 import dbapi2

#: what SQLite calls what is read of a row beside its columns: that it is there
_NO_COLUMN = ("", "ROWID")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A query, and on what its answer depends."""

    name: str
    query: str
    of: tuple[str, ...]  #: the tables, and the columns that it reads of them: table.column
    seen: Callable[[Mapping[str, int]], object]  #: how often each of these was written
    has_time: bool  #: asks what time it is


class Written:
    """Counts what is written into every table of a connection, for as long as it is open: under the table's name the
    rows that come and go, under table.column the updates of that column. What is rolled back counts as well."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._times: dict[str, int] = {}
        self._noted: list[str] = []  #: what is not counted yet
        raw.create_function("note_written", 1, self._noted.append)  # nothing of Python's own runs at a write
        tables = raw.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        for (table,) in tables.fetchall():
            for verb in ("INSERT", "DELETE"):
                self._count(f"{table}_{verb}", f"{verb} ON main.{table}", table)
            for row in raw.execute(f"PRAGMA table_info({table})").fetchall():
                self._count(f"{table}_{row[1]}", f'UPDATE OF "{row[1]}" ON main.{table}', f"{table}.{row[1]}")

    def _count(self, name: str, after: str, what: str) -> None:
        self._times[what] = 0
        self._raw.execute(
            f"CREATE TEMP TRIGGER \"written_{name}\" AFTER {after} BEGIN SELECT note_written('{what}'); END"
        )

    @property
    def times(self) -> Mapping[str, int]:
        """How often each was written."""
        for what in self._noted:
            self._times[what] += 1
        self._noted.clear()
        return self._times

    def reading(self, name: str, query: str) -> Reading:
        """A query with its name before each row, and what it reads. Raises ValueError when that is not counted."""
        named = f"SELECT '{name}', * FROM ({query})"  # noqa: S608
        of = self.read_by(named)
        return Reading(name=name, query=named, of=of, seen=itemgetter(*of), has_time=":now" in query)

    def read_by(self, query: str) -> tuple[str, ...]:
        """The tables that a query reads, and the columns of them. Raises ValueError when one is not counted."""
        # json_each reads what it is given
        read = {(table, column) for table, column in self._asks_for(query) if table != "json_each"}
        tables = {table for table, _ in read}
        columns = {f"{table}.{column}" for table, column in read if column not in _NO_COLUMN}
        unknown = (tables | columns) - self._times.keys()
        if unknown or not read:
            raise ValueError(f"nobody counts how often {sorted(unknown)} is written, which is read by {query}")
        return tuple(sorted(tables | columns))

    def _asks_for(self, query: str) -> set[tuple[str, str]]:
        """Each table with a column of it."""
        read: set[tuple[str, str]] = set()

        def may(action: int, table: str, column: str, *_: object) -> int:
            if action == dbapi2.SQLITE_READ:
                read.add((table, column))
            return int(dbapi2.SQLITE_OK)

        self._raw.set_authorizer(may)
        try:
            self._raw.execute(f"EXPLAIN {query}", {"now": ""}).fetchall()
        finally:
            self._raw.set_authorizer(None)
        return read


class Kept:
    """Rows of queries of one history, asked again only where what they read was written since."""

    def __init__(self, written: Written, raw: Any, reads: dict[str, Callable[[Mapping[str, int]], object]]) -> None:
        self._written = written
        self._raw = raw
        self._reads = reads  #: by query: shared by all histories
        self._kept: dict[str, tuple[object, list[Any]]] = {}

    def rows(self, query: str) -> list[Any]:
        """As they are now: the same list as long as nothing was written. Only of what asks for no time."""
        if query not in self._reads:
            self._reads[query] = itemgetter(*self._written.read_by(query))
        times = self._reads[query](self._written.times)
        kept = self._kept.get(query)
        if kept is None or kept[0] != times:
            kept = self._kept[query] = times, self._raw.execute(query).fetchall()
        return kept[1]
