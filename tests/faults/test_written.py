"""What the simulator knows of its own tables: which were written, and on which a query's answer depends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pysqlite3 import dbapi2

from tests.faults.sim.written import Written


@pytest.fixture
def raw() -> Iterator[Any]:
    connection = dbapi2.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("CREATE TABLE bill (id TEXT PRIMARY KEY, state TEXT)")
    connection.execute("CREATE TABLE payment (id TEXT PRIMARY KEY, bill TEXT REFERENCES bill (id) ON DELETE CASCADE)")
    yield connection
    connection.close()


def test_every_write_counts_also_by_cascade_and_none_that_was_rolled_back(raw: Any) -> None:
    written = Written(raw)
    assert written.times() == {"bill": 0, "payment": 0}
    raw.execute("INSERT INTO bill VALUES ('b', 'open')")
    raw.execute("INSERT INTO payment VALUES ('p', 'b')")
    raw.execute("UPDATE bill SET state = 'paid'")
    assert written.times() == {"bill": 2, "payment": 1}
    raw.execute("BEGIN")
    raw.execute("UPDATE payment SET bill = NULL")
    raw.execute("ROLLBACK")
    assert written.times() == {"bill": 2, "payment": 1}
    raw.execute("DELETE FROM bill")
    assert written.times() == {"bill": 3, "payment": 2}


def test_a_query_depends_on_what_it_reads_and_on_the_time_it_asks_for(raw: Any) -> None:
    written = Written(raw)
    alone = written.reading("B1", "SELECT id FROM bill WHERE state = 'paid'")
    assert (alone.tables, alone.has_time) == (("bill",), False)
    joined = written.reading("B2", "SELECT p.id FROM payment p JOIN bill b ON b.id = p.bill WHERE b.state < :now")
    assert (joined.tables, joined.has_time) == (("bill", "payment"), True)
    assert raw.execute(alone.query).fetchall() == []


def test_a_query_of_what_nobody_counts_is_refused(raw: Any) -> None:
    written = Written(raw)
    raw.execute("CREATE TABLE late (id TEXT)")
    with pytest.raises(ValueError, match="late"):
        written.reading("B3", "SELECT id FROM late")
