"""`quittance migrate`: what an installation needs before it runs."""

from __future__ import annotations

import argparse
from typing import Any

from app.cli import machinery
from app.cli.words import add_word


def add(words: Any) -> None:
    add_word(words, "migrate", _migrate, "bring the database to the newest tables")


def _migrate(_: argparse.Namespace) -> int:
    from app.db.migrate import head_of, upgrade
    from config.settings import Settings

    Settings.from_environ().data.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = machinery.engine()
    upgrade(engine)
    engine.dispose()
    print(f"The database is at {head_of()}.")
    return 0
