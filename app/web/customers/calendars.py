"""The days of bills and payments in a customer's own calendar: making and ending its addresses, and reading one.

The second half is a door of its own. Whoever has an address reads days, without signing in and without a cookie; it
says what the address was made to say, in the language and by the calendar of its customer, and knows no verb.
"""

from __future__ import annotations

import re

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale, gettext

from app.journey.calendars import ics, service
from app.journey.calendars.models import CalendarFeed, Detail
from app.journey.calendars.read import CalendarDay, DayKind, days_of, feeds_of
from app.journey.calendars.rules import Line, plain_name
from app.people.models import Customer
from app.web.context import may_be_here, services
from app.web.customers.filters import FORMATS, money
from app.web.customers.limits import address, calendar_limit, limiter, making_calendars_limit
from app.web.customers.pages import blueprint, me
from consent.base import hash_of

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")

# -------------------------------------------------------------------------------------------------- the customer's page


@blueprint.get("/calendar")
def calendar_feed() -> ResponseReturnValue:
    return _page()


@blueprint.post("/calendar")
@limiter.limit(making_calendars_limit)
def make_calendar() -> ResponseReturnValue:
    """Make an address, and show it in this one answer."""
    with services().unit_of_work() as uow:
        token = service.make(uow, signed_in=me(), detail=request.form.get("detail", ""))
        uow.commit()
    return _page(made=services().settings.base_url + url_for("calendars.read", token=token))


@blueprint.post("/calendar/end")
def end_calendar() -> ResponseReturnValue:
    with services().unit_of_work() as uow:
        service.end(uow, signed_in=me(), feed_id=request.form.get("calendar", ""))
        uow.commit()
    return redirect(url_for("customers.calendar_feed"), 303)


def _page(made: str | None = None) -> str:
    with services().reading() as uow:
        feeds = feeds_of(uow.session, customer_id=me().customer.id)
    return render_template(
        "customers/calendar.html", feeds=feeds, made=made, details=tuple(Detail), most=service.FEEDS_MOST
    )


# ------------------------------------------------------------------------------------------------------ the calendar's

door = Blueprint("calendars", __name__, url_prefix="/calendar")


@door.before_request
def guard() -> ResponseReturnValue | None:
    """Default deny: the token in the address, and nothing else. What never was and what was ended are the same."""
    g.signed_in = None
    token = str((request.view_args or {}).get("token", ""))
    found = None
    if _TOKEN.fullmatch(token):
        with services().reading() as uow:
            found = service.find(uow.session, token=token)
    if found is None or not may_be_here(found[1]):
        return _nothing()
    g.calendar, g.calendar_customer = found
    g.calendar_hash = hash_of(token)
    return None


@limiter.limit(calendar_limit, key_func=address)
def _nothing() -> Response:
    """As often as a calendar could ask; then the same address waits."""
    return Response("There is nothing here.\n", 404, mimetype="text/plain")


def _caller() -> str:
    """What is counted: an address that is good, wherever it is read from. Only behind the guard."""
    return str(g.calendar_hash)


@door.get("/<token>.ics")
@limiter.limit(calendar_limit, key_func=_caller)
def read(token: str) -> ResponseReturnValue:  # noqa: ARG001  the guard has looked at it
    """All days, as they are now."""
    feed: CalendarFeed = g.calendar
    customer: Customer = g.calendar_customer
    with services().reading() as uow:
        days = days_of(uow.session, customer=customer, now=uow.now)
    with force_locale(FORMATS[customer.locale]):
        lines = [Line(uid=day.uid, day=day.day, summary=_summary(day, Detail(feed.detail))) for day in days]
    entries = service.note_read(services(), feed, lines)
    if entries is None:
        return Response("Ask again.\n", 503, {"Retry-After": "60"}, mimetype="text/plain")
    answer = Response(ics.render(entries), mimetype="text/calendar")
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def _summary(day: CalendarDay, detail: Detail) -> str:
    if detail is Detail.DISCREET:
        return ics.NAME
    name = plain_name(day.name)
    if detail is Detail.COMPANY:
        words = {
            DayKind.DUE: gettext("%(company)s: due", company=name),
            DayKind.PAYMENT: gettext("%(company)s: payment", company=name),
            DayKind.PLANNED: gettext("%(company)s: planned payment", company=name),
        }
    else:
        amount = money(day.amount)
        words = {
            DayKind.DUE: gettext("%(company)s, %(amount)s: due", company=name, amount=amount),
            DayKind.PAYMENT: gettext("%(company)s, %(amount)s: payment", company=name, amount=amount),
            DayKind.PLANNED: gettext("%(company)s, %(amount)s: planned payment", company=name, amount=amount),
        }
    return str(words[day.kind])
