"""A payment from initiation to booking. Without it nothing here would be a bank.

The customer's approval executes the payment (SCA executes it): one transaction writes down a timetable.
Time does the rest: any read first books what is due. So a kill at any moment loses nothing.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Any

from connectors.sandbox_bank.people import PIN_TRIES_MAX, Account, accounts_of
from connectors.sandbox_bank.scenarios import Fault, Reason, Step, scenario_of
from connectors.sandbox_bank.store import Connection, Row, Store

MILLISECOND = timedelta(milliseconds=1)
_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)
#: paymentInitiationStatusResponse-200: SCA not completed "within the required timeframe" must become RJCT
AUTHORISATION_MS = timedelta(minutes=15) // MILLISECOND
LEDGER_ENTRIES_MAX = 200
#: ISO 20022's word for "the debtor gave none"
NO_END_TO_END_ID = "NOTPROVIDED"

_MONEY_MOVED = ("ACSC", "ACCC")


@dataclass(frozen=True, kw_only=True)
class Status:
    """`transactionStatus` of the standard; `reason` says why where it is RJCT."""

    code: str
    reason: Reason | None = None


#: in the body of an order
EXECUTION_DATE = "requestedExecutionDate"
#: of an order that waits for its day
_KEPT = Status(code="ACTC")


@dataclass(frozen=True, kw_only=True)
class Order:
    """A checked request to pay: `body` is the JSON as the TPP sent it."""

    body: dict[str, Any]
    amount_minor: int
    redirect_uri: str
    brand: str


@dataclass(frozen=True, kw_only=True)
class Payment:
    payment_id: str
    tpp: str
    brand: str
    body: dict[str, Any]
    amount_minor: int
    redirect_uri: str
    created_ms: int
    decision: str
    pin_failures: int
    reason: Reason | None
    debtor_iban: str | None
    timetable: Sequence[tuple[int, Status]]
    status_reads: int
    approval_ms: int | None = None  #: from its posting, until its customer is too late; None: as everywhere

    @property
    def time_to_approve_ms(self) -> int:
        return AUTHORISATION_MS if self.approval_ms is None else self.approval_ms

    def status_at(self, now_ms: int) -> Status:
        match self.decision:
            case "approved":
                # The first step holds even for a reader who looked at the clock just before the approval.
                first, *later = self.timetable
                return [first[1], *(status for due_ms, status in later if due_ms <= now_ms)][-1]
            case "refused":
                return Status(code="RJCT", reason=self.reason)
            case "cancelled":
                return Status(code="CANC")
            case _ if now_ms >= self.created_ms + self.time_to_approve_ms:
                return Status(code="RJCT", reason=Reason.TIMED_OUT)
            case _:
                return Status(code="RCVD")

    def may_be_decided(self, now_ms: int) -> bool:
        return self.status_at(now_ms).code == "RCVD" and self.decision == "open"

    @property
    def execute_ms(self) -> int | None:
        """The beginning of the later day, by UTC, for which it was given; None: it is executed at once."""
        if EXECUTION_DATE not in self.body:
            return None
        begins = dt.datetime.fromisoformat(self.body[EXECUTION_DATE]).replace(tzinfo=dt.UTC)
        begins_ms = (begins - _EPOCH) // MILLISECOND
        return begins_ms if begins_ms > self.created_ms else None

    def is_kept(self, now_ms: int) -> bool:
        """Approved, and its day has not come."""
        return self.decision == "approved" and self.execute_ms is not None and now_ms < self.execute_ms

    @property
    def wanted_debtor_iban(self) -> str | None:
        """The account that the TPP asked to debit; None leaves the choice to the customer."""
        return (self.body.get("debtorAccount") or {}).get("iban")


class Obstacle(Enum):
    """Why an account cannot pay."""

    ANOTHER_ACCOUNT_WANTED = auto()
    NO_FUNDS = auto()


@dataclass(frozen=True, kw_only=True)
class Choice:
    account: Account
    obstacle: Obstacle | None


def create(connection: Connection, *, tpp: str, order: Order, now_ms: int, payment_id: str | None = None) -> str:
    """The new paymentId. Two equal orders make two payments: the standard knows no idempotency."""
    payment_id = payment_id or str(uuid.uuid4())
    connection.execute(
        "INSERT INTO payment (payment_id, tpp, brand, body, amount_minor, redirect_uri, created_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            payment_id,
            tpp,
            order.brand,
            json.dumps(order.body),
            order.amount_minor,
            order.redirect_uri,
            now_ms,
        ],
    )
    return payment_id


def find(connection: Connection, payment_id: str) -> Payment | None:
    row = connection.execute(
        "SELECT payment.*, account.iban FROM payment LEFT JOIN account USING (account_id) WHERE payment_id = ?",
        [payment_id],
    ).fetchone()
    return None if row is None else _payment(row)


def choices(connection: Connection, payment: Payment, customer_id: str) -> list[Choice]:
    """The customer's accounts, each with what keeps it from paying."""
    return [
        Choice(account=account, obstacle=_obstacle(account, payment))
        for account in accounts_of(connection, customer_id)
    ]


