"""Paying several bills: choosing them, and never losing the place. Those that are signed at once: sign_together.py."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, Invalid
from app.journey.invoices.read import invoice_view, invoices_of
from app.journey.invoices.states import InvoiceState
from app.journey.plans import rounds
from app.journey.plans.rounds import BILLS_MOST, Place, RoundView
from app.people.customers import today_of
from app.web.context import services
from app.web.customers.bundle import ApartView, bundle_of, named_of
from app.web.customers.pages import blueprint, me
from app.web.customers.verdicts import ways_of_bill


@blueprint.get("/together")
def together() -> ResponseReturnValue:
    """Which bills, and how far they are."""
    changed = request.args.get("changed")
    return together_page(error="order-changed" if changed is not None else None, about=changed)


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
        return together_page(error=refused.code, status=refused.status)
    if "leave" in request.form:
        return redirect(url_for("customers.inbox", stopped=""), 303)
    with services().reading() as uow:
        now = round_now(uow)
    is_all = now.view is not None and now.at_once == sum(each.place is Place.WAITING for each in now.view.bills)
    is_chosen = "skip" not in request.form and now.at_once and is_all
    return redirect(url_for("customers.sign_together" if is_chosen else "customers.together"), 303)


def is_begun(view: RoundView | None) -> bool:
    """Whether any of its bills is in payment, or was paid."""
    return view is not None and any(bill.place in (Place.UNDER_WAY, Place.PAID) for bill in view.bills)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundNow:
    """The bills that the signed-in customer goes through."""

    view: RoundView | None
    next_href: str | None  #: where the next one is looked at and signed; None: none is left
    at_once: int  #: how many of those that wait can be signed at once; 0: that is not offered
    apart: tuple[ApartView, ...] = ()  #: those that wait and are signed by themselves


def round_now(uow: UnitOfWork) -> RoundNow:
    customer = me().customer
    today = today_of(customer, uow.now)
    view = rounds.round_of(uow.session, customer_id=customer.id, today=today, now=uow.now)
    if view is None or view.next is None:
        return RoundNow(view=view, next_href=None, at_once=0)
    bundle = bundle_of(uow, view, customer=customer)
    bill = invoice_view(uow.session, invoice_id=view.next.invoice_id, customer_id=customer.id, today=today)
    ways = ways_of_bill(uow, bill, customer_id=customer.id, troubled={})
    covering = ways.covering if ways else None
    next_href = url_for("customers.confirm", inv=bill.id, consent=covering.consent_id if covering else None)
    at_once = len(bundle.sorted.signable) if bundle.sorted.is_offered else 0
    return RoundNow(view=view, next_href=next_href, at_once=at_once, apart=bundle.apart)


def together_page(
    *, error: str | None = None, about: str | None = None, is_signed: bool = False, status: int = 200
) -> Response:
    """``error``: what was refused; ``about``: the id of which bill; ``is_signed``: it was to be signed with others."""
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
        now = round_now(uow)
    payable = [bill for bill in bills if not bill.is_stopped and not bill.waits_for_earlier]
    page = render_template(
        "customers/together.html",
        bills=payable,
        round=now.view,
        next_href=now.next_href,
        at_once=now.at_once,
        signed="signed" in request.args and is_begun(now.view),
        chosen=request.form.getlist("bill") or [each.invoice_id for each in (now.view.bills if now.view else ())],
        error=error,
        named=named_of(now.view, now.apart, about=about),
        is_signed=is_signed,
        most=BILLS_MOST,
    )
    return make_response(page, status)
