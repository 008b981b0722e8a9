"""Bills in: delivery, and what became of a bill. The bytes go on as they came; nothing is read here."""

from __future__ import annotations

import re

from flask import Response, jsonify, request

from app.errors import FieldError, NotFound
from app.journey.corrections.answer import answer_to
from app.journey.corrections.read import CorrectedBill, corrected_bill
from app.journey.intake.conformance import Report, report_of
from app.journey.intake.formats import FORMATS
from app.journey.intake.formats.json_fields import BillSchema
from app.journey.intake.service import Acknowledgement, deliver
from app.journey.receipts.proofs import proof_for_biller
from app.web.billers.api import operation
from app.web.billers.auth import API_PATH, client_id, current_client
from app.web.billers.bodies import whole_body
from app.web.billers.examples import JSON_BILL, UBL_BILL
from app.web.billers.limits import BILL_BYTES_MAX, delivery_limit, limiter
from app.web.billers.problems import Problem
from app.web.billers.schemas import (
    AcknowledgementSchema,
    ConformanceSchema,
    DeliveredBillSchema,
    HeldSchema,
    ProofSchema,
    RequestAnswerSchema,
)
from app.web.context import services

#: what a bill may be, by Content-Type. XML bills are known by their root: none but UBL has a media type of its own
JSON = "application/json"
PDF = "application/pdf"
XML = tuple(media_type for media_type in FORMATS if media_type not in (JSON, PDF))

_BILL_ID = r"^bill_[0-9a-f]{32}$"
#: the header with a bill's seal
SEAL = "Bill-Signature"
_SEAL = r"^[A-Za-z0-9_-]{1,1000}\.\.[A-Za-z0-9_-]{1,1000}$"
_ADDRESS = r"^[a-zA-Z0-9._-]{1,40}@[a-zA-Z0-9.-]{1,79}$"


@operation(
    "/bills",
    method="POST",
    scope="bills:write",
    tag="Bills",
    answer=(201, AcknowledgementSchema),
    refusals=(409, 413, 415, 422, 429),
    query={"to"},
    operationId="deliverBill",
    parameters=[
        {
            "name": "to",
            "in": "query",
            "schema": {"type": "string", "pattern": _ADDRESS},
            "description": "The customer's space address, where the bill does not name it. Both must agree.",
        },
        {
            "name": SEAL,
            "in": "header",
            "schema": {"type": "string", "pattern": _SEAL},
            "description": "Your seal: a detached JWS (RFC 7515 appendix F, compact) over exactly the bytes of the"
            " body, with alg ES256, PS256 or Ed25519 and the kid of a key that is registered for it. Once you have one"
            " a bill without a seal is held.",
        },
    ],
    requestBody={
        "required": True,
        "description": f"One bill, at most {BILL_BYTES_MAX} bytes, without Content-Encoding: our JSON, UBL 2.1, CII "
        "or a PDF with one of these two embedded (Factur-X, ZUGFeRD 2, XRechnung).",
        "content": {
            JSON: {"schema": BillSchema, "example": JSON_BILL},
            **{media_type: {"schema": {"type": "string"}, "example": UBL_BILL} for media_type in XML},
            PDF: {"schema": {"type": "string", "format": "binary"}},
        },
    },
    responses={
        200: {
            "description": "You delivered these very bytes before: the same acknowledgement again.",
            "content": {JSON: {"schema": AcknowledgementSchema}},
        },
        202: {
            "description": "Held: it is in the customer's space as not verified and cannot be paid before somebody has "
            "looked. The reasons say what to mend; once it is mended, send the same bytes again.",
            "content": {JSON: {"schema": HeldSchema}},
        },
        201: {
            "description": "Taken: it is durably in the customer's space.",
            "headers": {"Location": {"schema": {"type": "string"}, "description": "Where the bill is."}},
        },
    },
)
@limiter.limit(delivery_limit, key_func=client_id)
def deliver_bill() -> tuple[dict[str, object], int, dict[str, str]] | Response:
    """Deliver a bill

    Send it again whenever you are not sure that we have it: it is stored once.
    """
    media_type = _media_type()
    acknowledgement = deliver(
        services(),
        client=current_client(),
        content=_content(),
        media_type=media_type,
        to=_address_beside(),
        seal=_seal(),
    )
    if acknowledgement.held:
        return _held(acknowledgement)
    status = 201 if acknowledgement.created else 200
    return _acknowledged(acknowledgement), status, {"Location": f"{API_PATH}/bills/{acknowledgement.bill_id}"}


@operation(
    "/bills/<bill_id>",
    method="GET",
    scope="bills:read",
    tag="Bills",
    answer=(200, DeliveredBillSchema),
    refusals=(404, 422),
    path={"bill_id": _BILL_ID},
    operationId="getBill",
)
def get_bill(bill_id: str) -> CorrectedBill:
    """See a bill

    Open, paid or closed, the payments that were made for it, what your customer says of it instead, and what you said
    of it since: credit notes, a new version, a withdrawal, more time.
    """
    if re.fullmatch(_BILL_ID, bill_id) is None:
        raise NotFound("bill")
    with services().reading() as uow:
        return corrected_bill(uow.session, bill_id=bill_id, biller_id=current_client().biller_id)


