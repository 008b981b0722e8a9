"""For whoever tests: what was really booked, and what only a customer at the bank can do. No connector may see it."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping

from flask import Blueprint, Response, abort, jsonify, request

from connectors.sandbox_bank.context import iso_utc
from connectors.sandbox_bank.openbanking_uk import payments, people, recurring, scheduled
from connectors.sandbox_bank.openbanking_uk.context import current_bank
from connectors.sandbox_bank.openbanking_uk.store import Connection, Row

ENTRIES_MAX = 200

blueprint = Blueprint("ledger", __name__, url_prefix="/sandbox")


@blueprint.before_request
def _check_token() -> None:
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {current_bank().settings.ledger_token}".encode()):
        abort(401)


@blueprint.get("/ledger")
def ledger() -> Response:
    """{"entries": […]}, newest first; of one `end_to_end_id` or `consent_id`, or the latest; 200 at most."""
    bank = current_bank()
    wanted = {"id": request.args.get("end_to_end_id"), "consent": request.args.get("consent_id")}
    with bank.store.read() as connection:
        rows = _booked(connection, wanted, now_ms=bank.now_ms())
    return jsonify({"entries": [_entry(row) for row in rows]})


@blueprint.post("/<brand_id>/consents/<consent_id>/cancel")
def cancel_consent(brand_id: str, consent_id: str) -> Response:
    """The customer ends a standing consent at the bank: 204, or 409 where it does not stand."""
    bank = current_bank()
    with bank.store.write() as connection:
        consent = payments.consent_of(connection, consent_id, brand=bank.brand(brand_id).id)
        done = consent is not None and recurring.cancel(connection, consent, now_ms=bank.now_ms())
    return Response(status=204 if done else 409)


@blueprint.post("/<brand_id>/consents/<consent_id>/account")
def move_consent(brand_id: str, consent_id: str) -> Response:
    """The customer has another account (`account`) pay for a standing consent: 204, or 409 where that cannot be."""
    bank = current_bank()
    with bank.store.write() as connection:
        consent = payments.consent_of(connection, consent_id, brand=bank.brand(brand_id).id)
        account_id = request.form.get("account", "")
        done = consent is not None and recurring.move(connection, consent, account_id, now_ms=bank.now_ms())
    return Response(status=204 if done else 409)


@blueprint.post("/<brand_id>/payments/<payment_id>/cancel")
def cancel_payment(brand_id: str, payment_id: str) -> Response:
    """The customer stops a scheduled payment at the bank: 204, or 409 where its day has come."""
    bank = current_bank()
    with bank.store.write() as connection:
        payment = payments.payment_of(connection, payment_id, brand=bank.brand(brand_id).id)
        done = payment is not None and scheduled.cancel(connection, payment, now_ms=bank.now_ms())
    return Response(status=204 if done else 409)


def _booked(connection: Connection, wanted: Mapping[str, str | None], *, now_ms: int) -> list[Row]:
    return connection.execute(
        "SELECT movement.kind, movement.due_ms, payment.payment_id, payment.end_to_end_id, payment.amount_minor,"
        " payment.body, account.account_number FROM movement JOIN payment USING (payment_id)"
        " JOIN account USING (account_id)"
        " WHERE due_ms <= :now AND (:id IS NULL OR end_to_end_id = :id) AND (:consent IS NULL OR consent_id = :consent)"
        " ORDER BY due_ms DESC LIMIT :most",
        {**wanted, "now": now_ms, "most": ENTRIES_MAX},
    ).fetchall()


def _entry(row: Row) -> dict[str, str | None]:
    account = payments.instruction_of(json.loads(row["body"]))["CreditorAccount"]
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
