"""What the door asks of the resources, and how they are put behind it."""

from __future__ import annotations

import datetime as dt
import hmac
import json
from dataclasses import dataclass
from typing import Literal

from flask import Flask, Response, abort, jsonify, request

from connectors.sandbox_bank.context import iso_utc
from connectors.sandbox_bank.openbanking_uk import answers, domestic, payments, people
from connectors.sandbox_bank.openbanking_uk.context import UkBank, current_bank
from connectors.sandbox_bank.openbanking_uk.errors import OAuthError
from connectors.sandbox_bank.openbanking_uk.payments import SCHEMA
from connectors.sandbox_bank.openbanking_uk.scenarios import scenario_of
from connectors.sandbox_bank.openbanking_uk.store import Connection, Row
from connectors.sandbox_bank.scenarios import Fault

__all__ = ["SCHEMA", "Approval", "decide", "is_usable", "play_token_fault", "register", "to_approve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What a customer is asked to approve, as the pages show it."""

    consent_id: str
    kind: Literal["payment", "scheduled", "vrp"]
    tpp: str
    status: str
    payee: str
    amount_minor: int | None
    currency: str
    reference: str | None
    when: dt.date | None
    limits: list[str]
    expires_ms: int | None


def register(app: Flask) -> None:
    app.register_blueprint(domestic.blueprint)
    app.after_request(answers.echo_interaction)
    app.add_url_rule("/sandbox/ledger", view_func=_ledger)


def to_approve(connection: Connection, *, brand_id: str, consent_id: str) -> Approval | None:
    consent = payments.consent_of(connection, consent_id, brand=brand_id)
    if consent is None:
        return None
    told = consent.initiation.get("RemittanceInformation", {})
    structured = [each.get("CreditorReferenceInformation", {}).get("Reference") for each in told.get("Structured", [])]
    unstructured = told.get("Unstructured")
    said = [*structured, told.get("Reference"), *(unstructured if isinstance(unstructured, list) else [unstructured])]
    return Approval(
        consent_id=consent_id,
        kind="payment",
        tpp=consent.tpp,
        status=consent.status,
        payee=str(consent.initiation["CreditorAccount"]["Name"]),
        amount_minor=consent.amount_minor,
        currency="GBP",
        reference=next((each for each in said if each), None),
        when=None,
        limits=[],
        expires_ms=consent.expires_ms,
    )


def decide(
    connection: Connection,
    *,
    brand_id: str,
    consent_id: str,
    approved: bool,
    account_id: str | None,
    customer_id: str,  # noqa: ARG001  # a single payment is bound to the account alone
    now_ms: int,
) -> None:
    """The customer's word on a consent that waits."""
    if payments.consent_of(connection, consent_id, brand=brand_id) is not None:
        payments.decide(connection, consent_id, account_id=account_id if approved else None, now_ms=now_ms)


def is_usable(connection: Connection, *, brand_id: str, consent_id: str) -> bool:
    """A token for a single payment lives its own life, also when the consent is used up: a repeat is answered."""
    return payments.consent_of(connection, consent_id, brand=brand_id) is not None


def play_token_fault(bank: UkBank, *, brand_id: str, consent_id: str) -> None:
    """What the magic amount does to the exchange of a code that is spent already."""
    with bank.store.read() as connection:
        consent = payments.consent_of(connection, consent_id, brand=brand_id)
    fault = scenario_of(consent.amount_minor).token if consent is not None else None
    if fault is Fault.FAILS:
        raise OAuthError("server_error", "the bank failed after it spent the code", status=500)
    if fault is Fault.HANGS:
        bank.hang()


def _ledger() -> Response:
    """{"entries": […]}, newest first: what was really booked, to hold against what the TPP believes."""
    bank = current_bank()
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {bank.settings.ledger_token}".encode()):
        abort(401)
    with bank.store.read() as connection:
        rows = payments.ledger(connection, request.args.get("end_to_end_id"), now_ms=bank.now_ms())
    return jsonify({"entries": [_entry(row) for row in rows]})


def _entry(row: Row) -> dict[str, str]:
    account = json.loads(row["body"])["Data"]["Initiation"]["CreditorAccount"]
    return {
        "paymentId": row["payment_id"],
        "endToEndId": row["end_to_end_id"],
        "amount": f"{row['amount_minor'] // 100}.{row['amount_minor'] % 100:02d}",
        "currency": "GBP",
        "debtorAccount": f"{people.SORT_CODE}{row['account_number']}",
        "creditorAccount": account["Identification"],
        "creditorName": account["Name"],
        "bookedAt": iso_utc(row["due_ms"]),
        "kind": row["kind"],
    }
