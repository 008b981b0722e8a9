"""What a customer says of a bill instead of paying it, and taking that back. No page here moves money."""

from __future__ import annotations

import datetime as dt

from flask import Response, abort, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.errors import Conflict, FieldError, Invalid
from app.journey.answers import read, service
from app.journey.answers.read import Sayable
from app.journey.answers.rules import REASONS, WORDS_MAX
from app.journey.answers.service import Said
from app.journey.answers.states import AnswerKind
from app.journey.invoices.read import invoice_view
from app.people.customers import today_of
from app.web.context import services
from app.web.customers.inbox import bill_page
from app.web.customers.pages import blueprint, me

#: how they stand in addresses; instalments are proposed where parts are planned (plans.py)
KINDS = {kind.replace("_", "-"): kind for kind in AnswerKind if kind is not AnswerKind.INSTALMENTS}
#: what stands in the form until another day is chosen: where the company says yes to none by itself
MORE_TIME = dt.timedelta(days=14)


@blueprint.get("/bills/<inv>/answers/<kind>")
def answer(inv: str, kind: str) -> ResponseReturnValue:
    """The form, and what follows from sending it."""
    return _page(inv, _kind(kind))


@blueprint.post("/bills/<inv>/answers/<kind>")
def say_answer(inv: str, kind: str) -> ResponseReturnValue:
    wanted = _kind(kind)
    try:
        said = _said(wanted)
        with services().unit_of_work() as uow:
            service.say(uow, signed_in=me(), invoice_id=inv, said=said)
            uow.commit()
    except Invalid as refused:
        return _page(inv, wanted, refused)
    except Conflict as refused:
        return bill_page(inv, error=refused.code), refused.status
    return redirect(url_for("customers.bill", inv=inv), 303)


@blueprint.post("/bills/<inv>/answers/<ans>/take-back")
def take_answer_back(inv: str, ans: str) -> ResponseReturnValue:
    """As if it had not been said; then on to paying, if that is wanted."""
    try:
        with services().unit_of_work() as uow:
            if service.take_back(uow, signed_in=me(), answer_id=ans).invoice_id != inv:
                abort(404)
            uow.commit()
    except Conflict as refused:
        return bill_page(inv, error=refused.code), refused.status
    if "pay" in request.form:
        return redirect(url_for("customers.confirm", inv=inv), 303)
    return redirect(url_for("customers.bill", inv=inv, undone="answer"), 303)


def _kind(written: str) -> AnswerKind:
    return KINDS.get(written) or abort(404)


def _said(kind: AnswerKind) -> Said:
    """What was sent. Raises Invalid naming a day that is none."""
    form = request.form
    return Said(
        kind=kind,
        reason=form.get("reason"),
        words=form.get("words", ""),
        # what is no number is no line of the bill either
        lines=[int(line) if line.isascii() and line.isdigit() else 0 for line in form.getlist("line")],
        paid_on=_day("paid_on"),
        until=_day("until"),
    )


def _day(name: str) -> dt.date | None:
    written = request.form.get(name, "").strip()
    try:
        return dt.date.fromisoformat(written) if written else None
    except ValueError as error:
        detail = "Choose a day."
        raise Invalid("answer", detail, errors=(FieldError(f"/{name}", detail),)) from error


def _page(invoice_id: str, kind: AnswerKind, refused: Invalid | None = None) -> Response:
    """The form; after a refusal with what was typed, and what is to be mended."""
    customer = me().customer
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        bill = invoice_view(uow.session, invoice_id=invoice_id, customer_id=customer.id, today=today)
        may = read.sayable(uow.session, invoice_id=invoice_id, customer_id=customer.id, today=today)
        last = read.last_answers(uow.session, invoice_ids=[invoice_id], today=today).get(invoice_id)
    if kind not in may.kinds:
        return make_response(redirect(url_for("customers.bill", inv=invoice_id), 303))  # which says how it stands
    typed = {name: request.form.get(name, "") for name in ("reason", "words", "paid_on", "until")}
    if refused is None:
        typed["until"] = _proposed(may)
    page = render_template(
        "customers/answer.html",
        bill=bill,
        kind=kind,
        reasons=REASONS.get(kind, ()),
        may=may,
        reply_by=today + dt.timedelta(days=may.policy.answer_days) if may.policy else None,
        stands=last if last is not None and last.is_open else None,
        typed=typed,
        chosen=request.form.getlist("line"),
        wrong={error.pointer.removeprefix("/") for error in refused.errors} if refused else (),
        words_max=WORDS_MAX,
    )
    return make_response(page, refused.status if refused else 200)


def _proposed(may: Sayable) -> str:
    """The day until which more time is asked for unless another one is chosen."""
    if may.granted_to is not None:
        return may.granted_to.isoformat()
    if may.first_day is None or may.last_day is None:
        return ""
    return min(may.first_day + MORE_TIME - dt.timedelta(days=1), may.last_day).isoformat()
