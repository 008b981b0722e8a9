"""For who has no passkey any more: a recovery code, or words by e-mail and a wait; and the one page behind both.

Nobody is asked whose space it is, and whoever asks for words is answered the same whether there is one or not. What
opens is a session that no other page knows (``coming_back``): it makes a passkey, and ends what others have.
"""

from __future__ import annotations

from flask import abort, g, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from app.db.unit_of_work import UnitOfWork
from app.errors import Invalid
from app.people import recovery, sessions, stops, way_in
from app.people.models import Customer, Recovery
from app.people.recovery import Shown
from app.people.sessions import SignedIn
from app.people.way_in import WayIn
from app.web.context import coming_back, cookie_name, may_be_here, services, signed_in
from app.web.customers.filters import device
from app.web.customers.limits import (
    address,
    asking_for_words_limit,
    limiter,
    trying_codes_limit,
    trying_words_limit,
)
from app.web.customers.pages import blueprint, drop_cookie, json_body, relying_party, set_cookie

#: longer is no code and no words of ours
TYPED_MOST = 100

# ------------------------------------------------------------------------------------------------ for whoever comes by


@blueprint.get("/way-back")
def way_back() -> ResponseReturnValue:
    return _page()


def _page(*, wrong: bool = False) -> str:
    with services().reading() as uow:
        begun = _begun(uow)
    mail = services().settings.mail_server is not None
    return render_template("customers/way_back.html", wrong=wrong, mail=mail, waits=begun is not None)


@blueprint.post("/way-back/code")
@limiter.limit(trying_codes_limit, key_func=address)
def use_recovery_code() -> ResponseReturnValue:
    """One answer to every code that opens nothing, whatever the reason."""
    with services().unit_of_work() as uow:
        came = way_in.by_code(uow, request.form.get("code", ""))
        if came is None or not may_be_here(uow.session.get_one(Customer, came.customer_id)):
            return _page(wrong=True), 422
        response = redirect(url_for("customers.make_way_in"), 303)
        _open(uow, response, came)
        uow.commit()
    return response


@blueprint.post("/way-back/address")
@limiter.limit(asking_for_words_limit, key_func=address)
def ask_for_words() -> ResponseReturnValue:
    """The same is written down and answered for every address, and for what is none."""
    if services().settings.mail_server is None:
        abort(404)
    typed = request.form.get("email", "")[:254].strip().lower()
    with services().unit_of_work() as uow:
        secret = recovery.ask(services().vault, uow, typed)
        uow.commit()
    return _to_words(secret)


@blueprint.get("/way-back/words")
def way_back_words() -> ResponseReturnValue:
    with services().reading() as uow:
        asked = recovery.is_asked(uow.session, request.cookies.get(_words_cookie(), ""), now=uow.now)
    return render_template("customers/way_back_words.html", asked=asked, wrong="wrong" in request.args)


@blueprint.post("/way-back/words")
@limiter.limit(trying_words_limit, key_func=address)
def show_words() -> ResponseReturnValue:
    """They begin the wait, or open what has waited."""
    secret, typed = request.cookies.get(_words_cookie(), ""), request.form.get("words", "")[:TYPED_MOST]
    with services().unit_of_work() as uow:
        shown = recovery.show(services().vault, uow, secret, typed=typed)
        if shown is None or not may_be_here(uow.session.get_one(Customer, shown.customer_id)):
            uow.commit()  # the try counts
            return redirect(url_for("customers.way_back_words", wrong=1), 303)
        response = _begin(uow, shown) if shown.recovery_id is None else _after_wait(uow, shown)
        uow.commit()
    drop_cookie(response, _words_cookie())
    return response


def _begin(uow: UnitOfWork, shown: Shown) -> Response:
    response = redirect(url_for("customers.way_back_wait"), 303)
    kept = recovery.WAIT + recovery.OPEN_FOR
    set_cookie(
        response, _wait_cookie(), way_in.begin_waiting(services(), uow, shown), max_age=int(kept.total_seconds())
    )
    return response


