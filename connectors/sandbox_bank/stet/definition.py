"""The checks of a payment request, stricter than the official file: a lax bank would let our connector be wrong.

STET 1.4, `definitions/PaymentRequestResource`, for one SEPA credit transfer at once. Pure: values in, Asked or refusal
out.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from stdnum import iban as iban_number

from connectors.sandbox_bank.stet.brands import Brand
from connectors.sandbox_bank.stet.errors import StetError, wrong

#: the largest SEPA credit transfer, 999 999 999.99 EUR
AMOUNT_MINOR_MAX = 999_999_999_99
URI_LENGTH_MAX = 2_000
#: clocks differ, but not by more; what is older was not made for now
AHEAD_MOST, BEHIND_MOST = dt.timedelta(minutes=5), dt.timedelta(days=1)

_ID = re.compile(r"[a-zA-Z0-9 /\-?:().,']{1,35}")
_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,2})?")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

Check = Callable[[Any, str], None]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A checked payment request. ``request`` is the JSON as the TPP sent it."""

    request: dict[str, Any]
    amount_minor: int
    end_to_end_id: str
    creditor_name: str
    creditor_iban: str
    remittance: str | None
    tpp_name: str
    success_url: str
    failure_url: str


def read(raw_body: bytes, *, brand: Brand, now: dt.datetime) -> Asked:
    """Raises StetError that names the first field which is wrong."""
    body = json_object(raw_body)
    _fields(body, "", _REQUEST)
    _check_moment(body["creationDateTime"], now=now)
    if body["numberOfTransactions"] != 1 or isinstance(body["numberOfTransactions"], bool):
        raise wrong("numberOfTransactions", "this bank takes one instruction (AM18)")
    transactions = body["creditTransferTransaction"]
    if not isinstance(transactions, list) or len(transactions) != 1:
        raise wrong("creditTransferTransaction", "must be an array of as many as numberOfTransactions says")
    transaction = transactions[0]
    _fields(transaction, "creditTransferTransaction.0", _TRANSACTION)
    _check_day(body.get("requestedExecutionDate"), brand=brand, now=now)
    urls = _urls(body["supplementaryData"])
    remittance = transaction["remittanceInformation"]
    if brand.remittance_wanted and not remittance:
        raise wrong("remittanceInformation", "this bank wants a text for the payee")
    beneficiary = body["beneficiary"]
    return Asked(
        request=body,
        amount_minor=_amount_minor(transaction["instructedAmount"]["amount"]),
        end_to_end_id=transaction["paymentId"]["endToEndId"],
        creditor_name=beneficiary["creditor"]["name"],
        creditor_iban=beneficiary["creditorAccount"]["iban"],
        remittance=remittance[0] if remittance else None,
        tpp_name=body["initiatingParty"]["name"],
        success_url=urls[0],
        failure_url=urls[1],
    )


