"""The official files of OBL Read/Write beside a UK sandbox bank: they judge what passes between it and a TPP.

A transport around another one. Each answer of the API is judged, and each request that the bank took as good.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse
from requests.structures import CaseInsensitiveDict

from tests.support.sandbox_tpp import Answer
from tests.support.shared import shared_folder
from tests.support.uk_wire import Transport

HOST = "https://api.bank.example"
#: the only word for it that all the files have
JSON = "application/json; charset=utf-8"
_FOLDERS = {"v4.0": "v4.0", "v3.1": "v3.1.11"}


@cache
def official(version: str, name: str) -> OpenAPI:
    path = shared_folder() / "specs" / "obie" / _FOLDERS[version] / f"{name}-openapi.json"
    read: dict[str, Any] = json.loads(path.read_bytes())
    read["servers"] = [{"url": HOST}]
    for operations in read["paths"].values():  # which token goes where the file cannot judge: it sees a header
        for operation in operations.values():
            operation.pop("security", None)
    return OpenAPI.from_dict(read, config=Config(spec_validator_cls=None))


@dataclass
class Judged:
    """``but``: names of response headers that the brand leaves out, so that they are not missed."""

    transport: Transport
    but: Mapping[str, str] = field(default_factory=dict)
    judged: list[str] = field(default_factory=list)  #: "POST /domestic-payments 201", for tests that count

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], data: bytes, certificate: Path | None
    ) -> Answer:
        answer = self.transport.send(method, url, headers=headers, data=data, certificate=certificate)
        _, found, rest = urlsplit(url).path.partition("/open-banking/")
        if found and answer.content:
            version, path = rest.split("/", 1)
            self._judge(version, method, f"/{path.removeprefix('pisp/')}", headers, data, answer)
        return answer

    def _judge(
        self, version: str, method: str, path: str, headers: Mapping[str, str], data: bytes, answer: Answer
    ) -> None:
        name = "vrp" if path.startswith("/domestic-vrp") else "payment-initiation"
        judge = official(version, "events" if path.startswith("/event") else name)
        request = MockRequest(HOST, method.lower(), path, headers=dict(headers), data=data or None, content_type=JSON)
        if answer.status < 300:
            judge.validate_request(request)
        shown = CaseInsensitiveDict({**self.but, **answer.headers})
        assert shown["Content-Type"] == JSON, shown
        response = MockResponse(answer.content, answer.status, headers=dict(shown), content_type=JSON)
        judge.validate_response(request, response)
        self.judged.append(f"{method} {path} {answer.status}")
