"""Checking the payee of a bill that nobody verified, before the confirm page. Nothing is decided here."""

from __future__ import annotations

from flask import Response, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.errors import Conflict
from app.journey.decisions import payee_checks
from app.journey.decisions.payee_checks import NotChecked
from app.journey.invoices.read import invoice_view
from app.journey.invoices.states import InvoiceState
from app.people.customers import today_of
from app.web.context import services
from app.web.customers.bank_view import bank_view
from app.web.customers.decide import as_wanted, usable_bank
from app.web.customers.limits import asking_limit, limiter
from app.web.customers.pages import blueprint, me
from connectors.profile import BankProfile

#: longer is no account, however it is written
TYPED_MOST = 100


@blueprint.get("/bills/<inv>/payee")
@limiter.limit(asking_limit)
def check_payee(inv: str) -> ResponseReturnValue:
    """What only the customer can check: the account is typed from the bill, and this page does not say it."""
    bank = _bank()
    payee_checks.ask_name(services(), signed_in=me(), invoice_id=inv)
    return _page(inv, bank, faults=(), typed="")


@blueprint.post("/bills/<inv>/payee")
def payee_checked(inv: str) -> ResponseReturnValue:
    bank, typed = _bank(), request.form.get("typed", "")[:TYPED_MOST]
    try:
        with services().unit_of_work() as uow:
            payee_checks.record(
                uow,
                signed_in=me(),
                invoice_id=inv,
                bank=bank,
                typed=typed,
                named="named" in request.form,
                called="called" in request.form,
                warned="warned" in request.form,
                doubted="doubted" in request.form,
                besides="besides" in request.form,
                shown=request.form.get("shown", ""),
            )
            uow.commit()
    except NotChecked as refused:
        page = _page(inv, bank, faults=refused.faults, typed=typed)
        page.status_code = 422 if page.status_code == 200 else page.status_code
        return page
    except Conflict:
        return redirect(url_for("customers.bill", inv=inv), 303)
    return redirect(url_for("customers.confirm", inv=inv, bank=bank.id, consent=request.args.get("consent")), 303)


def _bank() -> BankProfile:
    return usable_bank(request.args.get("bank")) or abort(404)


def _page(invoice_id: str, bank: BankProfile, *, faults: tuple[str, ...], typed: str) -> Response:
    customer = me().customer
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        bill = invoice_view(uow.session, invoice_id=invoice_id, customer_id=customer.id, today=today)
        bill = as_wanted(uow.session, bill, today=today)
        need, _ = payee_checks.state_of(uow, invoice_id=invoice_id, bank_id=None)
    if bill.state != InvoiceState.TO_PAY or bill.is_set_aside:
        return make_response(redirect(url_for("customers.bill", inv=invoice_id), 303))
    if need.is_nothing:
        consent = request.args.get("consent")
        return make_response(redirect(url_for("customers.confirm", inv=invoice_id, bank=bank.id, consent=consent), 303))
    return make_response(
        render_template(
            "customers/payee.html",
            bill=bill,
            bank=bank_view(bank, {}),
            need=need,
            ends=(bill.payee_iban or "")[-4:],
            faults=faults,
            typed=typed,
        )
    )
