"""Passkeys, and where the customer is signed in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.people import passkeys, sessions
from app.people.models import Passkey
from app.web.context import services
from app.web.customers.pages import blueprint, json_body, local_path, me, relying_party, sent_credential


@dataclass(frozen=True, slots=True)
class SessionView:
    id: str
    user_agent: str
    seen_at: dt.datetime
    read_only: bool
    here: bool


@dataclass(frozen=True, slots=True)
class PasskeyView:
    id: str
    name: str
    created_at: dt.datetime
    last_used_at: dt.datetime | None
    backed_up: bool


def passkey_views(keys: Sequence[Passkey]) -> list[PasskeyView]:
    return [
        PasskeyView(passkeys.public_id(key), key.name, key.created_at, key.last_used_at, key.backed_up) for key in keys
    ]


@blueprint.get("/security")
def security() -> ResponseReturnValue:
    who = me()
    with services().reading() as uow:
        keys = passkey_views(passkeys.passkeys_of(uow.session, who.customer.id))
        rows = sessions.sessions_of(uow.session, customer_id=who.customer.id, now=uow.now)
    shown = [SessionView(row.id, row.user_agent, row.seen_at, row.read_only, row.id == who.session_id) for row in rows]
    return render_template("customers/security.html", passkeys=keys, sessions=shown)


@blueprint.post("/security/sessions/end")
def end_session() -> ResponseReturnValue:
    with services().unit_of_work() as uow:
        sessions.end(uow, session_id=request.form.get("session", ""), customer_id=me().customer.id)
        uow.commit()
    return redirect(url_for("customers.security"), 303)


@blueprint.post("/security/passkeys/remove/ceremony")
def passkey_remove_ceremony() -> Response:
    """Begin to remove a passkey: another one must sign that."""
    body = json_body()
    wanted = body.get("passkey") if isinstance(body, dict) else None
    with services().unit_of_work() as uow:
        started = passkeys.start_removing(uow, party=relying_party(), signed_in=me(), passkey=wanted)
        uow.commit()
    return jsonify(ceremony=started.ceremony, publicKey=started.public_key)


@blueprint.post("/security/passkeys/remove")
def passkey_remove() -> ResponseReturnValue:
    ceremony, credential = sent_credential()
    with services().unit_of_work() as uow:
        passkeys.remove(uow, party=relying_party(), signed_in=me(), ceremony=ceremony, credential=credential)
        uow.commit()
    return redirect(local_path(request.form.get("next") or url_for("customers.security")), 303)
