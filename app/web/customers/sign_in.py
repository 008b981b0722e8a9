"""Signing up and in with a passkey, the read-only demo visit, signing out, and the language."""

from __future__ import annotations

from typing import Any

from flask import Response, abort, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.unit_of_work import UnitOfWork
from app.errors import Invalid
from app.people import devices, passkeys, safe_words, sessions
from app.people.customers import LOCALES, add_customer, checked_name_and_email, demo_customers, lock_customer
from app.people.models import Customer, Passkey
from app.people.passkeys import Started
from app.web.context import coming_back, cookie_name, may_be_here, services, signed_in
from app.web.customers.filters import device
from app.web.customers.limits import address, beginning_limit, beginning_sign_up, finishing_sign_up, limiter
from app.web.customers.pages import blueprint, common, drop_cookie, json_body, local_path, me, relying_party, set_cookie

#: of a new customer until they say otherwise; pages and decisions use the customer's own calendar day
DEFAULT_ZONE = {"fr": "Europe/Paris", "en": "Europe/London"}
YEAR_S = 365 * 24 * 3600


@blueprint.get("/")
def sign_in() -> ResponseReturnValue:
    if signed_in() is not None:
        return redirect(local_path(request.args.get("next")), 303)
    visits = []
    if services().settings.demo:
        with services().reading() as uow:
            visits = demo_customers(uow.session)
    return render_template(
        "customers/sign_in.html",
        demo_customers=visits,
        next_url=local_path(request.args.get("next")),
        back="back" in request.args,
    )


