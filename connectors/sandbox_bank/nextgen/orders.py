"""An order from its posting to its end, and the authorisations of it: approvals, and cancellations that want one.

Beside each payment of the bank (payments.py) stands a row with what is NextGenPSD2's.
"""

from __future__ import annotations

import datetime as dt
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from connectors.sandbox_bank import payments
from connectors.sandbox_bank.context import iso_utc
from connectors.sandbox_bank.grants import digest
from connectors.sandbox_bank.nextgen.brands import BRANDS, Brand
from connectors.sandbox_bank.nextgen.definition import PERIODIC, Asked
from connectors.sandbox_bank.payments import Payment
from connectors.sandbox_bank.scenarios import Reason
from connectors.sandbox_bank.store import Connection, Row

SCHEMA = """
CREATE TABLE IF NOT EXISTS nextgen_order (
    payment_id TEXT PRIMARY KEY REFERENCES payment,
    brand TEXT NOT NULL,
    service TEXT NOT NULL,
    product TEXT NOT NULL,
    execute_on TEXT,
    customer_id TEXT REFERENCES customer,
    early_reads INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS nextgen_owner (
    payment_id TEXT PRIMARY KEY REFERENCES nextgen_order,
    customer_id TEXT NOT NULL REFERENCES customer
) STRICT;
CREATE TABLE IF NOT EXISTS nextgen_request (
    tpp TEXT NOT NULL,
    brand TEXT NOT NULL,
    request_id TEXT NOT NULL,
    payment_id TEXT NOT NULL REFERENCES nextgen_order,
    PRIMARY KEY (tpp, brand, request_id)
) STRICT;
CREATE TABLE IF NOT EXISTS nextgen_authorisation (
    authorisation_id TEXT PRIMARY KEY,
    payment_id TEXT NOT NULL REFERENCES nextgen_order,
    cancels INTEGER NOT NULL,
    link TEXT NOT NULL UNIQUE,
    sca_status TEXT NOT NULL DEFAULT 'received'
        CHECK (sca_status IN ('received', 'psuAuthenticated', 'unconfirmed', 'finalised', 'failed')),
    success_uri TEXT NOT NULL,
    failure_uri TEXT NOT NULL,
    account_id TEXT REFERENCES account,
    code_hash TEXT,
    created_ms INTEGER NOT NULL,
    CHECK ((sca_status = 'unconfirmed') <= (code_hash IS NOT NULL))
) STRICT;
CREATE INDEX IF NOT EXISTS nextgen_authorisation_payment ON nextgen_authorisation (payment_id);
CREATE TABLE IF NOT EXISTS nextgen_visit (
    handle TEXT PRIMARY KEY REFERENCES visit,
    authorisation_id TEXT NOT NULL REFERENCES nextgen_authorisation
) STRICT;
"""

MINUTE_MS = 60_000
#: an authorisation in one of these ends no more otherwise
FINAL = ("finalised", "failed")


@dataclass(frozen=True, kw_only=True)
class KeptOrder:
    payment: Payment
    brand: Brand
    service: str
    product: str
    execute_on: dt.date | None
    customer_id: str | None  #: who approved it
    early_reads: int
    owner: str | None  #: who was signed in when it was given, where that is wanted: it is nobody else's

    @property
    def execute_ms(self) -> int | None:
        """The beginning of its day, by UTC."""
        if self.execute_on is None:
            return None
        day = dt.datetime.combine(self.execute_on, dt.time(), dt.UTC)
        return int(day.timestamp()) * 1000

    def is_kept(self, now_ms: int) -> bool:
        """Approved, and its day has not come."""
        return self.payment.decision == "approved" and self.execute_ms is not None and now_ms < self.execute_ms

    def word(self, now_ms: int, *, untrue: str | None = None) -> str:
        """transactionStatus. ``untrue``: what a scenario says."""
        code = untrue or self.payment.status_at(now_ms).code
        if self.brand.settles_with_accc:
            return {"ACSP": "ACSC", "ACSC": "ACCC"}.get(code, code)
        return code


@dataclass(frozen=True, kw_only=True)
class Authorisation:
    authorisation_id: str
    order: KeptOrder
    cancels: bool
    link: str
    sca_status: str
    success_uri: str
    failure_uri: str
    account_id: str | None
    code_hash: str | None
    created_ms: int

    def may_be_decided(self, now_ms: int) -> bool:
        if (
            self.sca_status in (*FINAL, "unconfirmed")
            or now_ms >= self.created_ms + self.order.payment.time_to_approve_ms
        ):
            return False
        return self.order.is_kept(now_ms) if self.cancels else self.order.payment.may_be_decided(now_ms)

    def status_at(self, now_ms: int) -> str:
        """scaStatus. What was not done in time has failed."""
        over = not self.may_be_decided(now_ms) and self.sca_status not in FINAL
        if over and not (self.sca_status == "unconfirmed" and self.order.payment.may_be_decided(now_ms)):
            return "failed"
        return self.sca_status


