"""The checks of an order, by its payment service, stricter than the official file.

Pure: values in, Asked or refusal out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import Headers

from connectors.sandbox_bank.errors import BerlinGroupError, format_error
from connectors.sandbox_bank.initiation import (
    AHEAD_MOST,
    check_transfer,
    day_in,
    execution_date,
    json_object,
    redirect_uri,
)
from connectors.sandbox_bank.nextgen.brands import Brand
from connectors.sandbox_bank.payments import EXECUTION_DATE, Order

PAYMENTS, PERIODIC = "payments", "periodic-payments"

_FREQUENCIES = (
    "Daily",
    "Weekly",
    "EveryTwoWeeks",
    "Monthly",
    "EveryTwoMonths",
    "Quarterly",
    "SemiAnnual",
    "Annual",
)
#: the fields of each service beside those of a transfer, and whether they must be there
_MORE: Mapping[str, Mapping[str, bool]] = {
    PAYMENTS: {EXECUTION_DATE: False},
    PERIODIC: {
        "startDate": True,
        "frequency": True,
        "endDate": False,
        "executionRule": False,
        "dayOfExecution": False,
    },
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """``execute_on``: the later day of a payment, or the first one of a standing order."""

    order: Order
    execute_on: dt.date | None
    failure_uri: str
    explicit: bool  #: the TPP wants to start the approval itself


def read(headers: Headers, raw_body: bytes, *, brand: Brand, service: str, now: dt.datetime) -> Asked:
    """Raises BerlinGroupError that names the first header or field which is wrong."""
    if "PSU-IP-Address" not in headers:
        raise format_error("PSU-IP-Address", "PSU-IP-Address is mandatory")
    way_back, failure_uri = ways_back(headers, brand=brand)
    body = json_object(raw_body)
    amount_minor = check_transfer(
        body,
        more=_MORE[service],
        amount_is_number=brand.amounts_as_numbers,
        account_open=brand.debtor_account_wanted,
    )
    execute_on = _standing(body, now=now) if service == PERIODIC else execution_date(body, today=now.date())
    return Asked(
        order=Order(
            body=body,
            amount_minor=amount_minor,
            redirect_uri=way_back,
            brand=headers.get("TPP-Brand-Logging-Information", "")[:70],
        ),
        execute_on=execute_on,
        failure_uri=failure_uri,
        explicit=headers.get("TPP-Explicit-Authorisation-Preferred") == "true",
    )


def ways_back(headers: Headers, *, brand: Brand) -> tuple[str, str]:
    """Where the customer goes on success and otherwise; empty where nobody leaves for the bank."""
    if brand.approach == "decoupled":
        return "", ""
    if headers.get("TPP-Redirect-Preferred") == "false":
        text = "this bank has no other way than by redirect"
        raise BerlinGroupError(400, "PARAMETER_NOT_SUPPORTED", text, path="TPP-Redirect-Preferred")
    back = redirect_uri(headers.get("TPP-Redirect-URI", ""))
    return back, redirect_uri(headers.get("TPP-Nok-Redirect-URI", back), name="TPP-Nok-Redirect-URI")


def _standing(body: dict[str, Any], *, now: dt.datetime) -> dt.date:
    first = day_in(body, "startDate")
    if not now.date() < first <= now.date() + AHEAD_MOST:
        raise BerlinGroupError(400, "PERIOD_INVALID", "must be a later day within a year", path="startDate")
    if "endDate" in body and day_in(body, "endDate") < first:
        raise BerlinGroupError(400, "PERIOD_INVALID", "must not lie before startDate", path="endDate")
    allowed: dict[str, tuple[str, ...]] = {
        "frequency": _FREQUENCIES,
        "executionRule": ("following", "preceding"),
        "dayOfExecution": tuple(str(day) for day in range(1, 32)),
    }
    for name, values in allowed.items():
        if name in body and body[name] not in values:
            raise format_error(name, f"must be one of {', '.join(values)}")
    return first
