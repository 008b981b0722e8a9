"""The inbox and one bill."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

from flask import abort, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue

from app.journey.answers.read import answers_of_invoice, last_answers, said_before, sayable
from app.journey.answers.states import AnswerState
from app.journey.banks.read import troubled_banks
from app.journey.connections.read import waiting_for_answer
from app.journey.corrections.read import (
    CORRECTIONS_MOST,
    STANDING_MOST,
    chain_of,
    corrected,
    original_of_correction,
    standing_credits,
)
from app.journey.intake.holding import held_bills
from app.journey.invoices.access import takes_parts
from app.journey.invoices.alike import likeness
from app.journey.invoices.cautions import cautions_of
from app.journey.invoices.models import Invoice
from app.journey.invoices.ordering import Direction, Sort, move
from app.journey.invoices.own import doubts_of
from app.journey.invoices.read import (
    INBOX_MOST,
    InvoiceView,
    Original,
    account_view,
    invoice_view,
    invoices_of,
    open_total,
    origin_of,
    original_of,
    places_of,
)
from app.journey.invoices.states import InvoiceState
from app.journey.invoices.twins import twins
from app.journey.matching.read import Banks, bill_of, match
from app.journey.notices.read import UNREAD_MOST, unread_of
from app.journey.opinions.read import dispute_to_ask_of
from app.journey.payments.coming import coming_payments, scheduled_days
from app.journey.payments.read import decided_amounts, live_payments, not_known, payments_of_invoice
from app.journey.plans.read import is_withdrawn_last, last_plans
from app.journey.receipts.read import receipt_ids, receipts_in_short
from app.journey.refunds.read import refunds_of_bill
from app.people.customers import today_of
from app.people.vetting import vetting_of
from app.web.context import services
from app.web.customers.pages import blueprint, me, named_payment, note_seen, page_asked
from app.web.customers.purchase import Purchase, steps_of
from app.web.customers.together import round_now
from app.web.customers.verdicts import allowed_views, ways_of_bill, ways_view
from connectors.money import Money

SHOWN = {
    "all": tuple(InvoiceState),
    "to-pay": (InvoiceState.TO_PAY, InvoiceState.IN_PAYMENT),
    "paid": (InvoiceState.PAID,),
}
#: lines of the panel beside the inbox; the page of consents has all
YOUR_BANKS_MOST = 4
#: file endings of what billers send; a download is never opened by the browser as a page
ENDINGS = {
    "application/json": "json",
    "application/pdf": "pdf",
    "text/plain": "txt",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
}


@blueprint.get("/bills")
def inbox() -> ResponseReturnValue:
    show = request.args.get("show", "all")
    if show not in SHOWN:
        show = "all"
    wanted = request.args.get("sort")
    # what is paid has no place in anybody's own order
    sort = Sort(wanted) if wanted in set(Sort) and (show, wanted) != ("paid", Sort.MINE) else Sort.DUE
    page = page_asked()
    customer = me().customer
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        bills = invoices_of(
            uow.session,
            customer_id=customer.id,
            today=today,
            now=uow.now,
            states=SHOWN[show],
            with_set_aside=show != "to-pay",
            sort=sort,
            page=page,
        )
        is_mine = sort is Sort.MINE
        places = places_of(uow.session, bills, customer_id=customer.id, page=page) if is_mine else {}
        answers = last_answers(uow.session, invoice_ids=[bill.id for bill in bills], today=today)
        before = said_before(uow.session, invoice_ids=[bill.id for bill in bills])
        plans = last_plans(uow.session, invoice_ids=[bill.id for bill in bills], today=today)
        payments = live_payments(uow.session, invoice_ids=[bill.id for bill in bills])
        decided = decided_amounts(uow.session, invoice_ids=[bill.id for bill in bills])
        scheduled = scheduled_days(uow.session, invoice_ids=[bill.id for bill in bills], now=uow.now)
        unknown = not_known(uow.session, invoice_ids=[bill.id for bill in bills])
        coming = coming_payments(uow.session, customer=customer, now=uow.now) if page == 1 else []
        receipts = receipt_ids(uow.session, payment_ids=list(payments.values()))
        total = open_total(uow.session, customer_id=customer.id, today=today, now=uow.now)
        to_pay = [bill.id for bill in bills if bill.state == InvoiceState.TO_PAY and bill.is_delivered]
        cautions = cautions_of(uow.session, customer_id=customer.id, bills=to_pay, now=uow.now)
        own_total = open_total(
            uow.session, customer_id=customer.id, today=today, now=uow.now, delivered=False, but=cautions.grave
        )
        unread = unread_of(uow.session, customer_id=customer.id)
        waiting = waiting_for_answer(uow.session, customer_id=customer.id, now=uow.now)
        first = page == 1 and show != "paid"
        held = held_bills(uow.session, now=uow.now, customer_id=customer.id) if first else []
        most = CORRECTIONS_MOST if request.args.get("credits") == "all" else STANDING_MOST
        standing = standing_credits(uow.session, customer_id=customer.id, most=most) if first else []
        chosen = round_now(uow) if page == 1 else None
        kinds = corrected(uow.session, invoice_ids=[bill.id for bill in bills])
        matched = match(
            uow.session,
            customer_id=customer.id,
            bills={bill.id: found for bill in bills if not bill.is_stopped and (found := bill_of(bill))},
            banks=Banks.now(services().banks),  # one that does not answer just now may be tried all the same
            now=uow.now,
        )
    billers = {bill.id: bill.biller_id for bill in bills}
    ways = {inv: ways_view(matched, inv, biller_id=billers[inv], troubled={}) for inv in matched.ways}
    return render_template(
        "customers/inbox.html",
        bills=[linked(bill, payments, decided, receipts, kinds) for bill in bills],
        ways=ways,
        answers=answers,
        before=before,
        plans=plans,
        round=chosen.view if chosen else None,
        next_href=chosen.next_href if chosen else None,
        at_once=chosen.at_once if chosen else 0,
        scheduled=scheduled,
        not_known=unknown,
        coming=coming,
        your_banks=allowed_views(matched)[:YOUR_BANKS_MOST],
        held=held,
        companies_waiting=waiting,
        unread=unread,
        unread_most=UNREAD_MOST,
        standing=standing,
        more_credits_url=inbox_url(show, sort, credits="all") if most == STANDING_MOST else None,
        show=show,
        sort=sort,
        sort_urls={each: inbox_url(show, each) for each in Sort if (show, each) != ("paid", Sort.MINE)},
        tab_urls={each: inbox_url(each, sort) for each in SHOWN},
        places=places,
        to_pay=total.amounts,
        to_pay_count=total.count,
        own_to_pay=own_total.amounts,
        own_to_pay_count=own_total.count,
        not_here_count=total.not_here,
        stopped_count=total.stopped + own_total.stopped,
        set_aside_count=total.set_aside + own_total.set_aside,
        held_back_count=total.held_back,
        collected_count=total.collected,
        cautions=cautions.of,
        grave_count=len(cautions.grave),
        doubles_count=cautions.doubles,
        more_url=inbox_url(show, sort, page=page + 1) if len(bills) == INBOX_MOST else None,
        before_url=inbox_url(show, sort, page=page - 1 if page > 2 else None) if page > 1 else None,
    )


def inbox_url(show: str, sort: Sort, **more: Any) -> str:
    """The inbox with these bills in this order; the order that is so anyway is not named."""
    return url_for("customers.inbox", show=show, sort=sort if sort is not Sort.DUE else None, **more)


@blueprint.post("/bills/<inv>/move")
def move_bill(inv: str) -> ResponseReturnValue:
    """Up or down by one in its customer's own order, or ``onto`` the place of another; then the same page again, at
    this bill."""
    to: Direction | str | None = request.form.get("onto")
    if to is None:
        if request.form.get("to") not in set(Direction):
            abort(400)
        to = Direction(request.form["to"])
    show = request.form.get("show", "all")
    with services().unit_of_work() as uow:
        place = move(uow, signed_in=me(), invoice_id=inv, to=to)
        uow.commit()
    page = place // INBOX_MOST + 1 if place is not None else 1
    where = inbox_url(
        show if show in SHOWN else "all",
        Sort.MINE,
        page=page if page > 1 else None,
        _anchor=inv if place is not None else None,
    )
    return redirect(where, 303)


@blueprint.get("/bills/<inv>")
def bill(inv: str) -> ResponseReturnValue:
    return bill_page(inv)


def bill_page(inv: str, *, error: str | None = None) -> str:
    """One bill. ``error`` is the code of what could not be said of it, or taken back: the page then begins with that.
    Raises NotFound."""
    customer = me().customer
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        view = invoice_view(uow.session, invoice_id=inv, customer_id=customer.id, today=today)
        answers = answers_of_invoice(uow.session, invoice_id=inv, customer_id=customer.id, today=today)
        may = sayable(uow.session, invoice_id=inv, customer_id=customer.id, today=today)
        before = said_before(uow.session, invoice_ids=[inv]).get(inv)
        plan = last_plans(uow.session, invoice_ids=[inv], today=today).get(inv)
        undone = request.args.get("undone") if error is None else None
        if not (
            (undone == "answer" and answers and answers[0].state == AnswerState.WITHDRAWN)
            or (undone == "plan" and is_withdrawn_last(uow.session, invoice_id=inv))
        ):
            undone = None  # whatever the address says
        refunds = refunds_of_bill(uow.session, invoice_id=inv, customer_id=customer.id, today=today)
        tries = payments_of_invoice(uow.session, invoice_id=inv, customer_id=customer.id, now=uow.now)
        payments = live_payments(uow.session, invoice_ids=[inv])
        decided = decided_amounts(uow.session, invoice_ids=[inv])
        issued = receipts_in_short(uow.session, payment_ids=[payment.id for payment in tries])
        chain = chain_of(uow.session, invoice_id=inv, customer_id=customer.id)
        alike = likeness(uow.session, invoice_id=inv, now=uow.now)
        same = twins(uow.session, invoice_id=inv)
        doubts = doubts_of(uow.session, invoice_id=inv)
        origin = origin_of(services().vault, uow.session, invoice_id=inv)
        vetting = vetting_of(uow.session, biller_id=view.biller_id, now=uow.now) if view.biller_id else None
        account = account_view(uow.session, invoice_id=inv, customer=customer, now=uow.now)
        in_parts = takes_parts(uow.session.get_one(Invoice, inv))
        asks = None
        if not me().read_only:
            asks = dispute_to_ask_of(uow.session, answers, is_delivered=view.is_delivered, now=uow.now)
        ways = None
        if view.state == InvoiceState.TO_PAY:
            troubled = troubled_banks(uow.session, now=uow.now)
            ways = ways_of_bill(uow, view, customer_id=customer.id, troubled=troubled)
    note_seen(view)
    receipts = {payment_id: each.id for payment_id, each in issued.items()}
    tries = [named_payment(payment, receipts.get(payment.id)) for payment in tries]
    purchase = Purchase(
        bill=view, answers=answers, plan=plan, payments=tries, receipts=issued, chain=chain, refunds=refunds
    )
    return render_template(
        "customers/bill.html" if view.is_delivered else "customers/own_bill.html",
        likeness=alike,
        twins=same,
        doubts=doubts,
        origin=origin,
        account=account,
        vetting=vetting,
        bill=linked(view, payments, decided, receipts),
        chain=chain,
        ways=ways,
        in_parts=in_parts,
        answers=answers,
        may=may,
        before=before,
        plan=plan,
        refunds=refunds,
        error=error,
        undone=undone,
        asks=asks,
        again=url_for("customers.bill", inv=inv) if error else "",
        payments=tries,
        steps=steps_of(purchase),
    )


@blueprint.get("/bills/<inv>/original")
def original(inv: str) -> ResponseReturnValue:
    """The very file that the biller delivered, or that its customer added, as a download."""
    with services().reading() as uow:
        file = original_of(services().vault, uow.session, invoice_id=inv, customer_id=me().customer.id)
    return _download(file, name=f"bill-{inv[-8:]}")


@blueprint.get("/credits/<cor>/original")
def original_credit(cor: str) -> ResponseReturnValue:
    """The very file of a credit note."""
    with services().reading() as uow:
        file = original_of_correction(services().vault, uow.session, correction_id=cor, customer_id=me().customer.id)
    return _download(file, name=f"credit-{cor[-8:]}")


def _download(file: Original, *, name: str) -> ResponseReturnValue:
    ending = ENDINGS.get(file.media_type, "xml")
    answer = send_file(
        io.BytesIO(file.content),
        mimetype="application/octet-stream",
        as_attachment=True,
        download_name=f"{name}.{ending}",
    )
    # it is a stranger's file: a browser that shows it all the same runs nothing of it and fetches nothing for it
    answer.headers["Content-Security-Policy"] = "sandbox; default-src 'none'; frame-ancestors 'none'"
    return answer


def linked(
    view: InvoiceView,
    payments: dict[str, str],
    decided: dict[str, Money],
    receipts: dict[str, str],
    kinds: dict[str, str] | None = None,
) -> InvoiceView:
    """Completed with what the stage of bills does not know of it: its payment and receipt, and how it was corrected."""
    payment_id = payments.get(view.id)
    return dataclasses.replace(
        view,
        payment_id=payment_id,
        decided=decided.get(view.id),
        receipt_id=receipts.get(payment_id or ""),
        corrected=(kinds or {}).get(view.id),
    )
