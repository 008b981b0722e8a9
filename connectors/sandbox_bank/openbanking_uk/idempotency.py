"""``x-idempotency-key``: the same key of the same TPP makes nothing twice within a day ("Idempotency")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from connectors.sandbox_bank.openbanking_uk.store import Connection

#: a bank honours a key so long
KEY_LIFE_MS = timedelta(hours=24) // timedelta(milliseconds=1)

SCHEMA = """
CREATE TABLE IF NOT EXISTS idempotency (
    brand TEXT NOT NULL,
    tpp TEXT NOT NULL,
    key TEXT NOT NULL,
    path TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    first_ms INTEGER NOT NULL,
    PRIMARY KEY (brand, tpp, key)
) STRICT;
"""


class OtherRequest(Exception):
    """The key was used for another path or body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A POST with its key. ``body_hash``: of the exact bytes."""

    brand: str
    tpp: str
    key: str
    path: str
    body_hash: str


def once(connection: Connection, call: Call, make: Callable[[], str], *, now_ms: int) -> str:
    """The id of what this call makes: now, or a while ago by the same bytes. Raises OtherRequest.

    The caller holds the write transaction: two at the same time cannot both find the key unused.
    """
    known = connection.execute(
        "SELECT path, body_hash, resource_id FROM idempotency WHERE brand = ? AND tpp = ? AND key = ? AND first_ms > ?",
        [call.brand, call.tpp, call.key, now_ms - KEY_LIFE_MS],
    ).fetchone()
    if known is not None:
        if (known["path"], known["body_hash"]) != (call.path, call.body_hash):
            raise OtherRequest
        return str(known["resource_id"])
    made = make()
    connection.execute(
        "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?)",
        [call.brand, call.tpp, call.key, call.path, call.body_hash, made, now_ms],
    )
    return made
