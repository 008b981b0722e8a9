"""Files that hold keys: readable by the service alone."""

from __future__ import annotations

import os
from pathlib import Path


class KeysMissing(Exception):
    """The folder does not hold what the service needs; the text says how to make it, or to mend it."""


def write_private(path: Path, text: str) -> None:
    """Whole or not at all, readable by the owner only, durable before the service relies on it."""
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
