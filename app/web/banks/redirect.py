"""The redirect back from a bank. A hint, never a proof: what happened is read from the bank's own status.

Safe when it comes twice (the second changes nothing), late (status decides), forged (unknown state: 400, nothing
written), in another browser (a neutral page), or never (the worker asks the bank anyway).
"""

from __future__ import annotations

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.db.unit_of_work import Recorded
from app.journey.banks import sign_in
from app.journey.consents import service as consents
from app.journey.consents.step import work_key as consent_work_key
from app.journey.payments import service as payments
from app.journey.payments.looks import work_key
from app.services import WEB_DEADLINE_S
from app.tasks import run_now
from app.web.context import services, signed_in, trip_cookies
from app.web.headers import only_from_our_pages
from connectors.registry import UnknownBank
from connectors.security.request_object import claimed_state

blueprint = Blueprint("banks", __name__, url_prefix="/banks")

#: what an answer consists of (RFC 6749 §4.1.2, RFC 9207, OpenID Connect Core §3.3, JARM), beside a confirmation code,
#: which banks bring back under names of their own
PARAMETERS = ("code", "error", "iss", "id_token", "response")
#: some banks send a whole JWT as the code; the web server takes no longer line
PARAMETER_MOST = 4000
BODY_MOST = 32 * 1024


@blueprint.before_request
def guard() -> None:
    """A redirect proves itself by its state and the browser's cookie. What is posted comes from a page of ours, too."""
    request.max_content_length = BODY_MOST
    only_from_our_pages()
    if request.method == "POST":
        current_app.extensions["csrf"].protect()


@blueprint.route("/<bank_id>/return", methods=["GET", "POST"])
@blueprint.route("/<bank_id>/return/<state>", methods=["GET", "POST"])
def comes_back(bank_id: str, state: str | None = None) -> ResponseReturnValue:
    """Take the redirect in, ask the bank, and show the payment. Without a state in the address the answer names it.

    Some banks put their answer behind the # of the address, where only the browser sees it (OpenID Connect Core
    §3.3.2.5): then a small page of ours posts it here.
    """
    try:
        bank = services().banks.profile(bank_id)
    except UnknownBank:
        abort(404)
    answer = {name: value for name in (*PARAMETERS, bank.confirmation_code) if (value := _one(name))}
    if request.method != "POST" and not answer and bank.answer_in_fragment:
        return render_template("customers/returning.html", bank_name=bank.name, parameters=("state", *PARAMETERS))
    named = _one("state") or claimed_state(answer.get("response", ""))
    if state is None:
        state = named
    if state is None or named not in (None, state):
        abort(400)
    signing_in = _from_sign_in(bank_id, state, answer)
    if signing_in is not None:
        return signing_in
    consenting = _from_consent(bank_id, state, answer)
    if consenting is not None:
        return consenting
    returned = payments.come_back(
        services(),
        bank_id=bank_id,
        state=state,
        browsers=trip_cookies(),
        answer=answer,
    )
    if returned is None:
        abort(400, "signing-in" if bank.sign_in_first else None)
    if not returned.same_browser:
        return render_template("customers/elsewhere.html", bank_name=bank.name)
    _find_out(returned.work, work_key(returned.payment_id))
    # a clean address: the code must not stay in the browser's history
    return redirect(url_for("customers.payment", pay=returned.payment_id, back=1), 303)


def _from_sign_in(bank_id: str, state: str, answer: dict[str, str]) -> ResponseReturnValue | None:
    """Where the state is that of a sign-in before a payment: back to the page that is confirmed."""
    who = signed_in()
    returned = sign_in.come_back(
        services(),
        bank_id=bank_id,
        state=state,
        browsers=trip_cookies(),
        customer_id=who.customer.id if who else None,
        answer=answer,
    )
    if returned is None:
        return None
    if not returned.is_believed:
        bank_name = services().banks.profile(bank_id).name
        return render_template("customers/elsewhere.html", bank_name=bank_name, signing_in=True)
    return redirect(
        url_for("customers.confirm", inv=returned.invoice_id, bank=bank_id, part=returned.part, back=1), 303
    )


def _from_consent(bank_id: str, state: str, answer: dict[str, str]) -> ResponseReturnValue | None:
    """Where the state is that of a standing consent: back to its page, which says what the bank tells of it."""
    who = signed_in()
    returned = consents.come_back(
        services(),
        bank_id=bank_id,
        state=state,
        browsers=trip_cookies(),
        customer_id=who.customer.id if who else None,
        answer=answer,
    )
    if returned is None:
        return None
    if not returned.is_believed:
        bank_name = services().banks.profile(bank_id).name
        return render_template("customers/elsewhere.html", bank_name=bank_name, consenting=True)
    _find_out(returned.work, consent_work_key(returned.consent_id))
    return redirect(url_for("customers.consent", con=returned.consent_id, back=1), 303)


def _find_out(work: Recorded | None, follow_key: str) -> None:
    """Exchange the code and ask the bank while the customer waits; a worker goes on where this ends."""
    if work is None:
        return
    for key in work.work_keys.values():
        run_now(services(), key, deadline_s=WEB_DEADLINE_S)
    run_now(services(), follow_key, deadline_s=WEB_DEADLINE_S / 2)


def _one(name: str) -> str | None:
    """A parameter that may stand once only (parameter pollution). An empty one is none."""
    values = (request.form if request.method == "POST" else request.args).getlist(name)
    if len(values) > 1 or any(len(value) > PARAMETER_MOST or "\0" in value for value in values):
        abort(400)
    return values[0] or None if values else None
