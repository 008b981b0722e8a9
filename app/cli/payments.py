"""`quittance payment`: outcomes that a bank does not tell, and payments that corrections stopped."""

from __future__ import annotations

import argparse
from typing import Any

from app.cli import machinery
from app.cli.words import add_word


def add(words: Any) -> None:
    payment = add_word(words, "payment", None, "payments whose outcome the bank does not tell, or that were stopped")
    verbs = payment.add_subparsers(metavar="COMMAND", required=True)
    add_word(verbs, "unknown", _unknown, "list them, with what was promised to their customers")
    add_word(verbs, "voided", _voided, "bills whose biller stops their payment again and again by correcting them")
    resolve = add_word(verbs, "resolve", _resolve, "say how one ended, by the bank's own word")
    resolve.add_argument("payment", help="pay_…")
    outcome = resolve.add_mutually_exclusive_group(required=True)
    outcome.add_argument("--executed", action="store_true", help="the bank has executed it")
    outcome.add_argument("--not-executed", action="store_true", help="the bank has not, and will not")
    resolve.add_argument("--because", required=True, help="who at the bank said so, and where it is written down")


def _unknown(_: argparse.Namespace) -> int:
    from app.journey.payments.read import open_outcomes

    with machinery.services().reading() as uow:
        found = open_outcomes(uow.session, now=uow.now)
    for one in found:
        promise = f"promised by {one.know_by:%Y-%m-%d %H:%M}Z" if one.know_by else "promised by nothing"
        if one.told_until and not one.know_by:
            promise = f"the bank can be asked by us until {one.told_until:%Y-%m-%d %H:%M}Z"
        if one.untold_since:
            promise = f"the bank cannot be asked by us since {one.untold_since:%Y-%m-%d %H:%M}Z: ask it yourself"
        accepted = "  accepted" if one.accepted else ""
        print(
            f"{one.id}{accepted}  bank {one.bank_id} {one.bank_payment_id or '-'}  since {one.since:%Y-%m-%d %H:%M}Z"
            f"  {promise}  promises broken {one.promises_broken}"
        )
    print(f"{len(found)} payments with an unknown outcome")
    return 1 if any(one.promises_broken or one.untold_since for one in found) else 0


def _voided(_: argparse.Namespace) -> int:
    from app.journey.payments.read import voided_often

    with machinery.services().reading() as uow:
        found = voided_often(uow.session)
    for one in found:
        print(f"{one.invoice_id}  {one.biller_name}  payments stopped by corrections {one.times}")
    print(f"{len(found)} bills")
    return 0


def _resolve(chosen: argparse.Namespace) -> int:
    from app.journey.payments.service import resolve

    with machinery.services().unit_of_work() as uow:
        changed = resolve(uow, payment_id=chosen.payment, executed=chosen.executed, because=chosen.because)
        uow.commit()
    print("Written down, and told." if changed else "That is what it said already; nothing was changed.")
    return 0
