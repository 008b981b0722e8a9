"""What a biller does with a webhook: check the signature (Standard Webhooks 1.0), remember it, ignore repeats.

Written from the standard and not with the service's own code, so that the two can disagree.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: older or newer than this is a replay, or a clock that is wrong
WINDOW_S = 300


class NotGenuineError(Exception):
    """Not from Quittance, or not now: nothing in it may be believed."""


def check(body: bytes, headers: Mapping[str, str], *, secret: str, now_s: float | None = None) -> str:
    """Whether the message is genuine and fresh. Returns its id, the same for every try. Raises NotGenuineError."""
    message_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= 12):
        raise NotGenuineError("webhook-id or webhook-timestamp is missing")
    if abs((time.time() if now_s is None else now_s) - int(sent_at)) > WINDOW_S:
        raise NotGenuineError("the timestamp is more than five minutes away")
    signed = f"{message_id}.{sent_at}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
    given = headers.get("webhook-signature", "").split()
    # all are compared: while a secret is replaced a message carries a signature by each
    fitting = [each for each in given if hmac.compare_digest(expected, each.encode())]
    if not fitting:
        raise NotGenuineError("no signature fits")
    return message_id


class Mailbox:
    """The messages of all billers in one file, one line each. One process writes it, with several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._messages = {message["id"]: message for message in _read(path)}

    def keep(self, slug: str, message_id: str, content: dict[str, Any], *, received_at: str) -> bool:
        """Remember a message durably. False for one that is here already."""
        key = f"{slug}/{message_id}"
        with self._guard:
            if key in self._messages:
                return False
            message = {"id": key, "slug": slug, "received_at": received_at, **content}
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._path.open("a", encoding="utf-8") as file:
                # a line break first: a line that was cut short by a kill must not swallow this one
                file.write("\n" + json.dumps(message, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
            self._messages[key] = message
        return True

    def of(self, slug: str) -> list[dict[str, Any]]:
        """The messages of one biller, oldest first."""
        with self._guard:
            return [message for message in self._messages.values() if message["slug"] == slug]


def _read(path: Path) -> list[dict[str, Any]]:
    messages = []
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                messages.append(json.loads(line))
            except ValueError:
                continue  # an empty line, or one that was cut short: it was never acknowledged, so it comes again
    return messages
