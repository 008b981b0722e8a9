"""The official files beside the checkout. Without this each test would guess where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[3] / "shared"


def shared_folder() -> Path:
    """`<repo>/../shared`; skips the test that asks where it is absent. Mark that test `shared`."""
    if not _FOLDER.is_dir():
        pytest.skip(f"the official files are not beside the checkout: no {_FOLDER}")
    return _FOLDER
