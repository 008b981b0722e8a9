"""Passkeys, and where the customer is signed in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.people import passkeys, recovery_codes, sessions
from app.people.models import Passkey
from app.web.context import services
from app.web.customers.limits import changing_ways_limit, limiter
from app.web.customers.pages import blueprint, json_body, local_path, me, relying_party, sent_credential


@dataclass(frozen=True, slots=True)
class SessionView:
    id: str
    user_agent: str
    seen_at: dt.datetime
    read_only: bool
    here: bool
    makes_passkey: bool  #: came in without one, and may do nothing else


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
        codes = recovery_codes.codes_of(uow.session, who.customer.id)
    shown = [
        SessionView(
            row.id, row.user_agent, row.seen_at, row.read_only, row.id == who.session_id, row.way_back is not None
        )
        for row in rows
    ]
    return render_template("customers/security.html", passkeys=keys, sessions=shown, codes=codes)


@blueprint.post("/security/codes/ceremony")
@limiter.limit(changing_ways_limit)
def recovery_codes_ceremony() -> ResponseReturnValue:
    """Begin to make recovery codes: a passkey must sign that."""
    with services().unit_of_work() as uow:
        started = recovery_codes.start_making(uow, party=relying_party(), signed_in=me())
        uow.commit()
    return jsonify(ceremony=started.ceremony, publicKey=started.public_key)


@blueprint.post("/security/codes")
def make_recovery_codes() -> ResponseReturnValue:
    """Make them, and show them in this one answer."""
    ceremony, credential = sent_credential(so="No codes were made.")
    with services().unit_of_work() as uow:
        codes = recovery_codes.make(
            uow, party=relying_party(), signed_in=me(), ceremony=ceremony, credential=credential
        )
        uow.commit()
    return render_template("customers/recovery_codes.html", codes=codes, made_on=services().clock())


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
