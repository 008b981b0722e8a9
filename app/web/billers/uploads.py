"""Many bills in one file: taken line by line, delivered by a worker, and what became of each line."""

from __future__ import annotations

import re

from flask import Response, jsonify, request

from app.errors import FieldError, NotFound
from app.journey.intake.formats.bulk import BILLS_MAX, COLUMNS, LINE_BYTES_MAX
from app.journey.intake.uploads import FORMATS, OUTCOMES, LinesView, UploadView, lines_of, receive, upload_of
from app.web.billers.api import operation
from app.web.billers.auth import API_PATH, client_id, current_client
from app.web.billers.bodies import body_lines
from app.web.billers.examples import JSON_BILL_LINE
from app.web.billers.limits import UPLOAD_BYTES_MAX, limiter, upload_limit
from app.web.billers.problems import Problem
from app.web.billers.schemas import UploadLinesSchema, UploadSchema
from app.web.context import services

_JSON = "application/json"
_UPLOAD_ID = r"^upl_[0-9a-f]{32}$"
_LINE = r"[0-9]{1,9}"


@operation(
    "/uploads",
    method="POST",
    scope="bills:write",
    tag="Uploads",
    answer=(202, UploadSchema),
    refusals=(400, 409, 411, 413, 415, 422, 429),
    operationId="uploadBills",
    requestBody={
        "required": True,
        "description": f"At most {BILLS_MAX} bills and {UPLOAD_BYTES_MAX} bytes, in UTF-8, with its Content-Length and"
        " without Content-Encoding. NDJSON: a bill of our JSON on each line. CSV: a header, then a bill in each row,"
        f" the separator a comma, a semicolon or a tab; its columns are {', '.join(COLUMNS)}.",
        "content": {
            "application/x-ndjson": {"schema": {"type": "string"}, "example": JSON_BILL_LINE},
            "text/csv": {"schema": {"type": "string"}},
        },
    },
    responses={
        200: {
            "description": "You sent this very file before, and we are working on it: here is that upload.",
            "content": {_JSON: {"schema": UploadSchema}},
        },
        202: {
            "description": "We have the file, durably, and deliver its bills.",
            "headers": {"Location": {"schema": {"type": "string"}, "description": "Where to ask how far we are."}},
        },
    },
)
@limiter.limit(upload_limit, key_func=client_id)
def upload_bills() -> tuple[UploadView, int, dict[str, str]] | Response:
    """Deliver many bills at once

    The file is taken as a whole or not at all; then each line stands by itself. Not sure that it arrived, or some lines
    were refused and are mended? Send the file again: what was delivered is repeated, never doubled.
    """
    media_type = _media_type()
    lines = body_lines(most=UPLOAD_BYTES_MAX, line_most=LINE_BYTES_MAX, what="A file of bills")
    upload = receive(services(), client=current_client(), media_type=media_type, lines=lines)
    place = {"Location": f"{API_PATH}/uploads/{upload.id}"}
    if not upload.known:
        return upload, 202, place
    answer = jsonify(UploadSchema().dump(upload))
    answer.headers.update(place)
    return answer


@operation(
    "/uploads/<upload_id>",
    method="GET",
    scope="bills:read",
    tag="Uploads",
    answer=(200, UploadSchema),
    refusals=(404, 422),
    path={"upload_id": _UPLOAD_ID},
    operationId="getUpload",
)
def get_upload(upload_id: str) -> UploadView:
    """See how far an upload is

    Ask every few seconds; a hundred thousand bills take a minute or so.
    """
    if re.fullmatch(_UPLOAD_ID, upload_id) is None:
        raise NotFound("upload")
    with services().reading() as uow:
        return upload_of(uow.session, upload_id=upload_id, biller_id=current_client().biller_id)


@operation(
    "/uploads/<upload_id>/lines",
    method="GET",
    scope="bills:read",
    tag="Uploads",
    answer=(200, UploadLinesSchema),
    refusals=(404, 422),
    query={"after", "outcome"},
    path={"upload_id": _UPLOAD_ID},
    operationId="getUploadLines",
    parameters=[
        {
            "name": "after",
            "in": "query",
            "schema": {"type": "string", "pattern": f"^{_LINE}$"},
            "description": "Only lines behind this one.",
        },
        {
            "name": "outcome",
            "in": "query",
            "schema": {"type": "string", "enum": list(OUTCOMES)},
            "description": "Only lines with this outcome.",
        },
    ],
)
def get_upload_lines(upload_id: str) -> LinesView:
    """See what became of each line

    In pages, in the order of the file; lines that have no result yet are not there yet.
    """
    if re.fullmatch(_UPLOAD_ID, upload_id) is None:
        raise NotFound("upload")
    after, outcome = request.args.get("after", "0"), request.args.get("outcome")
    if re.fullmatch(_LINE, after, re.ASCII) is None:
        raise _bad("?after", "This is not the number of a line.")
    if outcome is not None and outcome not in OUTCOMES:
        raise _bad("?outcome", f"An outcome is {', '.join(OUTCOMES)}.")
    with services().reading() as uow:
        return lines_of(
            uow.session,
            upload_id=upload_id,
            biller_id=current_client().biller_id,
            after=int(after),
            outcome=outcome,
        )


def _bad(pointer: str, detail: str) -> Problem:
    return Problem(422, "parameter", detail, errors=(FieldError(pointer, detail),))


def _media_type() -> str:
    if request.content_encoding:
        detail = "Send the file as it is, without Content-Encoding."
        raise Problem(415, "content-encoding", detail, headers={"Accept-Encoding": "identity"})
    if request.mimetype not in FORMATS:
        raise Problem(415, "media-type", f"A file of bills is {' or '.join(FORMATS)}; say which in Content-Type.")
    if request.mimetype_params.get("charset", "utf-8").lower() != "utf-8":
        raise Problem(415, "charset", "A file of bills is in UTF-8.")
    return request.mimetype
