"""What stands before a bank, and does what networks and gateways do. Which bank it is, says who builds on it."""

from __future__ import annotations

import contextlib
import dataclasses
import select
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import SplitResult, urlsplit

from flask import Flask
from typing_extensions import override
from werkzeug.test import Client, TestResponse

from tests.faults.kill.clock import Clock

#: nobody that is waited for here waits longer
HANGUP_MOST_S = 10.0
#: cents on each account: nobody runs out of money
PLENTY = 10**12


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A call that could lead to money: what it is, the key that it came under, its bytes, and when it came (s)."""

    verb: str
    key: str
    body: str
    at: float = field(compare=False)

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass
class State:
    """What the threads of one bank share."""

    clock: Clock
    bank: Flask
    fault: tuple[str, str] | None = None
    guard: threading.Lock = field(default_factory=threading.Lock)

    def draw(self, verb: str) -> str:
        """What the first call of its kind comes to; empty for any other."""
        with self.guard:
            if self.fault is None or self.fault[0] != verb:
                return ""
            fault, self.fault = self.fault[1], None
            return fault

    def put_back(self, verb: str, fault: str) -> None:
        """The call is made again at once, and is then the first."""
        with self.guard:
            self.fault = (verb, fault) if fault else self.fault

    def note(self, sent: Sent) -> None:
        """It has arrived, whatever it comes to."""
        raise NotImplementedError


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listening: socket.socket, handler: type[BaseHTTPRequestHandler], state: State) -> None:
        super().__init__(listening.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket, self.state = listening, state

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked was killed meanwhile: that is what this is for."""

    def listen(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    timeout = 20

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def say(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {"Content-Type": "application/json"}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass


#: answered at the gate, and the bank never hears of it: status, body, headers
AT_THE_GATE: Mapping[str, tuple[int, bytes, Mapping[str, str]]] = {
    "5xx before": (502, b"Bad Gateway", {}),
    "429": (429, b"{}", {"Retry-After": "30"}),
}


class Gate(Handler):
    """A fault is named in plan.py."""

    #: of the standard that the bank speaks
    at_the_gate: ClassVar[Mapping[str, tuple[int, bytes, Mapping[str, str]]]] = AT_THE_GATE
    #: under which header a call that could lead to money has its key
    key_header: ClassVar[str]
    #: those calls
    moving: ClassVar[tuple[str, ...]] = ("initiate",)
    scheme: ClassVar[str] = "http"

    @property
    def state(self) -> State:
        assert isinstance(self.server, Server)
        return self.server.state

    def verb_of(self, path: str, body: bytes) -> str:
        """What is asked of the bank, in our words; empty for a page."""
        raise NotImplementedError

    def do_GET(self) -> None:
        asked, body = urlsplit(self.path), self.body()
        came_at = self.state.clock().timestamp()
        verb = self.verb_of(asked.path, body)
        fault = self.state.draw(verb)
        if fault in self.at_the_gate or fault == "request lost":
            self._note(verb, body, came_at)
            if fault in self.at_the_gate:
                self.say(*self.at_the_gate[fault])
            return
        if fault == "late":
            self._wait_for_hangup()
        answer = self.pass_on(self.readdressed(asked, fault), body)
        if answer.status_code >= 400 and "DPoP-Nonce" in answer.headers:  # nothing was done: it comes again with one
            self.state.put_back(verb, fault)
            fault = ""
        else:
            self._note(verb, body, came_at)
        text, headers = self.changed(verb, fault, answer), dict(answer.headers)
        if self._is_said(fault, text):
            headers.pop("Content-Length", None)
            self.say(answer.status_code, text, headers)

    def do_POST(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def readdressed(self, asked: SplitResult, fault: str) -> SplitResult:
        """Where the call goes in the end."""
        return asked

    def pass_on(self, asked: SplitResult, body: bytes) -> TestResponse:
        """What the bank makes of it."""
        return Client(self.state.bank, use_cookies=False).open(
            path=asked.path,
            query_string=asked.query,
            method=self.command,
            data=body,
            headers=list(self.headers.items()),
            base_url=f"{self.scheme}://{self.headers['Host']}",
            environ_overrides=self.environment(),
        )

    def environment(self) -> dict[str, Any]:
        """What the bank's own server would tell it beside the request."""
        return {}

    def changed(self, verb: str, fault: str, answer: TestResponse) -> bytes:
        """The body of the answer, as this fault has it."""
        return answer.get_data()

    def _note(self, verb: str, body: bytes, came_at: float) -> None:
        if verb in self.moving:
            self.state.note(Sent(verb=verb, key=self.headers[self.key_header], body=body.decode(), at=came_at))

    def _is_said(self, fault: str, text: bytes) -> bool:
        """Whether the answer arrives as it is."""
        match fault:
            case "slow":
                self._wait_for_hangup()
            case "answer lost" | "late":
                pass
            case "5xx after":
                self.say(502, b"Bad Gateway")
            case "403 after":
                self.say(403, b"{}")
            case "409 after":
                self.say(409, b"{}")
            case "unreadable":
                self.say(200, text[: len(text) // 2] or b"{")
            case "unknown word":
                self.say(200, b'{"transactionStatus": "XYZA"}')
            case "bank dies":
                self.die()
            case _:
                return True
        return False

    def die(self) -> None:
        """Only a bank that has a process of its own can."""
        raise NotImplementedError

    def _wait_for_hangup(self) -> None:
        with contextlib.suppress(OSError):
            select.select([self.connection], [], [], HANGUP_MOST_S)
