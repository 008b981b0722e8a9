"""Prism between a connector and its sandbox bank: the official file judges all that passes, in both directions.

Prism comes with no certificate, and the bank answers nobody without one. So three stand in a row:

    connector → prism proxy --errors, plain HTTP → ``Forwarder``, TLS with our certificate → the bank

The connector believes that it speaks to the bank: it asks for the bank's addresses, its proofs are about them, and
``ThroughPrism`` leads the requests elsewhere below it. Tokens do not come this way: no official file describes them.

Prism reads bodies and writes them anew. They stay the same bytes as long as both sides write JSON as JavaScript does,
without spaces and without \\u where a letter will do; another one would be changed, and its signature refused.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from typing_extensions import override

from connectors.registry import Registry

#: of one connection, not of the message (RFC 9110 §7.6.1); the lengths are counted anew
_NOT_PASSED_ON = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding"})
#: what the problems are called that prism makes itself; a bank's own (RFC 7807) have another name
_PROBLEMS = b'"type":"https://stoplight.io/prism/errors#'


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """One exchange, as one side of prism saw it: the bodies are the very bytes."""

    method: str
    resource: str
    sent: bytes
    status: int
    answered: bytes


class ThroughPrism(HTTPAdapter):
    """Leads each call of an API to the judge of its resource, and keeps what the judge said."""

    def __init__(self, judges: Mapping[str, str], *, before: re.Pattern[str]) -> None:
        """``judges``: how a path begins → the judge's address. The longest that fits is taken.

        ``before``: what stands in a call's address before the path that the file names.
        """
        super().__init__()
        self._judges, self._before = judges, before
        self.passed: list[Passed] = []
        self.faults: list[tuple[str, Any]] = []
        #: what a test does to a body after it was signed and before it is judged
        self.change: Callable[[bytes], bytes] = lambda body: body

    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        resource = self._before.sub("", str(request.url), count=1)
        begins = max((one for one in self._judges if resource.startswith(one)), key=len)
        request.url = self._judges[begins] + resource
        if request.body:
            request.prepare_body(self.change(_bytes(request)), None)
        answer = super().send(request, *args, **{**kwargs, "cert": None})
        body = answer.content
        answer.raw = io.BytesIO(body)  # the session reads it once more
        self._listen(f"{request.method} {resource}", answer)
        self.passed.append(
            Passed(
                method=str(request.method),
                resource=resource,
                sent=_bytes(request),
                status=answer.status_code,
                answered=body,
            )
        )
        return answer

    def _listen(self, call: str, answer: requests.Response) -> None:
        """What prism lets pass in spite of a fault has a header, what it stops is an answer of its own."""
        self.faults += [(call, one) for one in json.loads(answer.headers.get("sl-violations", "[]"))]
        if _PROBLEMS in answer.content:
            self.faults.append((call, answer.json()))


def _bytes(request: requests.PreparedRequest) -> bytes:
    body = request.body or b""
    assert isinstance(body, bytes)
    return body


class Forwarder:
    """Adds TLS and our certificate, and changes nothing else. ``passed`` is what it saw on the bank's side."""

    def __init__(self, bank: str, keys: Path, *, before: re.Pattern[str]) -> None:
        """``bank``: its address without a path. ``keys``: the folder with ca.pem, client.pem and client.key.

        ``before``: what stands in an address before the path that the file names.
        """
        self._bank, self._keys, self._before = bank, keys, before
        self.passed: list[Passed] = []
        self.url = ""
        #: where the API lies at the bank, if prism does not say it: one prism can stand before several brands
        self.at = ""
        #: what a test makes of the bank's answer before it is judged
        self.change: Callable[[bytes], bytes] = lambda body: body

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[requests.Response, bytes]:
        sent = {name: value for name, value in headers.items() if name.lower() not in _NOT_PASSED_ON}
        with requests.Session() as session:
            session.trust_env = False
            session.headers.clear()
            answer = session.request(
                method,
                self._bank + self.at + path,
                headers=sent,
                data=body or None,
                verify=str(self._keys / "ca.pem"),
                cert=(str(self._keys / "client.pem"), str(self._keys / "client.key")),
                allow_redirects=False,
                timeout=20,
            )
        told = self.change(answer.content)
        resource = self._before.sub("", path, count=1)
        self.passed.append(
            Passed(method=method, resource=resource, sent=body, status=answer.status_code, answered=told)
        )
        return answer, told


@contextmanager
def forwarding(bank: str, keys: Path, *, before: re.Pattern[str]) -> Iterator[Forwarder]:
    forwarder = Forwarder(bank, keys, before=before)

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer, told = forwarder.answer(self.command, self.path, dict(self.headers), body)
            self.send_response_only(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in _NOT_PASSED_ON:
                    self.send_header(name, value)
            if answer.status_code != 204:
                self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_POST = do_PUT = do_DELETE = pass_on  # noqa: N815  # the library's names

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        forwarder.url = f"http://127.0.0.1:{server.server_port}"
        yield forwarder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def judging(
    banks: Registry, bank_id: str, prism: str, forwarder: Forwarder, *, before: re.Pattern[str]
) -> ThroughPrism:
    """One prism before one of several brands, from now on: what it says is kept anew."""
    api = banks.profile(bank_id).base_url
    forwarder.passed.clear()
    forwarder.at = urlsplit(api).path
    through = ThroughPrism({"/": prism}, before=before)
    banks.line(bank_id).session.mount(api, through)
    return through


def nothing_wrong(judged: ThroughPrism, forwarder: Forwarder) -> list[tuple[str, int]]:
    """Prism found no fault, and each body came out as it went in; answers, which nobody signs there, as they are read.

    Returns what was asked, and how it was answered.
    """
    assert judged.faults == []
    assert _as_read(judged.passed) == _as_read(forwarder.passed)
    return [(one.method, one.status) for one in judged.passed]


def _as_read(passed: Iterable[Passed]) -> list[Passed]:
    return [replace(one, answered=json.dumps(json.loads(one.answered or b"null")).encode()) for one in passed]
