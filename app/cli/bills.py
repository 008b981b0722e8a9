"""`quittance read` and `bill`: files as bills, bills at which somebody must look, and the files of all of them.

A list has ids, days, companies and codes. What stands in a bill is shown to who says why, and its customer sees that.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from app.cli import machinery
from app.cli.words import add_reason, add_word


def add(words: Any) -> None:
    read = add_word(words, "read", _read, "read files as bills and write what they say as CSV; nothing is kept")
    read.add_argument("files", nargs="+", metavar="FILE", help="UBL, CII, Factur-X, payment requests, our JSON")
    verbs = add_word(words, "bill", None, "bills at which somebody must look before they can be paid").add_subparsers(
        metavar="COMMAND", required=True
    )
    add_word(verbs, "held", _held, "list them, with the reasons as codes")
    show = add_word(verbs, "show", _show, "read what stands in one; its customer sees who did, and why")
    show.add_argument("bill", help="hld_…, or inv_… of one that its customer has")
    add_reason(show)
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
            print(f"{held.id}  {held.held_at:%Y-%m-%d}  {held.biller_name}: {', '.join(held.codes)}")
    return 0


def _show(chosen: argparse.Namespace) -> int:
    return _show_held(chosen) if chosen.bill.startswith("hld_") else _show_bill(chosen)


def _show_held(chosen: argparse.Namespace) -> int:
    from app.journey.sharing.operators import look_at_held_bill

    with machinery.services().unit_of_work() as uow:
        held = look_at_held_bill(uow, held_id=chosen.bill, by=chosen.by, because=chosen.because)
        uow.commit()
    amount = f"{held.amount} {held.amount.currency}"
    print(f"{held.id}  {held.held_at:%Y-%m-%d}  {held.biller_name}: {held.number}, {amount}")
    for detail in held.details:
        print(f"    {detail}")
    if held.named_iban is not None:
        known = ", ".join(each.iban for each in held.known) or "none"
        print(f"    it names {held.named_iban}; open accounts of the biller: {known}")
    return 0


def _show_bill(chosen: argparse.Namespace) -> int:
    from app.journey.sharing.operators import look_at_bill

    with machinery.services().unit_of_work() as uow:
        found = look_at_bill(uow, invoice_id=chosen.bill, by=chosen.by, because=chosen.because)
        uow.commit()
    bill = found.invoice
    amount = f"{bill.amount} {bill.amount.currency}"
    print(
        f"{bill.id}  {bill.opened_at:%Y-%m-%d}  {found.biller_name or 'added by its customer'}: {bill.number}, {amount}"
    )
    print(f"    {bill.state}, {bill.left} left, due {bill.due_on or 'on no day'}")
    print(f"    to {bill.payee_name or '-'}, {bill.payee_iban or 'no account'}, reference {bill.reference or '-'}")
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
