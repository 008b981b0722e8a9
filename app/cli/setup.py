"""`quittance migrate`, `keys`: what an installation needs before it runs."""

from __future__ import annotations

import argparse
from typing import Any

from app.cli import machinery
from app.cli.words import add_word


def add(words: Any) -> None:
    add_word(words, "migrate", _migrate, "bring the database to the newest tables")
    keys = add_word(words, "keys", None, "the installation's keys").add_subparsers(metavar="COMMAND", required=True)
    add_word(keys, "init", _keys_init, "make the keys that are not there yet")


def _migrate(_: argparse.Namespace) -> int:
    from app.db.migrate import head_of, upgrade
    from config.settings import Settings

    Settings.from_environ().data.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = machinery.engine()
    upgrade(engine)
    engine.dispose()
    print(f"The database is at {head_of()}.")
    return 0


def _keys_init(_: argparse.Namespace) -> int:
    from app.keys import Keys
    from config.settings import Settings

    made = Keys.init(Settings.from_environ().keys)
    print("\n".join(f"made {path}" for path in made) or "All keys are there already.")
    return 0
