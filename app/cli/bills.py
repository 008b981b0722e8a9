"""`quittance read` and `bill`: files as bills, bills at which somebody must look, and the files of all of them."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from app.cli import machinery
from app.cli.words import add_word


def add(words: Any) -> None:
    read = add_word(words, "read", _read, "read files as bills and write what they say as CSV; nothing is kept")
    read.add_argument("files", nargs="+", metavar="FILE", help="UBL, CII, Factur-X, payment requests, our JSON")
    verbs = add_word(words, "bill", None, "bills at which somebody must look before they can be paid").add_subparsers(
        metavar="COMMAND", required=True
    )
    add_word(verbs, "held", _held, "list them, with the reasons")
    release = add_word(verbs, "release", _release, "it is right: deliver it to its customer")
    release.add_argument("bill", help="hld_…")
    discard = add_word(verbs, "discard", _discard, "it is not: take it away for good")
    discard.add_argument("bill", help="hld_…")
    add_word(
        verbs,
        "seal",
        _seal,
        "seal the files of bills that a release before 0013 kept in clear; after it, VACUUM (on PostgreSQL VACUUM FULL"
        " of delivered_bill and held_bill) makes the database forget the clear bytes",
    )


def _read(chosen: argparse.Namespace) -> int:
    from app.journey.intake import table

    table.write(chosen.files, sys.stdout)
    return 0


def _held(_: argparse.Namespace) -> int:
    from app.journey.intake.holding import held_bills

    with machinery.services().reading() as uow:
        for held in held_bills(uow.session, now=uow.now):
            amount = f"{held.amount} {held.amount.currency}"
            print(f"{held.id}  {held.held_at:%Y-%m-%d}  {held.biller_name}: {held.number}, {amount}")
            for detail in held.details:
                print(f"    {detail}")
            if held.named_iban is not None:
                known = ", ".join(each.iban for each in held.known) or "none"
                print(f"    it names {held.named_iban}; open accounts of the biller: {known}")
    return 0


def _release(chosen: argparse.Namespace) -> int:
    from app.journey.intake.holding import release

    print(f"{chosen.bill} is delivered as {release(machinery.services(), held_id=chosen.bill)}")
    return 0


def _discard(chosen: argparse.Namespace) -> int:
    from app.journey.intake.holding import discard

    discard(machinery.services(), held_id=chosen.bill)
    print(f"{chosen.bill} is discarded")
    return 0


def _seal(_: argparse.Namespace) -> int:
    from app.journey.intake.originals import seal_old

    print(f"{seal_old(machinery.services())} sealed")
    return 0
