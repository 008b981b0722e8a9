"""The `quittance` command: a file for each group of its words.

Every word imports what it does only when it is used, so that each one starts fast.
Exit status: 0 done, 1 it failed (one sentence says why), 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from app.cli import (
    audit,
    banks,
    billers,
    bills,
    connections,
    consents,
    demo,
    keys,
    new_standard,
    payments,
    privacy,
    receipts,
    reconciliation,
    running,
    setup,
    work,
)
from app.cli.words import Command

#: in the order of `quittance --help`
GROUPS = (
    running,
    payments,
    privacy,
    consents,
    work,
    reconciliation,
    audit,
    receipts,
    setup,
    keys,
    billers,
    connections,
    bills,
    banks,
    new_standard,
    demo,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    os.umask(0o077)  # databases, logs and keys are nobody else's
    chosen = _parser().parse_args(arguments)
    command: Command = chosen.command
    from connectors.inspection.finding import printable

    try:
        return command(chosen)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        print("\n".join(map(printable, f"quittance: {sentence}".split("\n"))), file=sys.stderr)
        return 1


def _sentence(error: Exception) -> str | None:
    """What went wrong for a person, when it is something that a person can mend; None for a fault of ours."""
    from sqlalchemy.exc import OperationalError

    from app.db.engine import is_kept_out
    from app.demo.errors import DemoError
    from app.errors import AppError
    from app.keys.files import KeysMissing
    from app.signed_note import NoteError
    from config.settings import SettingsError
    from connectors.errors import BankError
    from connectors.profile import ProfileError
    from connectors.registry import UnusableBank
    from connectors.security.registration import RegistrationError
    from consent.private import KeyMissing

    if isinstance(error, AppError):
        return error.detail
    if is_kept_out(error):
        return (
            "others are writing about the same at this moment, and did not come to an end in time. Nothing was written"
            " but what is said above: repeat the command."
        )
    if isinstance(error, OperationalError):
        return f"the database cannot be used: {str(error.orig).strip().splitlines()[0]}"
    known = (
        SettingsError
        | KeysMissing
        | KeyMissing
        | NoteError
        | ProfileError
        | DemoError
        | BankError
        | UnusableBank
        | RegistrationError
    )
    if isinstance(error, known):
        return str(error)
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quittance",
        description="Customers receive their bills and pay them through their own bank.",
        epilog="Settings come from QUITTANCE_… variables: see config/settings.py.",
    )
    words = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in GROUPS:
        group.add(words)
    return parser
