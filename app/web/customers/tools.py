"""For a customer's own programs: making and ending their tokens, and what can be read with one (``/my/v1``).

The second half is a door of its own. It takes a token in the header and nothing else, no cookie above all; it knows no
verb, so that whoever finds a token can read bills, and neither pay one nor change anything. docs/tools.md has examples.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, abort, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.journey.answers.read import AnswerView, last_answers
from app.journey.banks.read import troubled_banks
from app.journey.intake.bill import LateFee
from app.journey.invoices.read import INBOX_MOST, InvoiceView, Seal, account_view, invoice_view, invoices_of, origin_of
from app.journey.invoices.states import InvoiceState
from app.journey.refunds.read import RefundInShort, refunds_in_short
from app.people import tool_tokens
from app.people.customers import today_of
from app.people.models import Customer
from app.web.context import may_be_here, services
from app.web.customers.errors import problem
from app.web.customers.limits import address, limiter, making_tools_limit, tools_limit
from app.web.customers.pages import (
    PAGES_MOST,
    blueprint,
    json_body,
    me,
    page_asked,
    relying_party,
    sent_credential,
)
from app.web.customers.verdicts import WaysView, WayView, sentence, ways_of_bill
from connectors.money import Money
from consent.base import hash_of

_TOKEN = re.compile(rf"{tool_tokens.PREFIX}[A-Za-z0-9_-]{{20,100}}")

# -------------------------------------------------------------------------------------------------- the customer's page


@blueprint.get("/security/tools")
def tools() -> ResponseReturnValue:
    return _page()


@blueprint.post("/security/tools/ceremony")
@limiter.limit(making_tools_limit)
def tool_ceremony() -> ResponseReturnValue:
    """The challenge, over the name of the token that is to be made."""
    body = json_body()
    name = body.get("name") if isinstance(body, dict) else None
    with services().unit_of_work() as uow:
        started = tool_tokens.start_making(uow, party=relying_party(), signed_in=me(), name=name)
        uow.commit()
    return jsonify(ceremony=started.ceremony, publicKey=started.public_key)


@blueprint.post("/security/tools")
def make_tool() -> ResponseReturnValue:
    """Make it, and show it in this one answer."""
    ceremony, credential = sent_credential(code="ceremony-over", so="Nothing was made.")
    with services().unit_of_work() as uow:
        token = tool_tokens.make(
            uow,
            party=relying_party(),
            signed_in=me(),
            ceremony=ceremony,
            credential=credential,
        )
        uow.commit()
    return _page(token=token)


@blueprint.post("/security/tools/end")
def end_tool() -> ResponseReturnValue:
    with services().unit_of_work() as uow:
        tool_tokens.end(uow, signed_in=me(), token_hash=request.form.get("tool", ""))
        uow.commit()
    return redirect(url_for("customers.tools"), 303)


def _page(token: str | None = None) -> str:
    with services().reading() as uow:
        found = tool_tokens.tools_of(uow.session, customer_id=me().customer.id)
    base_url = services().settings.base_url
    return render_template("customers/tools.html", tools=found, token=token, bills_url=f"{base_url}/my/v1/bills")


# -------------------------------------------------------------------------------------------------------- the programs'

door = Blueprint("tools", __name__, url_prefix="/my/v1")


@door.before_request
def guard() -> ResponseReturnValue | None:
    """Default deny: a customer's token, in the Authorization header. Whoever is signed in by a cookie is nobody."""
    g.signed_in = None
    if "\0" in request.path:  # PostgreSQL refuses it, and no id of ours has one
        abort(404)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or _TOKEN.fullmatch(token) is None:
        return _no_token('Bearer realm="my"')
    with services().reading() as uow:
        found = tool_tokens.find(uow.session, token=token, now=uow.now)
    if found is None or not may_be_here(found[0]):
        return _no_token('Bearer realm="my", error="invalid_token"')
    g.tool_customer, wants_touch = found
    g.tool_hash = hash_of(token)
    if wants_touch:
        with services().unit_of_work() as uow:
            tool_tokens.touch(uow, token=token)
            uow.commit()
    return None


@limiter.limit(tools_limit, key_func=address)
def _no_token(challenge: str) -> Response:
    """Refused, as often as a token could ask; then the same address waits."""
    answer = problem(401, code="no-token", title="Unauthorized", detail="Send a token that is good: Bearer …")
    answer.headers["WWW-Authenticate"] = challenge
    return answer


def _customer() -> Customer:
    """Whose token it is. Only behind the guard."""
    customer: Customer = g.tool_customer
    return customer


def _caller() -> str:
    """What is counted: a good token, whatever address it comes from and however its header is written. Only behind the
    guard, which counts all others by their address."""
    token_hash: str = g.tool_hash
    return token_hash


@door.get("/bills")
@limiter.limit(tools_limit, key_func=_caller)
def my_bills() -> ResponseReturnValue:
    """A page of the customer's bills, as the inbox has them."""
    page = page_asked()
    with services().reading() as uow:
        today = today_of(_customer(), uow.now)
        bills = invoices_of(
            uow.session,
            customer_id=_customer().id,
            today=today,
            now=uow.now,
            states=tuple(InvoiceState),
            page=page,
        )
        answers = last_answers(uow.session, invoice_ids=[bill.id for bill in bills], today=today)
        refunds = refunds_in_short(uow.session, invoice_ids=[bill.id for bill in bills])
    more = page < PAGES_MOST and len(bills) == INBOX_MOST
    return jsonify(
        bills=[_bill(bill, answers.get(bill.id), refunds.get(bill.id, [])) for bill in bills],
        next=_absolute(url_for("tools.my_bills", page=page + 1)) if more else None,
    )


