"""Privacy: what each company is given, and who saw what."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from app.journey.calendars.read import feeds_of
from app.journey.refunds.read import accounts_read
from app.journey.sharing.read import companies_told
from app.people import operators, sessions, tool_tokens
from app.web.context import services
from app.web.customers.pages import blueprint, me


@blueprint.get("/privacy")
def privacy() -> ResponseReturnValue:
    customer_id = me().customer.id
    with services().reading() as uow:
        companies = companies_told(uow.session, customer_id=customer_id)
        accounts = accounts_read(uow.session, customer_id=customer_id)
        tools = tool_tokens.tools_of(uow.session, customer_id=customer_id)
        feeds = feeds_of(uow.session, customer_id=customer_id)
        signed_in = sessions.sessions_of(uow.session, customer_id=customer_id, now=uow.now)
        accesses = operators.accesses_of(uow.session, customer_id=customer_id)
    return render_template(
        "customers/privacy.html",
        companies=companies,
        accounts=accounts,
        tools=tools,
        feeds=feeds,
        sessions=signed_in,
        accesses=accesses,
    )
