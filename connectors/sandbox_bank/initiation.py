"""The checks of an initiation, stricter than the official file: a lax bank would let our connector be wrong.

NextGenPSD2 1.3.12, `paymentInitiation_json` of sepa-credit-transfers. Pure: values in, Order or refusal out.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from ipaddress import AddressValueError, IPv4Address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from stdnum import iban as iban_number
from werkzeug.datastructures import Headers

from connectors.sandbox_bank.errors import BerlinGroupError, format_error
from connectors.sandbox_bank.payments import EXECUTION_DATE, Order

#: the largest SEPA credit transfer, 999 999 999.99 EUR
AMOUNT_MINOR_MAX = 999_999_999_99
URI_LENGTH_MAX = 2_000

_AMOUNT = re.compile(r"[0-9]{1,14}(\.[0-9]{1,2})?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# EPC217-08: the Latin set of SEPA; a reference neither begins nor ends with "/" and has no "//".
_END_TO_END_ID = re.compile(r"(?!/)(?!.*//)[A-Za-z0-9/\-?:().,'+ ]{1,35}(?<!/)")

_REQUIRED = ("instructedAmount", "creditorAccount", "creditorName")
_OPTIONAL = (
    "debtorAccount",
    "endToEndIdentification",
    "remittanceInformationUnstructured",
    "remittanceInformationStructured",
)
#: fields of the standard that this bank, like many, does not take
_NOT_SUPPORTED = (
    "chargeBearer",
    "creditorAddress",
    "creditorAgent",
    "creditorAgentName",
    "creditorId",
    "debtorName",
    "instructionIdentification",
    "purposeCode",
    "remittanceInformationStructuredArray",
    "remittanceInformationUnstructuredArray",
    "requestedExecutionTime",
    "ultimateCreditor",
    "ultimateDebtor",
)
#: how far ahead it takes a payment
AHEAD_MOST = dt.timedelta(days=365)
_BOOLEAN_HEADERS = (
    "TPP-Decoupled-Preferred",
    "TPP-Explicit-Authorisation-Preferred",
    "TPP-Redirect-Preferred",
    "TPP-Rejection-NoFunds-Preferred",
)
_HTTP_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def check_headers(headers: Headers) -> None:
    """Those of every call: X-Request-ID is mandatory, the others are checked where they are present."""
    if not is_uuid(headers.get("X-Request-ID", "")):
        raise format_error("X-Request-ID", "X-Request-ID must be a UUID")
    if "PSU-IP-Address" in headers:
        _check_ipv4(headers["PSU-IP-Address"])
    if not is_uuid(headers.get("PSU-Device-ID", str(UUID(int=0)))):
        raise format_error("PSU-Device-ID", "PSU-Device-ID must be a UUID")
    if headers.get("PSU-Http-Method", "GET") not in _HTTP_METHODS:
        raise format_error("PSU-Http-Method", "not a method of the standard")
    for name in _BOOLEAN_HEADERS:
        if headers.get(name, "true") not in ("true", "false"):
            raise format_error(name, "must be true or false")


def read_order(headers: Headers, raw_body: bytes, *, today: dt.date) -> Order:
    """Raises BerlinGroupError that names the first header or field which is wrong."""
    if "PSU-IP-Address" not in headers:
        raise format_error("PSU-IP-Address", "PSU-IP-Address is mandatory")
    _check_approach(headers)
    way_back = redirect_uri(headers.get("TPP-Redirect-URI", ""))
    body = json_object(raw_body)
    amount_minor = check_transfer(body, more={EXECUTION_DATE: False})
    execution_date(body, today=today)
    return Order(
        amount_minor=amount_minor,
        body=body,
        redirect_uri=way_back,
        brand=headers.get("TPP-Brand-Logging-Information", "")[:70],
    )


def execution_date(body: Mapping[str, Any], *, today: dt.date) -> dt.date | None:
    """The later day on which it is to be executed; None: at once. Raises BerlinGroupError."""
    if EXECUTION_DATE not in body:
        return None
    day = day_in(body, EXECUTION_DATE)
    if not today <= day <= today + AHEAD_MOST:
        text = "must be today or a later day within a year"
        raise BerlinGroupError(400, "EXECUTION_DATE_INVALID", text, path=EXECUTION_DATE)
    return day if day > today else None


def day_in(body: Mapping[str, Any], name: str) -> dt.date:
    """Raises BerlinGroupError."""
    try:
        return dt.datetime.strptime(body[name], "%Y-%m-%d").replace(tzinfo=dt.UTC).date()
    except (TypeError, ValueError):
        raise format_error(name, "must be a day, as 2026-11-22") from None


def _check_approach(headers: Headers) -> None:
    """This bank has the OAuth redirect and nothing else, with an implicit start of the authorisation."""
    for name, impossible in [
        ("TPP-Redirect-Preferred", "false"),
        ("TPP-Decoupled-Preferred", "true"),
        ("TPP-Explicit-Authorisation-Preferred", "true"),
    ]:
        if headers.get(name) == impossible:
            text = "only SCA by redirect, started implicitly"
            raise BerlinGroupError(400, "PARAMETER_NOT_SUPPORTED", text, path=name)


def redirect_uri(uri: str, *, name: str = "TPP-Redirect-URI") -> str:
    """It as it is. Raises BerlinGroupError where nobody can be sent there."""
    refusal = format_error(name, "an absolute http(s) URI without fragment is mandatory")
    try:
        parts = urlsplit(uri)
        good = bool(parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
    except ValueError as error:
        raise refusal from error
    clean = uri.isascii() and uri.isprintable() and not set(uri) & set(' #"<>\\^`{|}')
    if not (good and clean and parts.username is None and len(uri) <= URI_LENGTH_MAX):
        raise refusal
    return uri


def _check_ipv4(text: str) -> None:
    # The official file says format ipv4 and nothing else.
    try:
        IPv4Address(text)
    except AddressValueError as error:
        raise format_error("PSU-IP-Address", "PSU-IP-Address must be an IPv4 address") from error


def json_object(raw_body: bytes) -> dict[str, Any]:
    """Raises BerlinGroupError unless it is one JSON object, in UTF-8, no name twice. A fraction is a Decimal."""
    try:
        body = json.loads(
            raw_body.decode("utf-8"),
            object_pairs_hook=_no_doubles,
            parse_constant=_no_constant,
            parse_float=Decimal,
        )
    except (ValueError, RecursionError) as error:
        raise format_error("body", "the body is not readable JSON") from error
    if not isinstance(body, dict):
        raise format_error("body", "the body must be a JSON object")
    return body


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name occurs twice")
    return names


def _no_constant(name: str) -> None:
    raise ValueError(name, "is not JSON")


def check_transfer(
    body: dict[str, Any], *, more: Mapping[str, bool] = {}, amount_is_number: bool = False, account_open: bool = False
) -> int:
    """The amount in cents of a body whose every field is right. Raises BerlinGroupError, which names the first other.

    ``more``: fields that this bank takes besides, and whether they must be there; their values are for the caller to
    check. ``amount_is_number``: it wants one, which is written as a text afterwards. ``account_open``: it wants
    debtorAccount, and takes one that names no account.
    """
    if account_open and body.get("debtorAccount") == {"currency": "EUR"}:
        body.pop("debtorAccount")
    elif account_open and "debtorAccount" not in body:
        raise format_error("debtorAccount", "mandatory field is missing")
    for name in body:
        if name in _NOT_SUPPORTED and name not in more:
            raise BerlinGroupError(400, "PARAMETER_NOT_SUPPORTED", "this bank does not take this field", path=name)
    required = tuple(name for name, must in more.items() if must)
    _check_names(body, "", required=_REQUIRED + required, optional=_OPTIONAL + tuple(more))
    _check_account(body["creditorAccount"], "creditorAccount")
    if "debtorAccount" in body:
        _check_account(body["debtorAccount"], "debtorAccount")
    _check_text(body["creditorName"], "creditorName", length_max=70)
    if "endToEndIdentification" in body:
        _check_end_to_end_id(body["endToEndIdentification"])
    _check_remittance(body)
    return _amount_minor(body["instructedAmount"], is_number=amount_is_number)


def _check_names(value: object, path: str, *, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    if not isinstance(value, dict):
        raise format_error(path, "must be an object")
    for name in value:
        if name not in required + optional:
            raise format_error(_under(path, name), "unknown field")
    for name in required:
        if name not in value:
            raise format_error(_under(path, name), "mandatory field is missing")


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _check_account(value: Any, path: str) -> None:
    _check_names(value, path, required=("iban",), optional=("currency",))
    iban, iban_path = value["iban"], _under(path, "iban")
    # stdnum also takes blanks and small letters; the standard's pattern does not.
    plain = isinstance(iban, str) and iban.isascii() and iban.isalnum() and iban.isupper()
    if not (plain and iban_number.is_valid(iban, check_country=False)):
        raise format_error(iban_path, "not a valid IBAN")
    _check_currency(value.get("currency", "EUR"), _under(path, "currency"))


def _check_currency(value: object, path: str) -> None:
    if value != "EUR":
        raise format_error(path, "a SEPA credit transfer is in EUR")


def _amount_minor(value: Any, *, is_number: bool) -> int:
    _check_names(value, "instructedAmount", required=("currency", "amount"), optional=())
    _check_currency(value["currency"], "instructedAmount.currency")
    amount = value["amount"]
    if is_number:
        if not isinstance(amount, Decimal | int) or isinstance(amount, bool):
            raise format_error("instructedAmount.amount", "this bank wants a number")
        amount = value["amount"] = str(amount)
    if not (isinstance(amount, str) and _AMOUNT.fullmatch(amount) and amount.isascii()):
        raise format_error("instructedAmount.amount", "must be a string with a dot and at most two decimals")
    minor = int(Decimal(amount).scaleb(2))
    if not 0 < minor <= AMOUNT_MINOR_MAX:
        raise format_error("instructedAmount.amount", "must be more than zero and at most 999999999.99")
    return minor


def _check_end_to_end_id(value: object) -> None:
    if not (isinstance(value, str) and _END_TO_END_ID.fullmatch(value) and value.strip()):
        raise format_error("endToEndIdentification", "1 to 35 SEPA characters, no // and no / at an end")


def _check_text(value: object, path: str, *, length_max: int) -> None:
    if not (isinstance(value, str) and value.strip() and value.isprintable() and len(value) <= length_max):
        raise format_error(path, f"must be 1 to {length_max} printable characters")


def _check_remittance(body: dict[str, Any]) -> None:
    unstructured, structured = "remittanceInformationUnstructured", "remittanceInformationStructured"
    if unstructured in body and structured in body:
        text = f"either {unstructured} or {structured}"
        raise BerlinGroupError(400, "PARAMETER_NOT_CONSISTENT", text, path=structured)
    if unstructured in body:
        _check_text(body[unstructured], unstructured, length_max=140)
    if structured in body:
        information = body[structured]
        optional = ("referenceType", "referenceIssuer")
        _check_names(information, structured, required=("reference",), optional=optional)
        for name, text in information.items():
            _check_text(text, f"{structured}.{name}", length_max=35)
