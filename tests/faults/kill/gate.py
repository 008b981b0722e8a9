"""The sandbox bank and a biller's program in one process, with a gate before the bank that does what networks do.

It is forked before anything else and has threads, so that the runner needs none.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from typing_extensions import override
from werkzeug.test import Client

from app.demo.webhooks import NotGenuineError, check
from connectors.sandbox_bank.app import create_bank
from connectors.sandbox_bank.berlin_group import PREFIX, PRODUCT_PATH
from connectors.sandbox_bank.settings import BankSettings
from connectors.sandbox_bank.store import Store
from tests.faults.kill.clock import Clock
from tests.faults.kill.processes import Process, forked

ORDERS = PREFIX + PRODUCT_PATH
#: nobody that is waited for here waits longer
HANGUP_MOST_S = 10.0
#: cents on each account: nobody runs out of money
PLENTY = 10**12
_NOT_FOUND = {"tppMessages": [{"category": "ERROR", "code": "RESOURCE_UNKNOWN", "text": "no such payment"}]}
_REFUSED = {"tppMessages": [{"category": "ERROR", "code": "CONSENT_INVALID", "text": "not for you"}]}


@dataclass(frozen=True, kw_only=True)
class Town:
    """The runner's side of it."""

    @dataclass(frozen=True, kw_only=True)
    class Heard:
        #: what the biller's program got, each message once; one that is not genuine has no type
        messages: Sequence[Mapping[str, Any]]
        #: X-Request-ID and body of every initiation that was sent, whatever it came to
        initiations: Sequence[tuple[str, str]]

    process: Process
    bank_port: int
    biller_port: int
    bank_file: Path

    def begin(self, fault: tuple[str, str] | None = None, *, old_order: str = "") -> None:
        """A new cell: forget what was heard; the first call of this verb comes to this. The id is one known already."""
        self.process.ask({"do": "begin", "fault": fault, "old_order": old_order})

    def trust(self, path: str, secret: str) -> None:
        """The biller's program behind this path knows our messages by this secret."""
        self.process.ask({"do": "trust", "path": path, "secret": secret})

    def heard(self) -> Town.Heard:
        """Since the cell began."""
        answer = self.process.ask({"do": "heard"})
        return Town.Heard(messages=answer["messages"], initiations=[tuple(one) for one in answer["initiations"]])


def build(folder: Path, clock: Clock, keys: Mapping[str, Any], sockets: tuple[socket.socket, socket.socket]) -> Town:
    """Fork it. ``sockets`` listen already: the bank's and the biller's; ``keys`` are ours, public."""
    bank_socket, biller_socket = sockets
    bank_port, biller_port = bank_socket.getsockname()[1], biller_socket.getsockname()[1]
    file = folder / "bank.sqlite3"

    def live(orders: socket.socket) -> None:
        bank = create_bank(
            BankSettings(
                base_url=f"http://127.0.0.1:{bank_port}",
                database=file,
                ledger_token="ledger",
                tpps={"quittance": keys},
                clock=clock,
            )
        )
        store = Store(file)
        with store.write() as connection:
            connection.execute("UPDATE account SET opening_minor = ?", [PLENTY])
        store.close()
        state = _State(clock, bank)
        _listen(bank_socket, _Gate, state)
        _listen(biller_socket, _Biller, state)
        _obey(orders, state)

    return Town(process=forked(live), bank_port=bank_port, biller_port=biller_port, bank_file=file)


@dataclass
class _State:
    """What the threads share."""

    clock: Clock
    bank: Flask
    fault: tuple[str, str] | None = None
    old_order: str = ""  #: an id that belongs to another payment
    secrets: dict[str, str] = field(default_factory=dict)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    initiations: list[tuple[str, str]] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def draw(self, verb: str) -> str:
        with self.guard:
            if self.fault is None or self.fault[0] != verb:
                return ""
            fault, self.fault = self.fault[1], None
            return fault


