"""The UK sandbox banks of this process on a real TLS socket, where every request that comes in is counted."""

from __future__ import annotations

import contextlib
import re
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from app.demo.processes import free_ports
from connectors.sandbox_bank import authority
from connectors.sandbox_bank.openbanking_uk.app import create_uk_bank
from connectors.sandbox_bank.openbanking_uk.certificates import TEST_CERTIFICATE
from connectors.sandbox_bank.openbanking_uk.context import EXTENSION, UkBank
from connectors.sandbox_bank.openbanking_uk.settings import UkBankSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


#: what makes a bank execute: of each kind of payment
_SUBMISSION = re.compile(r"/domestic-(payments|scheduled-payments|vrps)\Z")


@dataclass
class CountedBank:
    """All brands. ``came``: method and path of each request, in their order."""

    app: Flask
    port: int
    folder: Path
    came: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.came.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        # TLS has checked whose it is; that server has no other place for it
        certificate = environ["werkzeug.socket"].getpeercert(True)
        if certificate is not None:
            environ[TEST_CERTIFICATE] = certificate
        return self.app(environ, start_response)

    @property
    def inside(self) -> UkBank:
        bank: UkBank = self.app.extensions[EXTENSION]
        return bank

    @property
    def base_url(self) -> str:
        return self.inside.settings.base_url

    @property
    def submissions(self) -> list[str]:
        """Where something was asked to be executed, whatever the bank answered."""
        return [path for method, path in self.came if method == "POST" and _SUBMISSION.search(path)]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Of the bank's own file."""
        with self.inside.store.read() as connection:
            return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]  # noqa: S608  # our own name


@contextlib.contextmanager
def serve_counted(folder: Path, database: Path, *, clock: Callable[[], Any]) -> Iterator[CountedBank]:
    """``folder`` has the authority's files, and the banks' signing keys lie beside the database."""
    (port,) = free_ports(1)
    app = create_uk_bank(
        UkBankSettings(
            base_url=f"https://127.0.0.1:{port}",
            database=database,
            folder=folder,
            ledger_token="ledger",
            clock=clock,
            sleep=lambda _: None,
        ),
        testing=True,
    )
    bank = CountedBank(app, port, folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / authority.SERVER, folder / authority.SERVER_KEY)
    context.verify_mode = ssl.CERT_OPTIONAL  # a customer's browser has none
    context.load_verify_locations(folder / authority.CA)
    server = make_server("127.0.0.1", port, bank, threaded=True, ssl_context=context, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield bank
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        bank.inside.store.close()


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object, **__: object) -> None:
        """Nobody reads it."""