def create(
    connection: Connection,
    *,
    tpp: str,
    brand: Brand,
    service: str,
    product: str,
    asked: Asked,
    owner: str | None,
    now_ms: int,
) -> str:
    """The new paymentId. Two equal ones make two, but at a bank that looks for their X-Request-ID (``once``)."""
    payment_id = payments.create(connection, tpp=tpp, order=asked.order, now_ms=now_ms)
    connection.execute(
        "INSERT INTO nextgen_order (payment_id, brand, service, product, execute_on) VALUES (?, ?, ?, ?, ?)",
        [payment_id, brand.id, service, product, asked.execute_on and asked.execute_on.isoformat()],
    )
    if owner is not None:
        connection.execute("INSERT INTO nextgen_owner VALUES (?, ?)", [payment_id, owner])
    return payment_id


def once(connection: Connection, *, tpp: str, brand: Brand, request_id: str, make: Callable[[], str]) -> str:
    """The paymentId of the order that came with this X-Request-ID, which ``make`` makes if there is none."""
    key = [tpp, brand.id, request_id]
    row = connection.execute(
        "SELECT payment_id FROM nextgen_request WHERE tpp = ? AND brand = ? AND request_id = ?", key
    ).fetchone()
    if row is not None:
        return str(row["payment_id"])
    payment_id = make()
    connection.execute("INSERT INTO nextgen_request VALUES (?, ?, ?, ?)", [*key, payment_id])
    return payment_id


def find(connection: Connection, payment_id: str) -> KeptOrder | None:
    row = connection.execute(
        "SELECT nextgen_order.*, nextgen_owner.customer_id AS owner FROM nextgen_order"
        " LEFT JOIN nextgen_owner USING (payment_id) WHERE payment_id = ?",
        [payment_id],
    ).fetchone()
    payment = None if row is None else payments.find(connection, payment_id)
    if payment is None:
        return None
    brand = BRANDS[row["brand"]]
    return KeptOrder(
        payment=replace(payment, approval_ms=brand.approval_minutes and brand.approval_minutes * MINUTE_MS),
        brand=brand,
        service=row["service"],
        product=row["product"],
        execute_on=row["execute_on"] and dt.date.fromisoformat(row["execute_on"]),
        customer_id=row["customer_id"],
        early_reads=row["early_reads"],
        owner=row["owner"],
    )


def count_early_read(connection: Connection, order: KeptOrder) -> int:
    """How many there were before this one."""
    connection.execute(
        "UPDATE nextgen_order SET early_reads = early_reads + 1 WHERE payment_id = ?", [order.payment.payment_id]
    )
    return order.early_reads


# --------------------------------------------------------------------------------------------------- authorisations


def start(
    connection: Connection, *, payment_id: str, cancels: bool, ways_back: tuple[str, str], now_ms: int
) -> Authorisation:
    authorisation_id = str(uuid.uuid4())
    connection.execute(
        "INSERT INTO nextgen_authorisation"
        " (authorisation_id, payment_id, cancels, link, success_uri, failure_uri, created_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [authorisation_id, payment_id, cancels, secrets.token_urlsafe(24), *ways_back, now_ms],
    )
    made = authorisation(connection, authorisation_id)
    assert made is not None  # noqa: S101  # in the same transaction
    return made


def authorisation(connection: Connection, authorisation_id: str) -> Authorisation | None:
    row = connection.execute(
        "SELECT * FROM nextgen_authorisation WHERE authorisation_id = ?", [authorisation_id]
    ).fetchone()
    return _authorisation(connection, row)


def authorisation_by_link(connection: Connection, link: str) -> Authorisation | None:
    row = connection.execute("SELECT * FROM nextgen_authorisation WHERE link = ?", [link]).fetchone()
    return _authorisation(connection, row)


def authorisations_of(connection: Connection, payment_id: str, *, cancels: bool) -> list[Authorisation]:
    """The newest first."""
    rows = connection.execute(
        "SELECT * FROM nextgen_authorisation WHERE payment_id = ? AND cancels = ? ORDER BY created_ms DESC, rowid DESC",
        [payment_id, cancels],
    ).fetchall()
    return [found for row in rows if (found := _authorisation(connection, row)) is not None]


