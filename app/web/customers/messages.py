"""Messages: the customer's safe words, what they are told of by e-mail and on their devices, and the list of all
e-mails that were sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Response, jsonify, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from app.errors import Invalid
from app.journey.notices import read, service
from app.journey.notices.kinds import CHOICES
from app.journey.notices.times import LEAD_MOST, NO_TIMES, QUIET_MOST, Times
from app.people import addresses, devices, passkeys, recovery, safe_words
from app.people.models import PushDevice
from app.people.safe_words import SafeWords
from app.web.context import cookie_name, services
from app.web.customers.limits import (
    adding_devices_limit,
    asking_address_limit,
    changing_ways_limit,
    drawing_words_limit,
    limiter,
)
from app.web.customers.pages import (
    blueprint,
    common,
    json_body,
    me,
    relying_party,
    sent_credential,
    set_cookie,
)
from app.web.customers.sign_in import YEAR_S, device_cookie
from app.web.headers import WITH_WORKER


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A browser that shows notices. ``here``: this very one."""

    id: str
    user_agent: str
    created_at: dt.datetime
    taken_at: dt.datetime | None  #: when its push service last took a message
    here: bool


@blueprint.get("/messages")
def messages() -> ResponseReturnValue:
    return _page()


def _page(*, typed: MultiDict[str, str] | None = None) -> Response:
    """As it is kept; or as it was typed into the form, where something of that cannot be."""
    customer = me().customer
    words = _words()
    with services().reading() as uow:
        sent = read.notices_of(uow.session, customer_id=customer.id)
        mailed, pushed = read.chosen_by(uow.session, customer_id=customer.id)
        unread = read.unread_of(uow.session, customer_id=customer.id)
        known = devices.devices_of(uow.session, customer_id=customer.id)
        times = service.times_of(uow.session, customer_id=customer.id)
        asked = safe_words.is_asked(uow.session, customer, now=uow.now)
        asks_again_at = service.asks_again_at(uow.session, customer_id=customer.id, now=uow.now)
        was_asked = read.was_asked(uow.session, customer_id=customer.id)
        has_passkey = passkeys.has_passkey(uow.session, customer.id)
        unreachable = read.is_unreachable(uow.session, customer_id=customer.id)
    page = render_template(
        "customers/messages.html",
        words=words,
        choices=CHOICES,
        chosen=mailed if typed is None else set(typed.getlist("kind")),
        pushed=pushed if typed is None else set(typed.getlist("push_kind")),
        unread=unread,
        unread_most=read.UNREAD_MOST,
        devices=[_device(each) for each in known],
        push_key=services().web_push.public_key,
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
    answer = make_response(page)
    answer.headers["Content-Security-Policy"] = WITH_WORKER
    return answer


def _device(device: PushDevice) -> DeviceView:
    return DeviceView(
        device.id,
        device.user_agent,
        device.created_at,
        device.taken_at,
        devices.is_known_by(device, device_cookie()),
    )


@blueprint.post("/messages/devices")
@limiter.limit(adding_devices_limit)
def add_device() -> ResponseReturnValue:
    """This browser shows notices from now on: what its script sent is where it is reached."""
    with services().unit_of_work() as uow:
        token = devices.add(
            uow,
            signed_in=me(),
            wanted=json_body(),
            user_agent=request.user_agent.string,
            demo=services().settings.demo,
            token=device_cookie(),
        )
        uow.commit()
    answer = jsonify(to=url_for("customers.messages", _anchor="choice"))
    set_cookie(answer, cookie_name("device"), token, max_age=YEAR_S)
    return answer


@blueprint.post("/messages/devices/remove")
def remove_device() -> ResponseReturnValue:
    with services().unit_of_work() as uow:
        devices.remove(uow, customer_id=me().customer.id, device_id=request.form.get("device", ""))
        uow.commit()
    return redirect(url_for("customers.messages", _anchor="devices"), 303)


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
        answer = _page(typed=request.form)
        answer.status_code = 422
        return answer
    with services().unit_of_work() as uow:
        service.choose(
            uow,
            customer_id=me().customer.id,
            kinds=request.form.getlist("kind"),
            push_kinds=request.form.getlist("push_kind") if "devices_asked" in request.form else None,
            times=times,
        )
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
