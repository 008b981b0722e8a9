"""Consents and payments, from the first call to the books. An approval moves nothing; a submission does, once.

As at the other bank one transaction writes down a timetable, and time does the rest: a kill loses nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from connectors.sandbox_bank.openbanking_uk.scenarios import scenario_of
from connectors.sandbox_bank.openbanking_uk.store import Connection, Row
from connectors.sandbox_bank.scenarios import Fault, Reason

MILLISECOND = timedelta(milliseconds=1)
#: a consent that nobody approves is rejected after this
AUTHORISATION_MS = timedelta(minutes=15) // MILLISECOND
#: a bank honours an idempotency key so long ("Idempotency")
KEY_LIFE_MS = timedelta(hours=24) // MILLISECOND
LEDGER_ENTRIES_MAX = 200

SCHEMA = """
CREATE TABLE IF NOT EXISTS account (
    account_id TEXT PRIMARY KEY,
    customer_id TEXT NOT NULL,
    name TEXT NOT NULL,
    account_number TEXT NOT NULL UNIQUE,
    opening_minor INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS consent (
    consent_id TEXT PRIMARY KEY,
    brand TEXT NOT NULL,
    tpp TEXT NOT NULL,
    body TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    created_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('AWAU', 'AUTH', 'RJCT', 'COND')),
    account_id TEXT REFERENCES account
) STRICT;
CREATE TABLE IF NOT EXISTS payment (
    payment_id TEXT PRIMARY KEY,
    consent_id TEXT NOT NULL UNIQUE REFERENCES consent,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    end_to_end_id TEXT NOT NULL,
    account_id TEXT NOT NULL REFERENCES account,
    timetable TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    reads INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS payment_account ON payment (account_id);
CREATE INDEX IF NOT EXISTS payment_end_to_end ON payment (end_to_end_id);
CREATE TABLE IF NOT EXISTS movement (
    payment_id TEXT NOT NULL REFERENCES payment,
    kind TEXT NOT NULL CHECK (kind IN ('debit', 'reversal')),
    due_ms INTEGER NOT NULL,
    PRIMARY KEY (payment_id, kind)
) STRICT;
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
CREATE TABLE IF NOT EXISTS failed_once (what TEXT PRIMARY KEY) STRICT;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    consent_id: str
    brand: str
    tpp: str
    body: Mapping[str, Any]
    amount_minor: int
    created_ms: int
    changed_ms: int
    status: str
    account_id: str | None

    def status_at(self, now_ms: int) -> str:
        """AWAU ends by itself."""
        waited = self.status == "AWAU" and now_ms >= self.expires_ms
        return "RJCT" if waited else self.status

    @property
    def expires_ms(self) -> int:
        return self.created_ms + AUTHORISATION_MS

    @property
    def initiation(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.body["Data"]["Initiation"]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """``timetable``: (from when, status, reason)."""

    payment_id: str
    consent: Consent
    created_ms: int
    timetable: Sequence[tuple[int, str, Reason | None]]
    reads: int

    def status_at(self, now_ms: int) -> tuple[str, Reason | None, int]:
        """With the time since when it is so."""
        first, *later = self.timetable
        since, status, reason = [first, *(each for each in later if each[0] <= now_ms)][-1]
        return status, reason, since


# ------------------------------------------------------------------------------------------------------------- consents


def create_consent(
    connection: Connection, *, brand: str, tpp: str, body: Mapping[str, Any], amount_minor: int, now_ms: int
) -> str:
    consent_id = f"{brand}-{uuid.uuid4()}"
    connection.execute(
        "INSERT INTO consent (consent_id, brand, tpp, body, amount_minor, created_ms, changed_ms, status)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'AWAU')",
        [consent_id, brand, tpp, json.dumps(body), amount_minor, now_ms, now_ms],
    )
    return consent_id


def consent_of(connection: Connection, consent_id: str, *, brand: str) -> Consent | None:
    row = connection.execute("SELECT * FROM consent WHERE consent_id = ? AND brand = ?", [consent_id, brand]).fetchone()
    return None if row is None else _consent(row)


def decide(connection: Connection, consent_id: str, *, account_id: str | None, now_ms: int) -> None:
    """The customer's word: from this account, or no. Once."""
    connection.execute(
        "UPDATE consent SET status = ?, account_id = ?, changed_ms = ? WHERE consent_id = ? AND status = 'AWAU'",
        ["RJCT" if account_id is None else "AUTH", account_id, now_ms, consent_id],
    )


# ------------------------------------------------------------------------------------------------------------- payments


def submit(connection: Connection, consent: Consent, *, now_ms: int, settle_ms: int) -> str:
    """Executes it: the consent is COND from now on. The caller has seen in this transaction that it is AUTH."""
    timetable = [
        (now_ms + step.after_ms + (settle_ms if step.from_settlement else 0), step.status, step.reason)
        for step in scenario_of(consent.amount_minor).timetable
    ]
    payment_id = uuid.uuid4().hex
    connection.execute(
        "INSERT INTO payment (payment_id, consent_id, amount_minor, end_to_end_id, account_id, timetable, created_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            payment_id,
            consent.consent_id,
            consent.amount_minor,
            consent.initiation["EndToEndIdentification"],
            consent.account_id,
            json.dumps([[due, status, reason and reason.value] for due, status, reason in timetable]),
            now_ms,
        ],
    )
    moved = [(payment_id, "debit", due) for due, status, _ in timetable if status in ("ACSC", "ACCC")]
    moved += [(payment_id, "reversal", due) for due, _, reason in timetable if reason is Reason.REVERSED]
    connection.executemany("INSERT INTO movement VALUES (?, ?, ?)", moved)
    connection.execute(
        "UPDATE consent SET status = 'COND', changed_ms = ? WHERE consent_id = ?", [now_ms, consent.consent_id]
    )
    return payment_id


def payment_of(connection: Connection, payment_id: str, *, brand: str) -> Payment | None:
    row = connection.execute(
        "SELECT payment.* FROM payment JOIN consent USING (consent_id) WHERE payment_id = ? AND brand = ?",
        [payment_id, brand],
    ).fetchone()
    consent = None if row is None else consent_of(connection, row["consent_id"], brand=brand)
    if row is None or consent is None:
        return None
    return Payment(
        payment_id=payment_id,
        consent=replace(consent, account_id=row["account_id"]),
        created_ms=row["created_ms"],
        timetable=[(due, status, why and Reason(why)) for due, status, why in json.loads(row["timetable"])],
        reads=row["reads"],
    )


def count_read(connection: Connection, payment: Payment) -> Fault | str | None:
    """What the scenario makes of this look: a fault, an untrue status, or nothing."""
    script = scenario_of(payment.consent.amount_minor).reads
    if payment.reads >= len(script):
        return None
    connection.execute("UPDATE payment SET reads = reads + 1 WHERE payment_id = ?", [payment.payment_id])
    return script[payment.reads]


def first_time(connection: Connection, what: str) -> bool:
    """Whether this goes wrong now: it does so once."""
    return connection.execute("INSERT OR IGNORE INTO failed_once VALUES (?)", [what]).rowcount == 1


def ledger(connection: Connection, end_to_end_id: str | None, *, now_ms: int) -> list[Row]:
    """What is booked by now, the newest first; of one EndToEndIdentification, or the latest 200."""
    return connection.execute(
        "SELECT movement.kind, movement.due_ms, payment.payment_id, payment.end_to_end_id, payment.amount_minor,"
        " account.account_number, consent.body FROM movement JOIN payment USING (payment_id)"
        " JOIN consent USING (consent_id) JOIN account ON account.account_id = payment.account_id"
        " WHERE due_ms <= :now AND (:id IS NULL OR end_to_end_id = :id) ORDER BY due_ms DESC LIMIT :most",
        {"now": now_ms, "id": end_to_end_id, "most": LEDGER_ENTRIES_MAX},
    ).fetchall()


# ---------------------------------------------------------------------------------------------------------- idempotency


def known_key(connection: Connection, *, brand: str, tpp: str, key: str, now_ms: int) -> Row | None:
    """What this key was used for in the last 24 hours."""
    row: Row | None = connection.execute(
        "SELECT * FROM idempotency WHERE brand = ? AND tpp = ? AND key = ? AND first_ms > ?",
        [brand, tpp, key, now_ms - KEY_LIFE_MS],
    ).fetchone()
    return row


def keep_key(
    connection: Connection,
    *,
    brand: str,
    tpp: str,
    key: str,
    path: str,
    body_hash: str,
    resource_id: str,
    now_ms: int,
) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?)",
        [brand, tpp, key, path, body_hash, resource_id, now_ms],
    )


def _consent(row: Row) -> Consent:
    return Consent(**{**dict(row), "body": json.loads(row["body"])})
