"""What a customer says of their money, and takes back. Nothing of it moves any."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import delete, func, select

from app.db.unit_of_work import UnitOfWork
from app.db.upsert import insert_once
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.journey.outlook.models import Outlook, Payday
from app.journey.outlook.rules import NAME_MAX, PAYDAYS_MOST, Every
from app.people.customers import today_of
from app.people.sessions import SignedIn
from connectors.money import Money, Total
from consent.base import new_id

#: how far ahead money may be said to come
AHEAD_MOST = dt.timedelta(days=366)


def say(uow: UnitOfWork, *, signed_in: SignedIn, balance: Total, floor: Total) -> None:
    """What they have today, and below what they do not want to go. In the place of what they said before. Raises
    NotAllowed (demo visit), and Invalid for another currency than that of the money that comes."""
    signed_in.check_acts()
    customer = signed_in.customer
    values = {
        "currency": balance.currency,
        "balance_minor": balance.minor,
        "balance_on": today_of(customer, uow.now),
        "floor_minor": floor.minor,
        "updated_at": uow.now,
    }
    if insert_once(uow.session, Outlook, {"customer_id": customer.id, **values}, unique=["customer_id"]):
        return
    row = _locked(uow, customer.id)
    if row is None:  # it was forgotten in this very moment
        raise Conflict("outlook", "This was changed elsewhere in this moment. Nothing was kept: say it again.")
    if row.currency != balance.currency and _count(uow, customer.id):
        raise _wrong("currency", "Remove the money that comes first: it is in another currency.")
    for name, value in values.items():
        setattr(row, name, value)


def add_payday(
    uow: UnitOfWork, *, signed_in: SignedIn, name: str, amount: Money, every: Every, next_on: dt.date
) -> Payday:
    """Money that comes. Raises NotAllowed, and Invalid: also where nothing was said yet of what they have."""
    signed_in.check_acts()
    customer = signed_in.customer
    row = _locked(uow, customer.id)
    if row is None:
        raise _wrong("balance", "Say first what you have.")
    today, written = today_of(customer, uow.now), name.strip()
    if not 1 <= len(written) <= NAME_MAX or not written.isprintable():
        raise _wrong("name", f"Write what it is, with at most {NAME_MAX} characters.")
    if amount.currency != row.currency or amount.minor <= 0:
        raise _wrong("amount", "Write an amount.")
    if not today < next_on <= today + AHEAD_MOST:
        raise _wrong("next_on", "Choose a day from tomorrow on, within a year.")
    if _count(uow, customer.id) >= PAYDAYS_MOST:
        raise _wrong("name", f"There are {PAYDAYS_MOST} already: remove one of them first.")
    payday = Payday(
        id=new_id("pdy"),
        customer_id=customer.id,
        name=written,
        amount_minor=amount.minor,
        every=every,
        next_on=next_on,
        created_at=uow.now,
    )
    uow.session.add(payday)
    uow.session.flush()
    return payday


def remove_payday(uow: UnitOfWork, *, signed_in: SignedIn, payday_id: str) -> None:
    """Raises NotAllowed, and NotFound alike for none and for somebody else's."""
    signed_in.check_acts()
    payday = uow.session.get(Payday, payday_id, populate_existing=True, with_for_update=True)
    if payday is None or payday.customer_id != signed_in.customer.id:
        raise NotFound("payday")
    uow.session.delete(payday)


def forget(uow: UnitOfWork, *, signed_in: SignedIn) -> None:
    """All that they said. Forgotten again it is the same. Raises NotAllowed."""
    signed_in.check_acts()
    of_customer = signed_in.customer.id
    uow.session.execute(delete(Payday).where(Payday.customer_id == of_customer))
    uow.session.execute(delete(Outlook).where(Outlook.customer_id == of_customer))


def _locked(uow: UnitOfWork, customer_id: str) -> Outlook | None:
    return uow.session.get(Outlook, customer_id, with_for_update=True, populate_existing=True)


def _count(uow: UnitOfWork, customer_id: str) -> int:
    return uow.session.scalars(select(func.count()).select_from(Payday).where(Payday.customer_id == customer_id)).one()


def _wrong(field: str, detail: str) -> Invalid:
    return Invalid("outlook", detail, errors=(FieldError(f"/{field}", detail),))
