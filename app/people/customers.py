"""Customers: making a space for a new one, and their own calendar day."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db.unit_of_work import UnitOfWork
from app.errors import FieldError, Invalid
from app.people import mailboxes
from app.people.models import Customer
from consent.base import new_id

_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
LOCALES = ("en", "fr")
#: of one address that are looked at
SPACES_MOST = 50
#: by their own clock
MORNING = dt.time(6)


def checked_name_and_email(name: object, email: object) -> tuple[str, str]:
    """Strip and check what a person typed. Raises Invalid naming the field."""
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= 100 or not name.strip().isprintable():
        raise _field("name", "Write your name, at most 100 characters.")
    return name.strip(), checked_email(email)


def checked_email(email: object) -> str:
    """The same for an address alone."""
    address = email.strip() if isinstance(email, str) else ""
    if len(address) > 254 or not address.isprintable() or not _EMAIL.fullmatch(address):
        raise _field("email", "Write an e-mail address like camille@example.org.")
    return address.lower()


def add_customer(
    uow: UnitOfWork, *, name: str, email: str, locale: str, time_zone: str, demo: bool = False
) -> Customer:
    """Make a space for a new customer. Nothing is said about whether the e-mail address is in use elsewhere."""
    zoneinfo.ZoneInfo(time_zone)  # an unknown zone must not be stored
    customer = Customer(
        id=new_id("cus"),
        name=name,
        **mailboxes.of_address(uow.session, email),
        time_zone=time_zone,
        locale=locale if locale in LOCALES else LOCALES[0],
        demo=demo,
        created_at=uow.now,
    )
    uow.session.add(customer)
    uow.session.flush()
    return customer


def demo_customers(session: Session) -> list[Customer]:
    """Those that may be visited read-only while the demo setting is on."""
    return list(session.scalars(select(Customer).where(Customer.demo).order_by(Customer.id).limit(10)))


def today_of(customer: Customer, now: dt.datetime) -> dt.date:
    """The customer's own calendar day: what "today" means on every page and in every decision."""
    return now.astimezone(zoneinfo.ZoneInfo(customer.time_zone)).date()


def morning_of(day: dt.date, *, time_zone: str) -> dt.datetime:
    """When what a customer means to pay on that day of theirs begins: before banks close for it, wherever they are."""
    return dt.datetime.combine(day, MORNING, zoneinfo.ZoneInfo(time_zone)).astimezone(dt.UTC)


def start_of(day: dt.date, *, time_zone: str) -> dt.datetime:
    """When that day of a customer's begins."""
    return dt.datetime.combine(day, dt.time(), zoneinfo.ZoneInfo(time_zone)).astimezone(dt.UTC)


def _field(name: str, detail: str) -> Invalid:
    return Invalid("field", detail, errors=(FieldError(f"/{name}", detail),))


def lock_customer(session: Session, customer_id: str) -> None:
    """Hold this customer until the transaction ends: what is counted of theirs meanwhile stays so."""
    session.get_one(Customer, customer_id, with_for_update={"key_share": True})
