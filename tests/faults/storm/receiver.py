"""Where the billers listen: checks each message as a biller should, keeps it, and is sometimes ill itself."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override

from app.demo.webhooks import NotGenuineError, check
from tests.faults.storm.history import History

#: shares of the messages that are kept and then answered badly
FAILS, HANGS = 0.04, 0.01
#: longer than the sender waits
HANG_S = 9.0
BODY_BYTES_MAX = 64 * 1024


def listen(port: int, secrets: Mapping[str, str], history: History, dice: random.Random) -> None:
    """Serve in the background. ``secrets``: the last part of the path → the secret of that biller's endpoint."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 20

        def do_POST(self) -> None:
            slug = self.path.rpartition("/")[2]
            body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), BODY_BYTES_MAX))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                message_id = check(body, headers, secret=secrets[slug])
            except (KeyError, NotGenuineError):
                self._answer(401)
                return
            _keep(history, message_id, json.loads(body))
            ill = dice.random()
            if ill < HANGS:
                time.sleep(HANG_S)
            self._answer(500 if ill < FAILS else 204)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        @override
        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True

        @override
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # the link was cut: that is the sender's matter

    server = Server(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, name="receiver", daemon=True).start()


def _keep(history: History, message_id: str, content: dict[str, Any]) -> None:
    data = content["data"]
    history.note(
        "webhook",
        id=message_id,
        type=content["type"],
        status=data.get("status", ""),
        payment=data.get("payment_id", ""),
        bill=data.get("bill_id", ""),
        sequence=data.get("sequence", 0),
    )
