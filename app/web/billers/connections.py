"""Connections: redeeming what a customer handed over, answering those who ask, and ending. Never whether one exists."""

from __future__ import annotations

import re
from typing import Any

import marshmallow as ma
from flask import request

from app.errors import FieldError, NotFound
from app.journey.connections import service
from app.journey.connections.read import (
    PAGE_MOST,
    ConnectionForBiller,
    RedemptionForBiller,
    connection_for_biller,
    connections_for_biller,
    redemption_for_biller,
    redemption_view,
)
from app.journey.connections.states import ConnectionStep, Told
from app.web.billers.api import operation
from app.web.billers.auth import API_PATH, client_id, current_client
from app.web.billers.bodies import calendar_day, loaded
from app.web.billers.limits import CONNECTION_BYTES_MAX, delivery_limit, limiter
from app.web.billers.problems import Problem
from app.web.billers.schemas import (
    AnswerSchema,
    CheckSchema,
    ConnectionSchema,
    ConnectionsSchema,
    RedeemSchema,
    RedemptionSchema,
)
from app.web.context import services

_JSON = "application/json"
_CONNECTION_ID = r"^cnx_[0-9a-f]{32}$"
_REDEMPTION_ID = r"^rdm_[0-9a-f]{32}$"


@operation(
    "/redemptions",
    method="POST",
    scope="connections:write",
    tag="Connections",
    answer=(202, RedemptionSchema),
    refusals=(413, 415, 422, 429),
    operationId="redeem",
    requestBody={
        "required": True,
        "content": {
            _JSON: {
                "schema": RedeemSchema,
                "example": {"code": "C7KM-4RXP-JT4", "customer_reference": "K-204417"},
            }
        },
    },
    responses={
        202: {
            "description": "Taken. If the code or the address is a customer's, they are asked now.",
            "headers": {"Location": {"schema": {"type": "string"}, "description": "Where to see whether they accept."}},
        },
    },
)
@limiter.limit(delivery_limit, key_func=client_id)
def redeem() -> tuple[RedemptionForBiller, int, dict[str, str]]:
    """Redeem a code or an address

    The customer behind it is asked whether you may deliver; the webhook connection.active says that they accepted. The
    answer is the same where there is nobody. A slip of the hand in a code is found at once.
    """
    found = _loaded(RedeemSchema(), what="A redemption")
    redemption = service.present(
        services(),
        biller_id=current_client().biller_id,
        code=found.get("code"),
        address=found.get("address"),
        reference=found.get("customer_reference"),
    )
    place = {"Location": f"{API_PATH}/redemptions/{redemption.id}"}
    return redemption_view(redemption, now=services().clock()), 202, place


@operation(
    "/redemptions/<redemption_id>",
    method="GET",
    scope="connections:read",
    tag="Connections",
    answer=(200, RedemptionSchema),
    refusals=(404, 422),
    path={"redemption_id": _REDEMPTION_ID},
    operationId="getRedemption",
)
def get_redemption(redemption_id: str) -> RedemptionForBiller:
    """See whether a redemption was accepted

    Better than asking again and again: the webhook connection.active tells when it is.
    """
    if re.fullmatch(_REDEMPTION_ID, redemption_id) is None:
        raise NotFound("redemption")
    with services().reading() as uow:
        return redemption_for_biller(
            uow.session, redemption_id=redemption_id, biller_id=current_client().biller_id, now=uow.now
        )


@operation(
    "/connections",
    method="GET",
    scope="connections:read",
    tag="Connections",
    answer=(200, ConnectionsSchema),
    refusals=(422,),
    query={"after", "status"},
    operationId="listConnections",
    parameters=[
        {
            "name": "after",
            "in": "query",
            "schema": {"type": "string", "pattern": _CONNECTION_ID},
            "description": "Only connections behind this one.",
        },
        {
            "name": "status",
            "in": "query",
            "schema": {"type": "string", "enum": [str(each) for each in Told]},
            "description": "Only connections with this status.",
        },
    ],
)
def list_connections() -> dict[str, Any]:
    """List your connections

    In pages: customers who ask you, who are connected with you, and who once were.
    """
    after, status = request.args.get("after"), request.args.get("status")
    if after is not None and re.fullmatch(_CONNECTION_ID, after) is None:
        raise _bad("?after", "This is not the id of a connection.")
    if status is not None and status not in list(Told):
        raise _bad("?status", f"A status is {', '.join(Told)}.")
    with services().reading() as uow:
        found = connections_for_biller(
            uow.session,
            biller_id=current_client().biller_id,
            after=after or "",
            status=Told(status) if status is not None else None,
        )
    return {"connections": found, "after": found[-1].id if len(found) == PAGE_MOST else None}