def approve(
    connection: Connection,
    payment: Payment,
    *,
    customer_id: str,
    account_id: str,
    now_ms: int,
    settle_ms: int,
    execute_ms: int | None = None,
) -> bool:
    """Executes the payment, or keeps it until ``execute_ms``.

    False, and nothing changed, where the account is not one that can pay it.

    `payment` must have been read in this write transaction and still be open.
    """
    able = {c.account.account_id for c in choices(connection, payment, customer_id) if c.obstacle is None}
    if account_id not in able:
        return False
    start_ms = now_ms if execute_ms is None else execute_ms
    timetable = _timetable(scenario_of(payment.amount_minor).timetable, now_ms=start_ms, settle_ms=settle_ms)
    if execute_ms is not None:
        timetable.insert(0, (now_ms, _KEPT))
    connection.execute(
        "UPDATE payment SET decision = 'approved', account_id = ?, timetable = ? WHERE payment_id = ?",
        [account_id, _timetable_json(timetable), payment.payment_id],
    )
    connection.executemany(
        "INSERT INTO due (payment_id, kind, due_ms) VALUES (?, ?, ?)",
        [(payment.payment_id, kind, due_ms) for due_ms, kind in _movements(timetable)],
    )
    return True


def refuse(connection: Connection, payment_id: str, reason: Reason) -> None:
    connection.execute(
        "UPDATE payment SET decision = 'refused', reason = ? WHERE payment_id = ? AND decision = 'open'",
        [reason.value, payment_id],
    )


def cancel(connection: Connection, payment_id: str) -> None:
    connection.execute(
        "UPDATE payment SET decision = 'cancelled' WHERE payment_id = ? AND decision = 'open'", [payment_id]
    )


def cancel_kept(connection: Connection, payment_id: str) -> None:
    """One that was approved for a later day. The caller has looked whether that day has come."""
    connection.execute("DELETE FROM due WHERE payment_id = ?", [payment_id])
    connection.execute(
        "UPDATE payment SET decision = 'cancelled', account_id = NULL, timetable = NULL WHERE payment_id = ?",
        [payment_id],
    )


def count_pin_failure(connection: Connection, payment: Payment) -> int:
    """Tries that are left. With the last one the payment is rejected, as strong authentication failed."""
    connection.execute("UPDATE payment SET pin_failures = pin_failures + 1 WHERE payment_id = ?", [payment.payment_id])
    tries_left = PIN_TRIES_MAX - payment.pin_failures - 1
    if tries_left <= 0:
        refuse(connection, payment.payment_id, Reason.WRONG_PIN)
    return tries_left


def count_status_read(connection: Connection, payment: Payment) -> Fault | str | None:
    """What the scenario makes of this read of an approved payment: a fault, an untrue status, or nothing."""
    script = scenario_of(payment.amount_minor).reads
    if payment.decision != "approved" or payment.status_reads >= len(script):
        return None
    connection.execute("UPDATE payment SET status_reads = status_reads + 1 WHERE payment_id = ?", [payment.payment_id])
    return script[payment.status_reads]


def settle(store: Store, now_ms: int) -> None:
    """Books what is due, each at its due moment. Call it before any read of a status, balance or ledger."""
    with store.read() as connection:
        if connection.execute("SELECT 1 FROM due WHERE due_ms <= ? LIMIT 1", [now_ms]).fetchone() is None:
            return
    with store.write() as connection:
        connection.execute(
            "INSERT INTO booking (payment_id, kind, account_id, amount_minor, end_to_end_id, booked_ms)"
            " SELECT payment_id, kind, account_id, amount_minor,"
            " coalesce(body ->> 'endToEndIdentification', ?), due_ms"
            " FROM due JOIN payment USING (payment_id) WHERE due_ms <= ? ORDER BY due_ms",
            [NO_END_TO_END_ID, now_ms],
        )
        connection.execute("DELETE FROM due WHERE due_ms <= ?", [now_ms])


def ledger(connection: Connection, end_to_end_id: str | None) -> list[Row]:
    """The newest bookings first; of one EndToEndIdentification, or the latest 200."""
    return connection.execute(
        "SELECT booking.*, account.iban, payment.body FROM booking"
        " JOIN account USING (account_id) JOIN payment USING (payment_id)"
        " WHERE :id IS NULL OR end_to_end_id = :id ORDER BY booking_id DESC LIMIT :max",
        {"id": end_to_end_id, "max": LEDGER_ENTRIES_MAX},
    ).fetchall()


def _obstacle(account: Account, payment: Payment) -> Obstacle | None:
    if payment.wanted_debtor_iban not in (None, account.iban):
        return Obstacle.ANOTHER_ACCOUNT_WANTED
    if account.available_minor < payment.amount_minor:
        return Obstacle.NO_FUNDS
    return None


def _timetable(steps: Sequence[Step], *, now_ms: int, settle_ms: int) -> list[tuple[int, Status]]:
    return [
        (
            now_ms + step.after_ms + (settle_ms if step.from_settlement else 0),
            Status(code=step.status, reason=step.reason),
        )
        for step in steps
    ]


def _movements(timetable: Sequence[tuple[int, Status]]) -> Iterator[tuple[int, str]]:
    """When money goes out and, where the timetable says so, comes back."""
    for due_ms, status in timetable:
        if status.code in _MONEY_MOVED:
            yield due_ms, "debit"
        if status.reason is Reason.REVERSED:
            yield due_ms, "reversal"


def _timetable_json(timetable: Sequence[tuple[int, Status]]) -> str:
    return json.dumps([[due_ms, s.code, s.reason and s.reason.value] for due_ms, s in timetable])


def _payment(row: Row) -> Payment:
    return Payment(
        payment_id=row["payment_id"],
        tpp=row["tpp"],
        brand=row["brand"],
        body=json.loads(row["body"]),
        amount_minor=row["amount_minor"],
        redirect_uri=row["redirect_uri"],
        created_ms=row["created_ms"],
        decision=row["decision"],
        pin_failures=row["pin_failures"],
        reason=row["reason"] and Reason(row["reason"]),
        debtor_iban=row["iban"],
        timetable=[
            (due_ms, Status(code=code, reason=reason and Reason(reason)))
            for due_ms, code, reason in json.loads(row["timetable"] or "[]")
        ],
        status_reads=row["status_reads"],
    )
