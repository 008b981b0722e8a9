"""The biller's word on whether the money arrived. It moves nothing: it is compared, and what differs is listed."""

from __future__ import annotations

import re
from typing import Any

from app.errors import FieldError, NotFound
from app.journey.reconciliation.service import Word, WordTaken, take_word
from app.web.billers.api import operation
from app.web.billers.auth import client_id, current_client
from app.web.billers.bodies import JSON, calendar_day, loaded
from app.web.billers.limits import CONFIRMATION_BYTES_MAX, delivery_limit, limiter
from app.web.billers.problems import Problem
from app.web.billers.schemas import ConfirmationSchema, WordSchema
from app.web.context import services
from connectors.money import Money

_PAYMENT_ID = r"^pay_[0-9a-f]{32}$"


@operation(
    "/payments/<payment_id>/confirmation",
    method="PUT",
    scope="payments:confirm",
    tag="Payments",
    answer=(200, ConfirmationSchema),
    refusals=(404, 409, 413, 415, 422, 429),
    path={"payment_id": _PAYMENT_ID},
    operationId="confirmPayment",
    requestBody={
        "required": True,
        "content": {
            JSON: {
                "schema": WordSchema,
                "example": {"received": True, "amount": "84.20", "currency": "EUR", "booked_on": "2026-11-23"},
            }
        },
    },
)
@limiter.limit(delivery_limit, key_func=client_id)
def confirm_payment(payment_id: str) -> WordTaken:
    """Say whether the money arrived

    Your word changes neither the payment nor the bill. Where it contradicts us we look into it. Send it as often as
    you like: the last one counts, and the same one again changes nothing.
    """
    if re.fullmatch(_PAYMENT_ID, payment_id) is None:
        raise NotFound("payment")
    return take_word(services(), client=current_client(), payment_id=payment_id, word=_word())


def _word() -> Word:
    found = loaded(WordSchema(), most=CONFIRMATION_BYTES_MAX, what="A confirmation", code="confirmation")
    return Word(
        received=found["received"],
        amount=_amount(found),
        booked_on=calendar_day(found.get("booked_on"), pointer="/booked_on", code="booked-on"),
    )


def _amount(found: dict[str, Any]) -> Money | None:
    written, currency = found.get("amount"), found.get("currency")
    if written is None and currency is None:
        return None
    if written is None or currency is None:
        detail = "Amount and currency go together."
        raise Problem(422, "amount", detail, errors=(FieldError("/amount", detail),))
    try:
        return Money.parse(written, currency, exact=True)
    except ValueError as error:
        raise Problem(422, "amount", f"{error}.", errors=(FieldError("/amount", f"{error}."),)) from None