@operation(
    "/connections/<connection_id>",
    method="GET",
    scope="connections:read",
    tag="Connections",
    answer=(200, ConnectionSchema),
    refusals=(404, 422),
    path={"connection_id": _CONNECTION_ID},
    operationId="getConnection",
)
def get_connection(connection_id: str) -> ConnectionForBiller:
    """See a connection

    With the address that you deliver to, while it is active.
    """
    return _shown(connection_id)


@operation(
    "/connections/<connection_id>/check",
    method="POST",
    scope="connections:write",
    tag="Connections",
    answer=(200, ConnectionSchema),
    refusals=(404, 409, 413, 415, 422, 429),
    path={"connection_id": _CONNECTION_ID},
    operationId="checkConnection",
    requestBody={
        "required": True,
        "content": {_JSON: {"schema": CheckSchema, "example": {"sequence": 1, "expected_on": "2026-11-26"}}},
    },
)
@limiter.limit(delivery_limit, key_func=client_id)
def check_connection(connection_id: str) -> ConnectionForBiller:
    """Say that you check a request

    The customer sees that somebody looks, and by when. You need not say it: confirm or refuse at once if you can.
    """
    _known(connection_id)
    found = _loaded(CheckSchema(), what="A check")
    day = calendar_day(found.get("expected_on"), pointer="/expected_on", code="expected-on")
    service.check(
        services(),
        biller_id=current_client().biller_id,
        connection_id=connection_id,
        sequence=found["sequence"],
        expected_on=day,
    )
    return _shown(connection_id)


def _answers(word: str, step: ConnectionStep, summary: str, more: str) -> None:
    """One word of the biller's about the request that it has seen. Repeats change nothing."""

    def view(connection_id: str) -> ConnectionForBiller:
        _known(connection_id)
        found = _loaded(AnswerSchema(), what="An answer")
        service.answer(
            services(),
            biller_id=current_client().biller_id,
            connection_id=connection_id,
            sequence=found["sequence"],
            step=step,
        )
        return _shown(connection_id)

    view.__name__, view.__doc__ = f"{word}_connection", f"{summary}\n\n{more}\n"
    operation(
        f"/connections/<connection_id>/{word}",
        method="POST",
        scope="connections:write",
        tag="Connections",
        answer=(200, ConnectionSchema),
        refusals=(404, 409, 413, 415, 422, 429),
        path={"connection_id": _CONNECTION_ID},
        operationId=f"{word}Connection",
        requestBody={
            "required": True,
            "content": {_JSON: {"schema": AnswerSchema, "example": {"sequence": 1}}},
        },
    )(limiter.limit(delivery_limit, key_func=client_id)(view))


_answers(
    "confirm",
    ConnectionStep.CONFIRM,
    "Confirm a customer who asks",
    "You know the reference, and it is this customer's: your bills arrive from now on, at the address in the answer.",
)
_answers(
    "refuse",
    ConnectionStep.REFUSE,
    "Refuse a customer who asks",
    "You do not know the reference, or it is somebody else's. The customer is told, and may ask with another one.",
)


@operation(
    "/connections/<connection_id>/end",
    method="POST",
    scope="connections:write",
    tag="Connections",
    answer=(200, ConnectionSchema),
    refusals=(404, 409, 422, 429),
    path={"connection_id": _CONNECTION_ID},
    operationId="endConnection",
)
@limiter.limit(delivery_limit, key_func=client_id)
def end_connection(connection_id: str) -> ConnectionForBiller:
    """End a connection

    No bill of yours is taken any more. The customer keeps what was delivered, and payments under way go on.
    """
    _known(connection_id)
    service.end(services(), biller_id=current_client().biller_id, connection_id=connection_id)
    return _shown(connection_id)


def _known(connection_id: str) -> None:
    if re.fullmatch(_CONNECTION_ID, connection_id) is None:
        raise NotFound("connection")


def _shown(connection_id: str) -> ConnectionForBiller:
    _known(connection_id)
    with services().reading() as uow:
        return connection_for_biller(uow.session, connection_id=connection_id, biller_id=current_client().biller_id)


def _loaded(schema: ma.Schema, *, what: str) -> dict[str, Any]:
    return loaded(schema, most=CONNECTION_BYTES_MAX, what=what, code="connection")


def _bad(pointer: str, detail: str) -> Problem:
    return Problem(422, "parameter", detail, errors=(FieldError(pointer, detail),))
