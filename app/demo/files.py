"""Small files of the demo in its data folder: whole or not at all, and readable by their owner only."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write(path: Path, text: str) -> None:
    """Replace the file in one step, durably: whoever is killed in between leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def write_json(path: Path, value: Any) -> None:
    write(path, json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


def read_json(path: Path) -> Any:
    """What the file holds; None when there is none yet."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def read_or_make(path: Path, make: Callable[[], str]) -> str:
    """The text of the file, made the first time."""
    if not path.exists():
        write(path, make())
    return path.read_text(encoding="utf-8")
