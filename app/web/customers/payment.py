"""Leaving for the bank, the truth about a payment, and stopping one in time."""

from __future__ import annotations

import dataclasses

from flask import abort, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.errors import Conflict, NotFound, TooLate
from app.journey.consents.read import payer_mask_of
from app.journey.invoices.read import invoice_view
from app.journey.opinions.read import asks_of_payment
from app.journey.payments import access
from app.journey.payments import service as payments
from app.journey.payments.looks import work_key
from app.journey.payments.read import PaymentView, is_decided, payment_view
from app.journey.payments.states import PaymentState, Truth
from app.journey.receipts.read import receipt_ids
from app.people.customers import today_of
from app.services import WEB_DEADLINE_S
from app.tasks import run_now
from app.web.context import services, signed_in, trip_cookie_name, trip_cookies
from app.web.customers.bank_view import view_of_bank
from app.web.customers.pages import approves_in_app, blueprint, me, named_payment, set_cookie
from app.web.customers.together import round_now

#: without script the page fetches itself again
REFRESH_S = 4


@blueprint.get("/payments/<pay>/leave")
def leave(pay: str) -> ResponseReturnValue:
    """Which bank comes next and what it will show. While the bank is being told, the page waits and says so."""
    try:
        view, _ = _view(pay)
    except NotFound:
        _must_be_decided(pay)
        return render_template("customers/leave.html", payment=None, ready=False)
    if view.state in (PaymentState.PREPARED, PaymentState.INITIATING):
        return _crossing(view, ready=False)
    if not view.link_open:
        return redirect(url_for("customers.payment", pay=pay), 303)
    return _crossing(view, ready=True)


def _crossing(view: PaymentView, *, ready: bool) -> str:
    return render_template(
        "customers/leave.html",
        payment=view,
        bank_view=view_of_bank(view.bank_id),
        ready=ready,
        in_app=approves_in_app(view),
    )


@blueprint.get("/payments/<pay>/bank")
def to_bank(pay: str) -> ResponseReturnValue:
    """Send this browser to its bank: the one hop that leaves this site."""
    if request.method == "HEAD":
        abort(405)  # a look must not count as leaving
    try:
        leaving = payments.leave_for_bank(services(), signed_in=me(), payment_id=pay)
    except TooLate:
        return redirect(url_for("customers.payment", pay=pay), 303)
    response = redirect(leaving.url, 303)
    set_cookie(response, trip_cookie_name(leaving.trip_id), leaving.browser, max_age=int(leaving.life.total_seconds()))
    return response


@blueprint.get("/payments/<pay>")
def payment(pay: str) -> ResponseReturnValue:
    """One of four truths, as the bank told it."""
    try:
        view, limited = _view(pay)
    except NotFound:
        _must_be_decided(pay)
        return render_template("customers/leave.html", payment=None, ready=False)
    chosen = bill = mask = None
    asks = False
    if not limited:
        with services().reading() as uow:
            chosen = round_now(uow)
            if not me().read_only and not view.on_top:
                asks = asks_of_payment(uow.session, view, is_delivered=view.is_delivered, now=uow.now)
            mask = payer_mask_of(uow.session, view.consent_id) if view.consent_id else None
            if view.may_pay_again or view.truth is Truth.SCHEDULED:  # until when it is to be paid, and what that takes
                customer = me().customer
                today = today_of(customer, uow.now)
                bill = invoice_view(uow.session, invoice_id=view.invoice_id, customer_id=customer.id, today=today)
    return render_template(
        "customers/payment.html",
        payment=view,
        bill=bill,
        payer_mask=mask,
        just_back="back" in request.args,
        refresh_s=REFRESH_S if _may_change_soon(view) else None,
        limited=limited,
        asks=asks,
        round=chosen.view if chosen else None,
        next_href=chosen.next_href if chosen else None,
        at_once=chosen.at_once if chosen else 0,
        in_app=approves_in_app(view),
    )


@blueprint.get("/payments/<pay>/state")
def payment_state(pay: str) -> ResponseReturnValue:
    """For the page's small poll: whether there is something new to show."""
    try:
        view, _ = _view(pay)
    except NotFound:
        _must_be_decided(pay)
        return jsonify(version="decided", final=False)
    return jsonify(version=view.version, final=view.final)


@blueprint.post("/payments/<pay>/cancel")
def cancel(pay: str) -> ResponseReturnValue:
    """Stop a payment before going to the bank; then on to paying, if that is wanted. Too late is no error: the page
    tells the truth."""
    stopped = None
    try:
        with services().unit_of_work() as uow:
            stopped = payments.cancel(uow, signed_in=me(), payment_id=pay)
            uow.commit()
    except TooLate:
        pass
    if stopped is not None and "pay" in request.form:
        return redirect(url_for("customers.confirm", inv=stopped.invoice_id, consent=stopped.consent_id), 303)
    return redirect(url_for("customers.payment", pay=pay), 303)


@blueprint.post("/payments/<pay>/take-back")
def take_back(pay: str) -> ResponseReturnValue:
    """Have the bank asked to drop what it keeps until a day. Too late, or not by us, is no error: the page says so."""
    is_new = False
    try:
        with services().unit_of_work() as uow:
            is_new = payments.want_back(services(), uow, signed_in=me(), payment_id=pay)
            uow.commit()
    except (Conflict, TooLate):
        pass
    if is_new:
        run_now(services(), work_key(pay), deadline_s=WEB_DEADLINE_S)
    return redirect(url_for("customers.payment", pay=pay), 303)


def _may_change_soon(view: PaymentView) -> bool:
    """While somebody looks at it. What waits for its day changes before by what its customer does."""
    if view.truth is Truth.KEPT:
        return (view.is_wanted_back or (view.unwanted and view.bank_takes_back)) and not view.drop_refused
    return not view.final and view.truth is not Truth.SCHEDULED


def _must_be_decided(payment_id: str) -> None:
    """What was signed and is not prepared yet is no page that does not exist. Raises NotFound for anything else."""
    who = signed_in()
    with services().reading() as uow:
        if who is None or not is_decided(uow.session, payment_id=payment_id, customer_id=who.customer.id):
            raise NotFound("payment")


def _view(payment_id: str) -> tuple[PaymentView, bool]:
    """The payment for its signed-in customer, or for the browser that went to the bank for it (``limited``)."""
    who = signed_in()
    cookies = trip_cookies()
    with services().reading() as uow:
        limited = who is None
        if who is not None:
            access.payment_of_customer(uow.session, payment_id=payment_id, customer_id=who.customer.id)
        elif cookies:
            access.payment_of_browser(uow.session, payment_id=payment_id, cookies=cookies)
        else:
            raise NotFound("payment")
        view = payment_view(uow.session, payment_id, now=uow.now)
        if view.know_by is not None and view.know_by <= uow.now:
            view = dataclasses.replace(view, know_by=None)  # a time that is over is no promise
        if view.told_until is not None and view.told_until <= uow.now:
            view = dataclasses.replace(view, untold=True)  # whether or not somebody has looked since
        receipts = receipt_ids(uow.session, payment_ids=[payment_id])
    return _with_receipt(named_payment(view, receipts.get(payment_id)), limited=limited), limited


def _with_receipt(view: PaymentView, *, limited: bool) -> PaymentView:
    """The receipt is written a moment after the payment is settled: until then the page has not come to its end."""
    if limited:
        return dataclasses.replace(view, receipt_id=None)
    if view.state == PaymentState.SETTLED:
        known = "with" if view.receipt_id else "without"
        return dataclasses.replace(view, version=f"{view.version}-{known}-receipt", final=view.receipt_id is not None)
    return view
