"""Where a bank posts its events: security event tokens (RFC 8417), delivered as RFC 8935 has it.

No session and no form token: a bank calls, and its signature is all that is believed. What it says moves no money:
the payment or standing consent that it names is looked at earlier, and the bank's own status tells what became of it.
Only that a standing consent was stopped there is taken from the event itself. No bank is called here, but for the keys
of its signature.
"""

from __future__ import annotations

import json
import logging

from flask import Blueprint, Response, abort, request
from werkzeug.exceptions import HTTPException

from app.journey.consents import service as consents
from app.journey.payments import service as payments
from app.web.context import services
from connectors.capabilities import Notifies
from connectors.errors import BankUnavailable, EventNotBelieved
from connectors.registry import UnknownBank, UnusableBank
from connectors.security.event_token import TOKEN_BYTES_MAX

log = logging.getLogger("quittance.banks")

blueprint = Blueprint("events", __name__, url_prefix="/banks")

#: of OBL's Event Notification API, and of RFC 8935 §2.1
MEDIA_TYPES = ("application/jwt", "application/secevent+jwt")
#: in this time a bank is back, or an operator has mended what is wrong with our keys
RETRY_AFTER_S = 30


@blueprint.before_request
def guard() -> None:
    """The token proves itself; nothing of a browser counts here. What cannot be one is not read."""
    request.max_content_length = TOKEN_BYTES_MAX
    if request.mimetype not in MEDIA_TYPES:
        abort(415)


@blueprint.post("/<bank_id>/events")
@blueprint.post("/<bank_id>/events/event-notifications")
def announced(bank_id: str) -> Response:
    """202 for what is believed, also when it names nothing of ours: the bank need not know.

    OBL lets a bank take the callback's address as it is, or put the resource's name behind it.
    """
    raw = request.get_data(cache=False)
    try:
        connector = services().banks.connector(bank_id)
        if not isinstance(connector, Notifies):
            abort(404)
        event = connector.verify_event(raw)
    except UnusableBank as error:
        return _later(bank_id, str(error), after_s=RETRY_AFTER_S)
    except UnknownBank:
        abort(404)
    except BankUnavailable as error:
        return _later(bank_id, str(error), after_s=error.retry_after_s or RETRY_AFTER_S)
    except EventNotBelieved as error:
        log.warning("bank %s: an event is not believed: %s", bank_id, error)
        return _refused(400, error.code, str(error))
    if not consents.hear(services(), bank_id=bank_id, event=event):
        payments.hear(services(), bank_id=bank_id, event=event)
    return Response(status=202)


@blueprint.errorhandler(HTTPException)
def not_taken(error: HTTPException) -> Response:
    """A program reads it: no page of ours."""
    return _refused(error.code or 500, "invalid_request", error.name)


def _later(bank_id: str, why: str, *, after_s: int) -> Response:
    """It cannot be checked now; nothing is lost when it never comes again: the payment is looked at anyway."""
    log.warning("bank %s: an event cannot be checked now: %s", bank_id, why)
    answer = _refused(503, "temporarily_unavailable", "it cannot be checked now")
    answer.headers["Retry-After"] = str(after_s)
    return answer


def _refused(status: int, code: str, description: str) -> Response:
    """RFC 8935 §2.3."""
    answer = Response(json.dumps({"err": code, "description": description}), status, mimetype="application/json")
    answer.headers["Content-Language"] = "en"
    return answer
