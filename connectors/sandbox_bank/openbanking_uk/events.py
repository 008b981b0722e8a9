"""What a TPP is told without asking: events that wait for their time, and the token that carries one (RFC 8417).

"Event Notifications" of Read/Write 4.0. An event is written down with the deed that brings it about, so none is lost;
who sends it is `postman`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from joserfc import jwt

from connectors.sandbox_bank.openbanking_uk.context import UkBank
from connectors.sandbox_bank.openbanking_uk.payments import Consent, Payment
from connectors.sandbox_bank.openbanking_uk.store import Connection, Row

RESOURCE_UPDATE = "urn:uk:org:openbanking:events:resource-update"
REVOKED = "urn:uk:org:openbanking:events:consent-authorization-revoked"
ACCOUNT_UPDATE = "urn:uk:org:openbanking:events:domestic-vrp-consent-linked-account-update"
TYPES = (RESOURCE_UPDATE, REVOKED, ACCOUNT_UPDATE)

TRIES_MAX = 6
#: then after 1, 4, 16, 64, 256 s: all is over within six minutes
FIRST_PAUSE_MS = timedelta(seconds=1) // timedelta(milliseconds=1)
PAUSE_GROWS_BY = 4
AT_ONCE_MAX = 20

_OB = "http://openbanking.org.uk/"

SCHEMA = """
CREATE TABLE IF NOT EXISTS subscription (
    subscription_id TEXT PRIMARY KEY,
    brand TEXT NOT NULL,
    tpp TEXT NOT NULL,
    callback_url TEXT,
    version TEXT NOT NULL,
    event_types TEXT,
    UNIQUE (brand, tpp)
) STRICT;
CREATE TABLE IF NOT EXISTS event (
    jti TEXT PRIMARY KEY,
    brand TEXT NOT NULL,
    tpp TEXT NOT NULL,
    types TEXT NOT NULL,
    collection TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    toe_ms INTEGER NOT NULL,
    next_ms INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'dropped'))
) STRICT;
CREATE INDEX IF NOT EXISTS event_waiting ON event (next_ms) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS event_resource ON event (resource_id);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """``collection``: the resource's name in addresses. ``toe_ms``: when it happened. ``tries``: with this one."""

    jti: str
    brand: str
    tpp: str
    types: Sequence[str]
    collection: str
    resource_id: str
    toe_ms: int
    tries: int


# ---------------------------------------------------------------------------------------------------- what is announced


def of_payment(connection: Connection, payment: Payment | None) -> None:
    """Each later change of its status, when its time has come. Its first one is the answer to its submission."""
    if payment is not None:
        for due_ms, _, _ in payment.timetable[1:]:
            _announce(connection, payment.consent, [RESOURCE_UPDATE], payment.kind.orders, payment.payment_id, due_ms)


def of_cancelled_payment(connection: Connection, payment: Payment, *, now_ms: int) -> None:
    """In place of all that would have become of it."""
    connection.execute("DELETE FROM event WHERE resource_id = ? AND toe_ms > ?", [payment.payment_id, now_ms])
    _announce(connection, payment.consent, [RESOURCE_UPDATE], payment.kind.orders, payment.payment_id, now_ms)


def of_cancelled_consent(connection: Connection, consent: Consent, *, now_ms: int) -> None:
    """Two events in one token, as the standard's own example has them."""
    types = [RESOURCE_UPDATE, REVOKED]
    _announce(connection, consent, types, consent.kind.consents, consent.consent_id, now_ms)


def of_moved_consent(connection: Connection, consent: Consent, *, now_ms: int) -> None:
    """The account that it pays from is another one."""
    _announce(connection, consent, [ACCOUNT_UPDATE], consent.kind.consents, consent.consent_id, now_ms)


def _announce(
    connection: Connection, consent: Consent, types: Sequence[str], collection: str, resource_id: str, due_ms: int
) -> None:
    connection.execute(
        "INSERT INTO event (jti, brand, tpp, types, collection, resource_id, toe_ms, next_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [str(uuid.uuid4()), consent.brand, consent.tpp, json.dumps(types), collection, resource_id, due_ms, due_ms],
    )


# ------------------------------------------------------------------------------------------------------- what is sent


def take_due(connection: Connection, *, now_ms: int) -> list[Event]:
    """Those whose time has come, tried once more by being taken: a second worker does not find them."""
    rows = connection.execute(
        "SELECT jti, brand, tpp, types, collection, resource_id, toe_ms, tries + 1 AS tries FROM event"
        " WHERE state = 'waiting' AND next_ms <= ? ORDER BY next_ms LIMIT ?",
        [now_ms, AT_ONCE_MAX],
    ).fetchall()
    for row in rows:
        next_ms = now_ms + FIRST_PAUSE_MS * PAUSE_GROWS_BY ** (row["tries"] - 1)
        connection.execute("UPDATE event SET tries = tries + 1, next_ms = ? WHERE jti = ?", [next_ms, row["jti"]])
    return [Event(**{**row, "types": json.loads(row["types"])}) for row in rows]


def close(connection: Connection, event: Event, *, delivered: bool) -> None:
    state = "delivered" if delivered else "dropped"
    connection.execute("UPDATE event SET state = ? WHERE jti = ?", [state, event.jti])


def callback_of(connection: Connection, event: Event) -> str | None:
    """Where the TPP wants it; None where it wants nothing of the kind."""
    row = subscription_of(connection, brand=event.brand, tpp=event.tpp)
    if row is None or row["callback_url"] is None:
        return None
    wanted = TYPES if row["event_types"] is None else json.loads(row["event_types"])
    return str(row["callback_url"]) if any(each in wanted for each in event.types) else None


def subscription_of(connection: Connection, *, brand: str, tpp: str) -> Row | None:
    row: Row | None = connection.execute(
        "SELECT subscription_id, callback_url, version, event_types FROM subscription WHERE brand = ? AND tpp = ?",
        [brand, tpp],
    ).fetchone()
    return row


def token_of(bank: UkBank, event: Event) -> str:
    """The SET, signed as the bank signs all that it says: OBEventNotification2."""
    brand = bank.brand(event.brand)
    link = f"{bank.settings.base_url}{brand.prefix}/{event.collection}/{event.resource_id}"
    subject = {
        "subject_type": f"{_OB}rid_{_OB}rty",
        f"{_OB}rid": event.resource_id,
        f"{_OB}rty": event.collection.removesuffix("s"),
        f"{_OB}rlk": [{"version": f"v{brand.version}", "link": link}],
    }
    claims = {
        "iss": bank.issuer(brand),
        "iat": bank.now_ms() // 1000,
        "jti": event.jti,
        "sub": link,
        "aud": event.tpp,
        "txn": event.jti,
        "toe": event.toe_ms // 1000,
        "events": {name: {"subject": subject} for name in event.types},
    }
    header = {"alg": "PS256", "kid": bank.keys.kid(brand.id), "typ": "JWT"}
    return jwt.encode(header, claims, bank.keys.of(brand.id), algorithms=["PS256"])


def body_of(row: Row) -> Mapping[str, Any]:
    """OBEventSubscriptionResponse1's Data."""
    optional = {
        "CallbackUrl": row["callback_url"],
        "EventTypes": None if row["event_types"] is None else json.loads(row["event_types"]),
    }
    return {
        "EventSubscriptionId": row["subscription_id"],
        "Version": row["version"],
        **{name: value for name, value in optional.items() if value is not None},
    }
