"""A payment request from its posting to its booking, and what it is called meanwhile.

Beside each payment of the bank (payments.py) stands a row with what is STET's: whose bank, the JSON, the link to its
approval, and whether it was approved and confirmed.
"""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

from connectors.sandbox_bank import payments
from connectors.sandbox_bank.payments import Order, Payment
from connectors.sandbox_bank.scenarios import Reason
from connectors.sandbox_bank.stet.brands import BRANDS, Brand
from connectors.sandbox_bank.stet.definition import Asked
from connectors.sandbox_bank.store import Connection

SCHEMA = """
CREATE TABLE IF NOT EXISTS stet_request (
    payment_id TEXT PRIMARY KEY REFERENCES payment,
    brand TEXT NOT NULL,
    request TEXT NOT NULL,
    link TEXT NOT NULL UNIQUE,
    failure_url TEXT NOT NULL,
    customer_id TEXT REFERENCES customer,
    account_id TEXT REFERENCES account,
    approved_ms INTEGER,
    confirmed_ms INTEGER,
    CHECK ((approved_ms IS NULL) = (account_id IS NULL)),
    CHECK (confirmed_ms IS NULL OR approved_ms IS NOT NULL)
) STRICT;
"""

#: StatusReasonInformation of the standard, for our own reasons
_REASONS = {
    Reason.REFUSED_BY_CUSTOMER: "CUST",
    Reason.NO_FUNDS: "CUST",
    Reason.TIMED_OUT: "NOAS",
    Reason.WRONG_PIN: "MS03",
    Reason.REJECTED_LATER: "FRAD",
    Reason.REVERSED: "MS03",
}


@dataclass(frozen=True, kw_only=True)
class Request:
    payment: Payment
    brand: Brand
    request: dict[str, Any]
    link: str
    failure_url: str
    customer_id: str | None
    account_id: str | None
    approved_ms: int | None
    confirmed_ms: int | None

    @property
    def success_url(self) -> str:
        return self.payment.redirect_uri

    def may_be_decided(self, now_ms: int) -> bool:
        return self.approved_ms is None and self.payment.may_be_decided(now_ms)

    def waits_for_confirmation(self, now_ms: int) -> bool:
        """Approved, and not executed before the TPP confirms it."""
        return self.approved_ms is not None and self.payment.may_be_decided(now_ms)

    def may_be_confirmed(self, now_ms: int) -> bool:
        if self.brand.confirmation == "none" or self.approved_ms is None or self.confirmed_ms is not None:
            return False
        return self.payment.status_at(now_ms).code != "RJCT"

    def words(self, now_ms: int, *, untrue: str | None = None) -> tuple[str, str | None, str | None]:
        """paymentInformationStatus, statusReasonInformation, transactionStatus. ``untrue``: what a scenario says."""
        status = self.payment.status_at(now_ms)
        code = untrue or status.code
        if code == "CANC":
            return "RJCT", "DS02", "RJCT"
        if code == "RJCT":
            return "RJCT", _REASONS[status.reason] if status.reason else "MS03", "RJCT"
        if code == "RCVD":
            return ("ACCP" if untrue is None and self.waits_for_confirmation(now_ms) else "RCVD"), None, None
        code = "ACSC" if code == "ACCC" else code  # the standard has no word for credited
        return code, None, code


def create(connection: Connection, *, tpp: str, brand: Brand, asked: Asked, now_ms: int) -> tuple[str, str]:
    """(the new id, the last part of the link to its approval). Two equal ones make two: nothing is idempotent here."""
    order = Order(
        body={
            "creditorName": asked.creditor_name,
            "creditorAccount": {"iban": asked.creditor_iban},
            "endToEndIdentification": asked.end_to_end_id,
            "remittanceInformationUnstructured": asked.remittance,
        },
        amount_minor=asked.amount_minor,
        redirect_uri=asked.success_url,
        brand=asked.tpp_name,
    )
    # ResourceId has 35 characters at most
    payment_id = payments.create(connection, tpp=tpp, order=order, now_ms=now_ms, payment_id=uuid.uuid4().hex)
    link = secrets.token_urlsafe(24)
    connection.execute(
        "INSERT INTO stet_request (payment_id, brand, request, link, failure_url) VALUES (?, ?, ?, ?, ?)",
        [payment_id, brand.id, json.dumps(asked.request), link, asked.failure_url],
    )
    return payment_id, link


def find(connection: Connection, payment_id: str) -> Request | None:
    return _found(connection, payment_id=payment_id)


def find_by_link(connection: Connection, link: str) -> Request | None:
    return _found(connection, link=link)


def _found(connection: Connection, *, payment_id: str | None = None, link: str | None = None) -> Request | None:
    row = connection.execute(
        "SELECT * FROM stet_request WHERE payment_id = ? OR link = ?", [payment_id, link]
    ).fetchone()
    payment = None if row is None else payments.find(connection, row["payment_id"])
    if payment is None:
        return None
    return Request(
        payment=payment,
        brand=BRANDS[row["brand"]],
        request=json.loads(row["request"]),
        link=row["link"],
        failure_url=row["failure_url"],
        customer_id=row["customer_id"],
        account_id=row["account_id"],
        approved_ms=row["approved_ms"],
        confirmed_ms=row["confirmed_ms"],
    )


def approve(
    connection: Connection, found: Request, *, customer_id: str, account_id: str, now_ms: int, settle_ms: int
) -> bool:
    """The customer's yes. It executes, unless the bank waits for the TPP. False where the account cannot pay it.

    ``found`` must have been read in this write transaction and still be open.
    """
    able = {
        c.account.account_id for c in payments.choices(connection, found.payment, customer_id) if c.obstacle is None
    }
    if account_id not in able:
        return False
    connection.execute(
        "UPDATE stet_request SET customer_id = ?, account_id = ?, approved_ms = ? WHERE payment_id = ?",
        [customer_id, account_id, now_ms, found.payment.payment_id],
    )
    if found.brand.confirmation != "awaited":
        _execute(connection, found, customer_id, account_id, now_ms=now_ms, settle_ms=settle_ms)
    return True


def confirm(connection: Connection, found: Request, *, now_ms: int, settle_ms: int) -> None:
    """The TPP's word after that. ``found`` must have been read in this write transaction and be one to be confirmed."""
    connection.execute(
        "UPDATE stet_request SET confirmed_ms = ? WHERE payment_id = ?", [now_ms, found.payment.payment_id]
    )
    if not found.waits_for_confirmation(now_ms) or found.customer_id is None or found.account_id is None:
        return
    if not _execute(connection, found, found.customer_id, found.account_id, now_ms=now_ms, settle_ms=settle_ms):
        payments.refuse(connection, found.payment.payment_id, Reason.NO_FUNDS)


def _execute(
    connection: Connection, found: Request, customer_id: str, account_id: str, *, now_ms: int, settle_ms: int
) -> bool:
    return payments.approve(
        connection, found.payment, customer_id=customer_id, account_id=account_id, now_ms=now_ms, settle_ms=settle_ms
    )
