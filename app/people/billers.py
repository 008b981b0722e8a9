"""Billers: writing a company down that is to be vetted, with its accounts; finding one that is."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.errors import Invalid
from app.people import accounts, biller_queue, names, vetting
from app.people.biller_states import BillerState
from app.people.identifiers import Scheme, whole
from app.people.models import Biller
from app.people.resemblance import checked_name
from consent.base import new_id

#: of a search; more words find the one that is meant
FOUND_MOST = 20


def add_biller(
    uow: UnitOfWork,
    *,
    name: str,
    country: str,
    identifiers: Sequence[tuple[Scheme, str]],
    ibans: Sequence[str],
    by: str,
) -> Biller:
    """Write a company down that wants to come in, with its numbers in public registers (``identifiers.checked``).

    It and its accounts are proposed: two people are to approve each. Raises Invalid, and Conflict for a number that
    another biller has.
    """
    name = checked_name(name)
    if len(country) != 2 or not (country.isascii() and country.isalpha() and country.isupper()):
        raise Invalid("country", f"{country!r} is not a country code of two capital letters.")
    numbers = whole(identifiers)
    if not numbers:
        schemes = ", ".join(Scheme)
        raise Invalid("no-identifier", f"A biller needs at least one number in a public register: {schemes}.")
    checked = [accounts.checked_iban(each) for each in ibans]
    biller = Biller(
        id=new_id("blr"), name=name, vat_id=numbers.get(Scheme.VAT), country=country, created_at=uow.now, sequence=0
    )
    uow.session.add(biller)
    entries.write(uow, Kind.BILLER_REGISTERED, biller)
    uow.session.flush()
    vetting.begin(uow, biller, identifiers=numbers, by=by)
    for each in dict.fromkeys(checked):
        accounts.propose(uow, biller_id=biller.id, iban=each, holder=None, by=by)
    return biller


def locked_to_read(session: Session, biller_id: str) -> Biller:
    """As it is now, and stays until the caller's transaction ends: who suspends it waits, who reads it too does not,
    unless somebody waits to suspend it: a company that never stops delivering does not keep that off.

    Who delivers locks its biller first, then the connection, then what is held.
    """
    biller_queue.wait_to_read(session, biller_id)
    return session.get_one(Biller, biller_id, with_for_update={"read": True}, populate_existing=True)


def find_billers(session: Session, typed: str) -> list[Biller]:
    """Vetted billers of whose names each typed word begins a word; at most FOUND_MOST, by name. No word: none."""
    asked = names.words(typed)
    if not asked:
        return []
    begins = [Biller.state == BillerState.VETTED]
    begins += [Biller.name_key.contains(f" {word}", autoescape=True) for word in asked]
    return list(session.scalars(select(Biller).where(*begins).order_by(Biller.name, Biller.id).limit(FOUND_MOST)))