def _obey(orders: socket.socket, state: _State) -> None:
    """The main thread: one line, one answer, until the runner ends."""
    with orders.makefile("rw") as lines:
        for line in lines:
            order, answer = json.loads(line), {}
            with state.guard:
                match order["do"]:
                    case "begin":
                        state.fault = tuple(order["fault"]) if order["fault"] else None
                        state.old_order = order["old_order"]
                        state.messages.clear()
                        state.initiations.clear()
                    case "trust":
                        state.secrets[order["path"]] = order["secret"]
                    case "heard":
                        answer = {"messages": list(state.messages.values()), "initiations": state.initiations}
            lines.write(json.dumps(answer) + "\n")
            lines.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listening: socket.socket, handler: type[BaseHTTPRequestHandler], state: _State) -> None:
        super().__init__(listening.getsockname(), handler, bind_and_activate=False)
        self.socket.close()
        self.socket, self.state = listening, state

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who asked was killed meanwhile: that is what this is for."""


class _Handler(BaseHTTPRequestHandler):
    timeout = 20

    @property
    def state(self) -> _State:
        assert isinstance(self.server, _Server)
        return self.server.state

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


def _listen(listening: socket.socket, handler: type[BaseHTTPRequestHandler], state: _State) -> None:
    server = _Server(listening, handler, state)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()


def verb_of(method: str, path: str, body: bytes) -> str:
    """What is asked of the bank, in our words; empty for a page."""
    if path == ORDERS:
        return "initiate"
    if path.startswith(ORDERS):
        return "cancel" if method == "DELETE" else "status"
    if path == "/oauth2/token":
        return "complete" if b"grant_type=authorization_code" in body else "token"
    return ""


#: answered at the gate, and the bank never hears of it: status, body, headers
_AT_THE_GATE: Mapping[str, tuple[int, bytes, Mapping[str, str]]] = {
    "5xx before": (502, b"Bad Gateway", {}),
    "429": (429, b"{}", {"Retry-After": "30"}),
    "not found": (404, json.dumps(_NOT_FOUND).encode(), {}),
    "refuses": (403, json.dumps(_REFUSED).encode(), {}),
}


class _Gate(_Handler):
    """What stands before the bank. A fault is named in plan.py."""

    def do_GET(self) -> None:
        asked, body = urlsplit(self.path), self.body()
        verb = verb_of(self.command, asked.path, body)
        if verb == "initiate":
            self.state.initiations.append((self.headers["X-Request-ID"], body.decode()))
        fault = self.state.draw(verb)
        if fault in _AT_THE_GATE:
            self.say(*_AT_THE_GATE[fault])
        if fault in _AT_THE_GATE or fault == "request lost":
            return
        if fault == "late":
            self._wait_for_hangup()
        answer = Client(self.state.bank, use_cookies=False).open(
            path=asked.path,
            query_string=asked.query,
            method=self.command,
            data=body,
            headers=list(self.headers.items()),
            base_url=f"http://{self.headers['Host']}",
        )
        text, headers = answer.get_data(), dict(answer.headers)
        if verb == "initiate" and answer.status_code == 201:
            text = self._initiated(fault, json.loads(text))
        if self._is_said(fault, text):
            headers.pop("Content-Length", None)
            self.say(answer.status_code, text, headers)

    def do_POST(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def _is_said(self, fault: str, text: bytes) -> bool:
        """Whether the answer arrives as it is."""
        match fault:
            case "slow":
                self._wait_for_hangup()
            case "answer lost" | "late":
                pass
            case "5xx after":
                self.say(502, b"Bad Gateway")
            case "unreadable":
                self.say(200, text[: len(text) // 2] or b"{")
            case "unknown word":
                self.say(200, b'{"transactionStatus": "XYZA"}')
            case _:
                return True
        return False

    def _initiated(self, fault: str, body: dict[str, Any]) -> bytes:
        if fault == "repeats an id":
            body["paymentId"] = self.state.old_order
        if fault == "no way to approve":
            del body["_links"]["scaOAuth"]
        return json.dumps(body).encode()

    def _wait_for_hangup(self) -> None:
        with contextlib.suppress(OSError):
            select.select([self.connection], [], [], HANGUP_MOST_S)


class _Biller(_Handler):
    """A biller's program: it believes a message by its signature alone."""

    def do_POST(self) -> None:
        state, body = self.state, self.body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        with state.guard:
            try:
                secret = state.secrets[self.path]
                message_id = check(body, headers, secret=secret, now_s=state.clock().timestamp())
                said = json.loads(body)
            except (KeyError, NotGenuineError, ValueError) as error:
                message_id, said = f"false {len(state.messages)}", {"type": "", "data": {"error": str(error)}}
            known = state.messages.setdefault(message_id, said)
            if known != said:
                state.messages[f"{message_id} again"] = {"type": "", "data": {"error": "one id, two messages"}}
        self.say(204)
