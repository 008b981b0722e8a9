"""Messages: the customer's safe words, what they are told of by e-mail, and the list of all that was sent."""

from __future__ import annotations

from collections.abc import Mapping

from flask import jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from app.errors import Invalid
from app.journey.notices import read, service
from app.journey.notices.kinds import CHOICES
from app.journey.notices.times import LEAD_MOST, NO_TIMES, QUIET_MOST, Times
from app.people import addresses, passkeys, recovery, safe_words
from app.people.safe_words import SafeWords
from app.web.context import services
from app.web.customers.limits import asking_address_limit, changing_ways_limit, drawing_words_limit, limiter
from app.web.customers.pages import blueprint, common, json_body, me, relying_party, sent_credential


@blueprint.get("/messages")
def messages() -> ResponseReturnValue:
    return _page()


def _page(*, typed: MultiDict[str, str] | None = None) -> str:
    """As it is kept; or as it was typed into the form, where something of that cannot be."""
    customer = me().customer
    words = _words()
    with services().reading() as uow:
        sent = read.notices_of(uow.session, customer_id=customer.id)
        chosen = read.chosen_by(uow.session, customer_id=customer.id)
        times = service.times_of(uow.session, customer_id=customer.id)
        asked = safe_words.is_asked(uow.session, customer, now=uow.now)
        asks_again_at = service.asks_again_at(uow.session, customer_id=customer.id, now=uow.now)
        was_asked = read.was_asked(uow.session, customer_id=customer.id)
        has_passkey = passkeys.has_passkey(uow.session, customer.id)
        unreachable = read.is_unreachable(uow.session, customer_id=customer.id)
    return render_template(
        "customers/messages.html",
        words=words,
        choices=CHOICES,
        chosen=chosen if typed is None else set(typed.getlist("kind")),
        lead=str(times.lead_days) if typed is None else typed.get("lead"),
        lead_most=LEAD_MOST,
        quiet_from=_text(times.quiet_from) if typed is None else typed.get("quiet_from"),
        quiet_to=_text(times.quiet_to) if typed is None else typed.get("quiet_to"),
        quiet_most=QUIET_MOST,
        wrong_hours=typed is not None,
        proven=customer.email_proven_at is not None,
        asked=asked,
        asks_again_at=asks_again_at,
        was_asked=was_asked,
        wrong="wrong" in request.args,  # said beside the question alone: anybody can write such a link
        notices=sent,
        unreachable=unreachable,
        mail=services().settings.mail_server is not None,
        kept_days=service.KEPT.days,
        settles_days=recovery.ADDRESS_SETTLES.days,
        has_passkey=has_passkey,
    )


@blueprint.post("/messages/words")
@limiter.limit(drawing_words_limit)
def draw_words() -> ResponseReturnValue:
    """New ones, in the language of the page."""
    with services().unit_of_work() as uow:
        safe_words.change(services().vault, uow, me().customer, language=str(common()["locale"]))
        uow.commit()
    return redirect(url_for("customers.messages"), 303)


@blueprint.post("/messages/address")
@limiter.limit(asking_address_limit)
def ask_address() -> ResponseReturnValue:
    """Two words are sent to the customer's address, to be typed here."""
    with services().unit_of_work() as uow:
        service.ask_address(services(), uow, me().customer.id)
        uow.commit()
    return redirect(url_for("customers.messages", _anchor="address"), 303)


@blueprint.post("/messages/address/words")
@limiter.limit(asking_address_limit)
def prove_address() -> ResponseReturnValue:
    """They were typed."""
    with services().unit_of_work() as uow:
        right = safe_words.prove(services().vault, uow, me().customer, typed=request.form.get("words", "")[:100])
        uow.commit()
    return redirect(url_for("customers.messages", wrong=None if right else "1", _anchor="address"), 303)


@blueprint.post("/messages/address/change/ceremony")
@limiter.limit(changing_ways_limit)
def change_address_ceremony() -> ResponseReturnValue:
    """Begin to change the address: a passkey must sign the new one."""
    body = json_body()
    wanted = body.get("email") if isinstance(body, dict) else None
    with services().unit_of_work() as uow:
        started = addresses.start_changing(uow, party=relying_party(), signed_in=me(), email=wanted)
        uow.commit()
    return jsonify(ceremony=started.ceremony, publicKey=started.public_key)


@blueprint.post("/messages/address/change")
def change_address() -> ResponseReturnValue:
    ceremony, credential = sent_credential()
    with services().unit_of_work() as uow:
        addresses.change(
            services().vault, uow, party=relying_party(), signed_in=me(), ceremony=ceremony, credential=credential
        )
        uow.commit()
    return redirect(url_for("customers.messages", _anchor="address"), 303)


@blueprint.post("/messages/choice")
def choose_messages() -> ResponseReturnValue:
    """What of, and when."""
    try:
        times = _times(request.form)
    except ValueError as error:
        if error.args != ("quiet",):  # which no form of ours can send
            raise Invalid("notice-times", "This is no number of days, or no hour. Nothing was changed.") from None
        return _page(typed=request.form), 422
    with services().unit_of_work() as uow:
        service.choose(uow, customer_id=me().customer.id, kinds=request.form.getlist("kind"), times=times)
        uow.commit()
    return redirect(url_for("customers.messages"), 303)


def _times(sent: Mapping[str, str]) -> Times | None:
    """As they were chosen; None: nothing of them was sent, so they stay. Raises ValueError."""
    if "lead" not in sent and "quiet_from" not in sent:
        return None
    begins, ends = sent.get("quiet_from", ""), sent.get("quiet_to", "")
    lead = int(sent.get("lead", NO_TIMES.lead_days))
    return Times(lead, int(begins), int(ends)) if begins else Times(lead)


def _text(hour: int | None) -> str:
    return "" if hour is None else str(hour)


def _words() -> SafeWords | None:
    """Whoever has none yet gets them here. A visit of the demo draws none."""
    who, vault = me(), services().vault
    with services().reading() as uow:
        there = safe_words.find(vault, uow.session, safe_words.row_of(who.customer.id))
    if there is not None or who.read_only:
        return there
    with services().unit_of_work() as uow:
        drawn = safe_words.words_of(vault, uow, who.customer)
        uow.commit()
    return drawn
