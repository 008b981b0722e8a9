"""The official file of STET beside a sandbox bank: it judges what passes between it and a TPP.

The file is Swagger 2, which the judge knows half: it is written as OpenAPI 3.0 here, word for word. Its schemas forbid
no further members; ``closed`` has them do so, for what we write ourselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
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

FILE = "specs/stet/stet-psd2-api-v1.4-swagger2.yaml"
HOST = "https://api.bank.example"
JSON = "application/json"


@cache
def official(*, closed: bool = False) -> OpenAPI:
    swagger = yaml.load((shared_folder() / FILE).read_bytes(), Loader=yaml.CSafeLoader)
    paths = {
        path: {method: _operation(each) for method, each in operations.items()}
        for path, operations in swagger["paths"].items()
        if path.startswith("/payment-requests")
    }
    written = {
        "openapi": "3.0.3",
        "info": {"title": "STET", "version": swagger["info"]["version"]},
        "servers": [{"url": HOST}],
        "paths": paths,
        "components": {"schemas": swagger["definitions"]},
    }
    if closed:
        for schema in swagger["definitions"].values():
            if "properties" in schema:
                schema["additionalProperties"] = False
    moved = json.loads(json.dumps(written).replace("#/definitions/", "#/components/schemas/"))
    return OpenAPI.from_dict(moved, config=Config(spec_validator_cls=None))


def for_prism(folder: Path) -> Path:
    """The file for prism, written into ``folder``, with two known faults of it mended.

    1. It says of all calls but PUT what they are answered with.
    2. A pattern of amounts has "\\-", which JavaScript does not take in a regular expression of Unicode (ECMA-262,
       §22.2.1). Prism says nothing of a schema that it cannot read, and lets every body pass that has an amount.
    """
    official = yaml.load((shared_folder() / FILE).read_bytes(), Loader=yaml.CSafeLoader)
    one = official["paths"]["/payment-requests/{paymentRequestResourceId}"]
    assert "produces" not in one["put"]
    one["put"]["produces"] = one["get"]["produces"]
    amount = official["definitions"]["AmountType"]["properties"]["amount"]
    assert amount["pattern"].startswith("^\\-")
    amount["pattern"] = amount["pattern"].replace("\\-", "-")
    (folder / "stet.json").write_text(json.dumps(official, default=str))
    return folder / "stet.json"


def _operation(swagger: Mapping[str, Any]) -> dict[str, Any]:
    """Without ``security``: the file cannot judge which token goes where, it sees a header."""
    parameters = swagger.get("parameters", [])
    bodies = [each for each in parameters if each["in"] == "body"]
    made: dict[str, Any] = {
        "parameters": [_parameter(each) for each in parameters if each["in"] != "body"],
        "responses": {code: _response(each) for code, each in swagger["responses"].items()},
    }
    for each in bodies:
        made["requestBody"] = {"required": each.get("required", False), "content": {JSON: {"schema": each["schema"]}}}
    return made


def _parameter(swagger: Mapping[str, Any]) -> dict[str, Any]:
    typed = {name: swagger[name] for name in ("type", "format", "pattern", "enum") if name in swagger}
    return {
        "name": swagger["name"],
        "in": swagger["in"],
        "required": swagger["in"] == "path" or swagger.get("required", False),
        "schema": typed,
    }


def _response(swagger: Mapping[str, Any]) -> dict[str, Any]:
    headers = {name: {"schema": {"type": each["type"]}} for name, each in swagger.get("headers", {}).items()}
    content = {"content": {JSON: {"schema": swagger["schema"]}}} if "schema" in swagger else {}
    return {"description": swagger["description"], "headers": headers, **content}


def request_of(method: str, url: str, headers: Mapping[str, str], data: bytes | None) -> MockRequest:
    """``url``: its path from /payment-requests on is what counts."""
    _, found, rest = urlsplit(url).path.partition("/payment-requests")
    bare = {name: value for name, value in headers.items() if name.lower() != "content-type"}
    return MockRequest(HOST, method.lower(), found + rest, headers=bare, data=data or None, content_type=JSON)


def response_of(answer: Answer) -> MockResponse:
    """HAL is JSON to the judge: the media type itself is compared here."""
    kind = answer.headers["Content-Type"]
    wanted = "application/hal+json; charset=utf-8" if answer.status < 300 else "application/json; charset=utf-8"
    assert kind == wanted, kind
    return MockResponse(answer.content, answer.status, headers=dict(answer.headers), content_type=JSON)


@dataclass
class Judged:
    """A transport around another one. Each answer of the API is judged, and each request that the bank took as good."""

    transport: Transport
    judged: list[str] = field(default_factory=list)  #: "POST 201", for tests that count

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], data: bytes, certificate: Path | None
    ) -> Answer:
        answer = self.transport.send(method, url, headers=headers, data=data, certificate=certificate)
        if "/payment-requests" in url:
            judge, request = official(), request_of(method, url, headers, data)
            if answer.status < 300:
                judge.validate_request(request)
            judge.validate_response(request, response_of(answer))
            self.judged.append(f"{method} {answer.status}")
        return answer
