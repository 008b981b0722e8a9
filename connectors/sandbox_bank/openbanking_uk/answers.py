"""How the API answers: signed, with its interaction id, and errors in both dialects."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from flask import Response, g, request

from connectors.sandbox_bank.openbanking_uk import detached
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.context import current_bank

INTERACTION = "x-fapi-interaction-id"
#: as all the official files have it: the one of events knows no other
JSON = "application/json; charset=utf-8"

_CODES_V3 = {
    "U000": "UnexpectedError",
    "U002": "Field.Invalid",
    "U003": "Field.InvalidDate",
    "U004": "Field.Missing",
    "U005": "Field.Unexpected",
    "U006": "Header.Invalid",
    "U007": "Header.Missing",
    "U008": "Resource.ConsentMismatch",
    "U009": "Resource.InvalidConsentStatus",
    "U010": "Resource.InvalidFormat",
    "U011": "Resource.NotFound",
    "U014": "Rules.FailsControlParameters",
    "U015": "Signature.Invalid",
    "U016": "Signature.InvalidClaim",
    "U017": "Signature.MissingClaim",
    "U018": "Signature.Malformed",
    "U019": "Signature.Missing",
    "U020": "Signature.Unexpected",
    "U029": "Rules.ResourceAlreadyExists",
}


class ApiError(Exception):
    """Answered as OBErrorResponse1. ``path`` names the field or header."""

    def __init__(self, code: str, text: str, *, status: int = 400, path: str | None = None) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text, self.status, self.path = code, text, status, path


def answer(
    brand: Brand,
    body: Mapping[str, Any],
    *,
    link: str,
    status: int = 200,
    wrongly_signed: bool = False,
    other_interaction: bool = False,
) -> Response:
    """Signed, unless the brand does not. ``link``: the path of the resource."""
    own = current_bank().settings.base_url + link
    said = {**body, "Links": {"Self": f"{own}/" if brand.slash_in_self else own}, "Meta": {}}
    response = _signed(brand, said, status, wrongly=wrongly_signed)
    if other_interaction:
        g.interaction_id = str(uuid.uuid4())
    return response


def error(brand: Brand, fault: ApiError) -> Response:
    """4.0 has codes of four characters; 3.1 has names, and the first of them once more above the list."""
    old = brand.version == "3.1"
    said = {"ErrorCode": f"UK.OBIE.{_CODES_V3[fault.code]}" if old else fault.code, "Message": fault.text}
    if fault.path is not None:
        said["Path"] = fault.path
    body: dict[str, Any] = {"Errors": [said]}
    if old:
        body = {"Code": str(fault.status), "Id": str(uuid.uuid4()), "Message": fault.text, **body}
    return _signed(brand, body, fault.status)


def _signed(brand: Brand, body: Mapping[str, Any], status: int, *, wrongly: bool = False) -> Response:
    raw = json.dumps(body, separators=(",", ":")).encode()
    response = Response(raw, status=status, content_type=JSON)
    if not brand.unsigned_answers:
        over = raw + b" " if wrongly else raw
        response.headers["x-jws-signature"] = detached.sign(over, brand=brand, now=current_bank().now())
    return response


def echo_interaction(response: Response) -> Response:
    """On every answer of the API, also on errors, unless the brand forgets it. What was no UUID gets a new one."""
    brand = g.get("api_brand")
    if brand is not None and not brand.interaction_id_not_echoed:
        given = request.headers.get(INTERACTION, "")
        response.headers[INTERACTION] = g.get("interaction_id") or (given if is_uuid(given) else str(uuid.uuid4()))
    return response


def is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
