"""Sends the events of the banks to their TPPs: a thread in each worker. What is not taken with 202 is tried again."""

from __future__ import annotations

import http.client
import logging
import ssl
import threading
import uuid
from urllib.parse import SplitResult, urlsplit

from connectors.sandbox_bank.authority import CA
from connectors.sandbox_bank.openbanking_uk import events
from connectors.sandbox_bank.openbanking_uk.context import UkBank
from connectors.sandbox_bank.openbanking_uk.events import TRIES_MAX, Event

EVERY_S = 0.5
TIMEOUT_S = 5
ACCEPTED = 202

_log = logging.getLogger(__name__)


class Postman:
    """Begins with the first request of a process: a thread that was there before a fork would be lost by it."""

    def __init__(self, bank: UkBank) -> None:
        self._bank = bank
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._walk, name="postman", daemon=True)
                self._thread.start()

    def _walk(self) -> None:
        pause = threading.Event()
        while not pause.wait(EVERY_S):
            try:
                deliver_due(self._bank)
            except Exception:  # noqa: BLE001  # the next round may go well; a thread that is gone sends nothing
                _log.exception("the events of the UK sandbox banks could not be sent; again in %s s", EVERY_S)


def deliver_due(bank: UkBank) -> int:
    """How many were taken with 202. What nobody subscribed to is dropped, and what was tried often enough."""
    with bank.store.write() as connection:
        due = [
            (event, events.callback_of(connection, event))
            for event in events.take_due(connection, now_ms=bank.now_ms())
        ]
    delivered = 0
    for event, callback in due:
        taken = callback is not None and _post(bank, callback, event)
        delivered += taken
        if taken or callback is None or event.tries >= TRIES_MAX:
            with bank.store.write() as connection:
                events.close(connection, event, delivered=taken)
    return delivered


def _post(bank: UkBank, callback: str, event: Event) -> bool:
    parts = urlsplit(callback)
    headers = {
        "Content-Type": "application/jwt",
        "x-fapi-interaction-id": str(uuid.uuid4()),
        "x-fapi-financial-id": bank.brand(event.brand).organisation,  # of all resources, events alone still have it
    }
    connection = _connection(bank, parts)
    try:
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        connection.request("POST", target, body=events.token_of(bank, event).encode(), headers=headers)
        return connection.getresponse().status == ACCEPTED
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _connection(bank: UkBank, parts: SplitResult) -> http.client.HTTPConnection:
    """The sandbox's authority is believed beside the public ones. The subscription has been checked."""
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    context = ssl.create_default_context()
    context.load_verify_locations(bank.settings.folder / CA)
    return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S, context=context)
