"""Passkeys, and where the customer is signed in."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.people import passkeys, sessions
from app.web.context import services
from app.web.customers.pages import blueprint, me


@dataclass(frozen=True, slots=True)
class SessionView:
    id: str
    user_agent: str
    seen_at: dt.datetime
    read_only: bool
    here: bool


@blueprint.get("/security")
def security() -> ResponseReturnValue:
    who = me()
    with services().reading() as uow:
        keys = passkeys.passkeys_of(uow.session, who.customer.id)
        rows = sessions.sessions_of(uow.session, customer_id=who.customer.id, now=uow.now)
    shown = [SessionView(row.id, row.user_agent, row.seen_at, row.read_only, row.id == who.session_id) for row in rows]
    return render_template("customers/security.html", passkeys=keys, sessions=shown)


@blueprint.post("/security/sessions/end")
def end_session() -> ResponseReturnValue:
    with services().unit_of_work() as uow:
        sessions.end(uow, session_id=request.form.get("session", ""), customer_id=me().customer.id)
        uow.commit()
    return redirect(url_for("customers.security"), 303)
