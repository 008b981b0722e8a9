"""`quittance bank`: the banks, one file each."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.words import add_word

if TYPE_CHECKING:
    from connectors.capabilities import Notifies
    from connectors.profile import ProfileError
    from connectors.registry import Registry


def add(words: Any) -> None:
    bank = add_word(words, "bank", None, "the banks, one file each: see docs/banks.md")
    verbs = bank.add_subparsers(metavar="COMMAND", required=True)
    add_word(verbs, "list", _list, "list them, with what each can do and whether it can be used")
    check = add_word(
        verbs, "check", _check, "go step by step from the file to a token; exit status 1 when one is wrong"
    )
    check.add_argument("bank", help="its id: the name of its file")
    register = add_word(verbs, "register", _register, "register us there (OBL dynamic client registration 3.4)")
    register.add_argument("bank", help="its id: the name of its file")
    register.add_argument("--ssa", type=Path, metavar="FILE", help="the software statement, as the directory gave it")
    register.add_argument("--redirect-uri", metavar="URI", action="append", default=[], help="may repeat")
    which = register.add_mutually_exclusive_group()
    which.add_argument("--show", action="store_true", help="read our registration, where the bank lets us")
    which.add_argument("--update", action="store_true", help="replace it by this software statement and these URIs")
    which.add_argument("--delete", action="store_true", help="end it: nothing can be paid there any more")
    subscribe = add_word(verbs, "subscribe", _subscribe, "have a bank tell us when something has changed (events)")
    where = subscribe.add_mutually_exclusive_group(required=True)
    where.add_argument("bank", nargs="?", help="its id: the name of its file")
    where.add_argument("--all", action="store_true", help="every bank that can be used and whose standard has events")
    what = subscribe.add_mutually_exclusive_group()
    what.add_argument("--show", action="store_true", help="only say where its events go now")
    what.add_argument("--delete", action="store_true", help="have no more of them: we ask at our own pace anyway")


def _list(_: argparse.Namespace) -> int:
    from app.keys.installation import Keys
    from app.services import open_banks, utc_now
    from config.settings import Settings
    from connectors.inspection.listing import listing
    from connectors.profile import ProfileError

    settings = Settings.from_environ()
    keys, banks, wrong = Keys.load(settings.keys), [], []
    for file in sorted(settings.banks.glob("*.toml")):
        try:
            banks.append(open_banks(settings, keys, utc_now, only=file.stem))
        except ProfileError as error:  # the others are shown all the same
            wrong.append(error)
    print("\n".join([*listing(banks, now=utc_now()), *(_wrong_file(error) for error in wrong)]))
    return 1 if wrong else 0


def _wrong_file(error: ProfileError) -> str:
    return f"wrong file          {error}"


def _check(chosen: argparse.Namespace) -> int:
    from app.services import utc_now
    from connectors.inspection.check import check
    from connectors.inspection.finding import Verdict
    from connectors.profile import ProfileError

    try:
        banks = _one_bank(chosen.bank)
    except ProfileError as error:
        print(_wrong_file(error))
        return 1
    verdicts = set()
    for finding in check(banks.profile(chosen.bank), banks, clock=utc_now):
        print(finding, flush=True)
        verdicts.add(finding.verdict)
    return 1 if Verdict.WRONG in verdicts else 0


def _register(chosen: argparse.Namespace) -> int:
    from app.services import utc_now
    from connectors.security.registration import Registration, Wanted

    writes = not (chosen.show or chosen.delete)
    if writes != bool(chosen.ssa and chosen.redirect_uri) or (not writes and (chosen.ssa or chosen.redirect_uri)):
        print("quittance bank register: --ssa and --redirect-uri are for what is written, and both", file=sys.stderr)
        return 2
    banks = _one_bank(chosen.bank)
    ours = Registration(banks.profile(chosen.bank), banks.line(chosen.bank), now=utc_now())
    if chosen.delete:
        ours.delete()
        print("Our registration there is gone.")
        return 0
    if chosen.show:
        done = ours.show()
    else:
        wanted = Wanted(statement=_statement(chosen.ssa), redirect_uris=chosen.redirect_uri)
        done = ours.update(wanted) if chosen.update else ours.create(wanted)
    print(json.dumps(done.members, indent=2, sort_keys=True, default=str))
    print(f"\nIn {chosen.bank}.toml it must say:\nclient_id = {json.dumps(done.client_id)}")
    return 0


def _statement(file: Path) -> str:
    from connectors.security.registration import RegistrationError

    try:
        return file.read_text("ascii").strip()
    except UnicodeDecodeError:
        message = f"{file}: this is no software statement: a JWT is letters, digits and dots"
        raise RegistrationError(message) from None


def _subscribe(chosen: argparse.Namespace) -> int:
    from app.errors import Conflict
    from app.keys.installation import Keys
    from app.services import open_banks, utc_now
    from config.settings import Settings
    from connectors.capabilities import Notifies
    from connectors.errors import BankError
    from connectors.inspection.finding import printable

    settings = Settings.from_environ()
    if not chosen.all:
        _say_events(_one_bank(chosen.bank), chosen.bank, chosen, base_url=settings.base_url)
        return 0
    banks = open_banks(settings, Keys.load(settings.keys), utc_now)
    failed = 0
    for bank in banks.banks():
        if isinstance(banks.connector(bank.id), Notifies):
            try:
                _say_events(banks, bank.id, chosen, base_url=settings.base_url)
            except (BankError, Conflict) as error:  # the others are asked all the same
                failed += 1
                print(printable(f"{bank.id}: {error}"), file=sys.stderr)
    return 1 if failed else 0


def _say_events(banks: Registry, bank_id: str, chosen: argparse.Namespace, *, base_url: str) -> None:
    """Raises BankError, and Conflict for a bank that cannot: its standard has no events, or it offers none."""
    from app.errors import Conflict
    from connectors.capabilities import Notifies
    from connectors.errors import BankRefused
    from connectors.inspection.finding import printable

    bank = banks.connector(bank_id)
    if not isinstance(bank, Notifies):
        raise Conflict("no-events", f"{bank_id}: its standard ({banks.profile(bank_id).standard}) has no events.")
    ours = f"{base_url}/banks/{bank_id}/events"
    try:
        for line in _events(bank, ours, show=chosen.show, delete=chosen.delete):
            print(printable(f"{bank_id}: {line}"), flush=True)
    except BankRefused as error:
        why = "it offers no events" if error.http_status == 404 else str(error)
        raise Conflict("no-events", f"{bank_id}: {why} ({error.code}).") from error


def _events(bank: Notifies, ours: str, *, show: bool, delete: bool) -> Iterator[str]:
    """What is there is asked for first, so it is safe to repeat. What the bank has of us is ours, from wherever: in the
    end its events go to one address and to no other. Raises Conflict for a bank that sends them elsewhere."""
    from app.errors import Conflict
    from app.services import WORKER_DEADLINE_S as LIMIT_S

    there = bank.subscriptions(timeout_s=LIMIT_S)
    urls = [one.callback_url for one in there]
    if (show or delete) and not there:
        yield "it sends us no events"
    elif show:
        yield from (f"events go to {url}" for url in urls)
    elif delete:
        for one in there:
            bank.unsubscribe(one.subscription_id, timeout_s=LIMIT_S)
            yield f"no events go to {one.callback_url} any more"
    else:
        if ours in urls:
            kept = there[urls.index(ours)]
            yield f"events go to {ours} already"
        elif there:
            kept = bank.change_subscription(there[0].subscription_id, ours, timeout_s=LIMIT_S)
            yield f"events go to {ours}; they went to {urls[0]}"
        else:
            kept = bank.subscribe(ours, timeout_s=LIMIT_S)
            yield f"events go to {ours}"
        if kept.callback_url not in (None, ours):
            raise Conflict("no-events", f"the bank says that its events go to {kept.callback_url} instead.")
        for one in there:
            if one.subscription_id != kept.subscription_id:
                bank.unsubscribe(one.subscription_id, timeout_s=LIMIT_S)
                yield f"no events go to {one.callback_url} any more"


def _one_bank(bank_id: str) -> Registry:
    """The banks of the installation without all others, which may be wrong. Raises ProfileError, NotFound, Conflict."""
    from app.errors import Conflict, NotFound
    from app.keys.installation import Keys
    from app.services import open_banks, utc_now
    from config.settings import Settings
    from connectors.registry import UnknownBank

    settings = Settings.from_environ()
    banks = open_banks(settings, Keys.load(settings.keys), utc_now, only=bank_id)
    try:
        banks.profile(bank_id)
    except UnknownBank as error:
        file = settings.banks / f"{bank_id}.toml"
        if file.is_file():
            message = f"{file} is a sandbox bank's, and none runs: `quittance demo` starts them"
            raise Conflict("no-sandbox", message) from error
        raise NotFound(f"bank: {settings.banks} has no {bank_id}.toml") from error
    return banks