def json_object(raw_body: bytes) -> dict[str, Any]:
    """Raises StetError unless it is one JSON object, in UTF-8, no name twice."""
    try:
        body = json.loads(raw_body.decode("utf-8"), object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise wrong("body", "is not readable JSON") from error
    if not isinstance(body, dict):
        raise wrong("body", "must be a JSON object")
    return body


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name occurs twice")
    return names


def _no_constant(name: str) -> None:
    raise ValueError(name, "is not JSON")


# ----------------------------------------------------------------------------------------------- what a field may be


@dataclass(frozen=True, kw_only=True)
class _Object:
    """Names with their checks; the first ones must be there."""

    required: Mapping[str, Check]
    optional: Mapping[str, Check]


def _fields(value: object, path: str, of: _Object) -> None:
    if not isinstance(value, dict):
        raise wrong(path or "body", "must be an object")
    for name in of.required:
        if name not in value:
            raise wrong(_under(path, name), "is mandatory")
    known = {**of.required, **of.optional}
    for name, content in value.items():
        if name not in known:
            raise wrong(_under(path, name), "is not taken by this bank")
        known[name](content, _under(path, name))


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _nested(of: _Object) -> Check:
    return lambda value, path: _fields(value, path, of)


def _anything(_value: Any, _path: str) -> None:
    """Checked apart."""


def _is_id(value: Any, path: str) -> None:
    if not isinstance(value, str) or _ID.fullmatch(value) is None or not value.strip():
        raise wrong(path, "must be 1 to 35 characters of the standard's set")


def _text(length_max: int) -> Check:
    def check(value: Any, path: str) -> None:
        if not (isinstance(value, str) and value.strip() and value.isprintable() and len(value) <= length_max):
            raise wrong(path, f"must be 1 to {length_max} printable characters")

    return check


def _one_of(*words: str) -> Check:
    def check(value: Any, path: str) -> None:
        if value not in words:
            raise wrong(path, f"must be {' or '.join(words)}")

    return check


def _iban(value: Any, path: str) -> None:
    plain = isinstance(value, str) and value.isascii() and value.isalnum() and value.isupper()
    if not (plain and iban_number.is_valid(value, check_country=False)):
        raise wrong(path, "is not a valid IBAN (AC01)")


def _amount(value: Any, path: str) -> None:
    if not (isinstance(value, str) and _AMOUNT.fullmatch(value) and value.isascii()):
        raise wrong(path, "must be a string with a dot and at most two decimals")
    if not 0 < _amount_minor(value) <= AMOUNT_MINOR_MAX:
        raise wrong(path, "must be more than zero and at most 999999999.99")


def _amount_minor(text: str) -> int:
    return int(Decimal(text).scaleb(2))


def _remittance(value: Any, path: str) -> None:
    if not isinstance(value, list) or len(value) > 1:
        raise wrong(path, "must be an array of one text at most")
    for text in value:
        _text(140)(text, f"{path}.0")


def _date_time(value: Any, path: str) -> None:
    try:
        good = isinstance(value, str) and _DATE_TIME.fullmatch(value) and dt.datetime.fromisoformat(value)
    except ValueError:
        good = None
    if not good:
        raise wrong(path, "must be a date and time with its zone (RFC 3339)")


_IDENTIFICATION = _Object(
    required={"identification": _text(70), "schemeName": _text(70)}, optional={"issuer": _text(35)}
)
_PARTY = _Object(required={"name": _text(70)}, optional={"organisationId": _nested(_IDENTIFICATION)})
_ACCOUNT = _Object(required={"iban": _iban}, optional={})
_BENEFICIARY = _Object(required={"creditor": _nested(_PARTY), "creditorAccount": _nested(_ACCOUNT)}, optional={})
_TYPE = _Object(
    required={"serviceLevel": _one_of("SEPA")},
    optional={"localInstrument": _one_of("INST"), "categoryPurpose": _one_of("CASH", "DVPM")},
)
_TRANSACTION = _Object(
    required={
        "paymentId": _nested(_Object(required={"instructionId": _is_id, "endToEndId": _is_id}, optional={})),
        "instructedAmount": _nested(_Object(required={"currency": _one_of("EUR"), "amount": _amount}, optional={})),
        "remittanceInformation": _remittance,
    },
    optional={},
)
_REQUEST = _Object(
    required={
        "paymentInformationId": _is_id,
        "creationDateTime": _date_time,
        "numberOfTransactions": _anything,
        "initiatingParty": _nested(_PARTY),
        "paymentTypeInformation": _nested(_TYPE),
        "beneficiary": _nested(_BENEFICIARY),
        "creditTransferTransaction": _anything,
        "supplementaryData": _anything,
    },
    optional={
        "chargeBearer": _one_of("SLEV"),
        "purpose": _one_of("ACCT", "CASH", "COMC", "CPKC", "TRPT"),
        "requestedExecutionDate": _date_time,
    },
)


# --------------------------------------------------------------------------------------------------- what is apart


def _check_moment(value: str, *, now: dt.datetime) -> None:
    moment = dt.datetime.fromisoformat(value)
    if not now - BEHIND_MOST <= moment <= now + AHEAD_MOST:
        raise wrong("creationDateTime", "is not of now")


def _check_day(value: str | None, *, brand: Brand, now: dt.datetime) -> None:
    if value is None:
        if brand.execution_date_wanted:
            raise wrong("requestedExecutionDate", "is mandatory at this bank")
        return
    if dt.datetime.fromisoformat(value) > now + AHEAD_MOST:
        raise wrong("requestedExecutionDate", "this bank executes at once (CH03)")


_SUPPLEMENT = _Object(
    required={"acceptedAuthenticationApproach": _anything, "successfulReportUrl": _anything},
    optional={"unsuccessfulReportUrl": _anything, "scaHint": _one_of("noScaExemption", "scaExemption")},
)


def _urls(data: Any) -> tuple[str, str]:
    """Where the customer is led back to: after success, and otherwise."""
    _fields(data, "supplementaryData", _SUPPLEMENT)
    accepted = data["acceptedAuthenticationApproach"]
    if not isinstance(accepted, list) or not set(map(str, accepted)) <= {"REDIRECT", "DECOUPLED", "EMBEDDED"}:
        raise wrong("acceptedAuthenticationApproach", "must be an array of the standard's words")
    if "REDIRECT" not in accepted:
        raise wrong("acceptedAuthenticationApproach", "this bank has the redirect approach alone")
    success = _url(data["successfulReportUrl"], "successfulReportUrl")
    return success, _url(data.get("unsuccessfulReportUrl", success), "unsuccessfulReportUrl")


def _url(value: Any, name: str) -> str:
    refusal = wrong(name, "must be an absolute address without a fragment")
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except (ValueError, TypeError, AttributeError):
        raise refusal from None
    clean = value.isascii() and value.isprintable() and not set(value) & set(' #"<>\\^`{|}')
    if not (good and clean and parts.username is None and len(value) <= URI_LENGTH_MAX):
        raise refusal
    return str(value)


def check_cancellation(raw_body: bytes, *, kept: Mapping[str, Any]) -> None:
    """The body of a PUT: the payment request as it was, with RJCT and DS02, and no other change. Raises StetError."""
    body = json_object(raw_body)
    said = (body.get("paymentInformationStatus"), body.get("statusReasonInformation"))
    if said != ("RJCT", "DS02"):
        raise wrong(
            "paymentInformationStatus", "must be RJCT, and statusReasonInformation DS02: no other change is taken"
        )
    if _as_asked(body) != _as_asked(kept):
        raise StetError(400, "the payment request is not the one that was posted: no other change is taken")


_OURS = ("resourceId", "paymentInformationStatus", "statusReasonInformation", "fundsAvailability", "booking")


def _as_asked(request: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the bank adds to it."""
    transactions = request.get("creditTransferTransaction")
    bare = [
        {name: value for name, value in one.items() if name not in ("transactionStatus", "statusReasonInformation")}
        for one in (transactions if isinstance(transactions, list) else [])
        if isinstance(one, dict)
    ]
    kept = {name: value for name, value in request.items() if name not in _OURS}
    return {**kept, "creditTransferTransaction": bare}
