"""The receipts."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from app.journey.corrections.read import chain_of
from app.journey.receipts.read import receipt_view, receipts_of
from app.web.context import services
from app.web.customers.pages import blueprint, me, named_receipt


@blueprint.get("/receipts")
def receipts() -> ResponseReturnValue:
    with services().reading() as uow:
        views = receipts_of(uow.session, customer_id=me().customer.id)
    return render_template("customers/receipts.html", receipts=[named_receipt(view) for view in views])


@blueprint.get("/receipts/<rcp>")
def receipt(rcp: str) -> ResponseReturnValue:
    with services().reading() as uow:
        view = receipt_view(uow.session, receipt_id=rcp, customer_id=me().customer.id)
        chain = chain_of(uow.session, invoice_id=view.invoice_id, customer_id=me().customer.id)
    return render_template("customers/receipt.html", receipt=named_receipt(view), refund_owed=chain.refund_owed)
