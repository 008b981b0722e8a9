"""Refunds: the biller promises, says that it has sent, and sees what its customer says. Nothing here moves money."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from flask import request

from app.errors import FieldError, NotFound
from app.journey.refunds import accounts, service
from app.journey.refunds.read import PAGE_MOST, RefundForBiller, refund_for_biller, refunds_for_biller
from app.journey.refunds.rules import Way
from app.journey.refunds.states import RefundState
from app.journey.refunds.step import Sent
from app.web.billers.api import operation
from app.web.billers.auth import API_PATH, client_id, current_client
from app.web.billers.bodies import JSON, calendar_day, loaded
from app.web.billers.limits import CONFIRMATION_BYTES_MAX, REPLY_BYTES_MAX, delivery_limit, limiter
from app.web.billers.problems import Problem
from app.web.billers.refund_schemas import PromiseSchema, RefundSchema, RefundsSchema, SentSchema, TakenBackSchema
from app.web.context import services
from connectors.money import Money

_REFUND_ID = r"^rfd_[0-9a-f]{32}$"
_BILL_ID = r"^bill_[0-9a-f]{32}$"


@operation(
    "/refunds",
    method="GET",
    scope="refunds:read",
    tag="Refunds",
    answer=(200, RefundsSchema),
    refusals=(422,),
    query={"after", "bill_id", "state"},
    operationId="listRefunds",
    parameters=[
        {
            "name": "after",
            "in": "query",
            "schema": {"type": "string", "pattern": _REFUND_ID},
            "description": "Only refunds that were promised after this one.",
        },
        {
            "name": "bill_id",
            "in": "query",
            "schema": {"type": "string", "pattern": _BILL_ID},
            "description": "Only refunds of this bill.",
        },
        {
            "name": "state",
            "in": "query",
            "schema": {"type": "string", "enum": [str(each) for each in RefundState]},
            "description": "Only refunds in this state; missing: those that wait for you to look.",
        },
    ],
)
def list_refunds() -> dict[str, Any]:
    """List your refunds

    In pages, the oldest first. No account stands in a list.
    """
    after, bill_id, state = (request.args.get(name) for name in ("after", "bill_id", "state"))
    if after is not None and re.fullmatch(_REFUND_ID, after) is None:
        raise _bad("?after", "This is not the id of a refund.")
    if bill_id is not None and re.fullmatch(_BILL_ID, bill_id) is None:
        raise _bad("?bill_id", "This is not the id of a bill.")
    if state is not None and state not in list(RefundState):
        raise _bad("?state", f"A state is {', '.join(RefundState)}.")
    with services().reading() as uow:
        found = refunds_for_biller(
            uow.session,
            biller_id=current_client().biller_id,
            state=RefundState(state) if state is not None else None,
            bill_id=bill_id,
            after=after,
        )
    return {"refunds": found, "after": found[-1].id if len(found) == PAGE_MOST else None}


@operation(
    "/refunds",
    method="POST",
    scope="refunds:write",
    tag="Refunds",
    answer=(201, RefundSchema),
    refusals=(404, 409, 413, 415, 422, 429),
    operationId="promiseRefund",
    requestBody={
        "required": True,
        "content": {
            JSON: {
                "schema": PromiseSchema,
                "example": {
                    "bill_id": "bill_019b0c7a1f2e7d3c8a4b5c6d7e8f9a0b",
                    "amount": "30.00",
                    "currency": "EUR",
                    "promised_by": "2026-12-15",
                },
            }
        },
    },
    responses={
        200: {
            "description": "You promised this already: the same refund, as it is now.",
            "content": {JSON: {"schema": RefundSchema}},
        },
        201: {
            "description": "Promised: your customer sees it.",
            "headers": {"Location": {"schema": {"type": "string"}, "description": "Where the refund is."}},
        },
    },
)
@limiter.limit(delivery_limit, key_func=client_id)
def promise_refund() -> tuple[RefundForBiller, int, dict[str, str]]:
    """Promise a refund

    At most `refund_unpromised` of the bill (409 not-owed). Send it again whenever you are not sure: the same amount of
    the same bill by the same day is one refund. It changes nothing of what the bill says that you owe.
    """
    said = loaded(PromiseSchema(), most=CONFIRMATION_BYTES_MAX, what="A refund", code="refund")
    try:
        amount = Money.parse(said["amount"], said["currency"], exact=True)
    except ValueError as error:
        raise Problem(422, "refund", f"{error}.", errors=(FieldError("/amount", f"{error}."),)) from None
    refund_id, is_new = service.promise(
        services(),
        biller_id=current_client().biller_id,
        bill_id=said["bill_id"],
        amount=amount,
        promised_by=_day(said["promised_by"], pointer="/promised_by"),
    )
    return _shown(refund_id), 201 if is_new else 200, {"Location": f"{API_PATH}/refunds/{refund_id}"}


@operation(
    "/refunds/<refund_id>",
    method="GET",
    scope="refunds:read",
    tag="Refunds",
    answer=(200, RefundSchema),
    refusals=(404, 422),
    path={"refund_id": _REFUND_ID},
    operationId="getRefund",
)
def get_refund(refund_id: str) -> RefundForBiller:
    """See a refund

    With the `account` that your customer released for it, where they want it elsewhere than it was paid from. They are
    shown that you have read it.
    """
    _known(refund_id)
    account = accounts.read(services(), biller_id=current_client().biller_id, refund_id=refund_id)
    return _shown(refund_id, account=account)


@operation(
    "/refunds/<refund_id>/sent",
    method="POST",
    scope="refunds:write",
    tag="Refunds",
    answer=(200, RefundSchema),
    refusals=(404, 409, 413, 415, 422, 429),
    path={"refund_id": _REFUND_ID},
    operationId="refundSent",
    requestBody={
        "required": True,
        "content": {
            JSON: {
                "schema": SentSchema,
                "example": {"sent_on": "2026-12-14", "way": "payer_account", "reference": "AQ-2026-0042 refund"},
            }
        },
    },
)
@limiter.limit(delivery_limit, key_func=client_id)
def refund_sent(refund_id: str) -> RefundForBiller:
    """Say that you have sent it

    Your customer sees the day and the reference. Where they say that it has not come (missing), look, and say it anew
    once you have sent it again. The same again changes nothing, nor does anything once it is received.
    """
    _known(refund_id)
    said = loaded(SentSchema(), most=REPLY_BYTES_MAX, what="This", code="refund")
    sent = Sent(
        sent_on=_day(said["sent_on"], pointer="/sent_on"),
        way=Way(said["way"]) if "way" in said else None,
        reference=said.get("reference"),
    )
    service.send(services(), biller_id=current_client().biller_id, refund_id=refund_id, sent=sent)
    return _shown(refund_id)


@operation(
    "/refunds/<refund_id>/withdraw",
    method="POST",
    scope="refunds:write",
    tag="Refunds",
    answer=(200, RefundSchema),
    refusals=(404, 409, 413, 415, 422, 429),
    path={"refund_id": _REFUND_ID},
    operationId="withdrawRefund",
    requestBody={
        "required": True,
        "content": {
            JSON: {"schema": TakenBackSchema, "example": {"words": "It is set off against your next bill."}},
        },
    },
)
@limiter.limit(delivery_limit, key_func=client_id)
def withdraw_refund(refund_id: str) -> RefundForBiller:
    """Take a promise back

    With your reason, which your customer reads. What you owe by the bill stays owed. Of one that was sent there is
    nothing to take back (409 refund-moved). While you are suspended it is not taken.
    """
    _known(refund_id)
    said = loaded(TakenBackSchema(), most=REPLY_BYTES_MAX, what="This", code="refund")
    service.withdraw(services(), biller_id=current_client().biller_id, refund_id=refund_id, words=said["words"])
    return _shown(refund_id)


def _known(refund_id: str) -> None:
    if re.fullmatch(_REFUND_ID, refund_id) is None:
        raise NotFound("refund")


def _shown(refund_id: str, *, account: str | None = None) -> RefundForBiller:
    with services().reading() as uow:
        return refund_for_biller(
            uow.session, refund_id=refund_id, biller_id=current_client().biller_id, account=account
        )


def _day(written: str, *, pointer: str) -> dt.date:
    day = calendar_day(written, pointer=pointer, code="refund")
    if day is None:
        raise ValueError(written)  # the schema has it required
    return day


def _bad(pointer: str, detail: str) -> Problem:
    return Problem(422, "parameter", detail, errors=(FieldError(pointer, detail),))