@blueprint.post("/demo/sign-in")
def demo_sign_in() -> ResponseReturnValue:
    """A read-only visit to a seeded customer. It exists only while the demo setting is on."""
    if not services().settings.demo:
        abort(404)
    with services().unit_of_work() as uow:
        customer = uow.session.get(Customer, request.form.get("customer", ""))
        if customer is None or not customer.demo:
            abort(404)
        response = redirect(url_for("customers.inbox"), 303)
        _open_session(uow, response, customer_id=customer.id, passkey=None)
        uow.commit()
    return response


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Also of whoever is signed out since a while: what they are to see is that nothing is shown here any more."""
    who, known_by = signed_in() or coming_back(), device_cookie()
    if who is not None or known_by is not None:
        with services().unit_of_work() as uow:
            if who is not None:
                sessions.end(uow, session_id=who.session_id, customer_id=who.customer.id)
            devices.forget(uow, token=known_by)
            uow.commit()
    response = redirect(url_for("customers.sign_in"), 303)
    for name in request.cookies:
        if name in (cookie_name("session"), cookie_name("device")) or name.startswith(cookie_name("away")):
            drop_cookie(response, name)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@blueprint.get("/language/<code>")
def language(code: str) -> ResponseReturnValue:
    if code not in LOCALES:
        abort(404)
    response = redirect(local_path(request.args.get("next")), 303)
    set_cookie(response, cookie_name("language"), code, max_age=YEAR_S)
    return response


@blueprint.post("/passkeys/new")
@limiter.limit(beginning_limit, key_func=address)
@beginning_sign_up
def passkey_new() -> ResponseReturnValue:
    """Begin to sign up."""
    wanted = _json("name", "email")
    name, email = checked_name_and_email(wanted["name"], wanted["email"])
    with services().unit_of_work() as uow:
        started = passkeys.start_making(
            uow,
            party=relying_party(),
            purpose="sign-up",
            name=name,
            email=email,
            customer_id=None,
            data={"name": name, "email": email},
        )
        uow.commit()
    return _for_browser(started)


@blueprint.post("/passkeys/new/done")
@finishing_sign_up
def passkey_new_done() -> ResponseReturnValue:
    """The passkey is made: open the space."""
    done = _json("ceremony", "credential")
    locale = request.accept_languages.best_match(LOCALES, LOCALES[0]) or LOCALES[0]
    with services().unit_of_work() as uow:
        ceremony = passkeys.take(uow, token=done["ceremony"], purpose="sign-up", customer_id=None)
        customer = add_customer(
            uow,
            name=ceremony.data["name"],
            email=ceremony.data["email"],
            locale=locale,
            time_zone=DEFAULT_ZONE[locale],
        )
        safe_words.words_of(services().vault, uow, customer)
        passkey = _keep_passkey(uow, ceremony, done["credential"], customer)
        response = jsonify(to=url_for("customers.inbox"))
        _open_session(uow, response, customer_id=customer.id, passkey=passkey)
        uow.commit()
    return response


@blueprint.post("/passkeys/add")
def passkey_add() -> ResponseReturnValue:
    """Begin to make another passkey for the customer who is here; in a demo visit, the first step to paying.

    Whoever is signed in first proves it with a passkey that is there: the answer then says ``approve``, and the same
    request comes again with that credential.
    """
    customer = _may_add_passkey()
    proof = _json("ceremony", "credential")
    with services().unit_of_work() as uow:
        if not me().read_only and proof["credential"] is None:
            approval = passkeys.start_approval(
                uow, party=relying_party(), customer_id=customer.id, purpose="approve-passkey", data={}
            )
            uow.commit()
            return jsonify(ceremony=approval.ceremony, publicKey=approval.public_key, approve=True)
        if not me().read_only:
            asked = passkeys.take(uow, token=proof["ceremony"], purpose="approve-passkey", customer_id=customer.id)
            passkeys.verify(
                uow,
                party=relying_party(),
                ceremony=asked,
                credential=_object(proof["credential"]),
                customer_id=customer.id,
            )
        started = passkeys.start_making(
            uow,
            party=relying_party(),
            purpose="add-passkey",
            name=customer.name,
            email=customer.email,
            customer_id=customer.id,
            data={},
        )
        uow.commit()
    return _for_browser(started)


@blueprint.post("/passkeys/add/done")
def passkey_add_done() -> ResponseReturnValue:
    customer = _may_add_passkey()
    done = _json("ceremony", "credential")
    with services().unit_of_work() as uow:
        lock_customer(uow.session, customer.id)  # whoever removes the passkey that approved this is waited for
        ceremony = passkeys.take(uow, token=done["ceremony"], purpose="add-passkey", customer_id=customer.id)
        passkey = _keep_passkey(uow, ceremony, done["credential"], customer)
        response = jsonify(to=url_for("customers.security"))
        if me().read_only:  # a visitor's language is their own, not the customer's: it stays when they become one
            set_cookie(response, cookie_name("language"), str(common()["locale"]), max_age=YEAR_S)
        # a change of privilege: a new token, and the visit becomes a real sign-in
        _open_session(uow, response, customer_id=customer.id, passkey=passkey)
        uow.commit()
    return response


@blueprint.post("/passkeys/use")
def passkey_use() -> ResponseReturnValue:
    """Begin to sign in."""
    with services().unit_of_work() as uow:
        started = passkeys.start_sign_in(uow, party=relying_party())
        uow.commit()
    return _for_browser(started)


@blueprint.post("/passkeys/use/done")
def passkey_use_done() -> ResponseReturnValue:
    done = _json("ceremony", "credential", "next")
    target = done["next"] if isinstance(done["next"], str) else None
    with services().unit_of_work() as uow:
        ceremony = passkeys.take(uow, token=done["ceremony"], purpose="sign-in", customer_id=None)
        passkey, _ = passkeys.verify(
            uow,
            party=relying_party(),
            ceremony=ceremony,
            credential=_object(done["credential"]),
            customer_id=None,
        )
        if not may_be_here(uow.session.get_one(Customer, passkey.customer_id)):
            abort(403)
        response = jsonify(to=local_path(target))
        _open_session(uow, response, customer_id=passkey.customer_id, passkey=passkey)
        uow.commit()
    return response


def _may_add_passkey() -> Customer:
    """A real sign-in may; a visit only to a seeded customer, while the demo setting is on."""
    who = me()
    if who.read_only and not (services().settings.demo and who.customer.demo):
        abort(403)
    return who.customer


def _keep_passkey(uow: UnitOfWork, ceremony: Any, credential: object, customer: Customer) -> Passkey:
    return passkeys.finish_making(
        uow,
        party=relying_party(),
        ceremony=ceremony,
        credential=_object(credential),
        customer=customer,
        name=device(request.user_agent.string),
    )


def device_cookie() -> str | None:
    """Of this browser, if it shows notices: its own, whoever is signed in."""
    return request.cookies.get(cookie_name("device"))


def _open_session(uow: UnitOfWork, response: Any, *, customer_id: str, passkey: Passkey | None) -> None:
    """``passkey``: by which they signed in; None: a visit of the demo. The cookie of a device is renewed: it would be
    over a year after the device was added, which then outlived every sign-out."""
    who, known_by = signed_in() or coming_back(), device_cookie()
    token = sessions.open_session(
        uow,
        customer_id=customer_id,
        user_agent=request.user_agent.string,
        read_only=passkey is None,
        replaces=who.session_id if who else None,
        credential_id=passkey.credential_id if passkey else None,
        device=known_by,
    )
    set_cookie(response, cookie_name("session"), token)
    if known_by is not None:
        set_cookie(response, cookie_name("device"), known_by, max_age=YEAR_S)


def _for_browser(started: Started) -> Response:
    return jsonify(ceremony=started.ceremony, publicKey=started.public_key)


def _json(*names: str) -> dict[str, Any]:
    """The named members of the JSON body; one that is absent is None."""
    body = json_body()
    return {name: _object(body).get(name) for name in names}


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid("not-an-object", "A JSON object was expected here.")
    return value
