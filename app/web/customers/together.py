"""Paying several bills, one after the other: choosing them, and never losing the place."""

from __future__ import annotations

from flask import Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, Invalid
from app.journey.invoices.read import invoice_view, invoices_of
from app.journey.invoices.states import InvoiceState
from app.journey.plans import rounds
from app.journey.plans.rounds import BILLS_MOST, RoundView
from app.people.customers import today_of
from app.web.context import services
from app.web.customers.pages import blueprint, me
from app.web.customers.verdicts import ways_of_bill


@blueprint.get("/together")
def together() -> ResponseReturnValue:
    """Which bills, and how far they are."""
    return _page()


@blueprint.post("/together")
def pay_together() -> ResponseReturnValue:
    """Choose them, or go through none of them any more."""
    try:
        with services().unit_of_work() as uow:
            if "leave" in request.form:
                rounds.leave(uow, signed_in=me())
            elif "skip" in request.form:
                rounds.skip(uow, signed_in=me(), invoice_id=request.form["skip"])
            else:
                rounds.begin(uow, signed_in=me(), invoice_ids=request.form.getlist("bill"))
            uow.commit()
    except (Conflict, Invalid) as refused:
        return _page(refused)
    return redirect(url_for("customers.inbox" if "leave" in request.form else "customers.together"), 303)


def round_now(uow: UnitOfWork) -> tuple[RoundView | None, str | None]:
    """The bills that the signed-in customer goes through, and where the next one is looked at and signed."""
    customer = me().customer
    today = today_of(customer, uow.now)
    view = rounds.round_of(uow.session, customer_id=customer.id, today=today, now=uow.now)
    if view is None or view.next is None:
        return view, None
    bill = invoice_view(uow.session, invoice_id=view.next.invoice_id, customer_id=customer.id, today=today)
    ways = ways_of_bill(uow, bill, customer_id=customer.id, troubled={})
    covering = ways.covering if ways else None
    return view, url_for("customers.confirm", inv=bill.id, consent=covering.consent_id if covering else None)


def _page(refused: Conflict | Invalid | None = None) -> Response:
    customer = me().customer
    with services().reading() as uow:
        bills = invoices_of(
            uow.session,
            customer_id=customer.id,
            today=today_of(customer, uow.now),
            now=uow.now,
            states=(InvoiceState.TO_PAY,),
            with_set_aside=False,
            page=1,
        )
        view, next_href = round_now(uow)
    payable = [bill for bill in bills if not bill.is_stopped and not bill.waits_for_earlier]
    page = render_template(
        "customers/together.html",
        bills=payable,
        round=view,
        next_href=next_href,
        chosen=request.form.getlist("bill"),
        error=refused.code if refused else None,
        most=BILLS_MOST,
    )
    return make_response(page, refused.status if refused else 200)
