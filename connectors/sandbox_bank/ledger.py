"""What the bank really booked, to hold against what Quittance believes. No connector may see it."""

from __future__ import annotations

import hmac
import json

from flask import Blueprint, Response, abort, jsonify, request

from connectors.sandbox_bank import payments
from connectors.sandbox_bank.context import current_bank, iso_utc
from connectors.sandbox_bank.store import Row

blueprint = Blueprint("ledger", __name__)


@blueprint.get("/sandbox/ledger")
def ledger() -> Response:
    """{"entries": […]}, newest first; all of one `end_to_end_id` up to 200, or the latest 200."""
    bank = current_bank()
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {bank.settings.ledger_token}".encode()):
        abort(401)
    payments.settle(bank.store, bank.now_ms())
    with bank.store.read() as connection:
        rows = payments.ledger(connection, request.args.get("end_to_end_id"))
    return jsonify({"entries": [_entry(row) for row in rows]})


def _entry(row: Row) -> dict[str, str]:
    body = json.loads(row["body"])
    return {
        "paymentId": row["payment_id"],
        "endToEndId": row["end_to_end_id"],
        "amount": f"{row['amount_minor'] // 100}.{row['amount_minor'] % 100:02d}",
        "currency": "EUR",
        "debtorIban": row["iban"],
        "creditorIban": body["creditorAccount"]["iban"],
        "creditorName": body["creditorName"],
        "bookedAt": iso_utc(row["booked_ms"]),
        "kind": row["kind"],
    }
