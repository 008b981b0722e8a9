"""Consents and payments, from the first call to the books. An approval moves nothing; a submission does.

As at the other bank one transaction writes down a timetable, and time does the rest: a kill at any moment loses
nothing.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from connectors.sandbox_bank.openbanking_uk import limits
from connectors.sandbox_bank.openbanking_uk.brands import BRANDS
from connectors.sandbox_bank.openbanking_uk.limits import ControlParameters
from connectors.sandbox_bank.openbanking_uk.scenarios import scenario_of
from connectors.sandbox_bank.openbanking_uk.store import Connection, Row
from connectors.sandbox_bank.scenarios import Fault, Reason

MILLISECOND = dt.timedelta(milliseconds=1)
#: a consent that nobody approves is rejected after this
AUTHORISATION_MS = dt.timedelta(minutes=15) // MILLISECOND

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
    kind TEXT NOT NULL CHECK (kind IN ('payment', 'scheduled', 'vrp')),
    body TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    created_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('AWAU', 'AUTH', 'RJCT', 'COND', 'CANC')),
    deleted INTEGER NOT NULL DEFAULT 0,
    account_id TEXT REFERENCES account
) STRICT;
CREATE TABLE IF NOT EXISTS payment (
    payment_id TEXT PRIMARY KEY,
    consent_id TEXT NOT NULL REFERENCES consent,
    kind TEXT NOT NULL CHECK (kind IN ('payment', 'scheduled', 'vrp')),
    body TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    end_to_end_id TEXT,
    account_id TEXT NOT NULL REFERENCES account,
    timetable TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    reads INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS payment_once ON payment (consent_id) WHERE kind <> 'vrp';
CREATE INDEX IF NOT EXISTS payment_consent ON payment (consent_id);
CREATE INDEX IF NOT EXISTS payment_account ON payment (account_id);
CREATE INDEX IF NOT EXISTS payment_end_to_end ON payment (end_to_end_id);
CREATE TABLE IF NOT EXISTS movement (
    payment_id TEXT NOT NULL REFERENCES payment,
    kind TEXT NOT NULL CHECK (kind IN ('debit', 'reversal')),
    due_ms INTEGER NOT NULL,
    PRIMARY KEY (payment_id, kind)
) STRICT;
CREATE TABLE IF NOT EXISTS failed_once (what TEXT PRIMARY KEY) STRICT;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One sort of payment order, as it is called in addresses and bodies."""

    name: Literal["payment", "scheduled", "vrp"]
    consents: str
    orders: str
    id_field: str


IMMEDIATE = Kind(
    name="payment", consents="domestic-payment-consents", orders="domestic-payments", id_field="DomesticPaymentId"
)
SCHEDULED = Kind(
    name="scheduled",
    consents="domestic-scheduled-payment-consents",
    orders="domestic-scheduled-payments",
    id_field="DomesticScheduledPaymentId",
)
VRP = Kind(name="vrp", consents="domestic-vrp-consents", orders="domestic-vrps", id_field="DomesticVRPId")
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (IMMEDIATE, SCHEDULED, VRP)}

