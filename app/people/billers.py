"""Billers: letting a vetted company in, with the accounts that its bills may name."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session
from stdnum import get_cc_module, iban
from stdnum.exceptions import ValidationError

from app.audit import entries
from app.audit.kinds import Kind
from app.db.unit_of_work import UnitOfWork
from app.errors import Conflict, Invalid
from app.people import names
from app.people.models import Biller, PayeeAccount
from consent.base import new_id

NAME_MAX = 70  #: longer is no SEPA account holder
#: of a search; more words find the one that is meant
FOUND_MOST = 20


def add_biller(uow: UnitOfWork, *, name: str, country: str, vat_id: str | None, ibans: Sequence[str]) -> Biller:
    """Let a company in that somebody has vetted. Raises Invalid for a number with wrong check digits, Conflict."""
    if not 1 <= len(name.strip()) <= NAME_MAX or not name.isprintable():
        raise Invalid("biller-name", f"A biller's name has 1 to {NAME_MAX} characters.")
    if len(country) != 2 or not (country.isascii() and country.isalpha() and country.isupper()):
        raise Invalid("country", f"{country!r} is not a country code of two capital letters.")
    if not ibans:
        raise Invalid("no-account", "A biller needs at least one account.")
    checked = [checked_iban(each) for each in ibans]
    vat_id = _checked_vat_id(vat_id) if vat_id else None
    if vat_id and uow.session.scalar(select(Biller.id).where(Biller.vat_id == vat_id)):
        raise Conflict("biller-known", f"There is a biller with the VAT number {vat_id} already.")
    biller = Biller(id=new_id("blr"), name=name.strip(), vat_id=vat_id, country=country, created_at=uow.now)
    uow.session.add(biller)
    entries.write(uow, Kind.BILLER_REGISTERED, biller)
    uow.session.flush()
    for account in dict.fromkeys(checked):
        uow.session.add(
            PayeeAccount(id=new_id("acc"), biller_id=biller.id, iban=account, holder=biller.name, created_at=uow.now)
        )
    uow.session.flush()
    return biller


def find_billers(session: Session, typed: str) -> list[Biller]:
    """Vetted billers of whose names each typed word begins a word; at most FOUND_MOST, by name. No word: none."""
    asked = names.words(typed)
    if not asked:
        return []
    begins = [Biller.name_key.contains(f" {word}", autoescape=True) for word in asked]
    return list(session.scalars(select(Biller).where(*begins).order_by(Biller.name, Biller.id).limit(FOUND_MOST)))


def checked_iban(written: str) -> str:
    """As it is stored: without spaces, in capitals. Raises Invalid for wrong check digits."""
    try:
        return str(iban.validate(written.upper(), check_country=False))
    except ValidationError as error:
        raise Invalid("iban", f"{written!r} is not an IBAN with right check digits.") from error


def _checked_vat_id(written: str) -> str:
    """Compact form, with the country in front; check digits where the country's rule is known."""
    compact = "".join(written.split()).upper()
    if not (compact.isascii() and compact.isalnum() and compact[:2].isalpha() and 4 <= len(compact) <= 20):
        raise Invalid("vat-id", f"{written!r} is not a VAT number: it begins with the country's two letters.")
    rule = get_cc_module(compact[:2].lower(), "vat")
    if rule is not None and not rule.is_valid(compact):
        raise Invalid("vat-id", f"{written!r} is not a valid VAT number of {compact[:2]}.")
    return compact
