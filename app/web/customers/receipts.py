"""The receipts."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import zoneinfo
from typing import Any

from flask import g, make_response, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale

from app.errors import Conflict
from app.journey.corrections.read import chain_of
from app.journey.receipts.checking import check_secret, receipt_of_sheet
from app.journey.receipts.proofs import proof_of_bill, proof_of_receipt
from app.journey.receipts.read import RECEIPTS_MOST, ReceiptView, first_and_last_issued, receipt_view, receipts_of
from app.journey.refunds.read import refunds_of_bill
from app.people.customers import start_of, today_of
from app.people.models import Customer
from app.web.context import may_be_here, services
from app.web.customers.filters import time_zone
from app.web.customers.french import words as _
from app.web.customers.limits import address, checking_limit, limiter
from app.web.customers.pages import blueprint, me, named_receipt, page_asked
from app.web.customers.receipt_sheet import Sheet, sheet_of


@blueprint.get("/receipts")
def receipts() -> ResponseReturnValue:
    """Page after page, or those of one year of the customer's calendar."""
    customer = me().customer
    page = page_asked()
    with services().reading() as uow:
        issued = first_and_last_issued(uow.session, customer_id=customer.id)
        years = _years(customer, *issued) if issued is not None else []
        year = request.args.get("year", type=int)
        if year not in years:
            year = None
        between = (_begins(customer, year), _begins(customer, year + 1)) if year is not None else None
        views = receipts_of(uow.session, customer_id=customer.id, between=between, page=page)
    is_full = len(views) == RECEIPTS_MOST
    return render_template(
        "customers/receipts.html",
        receipts=[named_receipt(view) for view in views],
        year=year,
        years=years if len(years) > 1 else [],
        more_url=url_for("customers.receipts", year=year, page=page + 1) if is_full else None,
        before_url=url_for("customers.receipts", year=year, page=page - 1) if page > 1 else None,
    )


def _years(customer: Customer, first: dt.datetime, last: dt.datetime) -> list[int]:
    """The newest first."""
    zone = zoneinfo.ZoneInfo(customer.time_zone)
    return list(range(last.astimezone(zone).year, first.astimezone(zone).year - 1, -1))


def _begins(customer: Customer, year: int) -> dt.datetime:
    return start_of(dt.date(year, 1, 1), time_zone=customer.time_zone)


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
    sheet = _sheet(view, me().customer)
    return render_template("customers/receipt.html", receipt=view, sheet=sheet, refund_owed=owed)


@blueprint.get("/receipts/<rcp>/pdf")
def receipt_file(rcp: str) -> ResponseReturnValue:
    """The receipt as a file to keep and to hand on: with the proof of its payment inside once the log has numbered it,
    and without the bill, which says much more of its customer."""
    from app.web.customers.receipt_pdf import receipt_pdf  # 30 MB and a third of a second: few processes need it

    customer = me().customer
    with services().reading() as uow:
        view = receipt_view(uow.session, receipt_id=rcp, customer_id=customer.id)
        secret = check_secret(uow.session, receipt_id=rcp)
    proof = None
    with contextlib.suppress(Conflict):  # the log has not numbered all of it yet
        of_payment = proof_of_receipt(services(), receipt_id=rcp, customer_id=customer.id, with_bill=False)
        proof = json.dumps(of_payment, indent=1).encode()
    content = receipt_pdf(
        _sheet(view, customer),
        language=str(get_locale()).replace("_", "-"),
        issued_at=view.issued_at,
        proof=proof,
        proof_name=f"{view.number}.proof.json",
        check_url=services().settings.base_url + url_for("customers.check_receipt", number=view.number, secret=secret)
        if secret
        else None,
        check_words=_("Whoever has this sheet can see at this address whether it is genuine and still good."),
    )
    return send_file(
        io.BytesIO(content), mimetype="application/pdf", as_attachment=True, download_name=f"{view.number}.pdf"
    )


@blueprint.get("/verify/receipts/<number>/<secret>")
@limiter.limit(checking_limit, key_func=address)
def check_receipt(number: str, secret: str) -> ResponseReturnValue:
    """What stands on a receipt, for whoever has the sheet: the address on it is the key. Nothing more is told, and of
    a wrong address nothing at all."""
    with services().reading() as uow:
        found = receipt_of_sheet(uow.session, number=number, secret=secret)
    sheet = None
    if found is not None and may_be_here(found[1]):
        view, customer = found
        g.time_zone = customer.time_zone  # as on the sheet, whoever looks
        sheet = _sheet(view, customer)
    answer = make_response(render_template("customers/check_receipt.html", sheet=sheet), 404 if sheet is None else 200)
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer


def _sheet(view: ReceiptView, customer: Customer) -> Sheet:
    is_demo = customer.demo or services().settings.demo
    return sheet_of(named_receipt(view), zone=time_zone(), is_demo=is_demo)
