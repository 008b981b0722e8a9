"""Billers: letting a vetted company in, with the accounts that its bills are to name."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session
from stdnum import get_cc_module

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, Invalid
from app.people import accounts, names
from app.people.models import Biller
from consent.base import new_id

NAME_MAX = accounts.HOLDER_MAX
#: of a search; more words find the one that is meant
FOUND_MOST = 20


def add_biller(
    uow: UnitOfWork, *, name: str, country: str, vat_id: str | None, ibans: Sequence[str], by: str
) -> Biller:
    """Let a company in that somebody, ``by``, has vetted. Its accounts are proposed: two people are to approve each.

    Raises Invalid for a number with wrong check digits, Conflict.
    """
    if not 1 <= len(name.strip()) <= NAME_MAX or not name.isprintable():
        raise Invalid("biller-name", f"A biller's name has 1 to {NAME_MAX} characters.")
    if len(country) != 2 or not (country.isascii() and country.isalpha() and country.isupper()):
        raise Invalid("country", f"{country!r} is not a country code of two capital letters.")
    if not ibans:
        raise Invalid("no-account", "A biller needs at least one account.")
    checked = [accounts.checked_iban(each) for each in ibans]
    vat_id = _checked_vat_id(vat_id) if vat_id else None
    if vat_id and uow.session.scalar(select(Biller.id).where(Biller.vat_id == vat_id)):
        raise Conflict("biller-known", f"There is a biller with the VAT number {vat_id} already.")
    biller = Biller(id=new_id("blr"), name=name.strip(), vat_id=vat_id, country=country, created_at=uow.now)
    uow.session.add(biller)
    entries.write(uow, Kind.BILLER_REGISTERED, biller)
    uow.session.flush()
    for each in dict.fromkeys(checked):
        accounts.propose(uow, biller_id=biller.id, iban=each, holder=None, by=by)
    return biller


def find_billers(session: Session, typed: str) -> list[Biller]:
    """Vetted billers of whose names each typed word begins a word; at most FOUND_MOST, by name. No word: none."""
    asked = names.words(typed)
    if not asked:
        return []
    begins = [Biller.name_key.contains(f" {word}", autoescape=True) for word in asked]
    return list(session.scalars(select(Biller).where(*begins).order_by(Biller.name, Biller.id).limit(FOUND_MOST)))


def _checked_vat_id(written: str) -> str:
    """Compact form, with the country in front; check digits where the country's rule is known."""
    compact = "".join(written.split()).upper()
    if not (compact.isascii() and compact.isalnum() and compact[:2].isalpha() and 4 <= len(compact) <= 20):
        raise Invalid("vat-id", f"{written!r} is not a VAT number: it begins with the country's two letters.")
    rule = get_cc_module(compact[:2].lower(), "vat")
    if rule is not None and not rule.is_valid(compact):
        raise Invalid("vat-id", f"{written!r} is not a valid VAT number of {compact[:2]}.")
    return compact
