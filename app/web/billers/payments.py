"""Payments, as a biller may see them: whether and when, never who or from where."""

from __future__ import annotations

import re

from app.errors import NotFound
from app.journey.payments.read import PaymentForBiller, payment_for_biller
from app.web.billers.api import operation
from app.web.billers.auth import current_client
from app.web.billers.schemas import PaymentSchema
from app.web.context import services

_PAYMENT_ID = r"^pay_[0-9a-f]{32}$"


@operation(
    "/payments/<payment_id>",
    method="GET",
    scope="payments:read",
    tag="Payments",
    answer=(200, PaymentSchema),
    refusals=(404, 422),
    path={"payment_id": _PAYMENT_ID},
    operationId="getPayment",
)
def get_payment(payment_id: str) -> PaymentForBiller:
    """See a payment of one of your bills

    `paid` only when the customer's bank says that the money moved.
    """
    if re.fullmatch(_PAYMENT_ID, payment_id) is None:
        raise NotFound("payment")
    with services().reading() as uow:
        return payment_for_biller(uow.session, payment_id=payment_id, biller_id=current_client().biller_id)
