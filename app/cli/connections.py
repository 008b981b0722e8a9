"""`quittance connection` and `invitation`: who may reach whom, what went astray, and who is missed."""

from __future__ import annotations

import argparse
from typing import Any

from app.cli import machinery
from app.cli.words import add_word


def add(words: Any) -> None:
    verbs = add_word(words, "connection", None, "who may deliver to whom").add_subparsers(
        metavar="COMMAND", required=True
    )
    add_word(verbs, "count", _count, "count connections by their state")
    add_word(verbs, "leaks", _leaks, "list addresses that were used by another biller than the one they were given to")
    add_word(
        verbs, "redemptions", _redemptions, "list billers by how many of their codes and addresses nobody accepted"
    )
    missed = add_word(words, "invitation", None, "companies that customers miss").add_subparsers(
        metavar="COMMAND", required=True
    )
    add_word(missed, "list", _invitations, "list them with how many invited each, and for how many it came")


def _count(_: argparse.Namespace) -> int:
    from app.journey.connections.read import count_by_state

    with machinery.services().reading() as uow:
        for state, number in count_by_state(uow.session):
            print(f"{state:<9} {number}")
    return 0


def _leaks(_: argparse.Namespace) -> int:
    from app.journey.connections.leaks import leaks_of

    with machinery.services().reading() as uow:
        for leak in leaks_of(uow.session):
            times = "once" if leak.times == 1 else f"{leak.times} times"
            print(
                f"{leak.last_at:%Y-%m-%d %H:%M}  {leak.connection_id}: given to {leak.given_to}, used by {leak.used_by}"
                f" {times}"
            )
    return 0


def _redemptions(_: argparse.Namespace) -> int:
    from app.journey.connections.read import redemptions_by_biller

    with machinery.services().reading() as uow:
        for biller in redemptions_by_biller(uow.session, now=uow.now):
            unaccepted = biller.presented - biller.accepted
            print(
                f"{unaccepted:>6} not accepted {biller.accepted:>6} accepted  {biller.biller_id} {biller.biller_name}"
            )
    return 0


def _invitations(_: argparse.Namespace) -> int:
    from app.journey.connections.invitations import wanted

    with machinery.services().reading() as uow:
        for company in wanted(uow.session):
            print(f"{company.sent:>6} sent {company.accepted:>6} accepted  {company.name}")
    return 0
