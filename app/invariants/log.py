"""The log of facts."""

from __future__ import annotations

from app.audit.kinds import SOURCES, without_entry
from app.invariants.query import Invariant, holds, in_time

LOG: tuple[Invariant, ...] = (
    holds(
        "H1",
        "the numbers of the log go from 0 without a hole, and the last of them is signed",
        "SELECT size FROM (SELECT COUNT(number) AS size, COALESCE(MAX(number) + 1, 0) AS numbered,"
        " (SELECT COALESCE(MAX(size), 0) FROM log_checkpoint) AS signed FROM log_entry) counted"
        " WHERE size <> numbered OR size <> signed",
    ),
    holds(
        "H2",
        "every delivery, decision, call, answer, step and receipt of the last two days stands in the log",
        " UNION ALL ".join(
            without_entry(kind, where=f"{{seconds::now,fact.{source.since}}} <= 172800")
            for kind, source in SOURCES.items()
        ),
    ),
    in_time(
        "H3",
        "no entry of the log waits for its number for more than a minute",
        "SELECT id FROM log_entry WHERE number IS NULL AND {seconds::now,at} > 60",
    ),
)
