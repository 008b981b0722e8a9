"""The receipts."""

from __future__ import annotations

import io
import json
from typing import Any

from flask import render_template, send_file
from flask.typing import ResponseReturnValue

from app.journey.corrections.read import chain_of
from app.journey.receipts.proofs import proof_of_bill, proof_of_receipt
from app.journey.receipts.read import receipt_view, receipts_of
from app.journey.refunds.read import refunds_of_bill
from app.people.customers import today_of
from app.web.context import services
from app.web.customers.pages import blueprint, me, named_receipt


@blueprint.get("/receipts")
def receipts() -> ResponseReturnValue:
    with services().reading() as uow:
        views = receipts_of(uow.session, customer_id=me().customer.id)
    return render_template("customers/receipts.html", receipts=[named_receipt(view) for view in views])


@blueprint.get("/bills/<inv>/proof")
def bill_proof(inv: str) -> ResponseReturnValue:
    """What a stranger can check offline: that exactly this file was delivered, by whom, and how it was sealed."""
    return _download(proof_of_bill(services(), invoice_id=inv, customer_id=me().customer.id), name=f"bill-{inv[-8:]}")


@blueprint.get("/receipts/<rcp>/proof")
def receipt_proof(rcp: str) -> ResponseReturnValue:
    """The same of a payment, from the decision to the receipt."""
    found = proof_of_receipt(services(), receipt_id=rcp, customer_id=me().customer.id)
    return _download(found, name=f"receipt-{rcp[-8:]}")


def _download(proof: dict[str, Any], *, name: str) -> ResponseReturnValue:
    content = io.BytesIO(json.dumps(proof, indent=1).encode())
    return send_file(content, mimetype="application/json", as_attachment=True, download_name=f"{name}.proof.json")


@blueprint.get("/receipts/<rcp>")
def receipt(rcp: str) -> ResponseReturnValue:
    with services().reading() as uow:
        view = receipt_view(uow.session, receipt_id=rcp, customer_id=me().customer.id)
        chain = chain_of(uow.session, invoice_id=view.invoice_id, customer_id=me().customer.id)
        today = today_of(me().customer, uow.now)
        refunds = refunds_of_bill(uow.session, invoice_id=view.invoice_id, customer_id=me().customer.id, today=today)
    owed = chain.refund_owed if refunds.still_owed.minor else None
    return render_template("customers/receipt.html", receipt=named_receipt(view), refund_owed=owed)
