"""What a request to the API must be, before anything is done: its headers, its signature, its key."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request

from connectors.sandbox_bank.openbanking_uk import detached
from connectors.sandbox_bank.openbanking_uk.answers import INTERACTION, ApiError, is_uuid
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.context import UkBank
from connectors.sandbox_bank.openbanking_uk.detached import SignatureFault

KEY = "x-idempotency-key"
KEY_CHARACTERS_MAX = 40

_AUTH_DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}"
    r" \d{2}:\d{2}:\d{2} (GMT|UTC)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A signed body. ``body_hash``: SHA-256 of its exact bytes."""

    body: Mapping[str, Any]
    body_hash: str


def check_headers() -> None:
    """Of every request. Raises ApiError."""
    given = request.headers.get(INTERACTION)
    if given is not None and not is_uuid(given):
        raise ApiError("U006", f"{INTERACTION} must be a UUID", path=INTERACTION)
    date = request.headers.get("x-fapi-auth-date")
    if date is not None and _AUTH_DATE.fullmatch(date) is None:
        raise ApiError("U006", "x-fapi-auth-date must be a date of RFC 7231", path="x-fapi-auth-date")
    address = request.headers.get("x-fapi-customer-ip-address")
    if address is not None and not _is_ip_address(address):
        name = "x-fapi-customer-ip-address"
        raise ApiError("U006", f"{name} must be an IP address", path=name)
    if not request.accept_mimetypes.accept_json:
        raise ApiError("U006", "answers are application/json", status=406, path="Accept")
    if request.method != "POST":
        check_no_key()


def idempotency_key() -> str:
    """Raises ApiError."""
    key = request.headers.get(KEY)
    if key is None:
        raise ApiError("U007", f"{KEY} is missing", path=KEY)
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX or key != key.strip():
        raise ApiError("U006", f"{KEY} has at most {KEY_CHARACTERS_MAX} characters, and no space around it", path=KEY)
    return key


def check_no_key() -> None:
    """Of a request that makes nothing which could be made twice. Raises ApiError."""
    if KEY in request.headers:
        raise ApiError("U006", f"{KEY} does not belong on this request", path=KEY)


def posted(bank: UkBank, brand: Brand, tpp: str) -> Posted:
    """Raises ApiError."""
    if request.mimetype != "application/json":
        raise ApiError("U006", "Content-Type must be application/json", status=415, path="Content-Type")
    raw = request.get_data()
    try:
        detached.verify(request.headers.get("x-jws-signature"), raw, brand=brand, tpp=tpp, now=bank.now())
    except SignatureFault as fault:
        raise ApiError(fault.code, str(fault), path="x-jws-signature") from None
    body = _read(raw)
    if not isinstance(body, dict):
        raise ApiError("U010", "the body must be a JSON object")
    return Posted(body=body, body_hash=hashlib.sha256(raw).hexdigest())


def _read(raw: bytes) -> Any:
    """None for what is no JSON that all would read alike (RFC 8259): a name twice, NaN, half a surrogate pair."""
    try:
        body = json.loads(raw.decode(), object_pairs_hook=_without_twins, parse_constant=_refused)
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return body


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _refused(constant: str) -> None:
    raise ValueError(constant)


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
