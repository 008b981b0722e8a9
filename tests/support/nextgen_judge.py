"""The official file of NextGenPSD2 1.3.12 beside connector and sandbox banks: it judges what passes between them.

It is taken as it is, but for known faults of it, and for what a bank wants otherwise than it says:
1. A periodic payment matches two branches of ``oneOf`` and a confirmation two of another: the one that is meant is put
   in their place.
2. debtorAccount is required, though the customer chooses it at the bank (many banks' dialect, and ours).
3. lakenhal wants amounts as numbers: the file sees the same number as a text; alpenkasse wants the lines of PEM around
   a certificate: the file sees it without.
4. Location has a format that JSON Schema does not know, "url", and prism's library takes no address of this machine for
   one: it is "uri" there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from tests.support.sandbox_tpp import Answer
from tests.support.shared import shared_folder
from tests.support.uk_wire import Transport

FILE = "specs/berlingroup/psd2-api_v1.3.12-2022-07-06.yaml"
HOST = "https://api.bank.example"
_PEM = re.compile(r"-----(?:BEGIN|END) CERTIFICATE-----")
_SCHEMAS = "#/components/schemas/"
_BODIES = {"payments": "paymentInitiation_json", "periodic-payments": "periodicPaymentInitiation_json"}
_READS = {
    "payments": "paymentInitiationWithStatusResponse",
    "periodic-payments": "periodicPaymentInitiationWithStatusResponse",
}


@cache
def official(service: str) -> OpenAPI:
    """For one payment service."""
    document = yaml.load((shared_folder() / FILE).read_bytes(), Loader=yaml.CSafeLoader)
    document["servers"] = [{"url": HOST}]
    parts = document["components"]
    body = {"$ref": f"{_SCHEMAS}{_BODIES[service]}"}
    wanted = parts["requestBodies"]["paymentInitiation"]["content"]["application/json"]
    assert body in wanted["schema"]["oneOf"]
    wanted["schema"] = body
    parts["schemas"][_BODIES[service]]["required"].remove("debtorAccount")
    read = parts["responses"]["OK_200_PaymentInitiationInformation"]["content"]["application/json"]
    read["schema"] = {"$ref": _SCHEMAS + _READS[service]}
    _only_confirmations(document)
    problems: dict[str, Callable[[bytes], Any]] = {"application/problem+json": json.loads}
    return OpenAPI.from_dict(document, config=Config(spec_validator_cls=None, extra_media_type_deserializers=problems))


def _only_confirmations(document: dict[str, Any]) -> None:
    """Of all that PUT may bring to an authorisation: the rest is of the embedded approach."""
    one = document["paths"]["/v1/{payment-service}/{payment-product}/{paymentId}/authorisations/{authorisationId}"]
    confirmed = one["put"]["requestBody"]["content"]["application/json"]
    confirmed["schema"] = {"$ref": f"{_SCHEMAS}authorisationConfirmation"}
    said = document["components"]["responses"]["OK_200_UpdatePsuData"]["content"]["application/json"]
    said["schema"] = {"$ref": f"{_SCHEMAS}authorisationConfirmationResponse"}


def for_prism(folder: Path, *, dialects: bool = False) -> Path:
    """The file for prism, written into ``folder``. Prism has one schema for all services: it is content where a body
    matches any of those of which the file wants exactly one to match (number 1 above).

    ``dialects``: it also takes what some of our sandbox banks want otherwise than the file says (2 and 3).
    """
    document = yaml.load((shared_folder() / FILE).read_bytes(), Loader=yaml.CSafeLoader)
    parts = document["components"]
    for body in (
        parts["requestBodies"]["paymentInitiation"],
        parts["responses"]["OK_200_PaymentInitiationInformation"],
    ):
        schema = body["content"]["application/json"]["schema"]
        schema["anyOf"] = schema.pop("oneOf")
    _only_confirmations(document)
    if dialects:
        for name in _BODIES.values():
            parts["schemas"][name]["required"].remove("debtorAccount")
        parts["schemas"]["amountValue"] = {"anyOf": [parts["schemas"]["amountValue"], {"type": "number"}]}
        del parts["parameters"]["TPP-Signature-Certificate"]["schema"]["format"]
    parts["headers"]["Location"]["schema"]["format"] = "uri"
    (folder / "nextgen.json").write_text(json.dumps(document, default=str))
    return folder / "nextgen.json"


def service_of(url: str) -> str:
    return "periodic-payments" if "/periodic-payments/" in url else "payments"


def request_of(method: str, url: str, headers: Mapping[str, str], data: bytes | None) -> MockRequest:
    """``url``: its path from /v1/ on is what counts."""
    _, found, rest = urlsplit(url).path.partition("/v1/")
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "application/json")
    bare = {name: _PEM.sub("", value) for name, value in headers.items() if name.lower() != "content-type"}
    return MockRequest(HOST, method.lower(), found + rest, headers=bare, data=_as_text(data), content_type=kind)


def _as_text(data: bytes | None) -> bytes | None:
    try:
        body: Any = json.loads(data or b"null", parse_float=str)
    except ValueError:
        return data
    if isinstance(body, dict) and isinstance(body.get("instructedAmount"), dict):
        amount = body["instructedAmount"].get("amount")
        body["instructedAmount"]["amount"] = str(amount) if isinstance(amount, int) else amount
        return json.dumps(body).encode()
    return data or None


def check_request(method: str, url: str, headers: Mapping[str, str], data: bytes | None) -> None:
    official(service_of(url)).validate_request(request_of(method, url, headers, data))


def check_answer(method: str, url: str, headers: Mapping[str, str], answer: Answer) -> None:
    said = dict(answer.headers)
    kind = said.get("Content-Type", "application/json")
    response = MockResponse(answer.content, answer.status, headers=said, content_type=kind)
    official(service_of(url)).validate_response(request_of(method, url, headers, None), response)


class Judged:
    """A transport around another one. Each answer of the API is judged, and each request that the bank took as good."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], data: bytes, certificate: Path | None
    ) -> Answer:
        answer = self.transport.send(method, url, headers=headers, data=data, certificate=certificate)
        if "/psd2/v1/" in url:
            if answer.status < 300:
                check_request(method, url, headers, data)
            check_answer(method, url, headers, answer)
        return answer
