"""What a runner's houses have around them: Horizon Bank and a biller's program in one process, the UK banks in another.

It is forked before anything else and has threads, so that the runner needs none.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override
from werkzeug.test import TestResponse

from app.demo.webhooks import NotGenuineError, check
from connectors.sandbox_bank.app import create_bank
from connectors.sandbox_bank.berlin_group import PREFIX, PRODUCT_PATH
from connectors.sandbox_bank.settings import BankSettings
from connectors.sandbox_bank.store import Store
from tests.faults.kill.british import British
from tests.faults.kill.clock import Clock
from tests.faults.kill.gate import AT_THE_GATE, PLENTY, Gate, Handler, Sent, Server, State
from tests.faults.kill.processes import Process, forked
from tests.faults.kill.stories import HORIZON

#: under this name the UK banks' books are kept as they were when they had no customer of ours
NEW = "new"
ORDERS = PREFIX + PRODUCT_PATH
_NOT_FOUND = {"tppMessages": [{"category": "ERROR", "code": "RESOURCE_UNKNOWN", "text": "no such payment"}]}
_REFUSED = {"tppMessages": [{"category": "ERROR", "code": "CONSENT_INVALID", "text": "not for you"}]}


@dataclass(frozen=True, kw_only=True)
class Town:
    """The runner's side of it."""

    @dataclass(frozen=True, kw_only=True)
    class Heard:
        #: what the biller's program got, each message once; one that is not genuine has no type
        messages: Sequence[Mapping[str, Any]]
        #: every call to a bank that could lead to money, whatever it came to
        sent: Sequence[Sent]

    process: Process
    bank_port: int
    biller_port: int
    bank_file: Path
    british: British

    def begin(self, bank: str = HORIZON, fault: tuple[str, str] | None = None, *, old_order: str = "") -> None:
        """A new cell: forget what was heard; the first call of this verb at this bank comes to this.

        The id is one that Horizon Bank knows already.
        """
        there = fault if bank == HORIZON else None
        self.process.ask({"do": "begin", "fault": there, "old_order": old_order})
        self.british.begin(fault if bank != HORIZON else None)

    def trust(self, path: str, secret: str) -> None:
        """The biller's program behind this path knows our messages by this secret."""
        self.process.ask({"do": "trust", "path": path, "secret": secret})

    def heard(self) -> Town.Heard:
        """Since the cell began."""
        answer = self.process.ask({"do": "heard"})
        sent = [*(Sent(**one) for one in answer["sent"]), *self.british.sent()]
        return Town.Heard(messages=answer["messages"], sent=sent)

    def address_of(self, bank: str) -> str:
        """Where this bank's pages are."""
        return f"http://127.0.0.1:{self.bank_port}" if bank == HORIZON else self.british.base_url

    def end(self) -> None:
        self.process.end()
        self.british.end()


def build(
    folder: Path,
    clock: Clock,
    keys: Mapping[str, Any],
    sockets: tuple[socket.socket, socket.socket],
    *,
    bank_keys: Path,
) -> Town:
    """Fork it. ``sockets`` listen already: the bank's and the biller's; ``keys`` are ours, public.

    ``bank_keys``: where our keys for the UK banks are to be.
    """
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
        state = _Here(clock, bank)
        Server(bank_socket, _Horizon, state).listen()
        Server(biller_socket, _Biller, state).listen()
        _obey(orders, state)

    process = forked(live)
    british = British(folder, clock, bank_keys)
    british.start()
    british.keep(NEW)
    return Town(process=process, bank_port=bank_port, biller_port=biller_port, bank_file=file, british=british)


@dataclass
class _Here(State):
    """Horizon Bank's, and the biller's."""

    old_order: str = ""  #: an id that belongs to another payment
    secrets: dict[str, str] = field(default_factory=dict)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)

    @override
    def note(self, sent: Sent) -> None:
        self.sent.append(sent)


def _obey(orders: socket.socket, state: _Here) -> None:
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
                        state.sent.clear()
                    case "trust":
                        state.secrets[order["path"]] = order["secret"]
                    case "heard":
                        sent = [one.as_json() for one in state.sent]
                        answer = {"messages": list(state.messages.values()), "sent": sent}
            lines.write(json.dumps(answer) + "\n")
            lines.flush()


class _Horizon(Gate):
    at_the_gate: ClassVar = {
        **AT_THE_GATE,
        "not found": (404, json.dumps(_NOT_FOUND).encode(), {}),
        "refuses": (403, json.dumps(_REFUSED).encode(), {}),
    }
    key_header = "X-Request-ID"

    @override
    def verb_of(self, path: str, body: bytes) -> str:
        if path == ORDERS:
            return "initiate"
        if path.startswith(ORDERS):
            return "cancel" if self.command == "DELETE" else "status"
        if path == "/oauth2/token":
            return "complete" if b"grant_type=authorization_code" in body else "token"
        return ""

    @override
    def changed(self, verb: str, fault: str, answer: TestResponse) -> bytes:
        if verb != "initiate" or answer.status_code != 201:
            return answer.get_data()
        body = json.loads(answer.get_data())
        if fault == "repeats an id":
            assert isinstance(self.state, _Here)
            body["paymentId"] = self.state.old_order
        if fault == "no way to approve":
            del body["_links"]["scaOAuth"]
        return json.dumps(body).encode()


class _Biller(Handler):
    """A biller's program: it believes a message by its signature alone."""

    def do_POST(self) -> None:  # noqa: N802  (so http.server calls it)
        assert isinstance(self.server, Server)
        state, body = self.server.state, self.body()
        assert isinstance(state, _Here)
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
