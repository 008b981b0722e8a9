"""The UK sandbox banks in a process of their own, over TLS with client certificates. It can be killed, and comes back.

What arrived there is written down in a file, which outlives the process as the bank's books do.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import SplitResult, parse_qsl

import requests
from pysqlite3 import dbapi2
from typing_extensions import override

from app.demo.loopback import new_session
from app.demo.processes import free_ports
from connectors.sandbox_bank import authority
from connectors.sandbox_bank.openbanking_uk.app import create_uk_bank
from connectors.sandbox_bank.openbanking_uk.payments import IMMEDIATE, VRP
from connectors.sandbox_bank.openbanking_uk.settings import UkBankSettings
from connectors.sandbox_bank.store import Store
from tests.faults.kill.clock import Clock
from tests.faults.kill.gate import AT_THE_GATE, PLENTY, Gate, Sent, Server, State
from tests.faults.kill.processes import Process, forked

LEDGER_TOKEN = "ledger"
_REFUSED = {"Errors": [{"ErrorCode": "U009", "Message": "not for you"}]}


@dataclass
class British:
    """The runner's side of it."""

    folder: Path
    clock: Clock
    keys: Path  #: ours for these banks, and the authority's
    port: int = 0
    deaths: int = 0  #: since the cell began
    _process: Process | None = None
    _session: requests.Session = field(default_factory=new_session, repr=False)

    def __post_init__(self) -> None:
        authority.make(self.keys)  # by the real time: TLS asks no other clock
        (self.port,) = free_ports(1)
        self._session.verify = self.authority

    @property
    def base_url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def authority(self) -> str:
        return str(self.keys / authority.CA)

    @property
    def file(self) -> Path:
        return self.folder / "uk-bank.sqlite3"

    @property
    def _arrived(self) -> Path:
        return self.folder / "uk-bank.arrived"

    def start(self) -> None:
        """Returns when it listens. It alone has the socket: while it is dead, nobody gets a connection."""
        self._process = forked(self._live)
        self._process.ask({"fault": None})

    def begin(self, fault: tuple[str, str] | None) -> None:
        """A new cell: forget what arrived; the first call of this verb comes to this."""
        self.revive()
        self.deaths = 0
        self._arrived.write_bytes(b"")
        assert self._process is not None
        self._process.ask({"fault": fault})

    def revive(self) -> None:
        """A bank that has died is followed by another process on the same file."""
        if self._process is not None and self._process.is_gone():
            self._process.end()
            self.deaths += 1
            self.start()

    def keep(self, name: str) -> None:
        """As its books are now is how they are put back under this name."""
        _copy(self.file, self._kept(name))

    def put_back(self, name: str) -> None:
        """The bank may be up or dead; it does nothing meanwhile."""
        _copy(self._kept(name), self.file)

    def _kept(self, name: str) -> Path:
        return self.folder / f"uk-bank.{name}.sqlite3"

    def sent(self) -> Sequence[Sent]:
        """Every call that could lead to money, since the cell began."""
        return [Sent(**json.loads(line)) for line in self._arrived.read_text("utf-8").splitlines()]

    def booked(self, end_to_end_id: str) -> Sequence[Mapping[str, Any]]:
        """What the bank's own books say of one payment, through its ledger door."""
        self.revive()
        got = self._session.get(
            f"{self.base_url}/sandbox/ledger",
            params={"end_to_end_id": end_to_end_id},
            headers={"Authorization": f"Bearer {LEDGER_TOKEN}"},
            timeout=10,
        )
        got.raise_for_status()
        entries: Sequence[Mapping[str, Any]] = got.json()["entries"]
        return entries

    def end(self) -> None:
        if self._process is not None:
            self._process.end()

    def _live(self, orders: socket.socket) -> None:
        bank = create_uk_bank(
            UkBankSettings(
                base_url=self.base_url,
                database=self.file,
                folder=self.keys,
                ledger_token=LEDGER_TOKEN,
                clock=self.clock,
            )
        )
        store = Store(self.file, "")
        with store.write() as connection:
            connection.execute("UPDATE account SET opening_minor = ?", [PLENTY])
        store.close()
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        listening.listen(64)
        state = _Here(self.clock, bank, arrived=self._arrived)
        _TlsServer(listening, _Door, state, _tls(self.keys)).listen()
        with orders.makefile("rw") as lines:
            for line in lines:
                fault = json.loads(line)["fault"]
                with state.guard:
                    state.fault = tuple(fault) if fault else None
                lines.write("{}\n")
                lines.flush()


def _copy(source: Path, target: Path) -> None:
    """As a transaction of the target: whoever has it open sees what was there before, or all of this."""
    with contextlib.closing(dbapi2.connect(source)) as read, contextlib.closing(dbapi2.connect(target)) as written:
        read.backup(written)


def _tls(folder: Path) -> ssl.SSLContext:
    """As `quittance sandbox-bank` has it: a TPP shows its certificate, a customer's browser has none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / authority.SERVER, folder / authority.SERVER_KEY)
    context.load_verify_locations(folder / authority.CA)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


@dataclass
class _Here(State):
    arrived: Path = Path()

    @override
    def note(self, sent: Sent) -> None:
        line = json.dumps(sent.as_json()) + "\n"
        with self.guard, self.arrived.open("a", encoding="utf-8") as file:
            file.write(line)


class _TlsServer(Server):
    def __init__(self, listening: socket.socket, handler: type[Gate], state: State, tls: ssl.SSLContext) -> None:
        super().__init__(listening, handler, state)
        self._tls = tls

    @override
    def get_request(self) -> tuple[socket.socket, Any]:
        line, address = super().get_request()
        line.settimeout(Gate.timeout)
        return self._tls.wrap_socket(line, server_side=True, do_handshake_on_connect=False), address

    @override
    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread: one that says nothing keeps nobody else waiting."""
        request.do_handshake()
        super().finish_request(request, client_address)


#: a single payment's consent is "initiate" and "consent", a standing one "agree", "told" and "revoke"
_POSTED = {IMMEDIATE.consents: "initiate", IMMEDIATE.orders: "submit", VRP.consents: "agree", VRP.orders: "submit"}
_READ = {IMMEDIATE.consents: "consent", IMMEDIATE.orders: "status", VRP.consents: "told", VRP.orders: "status"}


class _Door(Gate):
    at_the_gate: ClassVar = {**AT_THE_GATE, "refuses": (403, json.dumps(_REFUSED).encode(), {})}
    key_header = "x-idempotency-key"
    moving = ("initiate", "submit", "agree")
    scheme = "https"

    @override
    def verb_of(self, path: str, body: bytes) -> str:
        *_, parent, last = path.split("/")
        if last == "token":
            grant = dict(parse_qsl(body.decode())).get("grant_type", "")
            return {"authorization_code": "complete", "refresh_token": "renew"}.get(grant, "token")
        if last == "par":
            return "push"
        if self.command == "POST":
            return _POSTED.get(last, "")
        if self.command == "DELETE":
            return {VRP.consents: "revoke"}.get(parent, "")
        return _READ.get(parent, "")

    @override
    def environment(self) -> dict[str, Any]:
        return {"gunicorn.socket": self.connection}  # where the bank looks for the certificate of its caller

    @override
    def readdressed(self, asked: SplitResult, fault: str) -> SplitResult:
        """What the bank does not know, it says itself, and signs it."""
        if fault != "not found":
            return asked
        return asked._replace(path=f"{asked.path.rpartition('/')[0]}/{uuid.uuid4()}")

    @override
    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)
