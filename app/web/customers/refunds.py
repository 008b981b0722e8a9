"""What a customer says of a refund, and the account that they release for one. No page here moves money."""

from __future__ import annotations

from flask import Response, abort, jsonify, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.errors import Conflict
from app.journey.invoices.read import invoice_view
from app.journey.payments.read import payments_of_invoice
from app.journey.refunds import accounts, service
from app.journey.refunds.accounts import NotAnIban
from app.journey.refunds.read import RefundView, refunds_of_bill, typed_account
from app.journey.refunds.rules import ACCOUNT_KEPT, IBAN_TYPED_MOST
from app.people.customers import today_of
from app.web.context import services
from app.web.customers.inbox import bill_page
from app.web.customers.limits import asking_limit, limiter
from app.web.customers.pages import blueprint, json_body, me, relying_party, sent_credential

#: what the buttons say, by the last part of their address
SAYS = {"arrived": service.arrived, "missing": service.not_arrived, "take-account-back": accounts.take_back}


@blueprint.post("/bills/<inv>/refunds/<rfd>/<word>")
def say_of_refund(inv: str, rfd: str, word: str) -> ResponseReturnValue:
    """It has arrived; it has not; nobody is to read the account any more."""
    say = SAYS.get(word) or abort(404)
    try:
        with services().unit_of_work() as uow:
            if say(uow, signed_in=me(), refund_id=rfd).invoice_id != inv:
                abort(404)
            uow.commit()
    except Conflict as refused:
        return bill_page(inv, error=refused.code), refused.status
    return _to_bill(inv)


@blueprint.get("/bills/<inv>/refunds/<rfd>/account")
def refund_account(inv: str, rfd: str) -> ResponseReturnValue:
    """To which account a refund is to go: typed, then shown with who would see it, then released with a passkey."""
    return _page(inv, rfd)


@blueprint.post("/bills/<inv>/refunds/<rfd>/account")
@limiter.limit(asking_limit)
def type_refund_account(inv: str, rfd: str) -> ResponseReturnValue:
    typed = request.form.get("iban", "")[:IBAN_TYPED_MOST]
    _of_bill(inv, rfd)
    try:
        accounts.type_in(services(), signed_in=me(), refund_id=rfd, typed=typed)
    except NotAnIban as refused:
        return _page(inv, rfd, fault=refused.fault, typed=typed)
    except Conflict as refused:
        return bill_page(inv, error=refused.code), refused.status
    return redirect(url_for("customers.refund_account", inv=inv, rfd=rfd), 303)


@blueprint.post("/bills/<inv>/refunds/<rfd>/account/release/ceremony")
def release_refund_account_ceremony(inv: str, rfd: str) -> Response:
    _of_bill(inv, rfd)
    with services().unit_of_work() as uow:
        shown = body.get("passkey") if isinstance(body := json_body(), dict) else None
        started = accounts.start_release(uow, signed_in=me(), refund_id=rfd, party=relying_party(), shown=shown)
        uow.commit()
    return jsonify(ceremony=started.ceremony, publicKey=started.public_key)


@blueprint.post("/bills/<inv>/refunds/<rfd>/account/release")
def release_refund_account(inv: str, rfd: str) -> ResponseReturnValue:
    _of_bill(inv, rfd)
    ceremony, credential = sent_credential(so="Nobody was told anything.")
    try:
        accounts.release(
            services(),
            signed_in=me(),
            refund_id=rfd,
            party=relying_party(),
            ceremony=ceremony,
            credential=credential,
        )
    except Conflict as refused:
        return bill_page(inv, error=refused.code), refused.status
    return _to_bill(inv)


def _page(invoice_id: str, refund_id: str, *, fault: str | None = None, typed: str = "") -> ResponseReturnValue:
    customer = me().customer
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        bill = invoice_view(uow.session, invoice_id=invoice_id, customer_id=customer.id, today=today)
        waiting = typed_account(uow.session, refund_id=refund_id, now=uow.now)
        tries = payments_of_invoice(uow.session, invoice_id=invoice_id, customer_id=customer.id, now=uow.now)
    refund = _of_bill(invoice_id, refund_id)
    if not refund.wants_account:
        return _to_bill(invoice_id)  # which says how it stands
    page = render_template(
        "customers/refund_account.html",
        bill=bill,
        refund=refund,
        waiting=None if fault else waiting,
        was_paid_here=any(each.settled_at is not None for each in tries),
        fault=fault,
        typed=typed,
        kept_days=ACCOUNT_KEPT.days,
    )
    return make_response(page, 422 if fault else 200)


def _of_bill(invoice_id: str, refund_id: str) -> RefundView:
    """The refund of this bill of theirs. Nothing else is at that address."""
    customer = me().customer
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        found = refunds_of_bill(uow.session, invoice_id=invoice_id, customer_id=customer.id, today=today)
    return next((refund for refund in found.refunds if refund.id == refund_id), None) or abort(404)


def _to_bill(invoice_id: str) -> ResponseReturnValue:
    return redirect(url_for("customers.bill", inv=invoice_id, _anchor="refund"), 303)
