"""What was heard and when: one JSON object a line, written while it happens and read at the end.

Every line has ``kind`` and ``at`` (seconds since 1970, by the clock that the bank uses, too). Kinds:

    delivered  a biller was told that its bill is here: bill, number, slug, cents
    decided    a customer was told that a decision was taken: payment, invoice
    said       a page, the billers' API or a webhook said something: by, about, word, asked_at
    webhook    a message arrived: id, type, payment or bill
    http       at the end: how often which answer came
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any


class History:
    """Written by all threads of one process."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._guard = threading.Lock()

    def note(self, kind: str, **more: Any) -> None:
        line = json.dumps({"kind": kind, "at": time.time(), **more})
        with self._guard:
            self._file.write(line + "\n")
            self._file.flush()


def read(path: Path) -> list[dict[str, Any]]:
    """All lines; one that was cut short is left out."""
    found = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found
