"""Taking a bill back. Nothing is deleted: the customer sees the bill, that nothing is asked of it, and why."""

from __future__ import annotations

import re

import marshmallow as ma
from flask import request

from app.errors import FieldError, NotFound
from app.journey.corrections.read import CorrectedBill, corrected_bill
from app.journey.corrections.service import withdraw
from app.web.billers.api import operation
from app.web.billers.auth import client_id, current_client
from app.web.billers.bodies import whole_body
from app.web.billers.limits import CONFIRMATION_BYTES_MAX, delivery_limit, limiter
from app.web.billers.problems import Problem
from app.web.billers.schemas import DeliveredBillSchema, WithdrawalSchema
from app.web.context import services
from connectors.strict_json import NotReadable, read_value

_BILL_ID = r"^bill_[0-9a-f]{32}$"
_JSON = "application/json"


@operation(
    "/bills/<bill_id>/withdrawal",
    method="POST",
    scope="bills:write",
    tag="Bills",
    answer=(200, DeliveredBillSchema),
    refusals=(404, 409, 413, 415, 422, 429),
    path={"bill_id": _BILL_ID},
    operationId="withdrawBill",
    requestBody={
        "required": True,
        "content": {_JSON: {"schema": WithdrawalSchema, "example": {"reason": "The order was cancelled."}}},
    },
)
@limiter.limit(delivery_limit, key_func=client_id)
def withdraw_bill(bill_id: str) -> CorrectedBill:
    """Withdraw a bill

    Nothing of it is asked any more. A payment that was not given to a bank is stopped; one that the customer has made
    stays, and you owe it back (`refund_owed`). Send it again whenever you are not sure: it is one withdrawal.
    """
    if re.fullmatch(_BILL_ID, bill_id) is None:
        raise NotFound("bill")
    reason = _reason()
    biller_id = current_client().biller_id
    with services().unit_of_work() as uow:
        withdraw(uow, biller_id=biller_id, bill_id=bill_id, reason=reason)
        uow.commit()
    with services().reading() as uow:
        return corrected_bill(uow.session, bill_id=bill_id, biller_id=biller_id)


def _reason() -> str:
    if request.mimetype != _JSON or request.content_encoding:
        raise Problem(415, "media-type", f"Send {_JSON}, without Content-Encoding.")
    try:
        found = WithdrawalSchema().load(read_value(whole_body(most=CONFIRMATION_BYTES_MAX, what="A withdrawal")))
    except NotReadable:
        raise Problem(422, "not-well-formed", "The body is not the JSON object that it should be.") from None
    except ma.ValidationError as error:
        messages = error.messages if isinstance(error.messages, dict) else {}
        detail = "The withdrawal is not as described."
        errors = tuple(
            FieldError("" if name == "_schema" else f"/{name[:40]}", str(said[0]))
            for name, said in messages.items()
            if isinstance(said, list) and said
        )
        raise Problem(422, "withdrawal", detail, errors=errors) from None
    reason: str = found["reason"]
    return reason
