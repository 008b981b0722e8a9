"""The `quittance` command. Every word of it is imported only when it is used, so that each one starts fast.

Exit status: 0 done, 1 it failed (one sentence says why), 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from app.services import Services
    from config.settings import Settings
    from connectors.capabilities import Notifies
    from connectors.registry import Registry

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    os.umask(0o077)  # databases, logs and keys are nobody else's
    chosen = _parser().parse_args(arguments)
    command: Command = chosen.command
    try:
        return command(chosen)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        print(f"quittance: {sentence}", file=sys.stderr)
        return 1


def _sentence(error: Exception) -> str | None:
    """What went wrong for a person, when it is something that a person can mend; None for a fault of ours."""
    from sqlalchemy.exc import OperationalError

    from app.demo.errors import DemoError
    from app.errors import AppError
    from app.keys import KeysMissing
    from config.settings import SettingsError
    from connectors.errors import BankError
    from connectors.profile import ProfileError
    from connectors.registry import UnusableBank
    from connectors.security.registration import RegistrationError

    if isinstance(error, AppError):
        return error.detail
    if isinstance(error, OperationalError):
        return f"the database cannot be used: {str(error.orig).strip().splitlines()[0]}"
    known = SettingsError | KeysMissing | ProfileError | DemoError | BankError | UnusableBank | RegistrationError
    if isinstance(error, known):
        return str(error)
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return None


# ------------------------------------------------------------------------------------------------ the command line


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quittance",
        description="Customers receive their bills and pay them through their own bank.",
        epilog="Settings come from QUITTANCE_… variables: see config/settings.py.",
    )
    words = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(words, "serve", _serve, "serve the pages and the API (gunicorn)")
    _add(words, "worker", _worker, "do the durable work; any number of these may run")
    check = _add(words, "check", _check, "prove that every invariant holds; exit status 1 when one does not")
    check.add_argument("--list", action="store_true", help="say what is checked")
    _add_payment_words(words)
    _add_work_words(words)
    _add_reconcile_words(words)
    read = _add(words, "read", _read, "read files as bills and write what they say as CSV; nothing is kept")
    read.add_argument("files", nargs="+", metavar="FILE", help="UBL, CII, Factur-X, payment requests, our JSON")
    _add(words, "migrate", _migrate, "bring the database to the newest tables")
    keys = _add(words, "keys", None, "the installation's keys").add_subparsers(metavar="COMMAND", required=True)
    _add(keys, "init", _keys_init, "make the keys that are not there yet")
    _add_biller_words(words)
    _add_bill_words(words)
    _add_bank_words(words)
    demo = _add(words, "demo", _demo, "run everything on this machine, with a sandbox bank and made-up bills")
    demo.add_argument("--walk", action="store_true", help="pay one bill from end to end over HTTP and check every side")
    demo.add_argument(
        "--recurring",
        action="store_true",
        help="with --walk: connector and bank alone, a standing consent (VRP) with limits, payments within and beyond "
        "them, and its end; our pages for such consents come later",
    )
    demo.add_argument("--times", type=_count, default=None, metavar="N", help="with --walk: so many walks")
    demo.add_argument(
        "--bank", default=None, metavar="ID", help="with --walk: pay from this one of `quittance bank list`"
    )
    demo.add_argument("--all-banks", action="store_true", help="with --walk: once from every bank, and a table")
    _add_sandbox_bank_words(words)
    _add(words, "demo-biller", _demo_biller, "serve the demo's billers (demo only)")
    return parser


def _add_biller_words(words: Any) -> None:
    biller = _add(words, "biller", None, "billers, their programs and webhooks")
    verbs = biller.add_subparsers(metavar="COMMAND", required=True)
    add = _add(verbs, "add", _biller_add, "let a vetted company in")
    add.add_argument("name")
    add.add_argument("--country", required=True, help="two letters, as FR")
    add.add_argument("--vat", help="its VAT number")
    add.add_argument("--iban", required=True, action="append", help="an account that was vetted as its own; may repeat")
    client = _add(verbs, "client", _biller_client, "let a program of a biller in, by its public keys")
    client.add_argument("biller", help="blr_…")
    client.add_argument("--jwks", required=True, type=Path, help="file with a JWK Set, public keys only")
    client.add_argument("--scope", default="bills:write bills:read payments:read")
    webhook = _add(verbs, "webhook", _biller_webhook, "send a biller signed messages")
    webhook.add_argument("biller", help="blr_…")
    webhook.add_argument("url")


def _add_bill_words(words: Any) -> None:
    verbs = _add(
        words, "bill", None, "bills at which somebody must look before they can be paid; their files"
    ).add_subparsers(metavar="COMMAND", required=True)
    _add(verbs, "held", _bill_held, "list them, with the reasons")
    release = _add(verbs, "release", _bill_release, "it is right: deliver it to its customer")
    release.add_argument("bill", help="hld_…")
    discard = _add(verbs, "discard", _bill_discard, "it is not: take it away for good")
    discard.add_argument("bill", help="hld_…")
    _add(verbs, "seal", _bill_seal, "seal the files of bills that a release before 0013 kept in clear")


def _add_bank_words(words: Any) -> None:
    bank = _add(words, "bank", None, "the banks, one file each: see docs/banks.md")
    verbs = bank.add_subparsers(metavar="COMMAND", required=True)
    _add(verbs, "list", _bank_list, "list them, with what each can do and whether it can be used")
    check = _add(
        verbs, "check", _bank_check, "go step by step from the file to a token; exit status 1 when one is wrong"
    )
    check.add_argument("bank", help="its id: the name of its file")
    register = _add(verbs, "register", _bank_register, "register us there (OBL dynamic client registration 3.4)")
    register.add_argument("bank", help="its id: the name of its file")
    register.add_argument("--ssa", type=Path, metavar="FILE", help="the software statement, as the directory gave it")
    register.add_argument("--redirect-uri", metavar="URI", action="append", default=[], help="may repeat")
    which = register.add_mutually_exclusive_group()
    which.add_argument("--show", action="store_true", help="read our registration, where the bank lets us")
    which.add_argument("--update", action="store_true", help="replace it by this software statement and these URIs")
    which.add_argument("--delete", action="store_true", help="end it: nothing can be paid there any more")
    subscribe = _add(verbs, "subscribe", _bank_subscribe, "have a bank tell us when something has changed (events)")
    where = subscribe.add_mutually_exclusive_group(required=True)
    where.add_argument("bank", nargs="?", help="its id: the name of its file")
    where.add_argument("--all", action="store_true", help="every bank that can be used and whose standard has events")
    what = subscribe.add_mutually_exclusive_group()
    what.add_argument("--show", action="store_true", help="only say where its events go now")
    what.add_argument("--delete", action="store_true", help="have no more of them: we ask at our own pace anyway")


def _add_sandbox_bank_words(words: Any) -> None:
    bank = _add(words, "sandbox-bank", _sandbox_bank, "serve a fake bank (demo only)")
    bank.add_argument(
        "--standard", choices=("berlin_group", "openbanking_uk", "stet"), default="berlin_group", help="(berlin_group)"
    )
    several = bank.add_argument_group("openbanking_uk, stet", "several banks in one process, over TLS")
    several.add_argument("--port", type=_port, help="(QUITTANCE_UK_BANK_PORT, QUITTANCE_STET_BANK_PORT)")
    several.add_argument("--folder", type=Path, help="of the authority's files; what is missing there is made")
    uk = bank.add_argument_group("openbanking_uk")
    uk.add_argument("--profile", help="all of them in this security profile, instead of each in its own")


def _add_payment_words(words: Any) -> None:
    payment = _add(words, "payment", None, "payments whose outcome the bank does not tell")
    verbs = payment.add_subparsers(metavar="COMMAND", required=True)
    _add(verbs, "unknown", _payment_unknown, "list them, with what was promised to their customers")
    resolve = _add(verbs, "resolve", _payment_resolve, "say how one ended, by the bank's own word")
    resolve.add_argument("payment", help="pay_…")
    outcome = resolve.add_mutually_exclusive_group(required=True)
    outcome.add_argument("--executed", action="store_true", help="the bank has executed it")
    outcome.add_argument("--not-executed", action="store_true", help="the bank has not, and will not")
    resolve.add_argument("--because", required=True, help="who at the bank said so, and where it is written down")


def _add_reconcile_words(words: Any) -> None:
    reconcile = _add(
        words,
        "reconcile",
        _reconcile,
        "list where banks and billers say something else than we do; exit status 1 when a difference is open",
    )
    verbs = reconcile.add_subparsers(metavar="COMMAND")
    statement = _add(verbs, "statement", _reconcile_statement, "take in statements of account (camt.053, camt.054)")
    statement.add_argument("files", metavar="FILE", nargs="+", type=Path)
    ask = _add(verbs, "ask", _reconcile_ask, "ask the banks about open and recently settled payments now")
    ask.add_argument("--since", type=_count, default=7, metavar="DAYS", help="what settled within so many days (7)")
    accept = _add(verbs, "accept", _reconcile_accept, "note what a difference is; it is listed apart from then on")
    accept.add_argument("difference", help="dif_…")
    accept.add_argument("--because", required=True, help="what it is, and where that is written down")
    account = _add(verbs, "account", None, "accounts, not of billers, whose statements prove that a payment left them")
    account_verbs = account.add_subparsers(metavar="COMMAND", required=True)
    add = _add(account_verbs, "add", _reconcile_account_add, "take what leaves this account for the bank's word")
    add.add_argument("iban")
    add.add_argument("--because", required=True, help="whose it is, and how its statements come from the bank")
    _add(account_verbs, "list", _reconcile_account_list, "list them")
    remove = _add(account_verbs, "remove", _reconcile_account_remove, "its statements prove nothing from now on")
    remove.add_argument("iban")


def _add_work_words(words: Any) -> None:
    verbs = _add(words, "work", None, "the durable work behind everything").add_subparsers(
        metavar="COMMAND", required=True
    )
    _add(verbs, "list", _work_list, "count it: ready, leased, waiting, dead, and how late it is")
    _add(verbs, "dead", _work_dead, "list the dead letters: what failed for a day and is tried once a day since")
    replay = _add(verbs, "replay", _work_replay, "run work now, as if it had never failed")
    which = replay.add_mutually_exclusive_group(required=True)
    which.add_argument("keys", metavar="KEY", nargs="*", default=[])
    which.add_argument("--all", action="store_true", help="all dead letters")


def _add(words: Any, name: str, command: Command | None, about: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = words.add_parser(name, help=about, description=about)
    if command is not None:
        parser.set_defaults(command=command)
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError("a number from 1 to 10000")
    return int(text)


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("a port from 1 to 65535")
    return int(text)


# ------------------------------------------------------------------------------------------------------- the service


def _serve(_: argparse.Namespace) -> int:
    from config.settings import ROOT, Settings

    settings = Settings.from_environ()
    _gunicorn("wsgi:application", conf=ROOT / "config" / "gunicorn.conf.py", demo=settings.demo)
    return 0


def _worker(_: argparse.Namespace) -> int:
    import logging
    import signal

    from app.schedule import Schedule
    from app.worker import Worker

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    services = _services()
    worker = Worker(services, Schedule(services))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()
    services.engine.dispose()
    return 0


def _check(chosen: argparse.Namespace) -> int:
    from app.invariants import INVARIANTS, check
    from app.services import utc_now

    if chosen.list:
        print("\n".join(f"{one.name:<4}{one.says}" for one in INVARIANTS))
        return 0
    engine = _engine()
    started = time.monotonic()
    broken = check(engine, now=utc_now())
    engine.dispose()
    for one in broken:
        print(one)
    print(f"{len(INVARIANTS) - len(broken)} of {len(INVARIANTS)} invariants hold ({time.monotonic() - started:.1f} s)")
    return 1 if broken else 0


def _bill_held(_: argparse.Namespace) -> int:
    from app.journey.intake.holding import held_bills

    with _services().reading() as uow:
        for held in held_bills(uow.session):
            amount = f"{held.amount} {held.amount.currency}"
            print(f"{held.id}  {held.held_at:%Y-%m-%d}  {held.biller_name}: {held.number}, {amount}")
            for detail in held.details:
                print(f"    {detail}")
    return 0


def _bill_release(chosen: argparse.Namespace) -> int:
    from app.journey.intake.holding import release

    print(f"{chosen.bill} is delivered as {release(_services(), held_id=chosen.bill)}")
    return 0


def _bill_discard(chosen: argparse.Namespace) -> int:
    from app.journey.intake.holding import discard

    discard(_services(), held_id=chosen.bill)
    print(f"{chosen.bill} is discarded")
    return 0


def _bill_seal(_: argparse.Namespace) -> int:
    from app.journey.intake.originals import seal_old

    print(f"{seal_old(_services())} sealed")
    return 0


def _read(chosen: argparse.Namespace) -> int:
    from app.journey.intake import table

    table.write(chosen.files, sys.stdout)
    return 0


def _migrate(_: argparse.Namespace) -> int:
    from app.db.migrate import head_of, upgrade
    from config.settings import Settings

    Settings.from_environ().data.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = _engine()
    upgrade(engine)
    engine.dispose()
    print(f"The database is at {head_of()}.")
    return 0


def _keys_init(_: argparse.Namespace) -> int:
    from app.keys import Keys
    from config.settings import Settings

    made = Keys.init(Settings.from_environ().keys)
    print("\n".join(f"made {path}" for path in made) or "All keys are there already.")
    return 0


# ---------------------------------------------------------------------------------------------------------- payments


def _payment_unknown(_: argparse.Namespace) -> int:
    from app.journey.payments.read import open_outcomes

    with _services().reading() as uow:
        found = open_outcomes(uow.session)
    for one in found:
        promise = f"promised by {one.know_by:%Y-%m-%d %H:%M}Z" if one.know_by else "promised by nothing"
        if one.untold_since:
            promise = f"the bank cannot be asked by us since {one.untold_since:%Y-%m-%d %H:%M}Z: ask it yourself"
        print(
            f"{one.id}  bank {one.bank_id} {one.bank_payment_id or '-'}  since {one.since:%Y-%m-%d %H:%M}Z"
            f"  {promise}  promises broken {one.promises_broken}"
        )
    print(f"{len(found)} payments with an unknown outcome")
    return 1 if any(one.promises_broken or one.untold_since for one in found) else 0


def _payment_resolve(chosen: argparse.Namespace) -> int:
    from app.journey.payments.service import resolve

    with _services().unit_of_work() as uow:
        changed = resolve(uow, payment_id=chosen.payment, executed=chosen.executed, because=chosen.because)
        uow.commit()
    print("Written down, and told." if changed else "That is what it said already; nothing was changed.")
    return 0


# ---------------------------------------------------------------------------------------------------- reconciliation


def _reconcile(_: argparse.Namespace) -> int:
    from app.journey.reconciliation.read import differences

    with _services().reading() as uow:
        found = differences(uow.session)
    for one in found:
        print(one)
    still_open = sum(one.because is None for one in found)
    print(f"{still_open} open differences, {len(found) - still_open} accepted")
    return 1 if still_open else 0


def _reconcile_statement(chosen: argparse.Namespace) -> int:
    from app.journey.reconciliation.service import import_statement

    services = _services()
    for path in chosen.files:
        print(f"{path}: {import_statement(services, path.read_bytes())}")
    return 0


def _reconcile_ask(chosen: argparse.Namespace) -> int:
    import datetime as dt

    from app.journey.reconciliation.service import ask

    print(f"{ask(_services(), since=dt.timedelta(days=chosen.since))} payments are asked about next")
    return 0


def _reconcile_accept(chosen: argparse.Namespace) -> int:
    from app.journey.reconciliation.service import accept

    with _services().unit_of_work() as uow:
        accept(uow, difference_id=chosen.difference, because=chosen.because)
        uow.commit()
    print("Noted. It is listed apart from now on.")
    return 0


def _reconcile_account_add(chosen: argparse.Namespace) -> int:
    from app.journey.reconciliation.service import add_account, believe

    services = _services()
    with services.unit_of_work() as uow:
        add_account(uow, iban=chosen.iban, because=chosen.because)
        uow.commit()
    print(f"Registered. {believe(services)} payments changed by statements that were here already.")
    return 0


def _reconcile_account_list(_: argparse.Namespace) -> int:
    from app.journey.reconciliation.service import list_accounts

    with _services().reading() as uow:
        for one in list_accounts(uow.session):
            print(f"{one.iban}  since {one.added_at:%Y-%m-%d}: {one.because}")
    return 0


def _reconcile_account_remove(chosen: argparse.Namespace) -> int:
    from app.journey.reconciliation.service import remove_account

    with _services().unit_of_work() as uow:
        remove_account(uow, iban=chosen.iban)
        uow.commit()
    print("Its statements prove nothing from now on. What they moved stays: see quittance reconcile.")
    return 0


# -------------------------------------------------------------------------------------------------------------- work


def _work_list(_: argparse.Namespace) -> int:
    from app.operations import list_work

    return _about_work(list_work)


def _work_dead(_: argparse.Namespace) -> int:
    from app.operations import list_dead

    return _about_work(list_dead)


def _work_replay(chosen: argparse.Namespace) -> int:
    from app.operations import replay

    return _about_work(replay, keys=None if chosen.all else chosen.keys)


def _about_work(verb: Callable[..., list[str]], **how: Any) -> int:
    from app.services import utc_now

    engine = _engine()
    try:
        print("\n".join(verb(engine, now=utc_now(), **how)))
    finally:
        engine.dispose()
    return 0


# ----------------------------------------------------------------------------------------------------------- billers


def _biller_add(chosen: argparse.Namespace) -> int:
    from app.people.billers import add_biller

    with _services().unit_of_work() as uow:
        biller = add_biller(uow, name=chosen.name, country=chosen.country, vat_id=chosen.vat, ibans=chosen.iban)
        uow.commit()
    print(biller.id)
    return 0


def _biller_client(chosen: argparse.Namespace) -> int:
    from app.errors import Invalid
    from app.people.clients import add_client

    try:
        jwks = json.loads(chosen.jwks.read_text("utf-8"))
    except ValueError as error:
        raise Invalid("jwks", f"{chosen.jwks} is not JSON: {error}.") from error
    if not isinstance(jwks, dict):
        raise Invalid("jwks", f"{chosen.jwks} is not a JWK Set: an object with keys.")
    with _services().unit_of_work() as uow:
        client_id = add_client(uow, biller_id=chosen.biller, jwks=jwks, scope=chosen.scope)
        uow.commit()
    print(client_id)
    return 0


def _biller_webhook(chosen: argparse.Namespace) -> int:
    from app.errors import NotFound
    from app.journey.webhooks.service import add_endpoint
    from app.people.models import Biller

    services = _services()
    with services.unit_of_work() as uow:
        if uow.session.get(Biller, chosen.biller) is None:
            raise NotFound("biller")
        endpoint_id, secret = add_endpoint(services, uow, biller_id=chosen.biller, url=chosen.url)
        uow.commit()
    print(f"{endpoint_id}\n{secret}  (shown this once: give it to the biller)")
    return 0


# ------------------------------------------------------------------------------------------------------------- banks


def _bank_list(_: argparse.Namespace) -> int:
    from app.keys import Keys
    from app.services import open_banks, utc_now
    from config.settings import Settings
    from connectors.inspection.listing import listing

    settings = Settings.from_environ()
    print("\n".join(listing(open_banks(settings, Keys.load(settings.keys), utc_now), now=utc_now())))
    return 0


def _bank_check(chosen: argparse.Namespace) -> int:
    from app.services import utc_now
    from connectors.inspection.check import check
    from connectors.inspection.finding import Verdict
    from connectors.profile import ProfileError

    try:
        banks = _one_bank(chosen.bank)
    except ProfileError as error:
        print(f"wrong file          {error}")
        return 1
    verdicts = set()
    for finding in check(banks.profile(chosen.bank), banks, clock=utc_now):
        print(finding, flush=True)
        verdicts.add(finding.verdict)
    return 1 if Verdict.WRONG in verdicts else 0


def _bank_register(chosen: argparse.Namespace) -> int:
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
        wanted = Wanted(statement=chosen.ssa.read_text("ascii").strip(), redirect_uris=chosen.redirect_uri)
        done = ours.update(wanted) if chosen.update else ours.create(wanted)
    print(json.dumps(done.members, indent=2, sort_keys=True, default=str))
    print(f"\nIn {chosen.bank}.toml it must say:\nclient_id = {json.dumps(done.client_id)}")
    return 0


def _bank_subscribe(chosen: argparse.Namespace) -> int:
    from app.errors import Conflict
    from app.keys import Keys
    from app.services import open_banks, utc_now
    from config.settings import Settings
    from connectors.capabilities import Notifies
    from connectors.errors import BankError

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
                print(f"{bank.id}: {error}", file=sys.stderr)
    return 1 if failed else 0


def _say_events(banks: Registry, bank_id: str, chosen: argparse.Namespace, *, base_url: str) -> None:
    """Raises BankError, and Conflict for a bank that cannot: its standard has no events, or it offers none."""
    from app.errors import Conflict
    from connectors.capabilities import Notifies
    from connectors.errors import BankRefused

    bank = banks.connector(bank_id)
    if not isinstance(bank, Notifies):
        raise Conflict("no-events", f"{bank_id}: its standard ({banks.profile(bank_id).standard}) has no events.")
    ours = f"{base_url}/banks/{bank_id}/events"
    try:
        for line in _events(bank, ours, show=chosen.show, delete=chosen.delete):
            print(f"{bank_id}: {line}", flush=True)
    except BankRefused as error:
        why = "it offers no events" if error.http_status == 404 else str(error)
        raise Conflict("no-events", f"{bank_id}: {why} ({error.code}).") from error


def _events(bank: Notifies, ours: str, *, show: bool, delete: bool) -> Iterator[str]:
    """What is there is asked for first, so it is safe to repeat. What the bank has of us is ours, from wherever."""
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
    elif ours in urls:
        yield f"events go to {ours} already"
    elif there:
        bank.change_subscription(there[0].subscription_id, ours, timeout_s=LIMIT_S)
        yield f"events go to {ours}; they went to {urls[0]}"
    else:
        bank.subscribe(ours, timeout_s=LIMIT_S)
        yield f"events go to {ours}"


def _one_bank(bank_id: str) -> Registry:
    """The banks of the installation without all others, which may be wrong. Raises ProfileError, NotFound."""
    from app.errors import NotFound
    from app.keys import Keys
    from app.services import open_banks, utc_now
    from config.settings import Settings
    from connectors.registry import UnknownBank

    settings = Settings.from_environ()
    banks = open_banks(settings, Keys.load(settings.keys), utc_now, only=bank_id)
    try:
        banks.profile(bank_id)
    except UnknownBank as error:
        raise NotFound(f"bank: {settings.banks} has no {bank_id}.toml, or it is a sandbox's and none runs") from error
    return banks


# -------------------------------------------------------------------------------------------------------------- demo


def _demo(chosen: argparse.Namespace) -> int:
    from app.demo.errors import DemoError

    if not chosen.walk and (chosen.times is not None or chosen.bank or chosen.all_banks or chosen.recurring):
        print("quittance demo: --recurring, --times, --bank and --all-banks go with --walk", file=sys.stderr)
        return 2
    if chosen.all_banks and (chosen.times is not None or chosen.bank):
        print("quittance demo: --all-banks goes with neither --times nor --bank", file=sys.stderr)
        return 2
    settings = _demo_settings()
    if chosen.walk:
        from app.demo.walks import walks

        return walks(
            settings,
            times=chosen.times or 1,
            bank_id=chosen.bank,
            all_banks=chosen.all_banks,
            recurring=chosen.recurring,
        )
    if not _is_writable(settings.data):
        raise DemoError(f"The folder {settings.data} may not be written to; choose another one with QUITTANCE_DATA.")
    from app.demo.supervisor import run

    return run(settings)


def _sandbox_bank(chosen: argparse.Namespace) -> int:
    if chosen.standard == "openbanking_uk":
        return _uk_sandbox_bank(chosen)
    if chosen.profile is not None:
        print("quittance sandbox-bank: --profile goes with openbanking_uk", file=sys.stderr)
        return 2
    if chosen.standard == "stet":
        return _stet_sandbox_bank(chosen)
    if (chosen.port, chosen.folder) != (None, None):
        print("quittance sandbox-bank: --port and --folder go with openbanking_uk and stet", file=sys.stderr)
        return 2
    settings = _demo_settings()
    folder = settings.data / "sandbox-bank"
    os.environ.setdefault("SANDBOX_BANK_URL", f"http://127.0.0.1:{settings.bank_port}")
    os.environ.setdefault("SANDBOX_BANK_DATABASE", str(folder / "bank.sqlite3"))
    os.environ.setdefault("SANDBOX_BANK_TPPS", str(folder / "tpps.json"))
    if "SANDBOX_BANK_LEDGER_TOKEN" not in os.environ:
        os.environ["SANDBOX_BANK_LEDGER_TOKEN"] = (folder / "ledger-token").read_text("utf-8").strip()
    _gunicorn("connectors.sandbox_bank.wsgi:application", port=settings.bank_port, threads=16, demo=True)
    return 0


def _uk_sandbox_bank(chosen: argparse.Namespace) -> int:
    from connectors.sandbox_bank import authority
    from connectors.sandbox_bank.openbanking_uk.app import create_uk_bank
    from connectors.sandbox_bank.openbanking_uk.brands import PROFILES
    from connectors.sandbox_bank.openbanking_uk.settings import UkBankSettings

    if chosen.profile not in (None, *PROFILES):
        print(f"quittance sandbox-bank: --profile is one of {', '.join(PROFILES)}", file=sys.stderr)
        return 2
    settings = _demo_settings()
    port = chosen.port or settings.uk_bank_port
    folder = chosen.folder or settings.bank_keys / "sandbox-bank-uk"
    own = settings.data / "sandbox-bank-uk"
    authority.make(folder)
    if chosen.profile is not None:
        os.environ["UK_SANDBOX_BANK_PROFILE"] = chosen.profile
    os.environ.setdefault("UK_SANDBOX_BANK_URL", f"https://127.0.0.1:{port}")
    os.environ.setdefault("UK_SANDBOX_BANK_DATABASE", str(own / "bank.sqlite3"))
    os.environ.setdefault("UK_SANDBOX_BANK_FOLDER", str(folder))
    os.environ.setdefault("UK_SANDBOX_BANK_LEDGER_TOKEN", authority.secret(own / "ledger-token"))
    bank = UkBankSettings.from_environ()
    _gunicorn(lambda: create_uk_bank(bank), port=port, threads=16, demo=True, tls=_sandbox_tls(folder))
    return 0


def _stet_sandbox_bank(chosen: argparse.Namespace) -> int:
    from connectors.sandbox_bank import authority
    from connectors.sandbox_bank.stet.app import create_stet_bank
    from connectors.sandbox_bank.stet.settings import StetBankSettings

    settings = _demo_settings()
    port = chosen.port or settings.stet_bank_port
    folder = chosen.folder or settings.bank_keys / "sandbox-bank-stet"
    own = settings.data / "sandbox-bank-stet"
    authority.make(folder, tpp=authority.SEALED)
    os.environ.setdefault("STET_SANDBOX_BANK_URL", f"https://127.0.0.1:{port}")
    os.environ.setdefault("STET_SANDBOX_BANK_DATABASE", str(own / "bank.sqlite3"))
    os.environ.setdefault("STET_SANDBOX_BANK_FOLDER", str(folder))
    os.environ.setdefault("STET_SANDBOX_BANK_LEDGER_TOKEN", authority.secret(own / "ledger-token"))
    bank = StetBankSettings.from_environ()
    _gunicorn(lambda: create_stet_bank(bank), port=port, threads=16, demo=True, tls=_sandbox_tls(folder))
    return 0


def _sandbox_tls(folder: Path) -> dict[str, object]:
    import ssl

    from connectors.sandbox_bank import authority

    return {
        "certfile": str(folder / authority.SERVER),
        "keyfile": str(folder / authority.SERVER_KEY),
        "ca_certs": str(folder / authority.CA),
        # asked for, so that a TPP can show one; a customer's browser has none
        "cert_reqs": ssl.CERT_OPTIONAL,
    }


def _demo_biller(_: argparse.Namespace) -> int:
    settings = _demo_settings()

    def load() -> object:
        from app.demo.biller import create_biller

        return create_biller(settings)

    _gunicorn(load, port=settings.biller_port, threads=8, demo=True)
    return 0


def _demo_settings() -> Settings:
    """The settings with the demo on: it needs no other, and is refused where the base URL is not this machine."""
    from config.settings import Settings

    os.environ["QUITTANCE_DEMO"] = "true"
    return Settings.from_environ()


def _is_writable(folder: Path) -> bool:
    """Whether files can be made in the folder, or the folder itself where it does not exist yet."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