def _after_wait(uow: UnitOfWork, shown: Shown) -> Response:
    """In the browser in which it began, and in no other one: the words may have been read by somebody else."""
    begun = _begun(uow)
    if begun is None or begun.id != shown.recovery_id:
        abort(403)
    response = redirect(url_for("customers.make_way_in"), 303)
    _open(uow, response, way_in.after_wait(uow, shown))
    return response


@blueprint.get("/way-back/wait")
def way_back_wait() -> ResponseReturnValue:
    with services().reading() as uow:
        begun = _begun(uow)
        if begun is not None:
            g.time_zone = uow.session.get_one(Customer, begun.customer_id).time_zone
        is_open = begun is not None and begun.opens_at <= uow.now < begun.expires_at
    return render_template("customers/way_back_wait.html", begun=begun, is_open=is_open, now=services().clock())


@blueprint.post("/way-back/wait")
@limiter.limit(asking_for_words_limit, key_func=address)
def ask_to_open() -> ResponseReturnValue:
    """The wait is over: words once more."""
    with services().unit_of_work() as uow:
        begun = _begun(uow)
        if begun is None:
            abort(404)
        secret = recovery.ask_to_open(uow, begun)
        uow.commit()
    return _to_words(secret)


def _begun(uow: UnitOfWork) -> Recovery | None:
    """What began in this browser, however it stands."""
    secret = request.cookies.get(_wait_cookie())
    return recovery.of_browser(uow.session, secret) if secret else None


def _to_words(secret: str) -> Response:
    response = redirect(url_for("customers.way_back_words"), 303)
    set_cookie(response, _words_cookie(), secret, max_age=int(recovery.WORDS_LIFE.total_seconds()))
    return response


def _words_cookie() -> str:
    return cookie_name("words")


def _wait_cookie() -> str:
    return cookie_name("wait")


def _open(uow: UnitOfWork, response: Response, came: WayIn) -> None:
    """A session for a new passkey. Whoever was signed in here is not any more: it may be another customer's."""
    who = signed_in() or coming_back()
    token = sessions.open_session(
        uow,
        customer_id=came.customer_id,
        user_agent=request.user_agent.string,
        read_only=False,
        replaces=who.session_id if who else None,
        way_back=came.way_back,
    )
    set_cookie(response, cookie_name("session"), token)


# ------------------------------------------------------------------------------------ for who came in without a passkey


def _back() -> SignedIn:
    """Whoever came in so; guard() has let nobody else through."""
    who = coming_back()
    if who is None:
        abort(401)
    return who


@blueprint.get("/way-in")
def make_way_in() -> ResponseReturnValue:
    return render_template("customers/way_in.html", by_mail=way_in.is_by_mail(_back()), done=request.args.get("done"))


@blueprint.post("/way-in/passkey")
def way_in_passkey() -> ResponseReturnValue:
    with services().unit_of_work() as uow:
        started = way_in.start_passkey(uow, party=relying_party(), signed_in=_back())
        uow.commit()
    return jsonify(ceremony=started.ceremony, publicKey=started.public_key)


@blueprint.post("/way-in/passkey/done")
def way_in_passkey_done() -> ResponseReturnValue:
    """The passkey is made; it is used by signing in with it, as always."""
    body = json_body()
    sent = body if isinstance(body, dict) else {}
    credential = sent.get("credential")
    if not isinstance(credential, dict):
        raise Invalid("not-an-object", "A JSON object was expected here.")
    way_in.finish_passkey(
        services(),
        signed_in=_back(),
        party=relying_party(),
        ceremony=sent.get("ceremony"),
        credential=credential,
        name=device(request.user_agent.string),
    )
    response = jsonify(to=url_for("customers.sign_in", back=1, next=url_for("customers.security")))
    for name in (cookie_name("session"), _wait_cookie()):
        drop_cookie(response, name)
    return response


@blueprint.post("/way-in/others")
def way_in_end_others() -> ResponseReturnValue:
    way_in.end_others(services(), signed_in=_back())
    return redirect(url_for("customers.make_way_in", done="others"), 303)


@blueprint.post("/way-in/stop")
def way_in_stop() -> ResponseReturnValue:
    stops.stop_everything(services(), signed_in=_back())
    return redirect(url_for("customers.make_way_in", done="stop"), 303)