@operation(
    "/bills/<bill_id>/answer",
    method="GET",
    scope="bills:read",
    tag="Bills",
    answer=(200, RequestAnswerSchema),
    refusals=(404, 409, 422),
    path={"bill_id": _BILL_ID},
    operationId="getAnswer",
    responses={
        200: {
            "description": "pain.014 in the form of the request: the JSON of SEPA Request-to-Pay, or XML.",
            "content": {JSON: {"schema": RequestAnswerSchema}, "application/xml": {"schema": {"type": "string"}}},
        },
    },
)
def get_answer(bill_id: str) -> Response:
    """See the answer to a request to pay

    What its customer says of your pain.013: ACTC, it is in the customer's space · ACCP, a payment of it was decided ·
    ACWC, the same of less, since a discount or what you took off · RJCT, your customer declines it (AM05: it was billed
    before; MS02: anything else, also that it was paid elsewhere) or it cannot be paid here (MS03). A dispute and a
    request for more time leave it as it is: see the answers. Asked again it is the same message, by its MsgId, until
    something has changed. It is ACTC again when the payment is stopped, when a correction of yours makes the decision
    void, and when a no is taken back or refused.
    """
    if re.fullmatch(_BILL_ID, bill_id) is None:
        raise NotFound("bill")
    with services().reading() as uow:
        found = answer_to(
            services().vault, uow.session, bill_id=bill_id, biller_id=current_client().biller_id, now=uow.now
        )
    return Response(found.content, mimetype=found.media_type)


@operation(
    "/bills/<bill_id>/proof",
    method="GET",
    scope="bills:read",
    tag="Bills",
    answer=(200, ProofSchema),
    refusals=(404, 409, 422),
    path={"bill_id": _BILL_ID},
    operationId="getProof",
)
def get_proof(bill_id: str) -> dict[str, object]:
    """See the proof of a delivery

    That exactly these bytes were delivered, when, by whom, and with which key they were sealed, as the log has it: who
    has the log's public key can check it offline, with `quittance receipt verify` or on the page that works without a
    network. The log numbers a delivery within a second or so; before that this is refused.
    """
    if re.fullmatch(_BILL_ID, bill_id) is None:
        raise NotFound("bill")
    return proof_for_biller(services(), bill_id=bill_id, biller_id=current_client().biller_id)


@operation(
    "/bills/<bill_id>/conformance",
    method="GET",
    scope="bills:read",
    tag="Bills",
    answer=(200, ConformanceSchema),
    refusals=(404, 422),
    path={"bill_id": _BILL_ID},
    operationId="getConformance",
)
def get_conformance(bill_id: str) -> Report:
    """See whether a bill keeps the official rules

    The rules of EN 16931 for UBL and CII, some moments after the delivery. A report for you to mend the next bills by:
    nothing hangs on it.
    """
    if re.fullmatch(_BILL_ID, bill_id) is None:
        raise NotFound("bill")
    with services().reading() as uow:
        return report_of(uow.session, bill_id=bill_id, biller_id=current_client().biller_id)


def _media_type() -> str:
    """The bill's format by Content-Type (RFC 9110 §15.5.16)."""
    if request.content_encoding:
        # a small archive can unpack to anything, and the acknowledged hash is over the bytes of the bill
        raise Problem(
            415,
            "content-encoding",
            "Send the bill as it is, without Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )
    if request.mimetype not in FORMATS:
        raise Problem(415, "media-type", f"A bill is {', '.join(FORMATS)}; say which in Content-Type.")
    charset = request.mimetype_params.get("charset", "utf-8")
    if charset.lower() != "utf-8":
        raise Problem(
            415,
            "charset",
            "Content-Type may only name the charset utf-8; an XML bill declares another one itself.",
        )
    return request.mimetype


def _content() -> bytes:
    content = whole_body(most=BILL_BYTES_MAX, what="A bill")
    if not content:
        raise Problem(422, "empty", "The body is empty: send the bill.")
    return content


def _address_beside() -> str | None:
    to = request.args.get("to")
    if to is not None and re.fullmatch(_ADDRESS, to) is None:
        detail = "This is not a space address: it is like k3jq7m2xw5ta@space.example."
        raise Problem(422, "address", detail, errors=(FieldError("?to", detail),))
    return to


def _seal() -> str | None:
    seal = request.headers.get(SEAL)
    if seal is not None and re.fullmatch(_SEAL, seal) is None:
        detail = "This is no seal: a detached JWS is like eyJhbGciOi…..MEUCIQ…"
        raise Problem(422, "seal-malformed", detail, errors=(FieldError(SEAL, detail),))
    return seal


def _held(acknowledgement: Acknowledgement) -> Response:
    answer = jsonify(
        HeldSchema().dump(
            {
                "id": acknowledgement.bill_id,
                "number": acknowledgement.number,
                "sha256": acknowledgement.sha256,
                "held_at": acknowledgement.delivered_at,
                "reasons": acknowledgement.held,
            }
        )
    )
    answer.status_code = 202
    return answer


def _acknowledged(acknowledgement: Acknowledgement) -> dict[str, object]:
    return {
        "id": acknowledgement.bill_id,
        "number": acknowledgement.number,
        "sha256": acknowledgement.sha256,
        "delivered_at": acknowledgement.delivered_at,
    }
