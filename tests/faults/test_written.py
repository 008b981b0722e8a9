"""What the simulator knows of its own tables: what was written, and on what a query's answer depends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pysqlite3 import dbapi2

from tests.faults.sim.written import Kept, Written


@pytest.fixture
def raw() -> Iterator[Any]:
    connection = dbapi2.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("CREATE TABLE bill (id TEXT PRIMARY KEY, state TEXT)")
    connection.execute("CREATE TABLE payment (id TEXT PRIMARY KEY, bill TEXT REFERENCES bill (id) ON DELETE CASCADE)")
    yield connection
    connection.close()


def times_of(written: Written) -> dict[str, int]:
    return {what: times for what, times in written.times.items() if times}


def test_every_write_counts_by_its_columns_also_by_cascade(raw: Any) -> None:
    written = Written(raw)
    raw.execute("INSERT INTO bill VALUES ('b', 'open')")
    raw.execute("INSERT INTO payment VALUES ('p', 'b')")
    assert times_of(written) == {"bill": 1, "payment": 1}
    raw.execute("UPDATE bill SET state = 'paid'")
    raw.execute("INSERT INTO bill VALUES ('b', 'open') ON CONFLICT DO UPDATE SET state = 'closed'")
    assert times_of(written) == {"bill": 1, "bill.state": 2, "payment": 1}
    raw.execute("DELETE FROM bill")
    assert times_of(written) == {"bill": 2, "bill.state": 2, "payment": 2}


def test_a_query_depends_on_what_it_reads_and_on_the_time_it_asks_for(raw: Any) -> None:
    written = Written(raw)
    alone = written.reading("B1", "SELECT id FROM bill WHERE state = 'paid'")
    assert (alone.of, alone.has_time) == (("bill", "bill.id", "bill.state"), False)
    assert written.reading("B0", "SELECT count(*) FROM bill").of == ("bill",)
    joined = written.reading("B2", "SELECT p.id FROM payment p JOIN bill b ON b.id = p.bill WHERE b.state < :now")
    assert joined.of == ("bill", "bill.id", "bill.state", "payment", "payment.bill", "payment.id")
    assert joined.has_time
    assert raw.execute(alone.query).fetchall() == []


def test_a_query_of_what_nobody_counts_is_refused(raw: Any) -> None:
    written = Written(raw)
    raw.execute("CREATE TABLE late (id TEXT)")
    with pytest.raises(ValueError, match="late"):
        written.reading("B3", "SELECT id FROM late")


def test_rows_are_kept_until_what_they_read_is_written(raw: Any) -> None:
    kept = Kept(Written(raw), raw, {})
    query = "SELECT id FROM bill"
    none = kept.rows(query)
    raw.execute("INSERT INTO bill VALUES ('b', 'open')")
    one = kept.rows(query)
    assert (none, one) == ([], [("b",)])
    raw.execute("UPDATE bill SET state = 'paid'")
    raw.execute("INSERT INTO payment VALUES ('p', 'b')")
    assert kept.rows(query) is one
