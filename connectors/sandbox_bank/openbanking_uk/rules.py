"""What a request to the API must be, before anything is done: headers, signature, key, and the shape of its body."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request

from connectors.sandbox_bank.openbanking_uk import detached
from connectors.sandbox_bank.openbanking_uk.answers import INTERACTION, SCHEME, ApiError
from connectors.sandbox_bank.openbanking_uk.brands import Brand
from connectors.sandbox_bank.openbanking_uk.context import UkBank
from connectors.sandbox_bank.openbanking_uk.detached import SignatureFault

KEY = "x-idempotency-key"
KEY_CHARACTERS_MAX = 40

_AMOUNT = re.compile(r"\d{1,13}(\.\d{1,5})?")
_AUTH_DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}"
    r" \d{2}:\d{2}:\d{2} (GMT|UTC)"
)
_INITIATION = {
    "InstructionIdentification": 35,
    "EndToEndIdentification": 35,
}
_OTHERS = {
    "InstructedAmount",
    "CreditorAccount",
    "CreditorPostalAddress",
    "DebtorAccount",
    "LocalInstrument",
    "RemittanceInformation",
    "SupplementaryData",
    "UltimateCreditor",
    "UltimateDebtor",
    "CreditorAgent",
    "RegulatoryReporting",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A signed request with its key."""

    key: str
    body: Mapping[str, Any]
    body_hash: str


def check_headers() -> None:
    """Of every request. Raises ApiError."""
    given = request.headers.get(INTERACTION)
    if given is not None and not _is_uuid(given):
        raise ApiError("U006", f"{INTERACTION} must be a UUID", path=INTERACTION)
    date = request.headers.get("x-fapi-auth-date")
    if date is not None and _AUTH_DATE.fullmatch(date) is None:
        raise ApiError("U006", "x-fapi-auth-date must be a date of RFC 7231", path="x-fapi-auth-date")
    if not request.accept_mimetypes.accept_json:
        raise ApiError("U006", "answers are application/json", status=406, path="Accept")
    if request.method == "GET" and KEY in request.headers:
        raise ApiError("U006", f"{KEY} does not belong on a GET", path=KEY)


def posted(bank: UkBank, brand: Brand, tpp: str) -> Posted:
    """Raises ApiError."""
    if request.mimetype != "application/json":
        raise ApiError("U006", "Content-Type must be application/json", status=415, path="Content-Type")
    key = request.headers.get(KEY)
    if key is None:
        raise ApiError("U007", f"{KEY} is missing", path=KEY)
    if not 1 <= len(key) <= KEY_CHARACTERS_MAX or key != key.strip():
        raise ApiError("U006", f"{KEY} has at most {KEY_CHARACTERS_MAX} characters, and no space around it", path=KEY)
    raw = request.get_data()
    try:
        detached.verify(request.headers.get("x-jws-signature"), raw, brand=brand, tpp=tpp, now=bank.now())
    except SignatureFault as fault:
        raise ApiError(fault.code, str(fault), path="x-jws-signature") from None
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise ApiError("U010", "the body must be a JSON object")
    return Posted(key=key, body=body, body_hash=hashlib.sha256(raw).hexdigest())


def consent_of_body(body: Mapping[str, Any], brand: Brand) -> int:
    """The amount in pence of an OBWriteDomesticConsent4 that is as it should be. Raises ApiError."""
    data = _object(body, "Data", {"Initiation", "ReadRefundAccount", "Authorisation", "SCASupportData"})
    _only(body, {"Data", "Risk"}, "")
    if data.get("ReadRefundAccount", "No") not in ("Yes", "No"):
        raise ApiError("U002", "ReadRefundAccount is Yes or No", path="Data.ReadRefundAccount")
    check_risk(body, brand)
    return check_initiation(data, brand)


def check_risk(body: Mapping[str, Any], brand: Brand) -> None:
    risk = _object(body, "Risk", None)
    right = brand.version == "4.0" or brand.correct_contract_indicator
    wrong = "ContractPresentInidicator" if right else "ContractPresentIndicator"
    if wrong in risk:
        raise ApiError("U005", f"{wrong} is not a field of this version", path=f"Risk.{wrong}")


def check_initiation(data: Mapping[str, Any], brand: Brand) -> int:
    initiation = _object(data, "Initiation", {*_INITIATION, *_OTHERS}, "Data.")
    for name, most in _INITIATION.items():
        value = initiation.get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= most:
            raise ApiError("U002", f"{name} has 1 to {most} characters", path=f"Data.Initiation.{name}")
    account = _object(initiation, "CreditorAccount", None, "Data.Initiation.")
    identification = str(account.get("Identification", ""))
    if account.get("SchemeName") != SCHEME or re.fullmatch(r"\d{14}", identification) is None:
        text = "only sort code and account number, 14 digits"
        raise ApiError("U002", text, path="Data.Initiation.CreditorAccount")
    if not account.get("Name"):
        raise ApiError("U004", "the payee's name is missing", path="Data.Initiation.CreditorAccount.Name")
    _check_remittance(initiation, brand)
    return _pence(_object(initiation, "InstructedAmount", {"Amount", "Currency"}, "Data.Initiation."))


def _check_remittance(initiation: Mapping[str, Any], brand: Brand) -> None:
    """4.0 has arrays and no Reference; 3.1 one text and a Reference. The official file of 4.0 does not refuse that."""
    told = initiation.get("RemittanceInformation", {})
    wanted = {"Unstructured", "Structured"} if brand.version == "4.0" else {"Unstructured", "Reference"}
    kind = list if brand.version == "4.0" else str
    if not isinstance(told, dict) or told.keys() - wanted or not all(isinstance(each, kind) for each in told.values()):
        text = f"RemittanceInformation is not that of {brand.version}"
        raise ApiError("U005", text, path="Data.Initiation.RemittanceInformation")


def _pence(amount: Mapping[str, Any]) -> int:
    path = "Data.Initiation.InstructedAmount"
    text = amount.get("Amount")
    if not isinstance(text, str) or _AMOUNT.fullmatch(text) is None or amount.get("Currency") != "GBP":
        raise ApiError("U002", "an amount of GBP, as text", path=path)
    whole, _, part = text.partition(".")
    pence = int(whole) * 100 + int(part[:2].ljust(2, "0"))
    if part[2:].strip("0") or pence == 0:
        raise ApiError("U002", "whole pence, more than none", path=path)
    return pence


def _object(within: Mapping[str, Any], name: str, allowed: set[str] | None, prefix: str = "") -> Mapping[str, Any]:
    found = within.get(name)
    if not isinstance(found, dict):
        raise ApiError("U004", f"{name} is missing", path=f"{prefix}{name}")
    if allowed is not None:
        _only(found, allowed, f"{prefix}{name}.")
    return found


def _only(found: Mapping[str, Any], allowed: set[str], prefix: str) -> None:
    unknown = found.keys() - allowed
    if unknown:
        raise ApiError("U005", f"{min(unknown)} is not a field", path=f"{prefix}{min(unknown)}")


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
