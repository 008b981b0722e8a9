"""`quittance work`: the durable work behind everything."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from app.cli import machinery
from app.cli.words import add_word


def add(words: Any) -> None:
    verbs = add_word(words, "work", None, "the durable work behind everything").add_subparsers(
        metavar="COMMAND", required=True
    )
    add_word(verbs, "list", _list, "count it: ready, leased, waiting, dead, and how late it is")
    add_word(verbs, "dead", _dead, "list the dead letters: what failed for a day and is tried once a day since")
    replay = add_word(verbs, "replay", _replay, "run work now, as if it had never failed")
    which = replay.add_mutually_exclusive_group(required=True)
    which.add_argument("keys", metavar="KEY", nargs="*", default=[])
    which.add_argument("--all", action="store_true", help="all dead letters")


def _list(_: argparse.Namespace) -> int:
    from app.operations import list_work

    return _about_work(list_work)


def _dead(_: argparse.Namespace) -> int:
    from app.operations import list_dead

    return _about_work(list_dead)


def _replay(chosen: argparse.Namespace) -> int:
    from app.operations import replay

    return _about_work(replay, keys=None if chosen.all else chosen.keys)


def _about_work(verb: Callable[..., list[str]], **how: Any) -> int:
    from app.services import utc_now

    engine = machinery.engine()
    try:
        print("\n".join(verb(engine, now=utc_now(), **how)))
    finally:
        engine.dispose()
    return 0
