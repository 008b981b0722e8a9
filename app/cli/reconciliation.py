"""`quittance reconcile`: where banks and billers say something else than we do.

The list has ids and codes. Amounts and accounts are shown to who says why, and the customer of the payment sees that.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from app.cli import machinery
from app.cli.words import a_count, add_reason, add_word


def add(words: Any) -> None:
    reconcile = add_word(
        words,
        "reconcile",
        _reconcile,
        "list where banks and billers say something else than we do; exit status 1 when a difference is open",
    )
    verbs = reconcile.add_subparsers(metavar="COMMAND")
    statement = add_word(verbs, "statement", _statement, "take in statements of account (camt.053, camt.054)")
    statement.add_argument("files", metavar="FILE", nargs="+", type=Path)
    ask = add_word(verbs, "ask", _ask, "ask the banks about open and recently settled payments now")
    ask.add_argument("--since", type=a_count, default=7, metavar="DAYS", help="what settled within so many days (7)")
    show = add_word(verbs, "show", _show, "read what each side says; the customer of the payment sees who did, and why")
    show.add_argument("difference", help="dif_…")
    add_reason(show)
    accept = add_word(verbs, "accept", _accept, "note what a difference is; it is listed apart from then on")
    accept.add_argument("difference", help="dif_…")
    accept.add_argument("--because", required=True, help="what it is, and where that is written down")
    account = add_word(
        verbs, "account", None, "accounts, not of billers, whose statements prove that a payment left or reached them"
    )
    account_verbs = account.add_subparsers(metavar="COMMAND", required=True)
    add = add_word(account_verbs, "add", _account_add, "take what is booked on this account for the bank's word")
    add.add_argument("iban")
    add.add_argument("--because", required=True, help="whose it is, and how its statements come from the bank")
    add_word(account_verbs, "list", _account_list, "list them")
    remove = add_word(account_verbs, "remove", _account_remove, "its statements prove nothing from now on")
    remove.add_argument("iban")


def _reconcile(_: argparse.Namespace) -> int:
    from app.journey.reconciliation.read import differences

    with machinery.services().reading() as uow:
        found = differences(uow.session)
    for one in found:
        noted = f"  accepted {one.noted_at:%Y-%m-%d}: {one.because}" if one.noted_at is not None else ""
        print(f"{one.id}  {one.code}  {one.payment_id or one.end_to_end_id or '-'}{noted}")
    still_open = sum(one.because is None for one in found)
    print(f"{still_open} open differences, {len(found) - still_open} accepted")
    return 1 if still_open else 0


def _show(chosen: argparse.Namespace) -> int:
    from app.journey.sharing.operators import look_at_difference

    with machinery.services().unit_of_work() as uow:
        found = look_at_difference(uow, difference_id=chosen.difference, by=chosen.by, because=chosen.because)
        uow.commit()
    print(found)
    return 0


def _statement(chosen: argparse.Namespace) -> int:
    from app.journey.reconciliation.service import import_statement

    services = machinery.services()
    for path in chosen.files:
        print(f"{path}: {import_statement(services, path.read_bytes())}")
    return 0


def _ask(chosen: argparse.Namespace) -> int:
    import datetime as dt

    from app.journey.reconciliation.service import ask

    print(f"{ask(machinery.services(), since=dt.timedelta(days=chosen.since))} payments are asked about next")
    return 0


def _accept(chosen: argparse.Namespace) -> int:
    from app.journey.reconciliation.service import accept

    with machinery.services().unit_of_work() as uow:
        accept(uow, difference_id=chosen.difference, because=chosen.because)
        uow.commit()
    print("Noted. It is listed apart from now on.")
    return 0


def _account_add(chosen: argparse.Namespace) -> int:
    from app.journey.reconciliation.service import add_account, believe

    services = machinery.services()
    with services.unit_of_work() as uow:
        add_account(uow, iban=chosen.iban, because=chosen.because)
        uow.commit()
    print(f"Registered. {believe(services)} payments changed by statements that were here already.")
    return 0


def _account_list(_: argparse.Namespace) -> int:
    from app.journey.reconciliation.service import list_accounts

    with machinery.services().reading() as uow:
        for one in list_accounts(uow.session):
            print(f"{one.iban}  since {one.added_at:%Y-%m-%d}: {one.because}")
    return 0


def _account_remove(chosen: argparse.Namespace) -> int:
    from app.journey.reconciliation.service import remove_account

    with machinery.services().unit_of_work() as uow:
        remove_account(uow, iban=chosen.iban)
        uow.commit()
    print("Its statements prove nothing from now on. What they moved stays: see quittance reconcile.")
    return 0
