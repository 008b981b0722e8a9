"""What the rules about the code look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import ROOT

PACKAGES = ("app", "consent", "connectors", "config")


def sources() -> list[Path]:
    """Our own Python files without the tests."""
    return sorted([ROOT / "wsgi.py", *(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))])


def name_of(path: Path) -> str:
    """As in the repository: ``app/factory.py``."""
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    """As in an import: ``app.factory``."""
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@pytest.fixture
def database_url(sqlite_template: Path, tmp_path: Path) -> str:
    """These rules are the same on both databases."""
    path = tmp_path / "quittance.sqlite3"
    path.write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{path}"
