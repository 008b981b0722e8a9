"""The official files of OBL Read/Write as judges, and what the tests about them write."""

from __future__ import annotations

import datetime as dt
import functools
import json
import uuid
from typing import Any

import yaml
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from connectors.capabilities import Alignment, Period, PeriodicLimit, RecurringConsent, RecurringKind
from connectors.contract import PaymentOrder
from connectors.money import Money
from connectors.openbanking_uk.messages import Dialect
from tests.support.shared import shared_folder

HOST = "https://api.bank.example"
DIALECTS = {"v4.0": Dialect(), "v3.1.11": Dialect(version="3.1", misspelt_contract_present=True)}
DAY = dt.date(2026, 12, 24)


def order(**changes: Any) -> PaymentOrder:
    usual: dict[str, Any] = {
        "amount": Money(8420, "GBP"),
        "creditor_name": "Lumen Energy Ltd",
        "creditor_iban": "GB29NWBK60161331926819",
        "end_to_end_id": "pay0123456789abcdef0123456789abcdef",
        "remittance_unstructured": "Energy for October, account 4711",
    }
    return PaymentOrder(**{**usual, **changes})


def limit(
    period: Period = Period.MONTH, alignment: Alignment = Alignment.CALENDAR, minor: int = 30_000
) -> PeriodicLimit:
    return PeriodicLimit(period=period, alignment=alignment, amount=Money(minor, "GBP"))


def consent(**changes: Any) -> RecurringConsent:
    usual: dict[str, Any] = {
        "creditor_name": "Lumen Energy Ltd",
        "creditor_iban": "GB29NWBK60161331926819",
        "maximum_individual": Money(15_000, "GBP"),
        "periodic_limits": (limit(),),
        "kind": RecurringKind.OTHER,
        "valid_from": DAY,
    }
    return RecurringConsent(**{**usual, **changes})


@functools.cache
def official(version: str, name: str) -> Any:
    """``name``: payment-initiation, vrp, events; or ``version`` cvrp, which is one file. Not to be changed."""
    folder = shared_folder() / "specs" / "obie" / version
    path = folder / f"{name}-openapi.json"
    read = (
        json.loads(path.read_bytes())
        if path.exists()
        else yaml.safe_load((folder / f"{name}-openapi.yaml").read_text())
    )
    read["servers"] = [{"url": HOST}]
    for operations in read["paths"].values():  # which token goes where the file cannot judge: it sees a header
        for operation in operations.values():
            operation.pop("security", None)
    return read


@functools.cache
def judge_of(version: str, name: str) -> OpenAPI:
    return OpenAPI.from_dict(official(version, name), config=Config(spec_validator_cls=None))


def asked(method: str, path: str, body: bytes | None = None, **changes: str) -> MockRequest:
    """A request as the wire makes it. ``changes`` are headers; the key goes only where there is one."""
    headers = {"Authorization": "Bearer t0ken", "x-fapi-interaction-id": str(uuid.uuid4()), **changes}
    if body is not None:
        headers["x-jws-signature"] = "eyJ..sig"
    return MockRequest(HOST, method, path, headers=headers, data=body, content_type="application/json; charset=utf-8")


def posted(path: str, body: bytes, **changes: str) -> MockRequest:
    return asked("post", path, body, **{"x-idempotency-key": "k-1", **changes})


def answered(data: Any, status: int = 200, **more: Any) -> MockResponse:
    body = json.dumps({"Data": data, "Links": {"Self": f"{HOST}/x"}, "Meta": {}, **more}).encode()
    headers = {"x-fapi-interaction-id": str(uuid.uuid4()), "x-jws-signature": "eyJ..sig"}
    return MockResponse(body, status_code=status, headers=headers, content_type="application/json; charset=utf-8")
