"""`quittance demo --walk`: once or many times, at one bank or at every one that ships, and what is printed of it."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.demo import files, runfile
from app.demo.api_client import BillersClient
from app.demo.authenticator import Authenticator, NoCredentialError
from app.demo.biller_files import BILLERS_FILE, folder_of, private_key
from app.demo.bills import walk_bill
from app.demo.browser import Browser, LateError, LostError, RefusedError
from app.demo.cast import Person
from app.demo.errors import DemoError
from app.demo.loopback import new_session
from app.demo.runfile import Running
from app.demo.truth import Truth
from app.demo.walk import CENTS_MAX, CENTS_MIN, STEPS, DisagreementError, Walk, money
from app.demo.walked_bank import USUAL_BANK, WalkedBank


def walks(settings: Any, *, times: int, bank_id: str | None = None, all_banks: bool = False) -> int:
    """`quittance demo --walk`: through the demo that runs on this data folder, else through one of its own.

    ``bank_id``: the bank that the customer pays from. ``all_banks``: one walk for each that ships, and a table.
    """
    running = runfile.find(settings.data)
    if running is not None:
        return _through(running, settings.data, times=times, bank_id=bank_id, all_banks=all_banks)
    from app.demo.own import own_demo

    with own_demo() as (running, data):
        print(f"No demo runs on {settings.data}: this walk has one of its own, in {data}.\n", flush=True)
        return _through(running, data, times=times, bank_id=bank_id, all_banks=all_banks)


def _through(running: Running, data: Path, *, times: int, bank_id: str | None, all_banks: bool) -> int:
    if all_banks:
        return _all_banks(running, data)
    return _many(running, data, times, bank_id or USUAL_BANK)


def _all_banks(running: Running, data: Path) -> int:
    """One walk for each bank. Exit status 1 when one fails; the others are walked all the same."""
    truth = Truth.of(running.environment)
    try:
        banks = truth.services.banks.all_banks()
    finally:
        truth.close()
    lines, failed = [], 0
    for bank in banks:
        started = time.monotonic()
        print(bank.name, flush=True)
        try:
            done = walk(running, data, bank_id=bank.id)
            said = f"paid {money(done.bill)}"
        except DemoError as error:
            failed += 1
            said = str(error)
        took_s = time.monotonic() - started
        spoken = " ".join(filter(None, (bank.standard, bank.version, bank.security_profile)))
        lines.append(f"{bank.id:<12} {spoken:<44} {took_s:>5.1f} s  {said}")
    print("", *lines, f"{len(lines) - failed} of {len(lines)} banks walked", sep="\n", flush=True)
    return 1 if failed else 0


def _many(running: Running, data: Path, times: int, bank_id: str) -> int:
    took = []
    for number in range(1, times + 1):
        if times > 1:
            print(f"Walk {number} of {times}", flush=True)
        started = time.monotonic()
        done = walk(running, data, bank_id=bank_id)
        took.append(time.monotonic() - started)
        print(_last_line(done, took[-1]) if times == 1 else f"  {took[-1]:.1f} s\n", flush=True)
    if times > 1:
        print(f"All {times} walks agree on every side; {min(took):.1f} to {max(took):.1f} s each.", flush=True)
    return 0


def _last_line(done: Walk, took_s: float) -> str:
    return f"Paid {money(done.bill)} and proved it on every side in {took_s:.1f} s."


def walk(
    running: Running,
    data: Path,
    *,
    bank_id: str = USUAL_BANK,
    on_step: Callable[[str], None] = lambda _: None,
    say: Callable[[str], None] = lambda line: print(line, flush=True),
) -> Walk:
    """Walk once. ``on_step`` is called with the name of each step before it. Raises DemoError naming the step."""
    here = _start(running, data, bank_id)
    try:
        for name, (do, deadline_s) in STEPS.items():
            on_step(name)
            here.browser.until = here.bank.until = here.biller.until = time.monotonic() + deadline_s
            say(_one_step(here, name, do))
    finally:
        here.truth.close()
    return here


def _one_step(here: Walk, name: str, do: Callable[[Walk], str]) -> str:
    started = time.monotonic()
    hiccups = len(_hiccups(here))
    try:
        said = do(here)
    except (LateError, LostError, RefusedError, DisagreementError, NoCredentialError) as error:
        waited_s = time.monotonic() - started
        raise DemoError(f"The walk failed at {name!r} after {waited_s:.1f} s: {error}.{_saw(here)}") from error
    again = len(_hiccups(here)) - hiccups
    note = f"  ({again} times without an answer)" if again else ""
    return f"  {name:<13} {round((time.monotonic() - started) * 1000):>6} ms  {said}{note}"


def _hiccups(here: Walk) -> list[str]:
    return here.seen + here.browser.seen + here.bank.seen + here.biller.seen


def _saw(here: Walk) -> str:
    found = dict.fromkeys(_hiccups(here))
    return f" It saw: {'; '.join(found)}." if found else ""


def _start(running: Running, data: Path, bank_id: str) -> Walk:
    token = secrets.token_hex(4)
    person = _somebody(token)
    billers = files.read_json(folder_of(data) / BILLERS_FILE)
    cents = CENTS_MIN + secrets.randbelow(CENTS_MAX - CENTS_MIN)
    truth = Truth.of(running.environment)
    at = WalkedBank.of(truth.services, bank_id)
    bill = walk_bill(
        token=token, today=dt.datetime.now(dt.UTC).date(), customer=person, cents=cents, currency=at.currency
    )
    return Walk(
        running=running,
        data=data,
        truth=truth,
        at=at,
        customer=person,
        browser=Browser(running.base_url),
        bank=Browser(at.url, _session=at.session()),
        biller=Browser(running.biller_url),
        passkey=Authenticator(running.base_url),
        client=BillersClient(
            running.base_url,
            client_id=billers[bill.company.slug]["client_id"],
            private_key=private_key(folder_of(data), bill.company.slug),
            session=new_session(),
        ),
        bill=bill,
    )


def _somebody(token: str) -> Person:
    return Person(
        key=token,
        name=f"Alix {token}",
        email=f"walk-{token}@example.org",
        locale="en",
        time_zone="Europe/London",
        street="1, rue de l’Essai",
        postcode="67000",
        city="Strasbourg",
        country="FR",
    )
