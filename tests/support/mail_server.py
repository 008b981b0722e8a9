"""A mail server on 127.0.0.1: over TLS, from the first byte or by STARTTLS. It keeps what it took and can say no.

Of our own, as small as it may be: what it does in the middle of a message is for tests to say.
"""

from __future__ import annotations

import base64
import contextlib
import email
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import BinaryIO

from connectors.sandbox_bank import authority


@dataclass
class Mailed:
    """One message as it came over the wire."""

    sender: str
    to: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        made = email.message_from_bytes(self.raw, policy=policy.SMTP)
        assert isinstance(made, EmailMessage)
        return made

    @property
    def text(self) -> str:
        return str(self.message.get_content())


@dataclass
class MailServer:
    """``to_…``: what it says there instead of 250, the next one first, with words behind the code or without; 0: it
    hangs up there without a word. ``taken``: what it answered 250 to. ``said``: every line of a client."""

    port: int
    starttls: bool
    tls: ssl.SSLContext
    password: str = ""  #: of the user ``quittance``; "": it wants none
    to_mail: list[int | str] = field(default_factory=list)
    to_rcpt: list[int | str] = field(default_factory=list)
    to_data: list[int | str] = field(default_factory=list)  #: when it has the whole message
    taken: list[Mailed] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    in_clear: list[str] = field(default_factory=list)  #: those of ``said`` that came before TLS
    before_250: Callable[[], None] = lambda: None  #: it has the message, and has not said so
    at_quit: Callable[[], None] = lambda: None  #: the client has read the 250
    offers_tls: bool = True  #: says so where it has STARTTLS
    greeting: Callable[[socket.socket], None] | None = None  #: what it does instead of talking

    @property
    def url(self) -> str:
        user = f"quittance:{self.password}@" if self.password else ""
        return f"{'smtp+starttls' if self.starttls else 'smtps'}://{user}127.0.0.1:{self.port}"

    def talk(self, plain: socket.socket) -> None:
        """With one client, until it leaves."""
        connection = plain if self.starttls else self.tls.wrap_socket(plain, server_side=True)
        talk = _Talk(self, connection)
        try:
            talk.run()
        finally:
            talk.close()


class HungUp(Exception):
    pass


class _Talk:
    def __init__(self, server: MailServer, connection: socket.socket) -> None:
        self._server, self._connection = server, connection
        self._file: BinaryIO = connection.makefile("rb")
        self._sender, self._to = "", list[str]()

    def run(self) -> None:
        with contextlib.suppress(HungUp, OSError):
            if self._server.greeting is not None:
                self._server.greeting(self._connection)
                return
            self._say(220, "ready")
            while line := self._line():
                verb = line.partition(" ")[0].upper().partition(":")[0]
                getattr(self, f"_{verb.lower()}", self._unknown)(line)

    def close(self) -> None:
        self._file.close()
        self._connection.close()

    def _say(self, code: int, *words: str) -> None:
        if code == 0:
            raise HungUp
        lines = [f"{code}{'-' if number < len(words) else ' '}{word}" for number, word in enumerate(words, 1)]
        self._connection.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def _line(self) -> str:
        line = self._file.readline().decode().rstrip("\r\n")
        if line:
            self._server.said.append(line)
            if not isinstance(self._connection, ssl.SSLSocket):
                self._server.in_clear.append(line)
        return line

    def _unknown(self, _: str) -> None:
        self._say(500, "unknown")

    def _ehlo(self, _: str) -> None:
        secure = isinstance(self._connection, ssl.SSLSocket)
        self._say(250, "hello", *(["AUTH PLAIN LOGIN"] if secure and self._server.password else []),
                  *(["STARTTLS"] if not secure and self._server.offers_tls else []))  # fmt: skip

    def _starttls(self, _: str) -> None:
        self._say(220, "go on")
        self._file.close()
        self._connection = self._server.tls.wrap_socket(self._connection, server_side=True)
        self._file = self._connection.makefile("rb")

    def _auth(self, line: str) -> None:
        right = base64.b64encode(f"\0quittance\0{self._server.password}".encode()).decode()
        self._say(*((235, "welcome") if line == f"AUTH PLAIN {right}" else (535, "wrong password")))

    def _answer(self, answers: list[int | str]) -> int:
        code, _, words = str(answers.pop(0) if answers else 250).partition(" ")
        self._say(int(code), words or "as you say")
        return int(code)

    def _mail(self, line: str) -> None:
        self._sender, self._to = line.partition("<")[2].partition(">")[0], []
        self._answer(self._server.to_mail)

    def _rcpt(self, line: str) -> None:
        if self._answer(self._server.to_rcpt) == 250:
            self._to.append(line.partition("<")[2].partition(">")[0])

    def _data(self, _: str) -> None:
        self._say(354, "go on")
        lines: list[bytes] = []
        while (line := self._file.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        if not self._server.to_data:
            self._server.taken.append(Mailed(self._sender, self._to, b"".join(lines)))
            self._server.before_250()
        self._answer(self._server.to_data)

    def _rset(self, _: str) -> None:
        self._say(250, "well")

    def _quit(self, _: str) -> None:
        self._server.at_quit()
        self._say(221, "goodbye")
        raise HungUp


@contextlib.contextmanager
def serve_mail(folder: Path, *, starttls: bool = False) -> Iterator[MailServer]:
    """One with a certificate for 127.0.0.1 of the authority in ``folder`` (``ca.pem`` there)."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / authority.SERVER, folder / authority.SERVER_KEY)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = MailServer(listening.getsockname()[1], starttls, tls)
        threads: list[threading.Thread] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=talk, args=(connection,), daemon=True))
                threads[-1].start()

        def talk(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:  # a client that does not believe the certificate
                server.talk(connection)

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield server
        listening.shutdown(socket.SHUT_RDWR)
        for thread in (accepting, *threads):
            thread.join(5)
