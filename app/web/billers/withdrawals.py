"""Taking a bill back. Nothing is deleted: the customer sees the bill, that nothing is asked of it, and why."""

from __future__ import annotations

import re

from app.errors import Conflict, NotFound
from app.journey.corrections.read import CorrectedBill, corrected_bill
from app.journey.corrections.service import take_back
from app.web.billers.api import operation
from app.web.billers.auth import client_id, current_client
from app.web.billers.bodies import JSON, loaded
from app.web.billers.limits import CONFIRMATION_BYTES_MAX, delivery_limit, limiter
from app.web.billers.schemas import DeliveredBillSchema, WithdrawalSchema
from app.web.context import services

_BILL_ID = r"^bill_[0-9a-f]{32}$"
_HELD_ID = r"^hld_[0-9a-f]{32}$"


@operation(
    "/bills/<bill_id>/withdrawal",
    method="POST",
    scope="bills:write",
    tag="Bills",
    answer=(200, DeliveredBillSchema),
    refusals=(404, 409, 413, 415, 422, 429),
    path={"bill_id": r"^(bill|hld)_[0-9a-f]{32}$"},
    operationId="withdrawBill",
    requestBody={
        "required": True,
        "content": {JSON: {"schema": WithdrawalSchema, "example": {"reason": "The order was cancelled."}}},
    },
)
@limiter.limit(delivery_limit, key_func=client_id)
def withdraw_bill(bill_id: str) -> CorrectedBill:
    """Withdraw a bill

    Nothing of it is asked any more. A payment that was not given to a bank is stopped; one that the customer has made
    stays, and you owe it back (`refund_owed`). Send it again whenever you are not sure: it is one withdrawal.
    """
    if re.fullmatch(_HELD_ID, bill_id) is not None:
        raise Conflict(
            "held",
            "This bill is held, and nobody can pay it. Should it be delivered after all, `bill.delivered` tells you the"
            " id that it has then (bill_…): withdraw that.",
        )
    if re.fullmatch(_BILL_ID, bill_id) is None:
        raise NotFound("bill")
    body = loaded(WithdrawalSchema(), most=CONFIRMATION_BYTES_MAX, what="A withdrawal", code="withdrawal")
    biller_id = current_client().biller_id
    take_back(services(), biller_id=biller_id, bill_id=bill_id, reason=body["reason"])
    with services().reading() as uow:
        return corrected_bill(uow.session, bill_id=bill_id, biller_id=biller_id)
