"""`quittance audit`: what the log says of itself, and whether it is what it was."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from app.cli import machinery
from app.cli.words import add_word

#: findings that are named; more of them say nothing new
NAMED_MOST = 50


def add(words: Any) -> None:
    audit = add_word(words, "audit", None, "the log of every fact, and whether anything in it was changed")
    verbs = audit.add_subparsers(metavar="COMMAND", required=True)
    verify = add_word(verbs, "verify", _verify, "read the whole log and hold it against its checkpoints and the rows")
    verify.add_argument("--key", type=Path, help="file with the log's public key as it was kept elsewhere; else ours")
    verify.add_argument(
        "--since", type=Path, action="append", default=[], help="file with a checkpoint that was kept elsewhere"
    )
    add_word(verbs, "key", _key, "print the log's public key, for whoever checks a receipt or the log")
    add_word(
        verbs, "checkpoint", _checkpoint, "number what waits and print the newest checkpoint, to be kept elsewhere"
    )


def _verify(chosen: argparse.Namespace) -> int:
    from app.audit.verify import verify
    from app.invariants import reading
    from app.signed_note import Verifier

    services = machinery.services()
    verifier = Verifier.parse(chosen.key.read_text()) if chosen.key else services.keys.log.verifier
    with reading(services.engine) as connection:
        audit = verify(connection, verifier, outside=[path.read_text() for path in chosen.since])
    for sentence in audit.wrong[:NAMED_MOST]:
        print(sentence)
    if len(audit.wrong) > NAMED_MOST:
        print(f"and {len(audit.wrong) - NAMED_MOST} more")
    if audit.outside:
        print(f"{audit.outside} rows are from before the log began: it says nothing of them")
    if audit.erased:
        print(f"{audit.erased} entries are of customers who have erased their space: nobody can tell what they said")
    if not chosen.since:
        print("Without a checkpoint that was kept elsewhere nobody can tell whether the end was cut off (--since).")
    waiting = f", {audit.waiting} waiting for their number" if audit.waiting else ""
    print(
        f"{audit.entries} entries{waiting}, {audit.checkpoints} checkpoints and {len(chosen.since)} from outside:"
        f" {f'{len(audit.wrong)} things are wrong' if audit.wrong else 'all as it was'}"
    )
    return 1 if audit.wrong else 0


def _key(_: argparse.Namespace) -> int:
    print(machinery.services().keys.log.verifier)
    return 0


def _checkpoint(_: argparse.Namespace) -> int:
    from app.audit.sequencer import newest_checkpoint, number_waiting

    services = machinery.services()
    number_waiting(services)
    with services.reading() as uow:
        print(newest_checkpoint(uow.session) or "The log has no entries yet.", end="")
    return 0
