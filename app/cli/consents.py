"""`quittance consents`: standing consents as an operator sees them. No secret, no account, nothing of who pays what."""

from __future__ import annotations

import argparse
from typing import Any

from app.cli import machinery
from app.cli.words import add_word


def add(words: Any) -> None:
    consents = add_word(words, "consents", None, "standing consents that customers have at their banks")
    verbs = consents.add_subparsers(metavar="COMMAND", required=True)
    listing = add_word(verbs, "list", _list, "those that are not over, or that a bank is still to take back")
    listing.add_argument("--stuck", action="store_true", help="only those that wait for longer than they should")
    show = add_word(verbs, "show", _show, "what happened to one")
    show.add_argument("consent", help="con_…")


def _list(chosen: argparse.Namespace) -> int:
    from app.journey.consents.read import consents_now

    with machinery.services().reading() as uow:
        found = consents_now(uow.session, now=uow.now, only_stuck=chosen.stuck)
    for one in found:
        next_look = f"{one.next_look_at:%Y-%m-%d %H:%M}Z" if one.next_look_at else "-"
        print(
            f"{one.id}  bank {one.bank_id}  {one.state}  since {one.since:%Y-%m-%d %H:%M}Z  next {next_look}"
            f"{f'  STUCK: {one.why}' if one.why else ''}"
        )
    stuck = sum(1 for one in found if one.why)
    print(f"{len(found)} standing consents, {stuck} of them stuck")
    return 1 if stuck else 0


def _show(chosen: argparse.Namespace) -> int:
    from app.errors import NotFound
    from app.journey.consents.read import history_of

    with machinery.services().reading() as uow:
        lines = history_of(uow.session, chosen.consent)
    if not lines:
        raise NotFound("standing consent")
    for line in lines:
        print(
            f"{line.at:%Y-%m-%d %H:%M:%S}Z  {line.step}  {line.before or '-'} -> {line.after}  {line.source}"
            f"  {line.evidence}"
        )
    return 0