# ------------------------------------------------------------------------------------------------------ the machinery


def _engine() -> Engine:
    """The installation's database and nothing else of it."""
    from app.db.engine import make_engine
    from config.settings import Settings

    return make_engine(Settings.from_environ().database_url)


def _services() -> Services:
    from app.journey.route import HANDLERS, ROUTE
    from app.services import build_services
    from config.settings import Settings

    return build_services(Settings.from_environ(), route=ROUTE, handlers=HANDLERS)


def _gunicorn(
    application: str | Callable[[], object],
    *,
    conf: Path | None = None,
    port: int = 0,
    threads: int = 0,
    demo: bool,
    tls: Mapping[str, Any] | None = None,
) -> None:
    """Serve until a signal says stop, in this very process: a fault at start comes back here as an exception."""
    from gunicorn.app.base import Application  # type: ignore[import-untyped]
    from gunicorn.util import import_app  # type: ignore[import-untyped]

    class Server(Application):  # type: ignore[misc]
        def load_config(self) -> None:
            if conf is not None:
                self.load_config_from_file(str(conf))
            else:
                small = {"bind": f"127.0.0.1:{port}", "worker_class": "gthread", "workers": 1, "threads": threads}
                for name, value in {
                    **small,
                    **(tls or {}),
                    "control_socket_disable": True,
                    "graceful_timeout": 20,
                }.items():
                    self.cfg.set(name, value)
            if demo:
                self.cfg.set("post_fork", _dying_with_parent(self.cfg.post_fork))

        def load(self) -> object:
            return import_app(application) if isinstance(application, str) else application()

    Server(prog="quittance").run()


def _dying_with_parent(post_fork: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """In the demo no worker outlives a supervisor that was killed."""

    def both(server: Any, worker: Any) -> None:
        from app.demo.processes import die_with_parent

        die_with_parent()
        post_fork(server, worker)

    return both


if __name__ == "__main__":
    sys.exit(main())