def waiting_in_app(connection: Connection, brand: Brand, now_ms: int) -> list[Authorisation]:
    """What the bank's app asks its customers, the newest first."""
    rows = connection.execute(
        "SELECT a.* FROM nextgen_authorisation a JOIN nextgen_order USING (payment_id)"
        " WHERE brand = ? AND a.created_ms > ? ORDER BY a.created_ms DESC, a.rowid DESC LIMIT 50",
        [brand.id, now_ms - payments.AUTHORISATION_MS],
    ).fetchall()
    found = [_authorisation(connection, row) for row in rows]
    return [one for one in found if one is not None and one.may_be_decided(now_ms)]


def _authorisation(connection: Connection, row: Row | None) -> Authorisation | None:
    order = None if row is None else find(connection, row["payment_id"])
    if row is None or order is None:
        return None
    return Authorisation(
        authorisation_id=row["authorisation_id"],
        order=order,
        cancels=bool(row["cancels"]),
        link=row["link"],
        sca_status=row["sca_status"],
        success_uri=row["success_uri"],
        failure_uri=row["failure_uri"],
        account_id=row["account_id"],
        code_hash=row["code_hash"],
        created_ms=row["created_ms"],
    )


def _set(connection: Connection, found: Authorisation, sca_status: str) -> None:
    connection.execute(
        "UPDATE nextgen_authorisation SET sca_status = ? WHERE authorisation_id = ?",
        [sca_status, found.authorisation_id],
    )


def refuse(connection: Connection, found: Authorisation) -> None:
    """The customer's no: to the payment, or to its cancellation."""
    _set(connection, found, "failed")
    if not found.cancels:
        payments.refuse(connection, found.order.payment.payment_id, Reason.REFUSED_BY_CUSTOMER)


def approve(
    connection: Connection,
    found: Authorisation,
    *,
    customer_id: str,
    account_id: str,
    code: str | None,
    now_ms: int,
    settle_ms: int,
) -> bool:
    """The customer's yes. ``code``: the confirmation code for which the bank waits then. False where it cannot be.

    ``found`` must have been read in this write transaction and may be decided.
    """
    if found.cancels:
        if found.order.customer_id != customer_id:
            return False
        payments.cancel_kept(connection, found.order.payment.payment_id)
        _set(connection, found, "finalised")
        return True
    able = {
        c.account.account_id
        for c in payments.choices(connection, found.order.payment, customer_id)
        if c.obstacle is None
    }
    if account_id not in able:
        return False
    connection.execute(
        "UPDATE nextgen_order SET customer_id = ? WHERE payment_id = ?", [customer_id, found.order.payment.payment_id]
    )
    connection.execute(
        "UPDATE nextgen_authorisation SET account_id = ?, code_hash = ? WHERE authorisation_id = ?",
        [account_id, code and digest(code), found.authorisation_id],
    )
    if code is not None:
        _set(connection, found, "unconfirmed")
        return True
    return _execute(connection, found, customer_id, account_id, now_ms=now_ms, settle_ms=settle_ms)


def confirm(connection: Connection, found: Authorisation, *, now_ms: int, settle_ms: int) -> None:
    """The TPP knows the code. ``found`` must have been read in this write transaction and be unconfirmed, in time."""
    if found.order.customer_id is None or found.account_id is None:
        return
    done = _execute(connection, found, found.order.customer_id, found.account_id, now_ms=now_ms, settle_ms=settle_ms)
    if not done:
        payments.refuse(connection, found.order.payment.payment_id, Reason.NO_FUNDS)
        _set(connection, found, "failed")


def _execute(
    connection: Connection, found: Authorisation, customer_id: str, account_id: str, *, now_ms: int, settle_ms: int
) -> bool:
    order = found.order
    done = payments.approve(
        connection,
        order.payment,
        customer_id=customer_id,
        account_id=account_id,
        now_ms=now_ms,
        settle_ms=settle_ms,
        execute_ms=order.execute_ms,
    )
    if done:
        _set(connection, found, "finalised")
    if done and order.service == PERIODIC:  # it is kept, and this sandbox plays none of its days
        connection.execute("DELETE FROM due WHERE payment_id = ?", [order.payment.payment_id])
        connection.execute(
            "UPDATE payment SET timetable = ? WHERE payment_id = ?",
            [f'[[{now_ms}, "ACTC", null]]', order.payment.payment_id],
        )
    return done


def day_in_words(order: KeptOrder) -> str | None:
    """For its pages: 2026-11-30."""
    return None if order.execute_ms is None else iso_utc(order.execute_ms)[:10]