@door.get("/bills/<inv>/ways")
@limiter.limit(tools_limit, key_func=_caller)
def my_ways(inv: str) -> ResponseReturnValue:
    """How one bill could be paid, as its page says. No way: it is not to be paid, or nothing may be paid for it now."""
    customer = _customer()
    banks = services().banks.all_banks()
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        bill = invoice_view(uow.session, invoice_id=inv, customer_id=customer.id, today=today)
        answer = last_answers(uow.session, invoice_ids=[inv], today=today).get(inv)
        refunds = refunds_in_short(uow.session, invoice_ids=[inv]).get(inv, [])
        account = account_view(uow.session, invoice_id=inv, customer=customer, now=uow.now)
        seal = origin_of(services().vault, uow.session, invoice_id=inv).seal
        ways = ways_of_bill(
            uow,
            bill,
            customer_id=customer.id,
            troubled=troubled_banks(uow.session, now=uow.now),
            ask=[bank.id for bank in banks],
        )
    is_closed = seal is Seal.WRONG or (account is not None and not account.is_open)
    bill = replace(bill, is_stopped=bill.is_suspended or is_closed)
    shown = [] if ways is None or bill.is_stopped else [_way(way) for way in _all(ways)]
    return jsonify(bill=_bill(bill, answer, refunds), ways=shown)


def _all(ways: WaysView) -> list[WayView]:
    """As they are ranked: what covers first, then a single approval, then what is a step away."""
    standing = [*ways.standing, *ways.of_others]
    rest = [way for way in standing if not way.covers]
    return [*(way for way in standing if way.covers), *ways.single, *rest, *ways.set_up]


def _bill(bill: InvoiceView, answer: AnswerView | None, refunds: Sequence[RefundInShort]) -> dict[str, Any]:
    held = None
    if bill.is_stopped:
        held = "stopped"
    elif bill.waits_for_earlier:
        held = "earlier_in_payment"
    elif bill.is_set_aside and bill.state == InvoiceState.TO_PAY:
        held = "set_aside"
    return {
        "id": bill.id,
        "company": {"id": bill.biller_id, "name": bill.biller_name},
        "is_delivered": bill.is_delivered,
        "number": bill.number,
        "state": bill.state,
        "issued_on": bill.issued_on.isoformat(),
        "due_on": bill.due_on.isoformat() if bill.due_on and bill.says_how else None,
        "pay_by": bill.pay_by.isoformat() if bill.pay_by and bill.says_how else None,
        "asked": _money(bill.asked),
        "left": _money(bill.left),
        "held_back": _money(bill.held_back) if bill.held_back.minor else None,
        "late_fee": _late_fee(bill.late_fee) if bill.late_fee and bill.says_how else None,
        "payable_today": _money(bill.payable) if bill.state == InvoiceState.TO_PAY and held is None else None,
        "held": held,
        "answer": _answer(answer) if answer is not None else None,
        "refunds": [_refund(refund) for refund in refunds],
        "page": _absolute(url_for("customers.bill", inv=bill.id)),
    }


def _late_fee(fee: LateFee) -> dict[str, Any]:
    return {"amount": _money(fee.amount), "from": fee.starts_on.isoformat()}


def _answer(answer: AnswerView) -> dict[str, Any]:
    return {
        "kind": answer.kind,
        "state": answer.state,
        "until": answer.until.isoformat() if answer.until else None,
        "instalments": [
            {"pay_on": each.pay_on.isoformat(), "amount": _money(each.amount)} for each in answer.instalments
        ],
        "reply_by": answer.reply_by.isoformat() if answer.reply_by else None,
    }


def _refund(refund: RefundInShort) -> dict[str, Any]:
    return {
        "state": refund.state,
        "amount": _money(refund.amount),
        "promised_by": refund.promised_by.isoformat(),
        "sent_on": refund.sent_on.isoformat() if refund.sent_on else None,
    }


def _way(way: WayView) -> dict[str, Any]:
    return {
        "way": way.way,
        "bank": {"id": way.bank_id, "name": way.bank_name},
        "consent": way.consent_id,
        "covers": way.covers,
        "is_preferred": way.is_preferred,
        "reasons": [
            {
                "code": reason.why,
                "sentence": sentence(reason),
                "amount": _money(reason.amount) if reason.amount is not None else None,
                "over": _money(reason.over) if reason.over is not None else None,
                "day": reason.day.isoformat() if reason.day is not None else None,
                "name": reason.name,
                "period": reason.period,
            }
            for reason in way.reasons
        ],
        "next": [
            {"code": step.code, "words": step.words, "page": _absolute(step.href) if step.href else None}
            for step in way.steps
        ],
    }


def _money(amount: Money) -> dict[str, str]:
    return {"amount": str(amount), "currency": amount.currency}


def _absolute(path: str) -> str:
    return services().settings.base_url + path