#: (from when, status, reason)
Timetable = Sequence[tuple[int, str, Reason | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """``amount_minor`` of a standing one is the largest that a payment may have."""

    consent_id: str
    brand: str
    tpp: str
    kind: Kind
    body: Mapping[str, Any]
    amount_minor: int
    created_ms: int
    changed_ms: int
    status: str
    deleted: int
    account_id: str | None

    def status_at(self, now_ms: int) -> str:
        """What waits for a customer ends by itself, and a standing consent on its last day."""
        over = self.expires_ms is not None and now_ms >= self.expires_ms
        return {"AWAU": "RJCT", "AUTH": "EXPD", "CANC": "EXPD"}[self.status] if over else self.status

    @property
    def expires_ms(self) -> int | None:
        """When the status that it has now ends."""
        if self.status == "AWAU":
            return self.created_ms + AUTHORISATION_MS
        if self.status in ("AUTH", "CANC") and self.kind is VRP and self.parameters.ends is not None:
            return _end_of(self.parameters.ends, BRANDS[self.brand].zone)
        return None

    @property
    def initiation(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.body["Data"]["Initiation"]
        return found

    @property
    def parameters(self) -> ControlParameters:
        """Of a standing consent."""
        return limits.control_parameters(self.body["Data"]["ControlParameters"], created=self.day_of(self.created_ms))

    def day_of(self, moment_ms: int) -> dt.date:
        """By the clock of its bank."""
        return day_of(moment_ms, BRANDS[self.brand].zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """``instruction`` holds amount, payee and references: the Initiation, or a VRP's Instruction."""

    payment_id: str
    consent: Consent
    body: Mapping[str, Any]
    amount_minor: int
    account_id: str
    created_ms: int
    timetable: Timetable
    reads: int

    @property
    def kind(self) -> Kind:
        return self.consent.kind

    @property
    def instruction(self) -> Mapping[str, Any]:
        return instruction_of(self.body)

    def status_at(self, now_ms: int) -> tuple[str, Reason | None, int]:
        """With the time since when it is so."""
        first, *later = self.timetable
        since, status, reason = [first, *(each for each in later if each[0] <= now_ms)][-1]
        return status, reason, since


def instruction_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    data = body["Data"]
    found: Mapping[str, Any] = data.get("Instruction", data["Initiation"])
    return found


def day_of(moment_ms: int, zone: dt.tzinfo) -> dt.date:
    return dt.datetime.fromtimestamp(moment_ms // 1000, zone).date()


def _end_of(day: dt.date, zone: dt.tzinfo) -> int:
    """The midnight after it, in milliseconds."""
    midnight = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), tzinfo=zone)
    return (midnight - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // MILLISECOND


# ------------------------------------------------------------------------------------------------------------- consents


def create_consent(
    connection: Connection, kind: Kind, *, brand: str, tpp: str, body: Mapping[str, Any], amount_minor: int, now_ms: int
) -> str:
    consent_id = f"{brand}-{uuid.uuid4()}"
    connection.execute(
        "INSERT INTO consent (consent_id, brand, tpp, kind, body, amount_minor, created_ms, changed_ms, status)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'AWAU')",
        [consent_id, brand, tpp, kind.name, json.dumps(body), amount_minor, now_ms, now_ms],
    )
    return consent_id


def consent_of(connection: Connection, consent_id: str, *, brand: str) -> Consent | None:
    """None also for one that its TPP deleted."""
    consent = _consent(connection, consent_id)
    return None if consent is None or consent.brand != brand or consent.deleted else consent


def standing_of(connection: Connection, customer_id: str, *, brand: str) -> list[Consent]:
    """The standing consents that this customer once approved, newest first; none that its TPP deleted."""
    rows = connection.execute(
        "SELECT consent.* FROM consent JOIN account USING (account_id) WHERE brand = ? AND consent.kind = 'vrp'"
        " AND deleted = 0 AND customer_id = ? ORDER BY created_ms DESC, consent_id",
        [brand, customer_id],
    )
    return [_consent_in(row) for row in rows]


def change_consent(
    connection: Connection, consent: Consent, status: str, *, now_ms: int, account_id: str | None = None
) -> None:
    """``account_id``: that the customer chose; what was chosen before stays otherwise."""
    connection.execute(
        "UPDATE consent SET status = ?, changed_ms = ?, account_id = coalesce(?, account_id) WHERE consent_id = ?",
        [status, now_ms, account_id, consent.consent_id],
    )


def move_consent(connection: Connection, consent: Consent, account_id: str) -> None:
    """What is paid under it comes from another account from now on."""
    connection.execute("UPDATE consent SET account_id = ? WHERE consent_id = ?", [account_id, consent.consent_id])


def delete_consent(connection: Connection, consent: Consent) -> None:
    connection.execute("UPDATE consent SET deleted = 1 WHERE consent_id = ?", [consent.consent_id])


# ------------------------------------------------------------------------------------------------------------- payments


def timetable_of(amount_minor: int, *, begins_ms: int, settle_ms: int) -> Timetable:
    """What the amount's scenario makes of a payment that is executed at ``begins_ms``."""
    return [
        (begins_ms + step.after_ms + (settle_ms if step.from_settlement else 0), step.status, step.reason)
        for step in scenario_of(amount_minor).timetable
    ]


def submit(
    connection: Connection,
    consent: Consent,
    body: Mapping[str, Any],
    amount_minor: int,
    timetable: Timetable,
    *,
    now_ms: int,
) -> str:
    """Writes it down with all that will become of it. The caller has seen in this transaction that it may."""
    payment_id = uuid.uuid4().hex
    connection.execute(
        "INSERT INTO payment (payment_id, consent_id, kind, body, amount_minor, end_to_end_id, account_id, timetable,"
        " created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            payment_id,
            consent.consent_id,
            consent.kind.name,
            json.dumps(body),
            amount_minor,
            instruction_of(body).get("EndToEndIdentification"),
            consent.account_id,
            _written(timetable),
            now_ms,
        ],
    )
    _book(connection, payment_id, timetable)
    return payment_id


def change_timetable(connection: Connection, payment: Payment, timetable: Timetable) -> None:
    """Of a payment whose day has not come."""
    connection.execute("DELETE FROM movement WHERE payment_id = ?", [payment.payment_id])
    connection.execute(
        "UPDATE payment SET timetable = ? WHERE payment_id = ?", [_written(timetable), payment.payment_id]
    )
    _book(connection, payment.payment_id, timetable)


def _book(connection: Connection, payment_id: str, timetable: Timetable) -> None:
    moved = [(payment_id, "debit", due) for due, status, _ in timetable if status in ("ACSC", "ACCC")]
    moved += [(payment_id, "reversal", due) for due, _, reason in timetable if reason is Reason.REVERSED]
    connection.executemany("INSERT INTO movement VALUES (?, ?, ?)", moved)


def payment_of(connection: Connection, payment_id: str, *, brand: str) -> Payment | None:
    """Also of a consent that was deleted since."""
    row = connection.execute("SELECT * FROM payment WHERE payment_id = ?", [payment_id]).fetchone()
    consent = None if row is None else _consent(connection, row["consent_id"])
    return None if consent is None or consent.brand != brand else _payment(row, consent)


def payments_under(connection: Connection, consent: Consent) -> list[Payment]:
    rows = connection.execute("SELECT * FROM payment WHERE consent_id = ?", [consent.consent_id])
    return [_payment(row, consent) for row in rows]


def scheduled_of(connection: Connection, customer_id: str, *, brand: str) -> list[Payment]:
    """The scheduled payments from this customer's accounts, also those whose day has come; newest first."""
    rows = connection.execute(
        "SELECT payment.* FROM payment JOIN account USING (account_id) WHERE payment.kind = 'scheduled'"
        " AND customer_id = ? ORDER BY created_ms DESC, payment_id",
        [customer_id],
    )
    found = [(row, _consent(connection, row["consent_id"])) for row in rows.fetchall()]
    return [_payment(row, consent) for row, consent in found if consent is not None and consent.brand == brand]


def count_read(connection: Connection, payment: Payment) -> Fault | str | None:
    """What the scenario makes of this look: a fault, an untrue status, or nothing."""
    script = scenario_of(payment.amount_minor).reads
    if payment.reads >= len(script):
        return None
    connection.execute("UPDATE payment SET reads = reads + 1 WHERE payment_id = ?", [payment.payment_id])
    return script[payment.reads]


def first_time(connection: Connection, what: str) -> bool:
    """Whether this goes wrong now: it does so once."""
    return connection.execute("INSERT OR IGNORE INTO failed_once VALUES (?)", [what]).rowcount == 1


def _consent(connection: Connection, consent_id: str) -> Consent | None:
    row = connection.execute("SELECT * FROM consent WHERE consent_id = ?", [consent_id]).fetchone()
    return None if row is None else _consent_in(row)


def _consent_in(row: Row) -> Consent:
    return Consent(**{**row, "kind": KINDS[row["kind"]], "body": json.loads(row["body"])})


def _payment(row: Row, consent: Consent) -> Payment:
    return Payment(
        payment_id=row["payment_id"],
        consent=consent,
        body=json.loads(row["body"]),
        amount_minor=row["amount_minor"],
        account_id=row["account_id"],
        created_ms=row["created_ms"],
        timetable=[(due, status, why and Reason(why)) for due, status, why in json.loads(row["timetable"])],
        reads=row["reads"],
    )


def _written(timetable: Timetable) -> str:
    return json.dumps([[due, status, reason and reason.value] for due, status, reason in timetable])
