"""Making and ending the secret addresses of a customer's calendar, and what one of them is told now.

Whoever has the address reads the days, and can do nothing with it. It is shown once and kept as a hash; what it says is
as discreet as its customer chose. Whoever stops everything makes all of theirs discreet: a stranger may have made one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.db.events import Event
from app.db.unit_of_work import UnitOfWork
from app.errors import Invalid, NotFound
from app.journey.calendars.models import CalendarFeed, Detail
from app.journey.calendars.rules import Line, Told, told
from app.people import stops
from app.people.customers import lock_customer
from app.people.events import CustomerStopped
from app.people.models import Customer
from app.people.sessions import SignedIn
from app.services import Services
from consent.base import hash_of, new_id, new_secret

#: open ones of one customer
FEEDS_MOST = 3
#: how stale ``read_at`` may be: a reading is not a database write each time
READ_STEP = dt.timedelta(seconds=60)


def make(uow: UnitOfWork, *, signed_in: SignedIn, detail: str) -> str:
    """The token, which nobody can be told again. Raises Invalid, NotAllowed, and Conflict while a stop stands."""
    signed_in.check_acts()
    if detail not in set(Detail):
        raise Invalid("calendar-detail", "Choose how much the calendar may say. Nothing was made.")
    customer_id = signed_in.customer.id
    lock_customer(uow.session, customer_id)
    stops.hold_off(uow.session, customer_id)
    stops.must_not_stand(uow, customer_id)
    is_open = (CalendarFeed.customer_id == customer_id, CalendarFeed.ended_at.is_(None))
    if uow.session.scalars(select(func.count()).select_from(CalendarFeed).where(*is_open)).one() >= FEEDS_MOST:
        raise Invalid("too-many-calendars", f"There are {FEEDS_MOST} already. End one first.")
    token = new_secret()
    uow.session.add(
        CalendarFeed(
            id=new_id("cal"),
            token_hash=hash_of(token),
            customer_id=customer_id,
            detail=Detail(detail),
            created_at=uow.now,
            told={},
            changes=0,
        )
    )
    return token


def end(uow: UnitOfWork, *, signed_in: SignedIn, feed_id: str) -> None:
    """From now on it is as one that never was. May be repeated. Raises NotFound, NotAllowed."""
    signed_in.check_acts()
    row = uow.session.get(CalendarFeed, feed_id, with_for_update=True)
    if row is None or row.customer_id != signed_in.customer.id:
        raise NotFound("calendar")
    row.ended_at = row.ended_at or uow.now
    row.told = {}  # nobody is told anything any more


def find(session: Session, *, token: str) -> tuple[CalendarFeed, Customer] | None:
    """Which feed it opens, and whose. None: none."""
    found = session.execute(
        select(CalendarFeed, Customer)
        .join(Customer, Customer.id == CalendarFeed.customer_id)
        .where(CalendarFeed.token_hash == hash_of(token), CalendarFeed.ended_at.is_(None))
    ).one_or_none()
    return None if found is None else (found[0], found[1])


def note_read(services: Services, feed: CalendarFeed, lines: Sequence[Line]) -> list[Told] | None:
    """What is said of these now. Written where something changed, or it was not read for a while. None: meanwhile it
    was ended, or may say less than it could when the lines were made."""
    now = services.clock()
    found, kept, changes = told(lines, feed.told, changes=feed.changes, now=now)
    was_read = feed.read_at is not None and now - feed.read_at <= READ_STEP
    if was_read and kept == feed.told:
        return found
    with services.unit_of_work() as uow:
        row = uow.session.get_one(CalendarFeed, feed.id, with_for_update=True)
        if row.ended_at is not None or row.detail != feed.detail:
            return None
        found, kept, changes = told(lines, row.told, changes=row.changes, now=uow.now)  # another reading came first
        row.told, row.changes, row.read_at = kept, changes, uow.now
        uow.commit()
    return found


def make_discreet_at_once(uow: UnitOfWork, events: Sequence[Event]) -> None:
    """CustomerStopped: whoever else has an address reads days from then on, and neither a name nor an amount."""
    for event in events:
        if isinstance(event, CustomerStopped):
            theirs = update(CalendarFeed).where(CalendarFeed.customer_id == event.customer_id)
            uow.session.execute(theirs.values(detail=Detail.DISCREET).execution_options(synchronize_session=False))
