"""Which tables were written, and which ones a query reads: what held over tables that nobody wrote since holds still.

SQLite itself says both: by triggers that count, cascades among them, and by what it asks leave for to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pysqlite3 import dbapi2

#: of a table: its number of writes; a write that was rolled back does not count
Times = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A query, and on what its answer depends."""

    name: str
    query: str
    tables: tuple[str, ...]
    has_time: bool  #: asks what time it is


class Written:
    """Counts the writes of every table of a connection, for as long as it is open."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._tables = {
            name
            for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith("sqlite_")
        }
        raw.execute("CREATE TEMP TABLE written (name TEXT PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID")
        for table in sorted(self._tables):
            raw.execute("INSERT INTO written VALUES (?, 0)", (table,))
            for verb in ("INSERT", "UPDATE", "DELETE"):
                raw.execute(
                    f"CREATE TEMP TRIGGER written_{table}_{verb} AFTER {verb} ON main.{table}"  # noqa: S608
                    f" BEGIN UPDATE written SET times = times + 1 WHERE name = '{table}'; END"
                )

    def times(self) -> Times:
        """Of every table, up to now."""
        return dict(self._raw.execute("SELECT name, times FROM written"))

    def reading(self, name: str, query: str) -> Reading:
        """A query with its name before each row, and what it reads. Raises ValueError when that is not counted."""
        named = f"SELECT '{name}', * FROM ({query})"  # noqa: S608
        read = self._read_by(named)
        unknown = read - self._tables - {"json_each"}  # which reads what it is given
        if unknown or not read:
            raise ValueError(f"{name} reads {sorted(unknown)}, and nobody counts how often those are written")
        return Reading(name=name, query=named, tables=tuple(sorted(read & self._tables)), has_time=":now" in query)

    def _read_by(self, query: str) -> set[str]:
        read: set[str] = set()

        def may(action: int, table: str, *_: object) -> int:
            if action == dbapi2.SQLITE_READ:
                read.add(table)
            return int(dbapi2.SQLITE_OK)

        self._raw.set_authorizer(may)
        try:
            self._raw.execute(f"EXPLAIN {query}", {"now": ""}).fetchall()
        finally:
            self._raw.set_authorizer(None)
        return read
