"""What an operator reads and does about the durable work: `quittance work …`. Returns lines for a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.db import work
from app.keys.customers import CustomerKeys
from app.people.models import Customer
from consent.private import KeyMissing

HEAD = f"{'handler':<32}{'ready':>8}{'leased':>8}{'waiting':>9}{'dead':>6}  oldest due"


def check_customer_keys(engine: Engine, keys: CustomerKeys) -> None:
    """Raises KeyMissing where there are customers and no key at all: of another installation, or lost. Who went on
    would make new keys, and could never open what was sealed with the old ones. One that is away says nothing."""
    try:
        with Session(engine.execution_options(read_only=True)) as session:
            some = session.scalar(select(Customer.id).where(Customer.mailbox_key.is_not(None)).limit(1))
        is_empty = some is not None and keys.is_empty()
    except DBAPIError:
        return
    if is_empty:
        raise KeyMissing(
            "the database with the customers' keys is empty: put back its newest copy, or mend"
            " QUITTANCE_CUSTOMER_KEYS_URL. Nothing was started."
        )


def list_work(engine: Engine, *, now: dt.datetime) -> list[str]:
    """How many rows of each handler are what, and for how long the oldest one has been due."""
    with Session(engine.execution_options(read_only=True)) as session:
        found = work.standing(session, now)
    return [
        HEAD,
        *(
            f"{one.handler:<32}{one.ready:>8}{one.leased:>8}{one.waiting:>9}{one.dead:>6}  {_span(one.oldest_s)}"
            for one in found
        ),
    ]


def list_dead(engine: Engine, *, now: dt.datetime) -> list[str]:
    """Every dead letter: how often it was tried, since when it is one, and the last error."""
    with Session(engine.execution_options(read_only=True)) as session:
        found = work.dead_letters(session)
    lines = [
        f"{one.key}  {one.tries} tries  dead since {one.dead_at:%Y-%m-%d %H:%M}Z"
        f"  next try in {_span((one.run_at - now).total_seconds())}  {one.last_error or ''}".rstrip()
        for one in found
    ]
    return [*lines, f"{len(found)} dead letters"]


def replay(engine: Engine, *, keys: Sequence[str] | None, now: dt.datetime) -> list[str]:
    """Run these now; None: all dead letters. Raises Invalid for a key that no work has."""
    with Session(engine) as session:
        replayed = work.replay(session, keys=keys, now=now)
        session.commit()
    held = sorted(set(keys or ()) - set(replayed))
    return [
        *(f"{key} is run now." for key in replayed),
        *(f"{key} is in a worker's hands already." for key in held),
        f"{len(replayed)} pieces of work are run now",
    ]


def _span(seconds: float) -> str:
    if seconds <= 0:
        return "-"
    return f"{seconds:.0f} s" if seconds < 600 else str(dt.timedelta(seconds=round(seconds)))
