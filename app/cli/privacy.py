"""`quittance privacy`: what of people stands where, for whoever must account for it."""

from __future__ import annotations

import argparse
from typing import Any

from app.cli.words import add_word


def add(words: Any) -> None:
    privacy = add_word(words, "privacy", None, "what of people stands where, and how long")
    verbs = privacy.add_subparsers(metavar="COMMAND", required=True)
    add_word(verbs, "seal", _seal, "seal with customers' own keys what older releases wrote in clear")
    add_word(verbs, "record", _record, "print the record of processing: each table, what for, and how long")


def _seal(_: argparse.Namespace) -> int:
    """May be stopped and repeated, and may run while everything else does."""
    from app.cli import machinery
    from app.journey.erasure.sealing import seal_old

    done = seal_old(machinery.services())
    print(f"What there was of {done} customers is sealed with their own keys.")
    return 0


def _record(_: argparse.Namespace) -> int:
    """Of the tables as they are, and of the settings that say how long."""
    import app.tables  # noqa: F401  (it makes the tables known)
    from app.journey.erasure.record import lines
    from config.settings import Settings

    print("\n".join(lines(years=Settings.from_environ().keep_payments_years)))
    return 0
