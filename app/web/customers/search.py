"""Looking for a bill. What is typed is in the address alone: it is neither kept nor logged."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.journey.answers.read import last_answers
from app.journey.corrections.read import corrected
from app.journey.invoices.read import has_bills, invoices_named
from app.journey.payments.coming import scheduled_days
from app.journey.payments.read import decided_amounts, live_payments, not_known
from app.journey.receipts.read import receipt_ids
from app.journey.search import rules
from app.journey.search.read import find
from app.people.customers import today_of
from app.web.context import services
from app.web.customers.inbox import linked
from app.web.customers.limits import limiter, searching_limit
from app.web.customers.pages import blueprint, me, page_asked
from connectors.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyView:
    """Why a bill was found, where the list does not show it."""

    kind: str  #: rules.Field in small letters
    words: str = ""
    money: Money | None = None
    day: dt.date | None = None
    id: str | None = None  #: of the payment or receipt that it is of


@blueprint.get("/search")
@limiter.limit(searching_limit)
def search() -> ResponseReturnValue:
    """This customer's bills by a few words."""
    typed = request.args.get("q", "").replace("\0", "").strip()
    page = page_asked()
    query = rules.read(typed[: rules.QUERY_MOST])
    if len(typed) > rules.QUERY_MOST or query.has_too_many:
        return _page(typed[: rules.QUERY_MOST], is_too_long=True)
    if query.is_empty:
        return _page(typed)
    customer = me().customer
    with services().reading() as uow:
        today = today_of(customer, uow.now)
        found = find(uow.session, query, customer=customer, page=page)
        ids = list(found.why)
        views = invoices_named(uow.session, ids, customer_id=customer.id, today=today, now=uow.now)
        answers = last_answers(uow.session, invoice_ids=ids, today=today)
        payments = live_payments(uow.session, invoice_ids=ids)
        decided = decided_amounts(uow.session, invoice_ids=ids)
        receipts = receipt_ids(uow.session, payment_ids=list(payments.values()))
        kinds = corrected(uow.session, invoice_ids=ids)
        scheduled = scheduled_days(uow.session, invoice_ids=ids, now=uow.now)
        unknown = not_known(uow.session, invoice_ids=ids)
        has_none = not found.count and not has_bills(uow.session, customer_id=customer.id)
    return _page(
        typed,
        bills=[linked(view, payments, decided, receipts, kinds) for view in views],
        why={view.id: [_why_view(query, each, view.amount.currency) for each in found.why[view.id]] for view in views},
        count=found.count,
        has_none=has_none,
        is_several=query.count > 1,
        answers=answers,
        scheduled=scheduled,
        not_known=unknown,
        more_url=url_for("customers.search", q=typed, page=page + 1) if found.has_more else None,
        before_url=url_for("customers.search", q=typed, page=page - 1) if page > 1 else None,
    )


def _page(typed: str, **given: object) -> str:
    return render_template(
        "customers/search.html",
        **{"asked": typed, "most": rules.QUERY_MOST, "bills": None, "is_too_long": False} | given,
    )


def _why_view(query: rules.Query, found: rules.Found, currency: str) -> WhyView:
    return WhyView(
        kind=found.field.name.lower(),
        words=rules.excerpt(query, found.words) if found.words is not None else "",
        money=Money(found.minor, currency) if found.minor is not None else None,
        day=found.day,
        id=found.id,
    )
