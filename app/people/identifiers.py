"""By what number a company stands in a public register. Each is checked by its digits, and stored in one form."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping, Sequence

from stdnum import get_cc_module
from stdnum import lei as lei_rules
from stdnum.be import vat as kbo_rules
from stdnum.ch import uid as uid_rules
from stdnum.exceptions import ValidationError
from stdnum.fr import siren as siren_rules
from stdnum.fr import siret as siret_rules

from app.errors import Invalid

VALUE_MAX = 20
#: as Companies House writes them: eight digits, or the register's letters and the rest in digits
_UK_COMPANY = re.compile(r"[0-9]{8}|(?:[A-Z]{2}|R)[0-9]{6,7}")

#: a Swiss VAT number goes on with what VAT is called in one of the country's languages
_UID_LENGTH = len("CHE123456788")
_LEI = re.compile(r"[A-Z0-9]{18}[0-9]{2}")


class Scheme(enum.StrEnum):
    """Whose number it is."""

    VAT = "vat"  #: of any country, with its two letters in front
    SIREN = "siren"  #: a French company
    SIRET = "siret"  #: one place of business of a French company
    LEI = "lei"  #: ISO 17442
    UK_COMPANY = "uk-company"  #: Companies House: it has no check digits
    KBO = "kbo"  #: the Belgian register of enterprises (KBO, BCE)
    UID = "uid"  #: a Swiss enterprise


def parsed(written: str) -> tuple[Scheme, str]:
    """``siren:904 172 681`` → scheme and value. Raises Invalid."""
    scheme, colon, value = written.partition(":")
    try:
        known = Scheme(scheme.strip().lower())
    except ValueError:
        known = None
    if known is None or not colon:
        schemes = ", ".join(Scheme)
        raise Invalid("identifier", f"{written!r} is not like siren:904172681: write one of {schemes}, then a colon.")
    return known, checked(known, value)


def checked(scheme: Scheme, written: str) -> str:
    """In its compact form. Raises Invalid where its digits cannot be right."""
    compact = re.sub(r"[\s.\-/]", "", written).upper()
    if not (compact.isascii() and compact.isalnum() and len(compact) <= VALUE_MAX):
        raise Invalid("identifier", f"{written!r} is not a number of the scheme {scheme}: it has letters and digits.")
    if scheme is Scheme.VAT:
        return _vat(written, compact)
    try:
        value = str(_RULES[scheme](compact))
        if not value.strip("0"):
            raise ValidationError
        return value
    except ValidationError as error:
        raise Invalid(
            "identifier",
            f"{written!r} cannot be right as {scheme}: its digits do not fit. Read it again where you have it from.",
        ) from error


def key_of(scheme: Scheme, value: str) -> str:
    """For comparing only: the same for all forms in which one number may be written. One whose digits nobody can check
    here is its own.

    A British number is one with ``GB`` and, of who trades in Northern Ireland, ``XI`` in front; a Swiss one in
    whichever language it says that it is of VAT. Irish ones of before 2013 are not turned into later ones: the letter
    that would be lost may tell two companies apart.
    """
    if scheme is not Scheme.VAT:
        return value
    try:
        number = checked(scheme, value)
    except Invalid:
        return value
    return number[:_UID_LENGTH] if number.startswith("CH") else re.sub("^XI", "GB", number)


def has_right_digits(scheme: Scheme, value: str) -> bool:
    """Whether it passes the check of its scheme, where there is one that is known here."""
    try:
        return bool(checked(scheme, value))
    except Invalid:
        return False


def is_same_vat(one: str, other: str) -> bool:
    """Whether both are one VAT number, in whatever form its country has it written."""
    return key_of(Scheme.VAT, one) == key_of(Scheme.VAT, other)


def whole(written: Sequence[tuple[Scheme, str]]) -> dict[Scheme, str]:
    """All numbers of one company, with those that follow from another one: a French VAT number has its SIREN in it.

    So one company is not here twice, once by each. Raises Invalid where they are of more than one company.
    """
    found: dict[Scheme, str] = {}
    for scheme, value in [*written, *(each for pair in written for each in _within(*pair))]:
        if key_of(scheme, found.setdefault(scheme, value)) != key_of(scheme, value):
            detail = f"{found[scheme]} and {value} ({scheme}) are not of one company: write those of this one alone."
            raise Invalid("identifiers-differ", detail)
    return found


def _within(scheme: Scheme, value: str) -> list[tuple[Scheme, str]]:
    """What stands in a number of another register, where that is a right one there."""
    inner, part = _PARTS.get((scheme, value[:2] if scheme is Scheme.VAT else ""), (None, slice(0)))
    try:
        return [(inner, str(_RULES[inner](value[part])))] if inner is not None else []
    except ValidationError:
        return []


#: by scheme, and the country of a VAT number: whose number is in it, and where
_PARTS: Mapping[tuple[Scheme, str], tuple[Scheme, slice]] = {
    (Scheme.SIRET, ""): (Scheme.SIREN, slice(0, 9)),
    (Scheme.VAT, "FR"): (Scheme.SIREN, slice(4, None)),
    (Scheme.VAT, "BE"): (Scheme.KBO, slice(2, None)),
    (Scheme.VAT, "CH"): (Scheme.UID, slice(0, _UID_LENGTH)),
}


def _vat(written: str, compact: str) -> str:
    """With the country in front. One whose digits nobody can check here is refused: it would stand for nothing."""
    country = compact[:2]
    if not country.isalpha():
        raise Invalid("vat-id", f"{written!r} is not a VAT number: it begins with the country's two letters.")
    rule = get_cc_module(_SAME_RULE.get(country, country).lower(), "vat")
    if rule is None:
        detail = f"How the VAT numbers of {country} are checked is not known here: give another number."
        raise Invalid("vat-id", detail)
    try:
        digits = str(rule.validate(compact))
    except ValidationError as error:
        raise Invalid("vat-id", f"{written!r} is not a valid VAT number of {country}.") from error
    country = _SAME_COUNTRY.get(country, country)
    return digits if digits.startswith(country) else country + digits


#: letters of VAT numbers that no country has: by whose rule they are checked
_SAME_RULE: Mapping[str, str] = {"EL": "GR", "XI": "GB"}
#: two letters of one country: those that the register knows
_SAME_COUNTRY: Mapping[str, str] = {"GR": "EL"}


def _lei(compact: str) -> str:
    """ISO 17442-1: 18 letters and digits, then two check digits. The library looks at the latter alone."""
    if not _LEI.fullmatch(compact):
        raise ValidationError
    return str(lei_rules.validate(compact))


def _uk_company(compact: str) -> str:
    if not _UK_COMPANY.fullmatch(compact) or len(compact) != 8:
        raise ValidationError
    return compact


_RULES: Mapping[Scheme, Callable[[str], str]] = {
    Scheme.SIREN: siren_rules.validate,
    Scheme.SIRET: siret_rules.validate,
    Scheme.LEI: _lei,
    Scheme.UK_COMPANY: _uk_company,
    Scheme.KBO: kbo_rules.validate,
    Scheme.UID: uid_rules.validate,
}
