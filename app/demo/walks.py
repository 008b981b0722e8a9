"""`quittance demo --walk`: once or many times, at one bank or at every one that ships, and what is printed of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.demo import recurring_walk, runfile, steps
from app.demo import walk as one_bill
from app.demo.errors import DemoError, NotOffered
from app.demo.recurring_walk import RECURRING_STEPS, USUAL_RECURRING_BANK, RecurringWalk, banks_of, pounds
from app.demo.runfile import Running
from app.demo.shared_steps import Walk, money
from app.demo.steps import AnyWalk, Steps
from app.demo.truth import Truth
from app.demo.walked_bank import USUAL_BANK
from connectors.registry import Registry

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What can be walked. ``once`` says in a few words what was done; it raises DemoError, and NotOffered."""

    usual_bank: str
    proved: str  #: how the last line goes on
    banks: Callable[[Registry], list[str]]
    once: Callable[[Running, Path, str], str]


def walks(
    settings: Any, *, times: int, bank_id: str | None = None, all_banks: bool = False, recurring: bool = False
) -> int:
    """`quittance demo --walk`: through the demo that runs on this data folder, else through one of its own.

    ``bank_id``: the bank that the customer pays from. ``all_banks``: one walk for each that ships, and a table.
    ``recurring``: payments under one consent instead of one bill's.
    """
    kind = RECURRING if recurring else ONE_BILL
    running = runfile.find(settings.data)
    if running is not None:
        return _through(running, settings.data, kind, times=times, bank_id=bank_id, all_banks=all_banks)
    from app.demo.own import own_demo

    with own_demo() as (running, data):
        print(f"No demo runs on {settings.data}: this walk has one of its own, in {data}.\n", flush=True)
        return _through(running, data, kind, times=times, bank_id=bank_id, all_banks=all_banks)


def _through(running: Running, data: Path, kind: Kind, *, times: int, bank_id: str | None, all_banks: bool) -> int:
    if all_banks:
        return _all_banks(running, data, kind)
    return _many(running, data, kind, times, bank_id or kind.usual_bank)


def _all_banks(running: Running, data: Path, kind: Kind) -> int:
    """One walk for each bank. Exit status 1 when one fails; the others are walked all the same."""
    with closing(Truth.of(running.environment)) as truth:
        banks = [truth.services.banks.profile(bank_id) for bank_id in kind.banks(truth.services.banks)]
    lines, walked, failed = [], 0, 0
    for bank in banks:
        started = time.monotonic()
        print(bank.name, flush=True)
        try:
            said = kind.once(running, data, bank.id)
            walked += 1
        except NotOffered as error:
            said = str(error)
        except DemoError as error:
            failed += 1
            said = str(error)
        took_s = time.monotonic() - started
        spoken = " ".join(filter(None, (bank.standard, bank.version, bank.security_profile)))
        lines.append(f"{bank.id:<12} {spoken:<44} {took_s:>5.1f} s  {said}")
    print("", *lines, f"{walked} of {len(lines)} banks walked", sep="\n", flush=True)
    return 1 if failed else 0


def _many(running: Running, data: Path, kind: Kind, times: int, bank_id: str) -> int:
    took = []
    for number in range(1, times + 1):
        if times > 1:
            print(f"Walk {number} of {times}", flush=True)
        started = time.monotonic()
        try:
            said = kind.once(running, data, bank_id)
        except NotOffered as error:
            print(f"{error}.", flush=True)
            return 0
        took.append(time.monotonic() - started)
        last = f"{said[0].upper()}{said[1:]} {kind.proved} in {took[-1]:.1f} s."
        print(last if times == 1 else f"  {took[-1]:.1f} s\n", flush=True)
    if times > 1:
        print(f"All {times} walks agree on every side; {min(took):.1f} to {max(took):.1f} s each.", flush=True)
    return 0


def walk(running: Running, data: Path, *, bank_id: str = USUAL_BANK, **tell: Tell) -> Walk:
    """Walk one bill. ``tell``: whom, as ``steps.take`` has it. Raises DemoError naming the step."""
    return _walked(one_bill.begin, one_bill.STEPS, running, data, bank_id, **tell)


def walk_recurring(running: Running, data: Path, *, bank_id: str = USUAL_RECURRING_BANK, **tell: Tell) -> RecurringWalk:
    """The same for one standing consent. Raises NotOffered, too."""
    return _walked(recurring_walk.begin, RECURRING_STEPS, running, data, bank_id, **tell)


def _walked(
    begin: Callable[[Truth, Running, Path, str], AnyWalk],
    table: Steps[AnyWalk],
    running: Running,
    data: Path,
    bank_id: str,
    **tell: Tell,
) -> AnyWalk:
    with closing(Truth.of(running.environment)) as truth:
        here = begin(truth, running, data, bank_id)
        steps.take(here, table, **tell)
    return here


def _one_bill(running: Running, data: Path, bank_id: str) -> str:
    return f"paid {money(walk(running, data, bank_id=bank_id).bill)}"


def _recurring(running: Running, data: Path, bank_id: str) -> str:
    return f"paid {pounds(walk_recurring(running, data, bank_id=bank_id).used)} within the limits of one consent"


ONE_BILL = Kind(
    usual_bank=USUAL_BANK,
    proved="and proved it on every side",
    banks=lambda banks: [bank.id for bank in banks.all_banks()],
    once=_one_bill,
)
RECURRING = Kind(
    usual_bank=USUAL_RECURRING_BANK,
    proved="and nothing beyond them, by the bank's books,",
    banks=banks_of,
    once=_recurring,
)
