"""What must be right in every bill, whatever its format: dates, amounts, currencies, accounts, references.

The official rules of EN 16931 look at no check digits, so without this a mistyped IBAN would reach a bank.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

from stdnum import iso11649, numdb
from stdnum.ch import esr
from stdnum.exceptions import ValidationError as StdnumError

from app.journey.intake.bill import BillRefused
from app.journey.intake.formats import text
from connectors.money import EXPONENTS, Money, exponent_of

YEAR_MIN = 2000
YEAR_MAX = 2100
_DIGITS_MAX = 15  # of minor units, connectors.money

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_XML_TIME_ZONE = re.compile(r"(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])\Z", re.ASCII)
_XML_DECIMAL = re.compile(r"([+-]?)0*([0-9]{0,40})(?:\.([0-9]{0,40}))?", re.ASCII)
_BETWEEN = re.compile(r"[^A-Za-z0-9]", re.ASCII)
_IBAN_SHAPE = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]+", re.ASCII)
_IBAN_START = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]", re.ASCII)
_BBAN_PART = re.compile(r"([0-9]+)!([nac])", re.ASCII)
_BBAN_KINDS = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Z0-9]"}
_RF_SHAPE = re.compile(r"RF[0-9]{2}[A-Z0-9]+", re.ASCII)
_QRR_LENGTH = 27
_BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?", re.ASCII)
_RATE = re.compile(r"0*(?P<rate>[0-9]{1,2}(?:\.[0-9]{1,6})?|100(?:\.0{1,6})?)", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Exactly one of the two is set."""

    iban: str | None = None  #: electronic form, valid
    other: str | None = None  #: as written


def date(value: str, *, element: str) -> dt.date:
    """A calendar day, written YYYY-MM-DD and nothing else, in the years that a bill can be about."""
    try:
        day = dt.date.fromisoformat(value) if _DATE.fullmatch(value) else None
    except ValueError:
        day = None
    if day is None:
        raise BillRefused("date-refused", f"{text.quoted(value)} is not a date: write YYYY-MM-DD.", element=element)
    if not YEAR_MIN <= day.year <= YEAR_MAX:
        raise BillRefused("date-refused", f"The year must be from {YEAR_MIN} to {YEAR_MAX}.", element=element)
    return day


def xml_date(value: str, *, element: str) -> dt.date:
    """An xsd:date. Its optional time zone is cut off: a due date is the customer's local day."""
    return date(value if len(value) == len("YYYY-MM-DD") else _XML_TIME_ZONE.sub("", value), element=element)


def currency(value: str, *, element: str) -> str:
    """An ISO 4217 code that is money to us: upper case, not XXX, not a made-up one."""
    if value not in EXPONENTS:
        raise BillRefused("currency-refused", f"{text.quoted(value)} is not a currency that we know.", element=element)
    return value


def xml_amount(value: str, code: str, *, element: str) -> Money:
    """An xsd:decimal: a sign and outer zeros are legal; exponents, grouping and other digits are not."""
    match = _XML_DECIMAL.fullmatch(value)
    if match is None or not (match[2] or match[3] or "0" in value):
        raise BillRefused("amount-refused", f"{text.quoted(value)} is not a decimal number.", element=element)
    fraction = (match[3] or "").rstrip("0")
    exponent = exponent_of(code)
    if len(match[2]) + exponent <= _DIGITS_MAX and len(fraction) <= exponent:
        minor = int(match[2] + fraction.ljust(exponent, "0") or "0")
        return Money(-minor if match[1] == "-" else minor, code)
    plain = (match[2] or "0") + (f".{fraction}" if fraction else "")
    return _signed(_money(plain, code, exact=False, element=element), negative=match[1] == "-")


def json_amount(value: str, code: str, *, element: str, signed: bool = False) -> Money:
    """An amount of our own API: exactly the currency's digits (``84.20``), a minus only with ``signed``."""
    if "," in value and re.fullmatch(r"-?[0-9]+,[0-9]+", value, re.ASCII) and len(value) <= text.QUOTE_MAX:
        mended = value.replace(",", ".")
        raise BillRefused("amount-refused", f"'{value}' has a comma: write {mended}, with a dot.", element=element)
    negative = signed and value.startswith("-")
    return _signed(_money(value[negative:], code, exact=True, element=element), negative=negative)


def rate(value: str, *, element: str) -> str:
    """A rate of VAT in per cent, from 0 to 100: a plain decimal like ``5.5``."""
    found = _RATE.fullmatch(value)
    if found is None:
        detail = "The rate of VAT is a number of per cent from 0 to 100, with a dot: write 20 or 5.5."
        raise BillRefused("value-refused", detail, element=element)
    return found["rate"]


def account(value: str, *, element: str) -> Account:
    """An account number: a valid IBAN, however it is written, or something else as written.

    What is written like the IBAN of a country that has them and is none was mistyped or tampered with: refused. What
    else would pass for an account that has none is refused at the door alone (``refuse_iban_in``).
    """
    if not value.isascii():
        detail = "The account holds characters that no account number has. Only A-Z and 0-9 are allowed."
        raise BillRefused("account-refused", detail, element=element)
    written = text.exact(value, element=element, limit=text.ACCOUNT_MAX)
    iban = valid_iban(written)
    if iban:
        return Account(iban=iban)
    if _IBAN_SHAPE.fullmatch(_compact(written)) and _country_of(_compact(written)):
        raise _no_iban(written, element=element)
    return Account(other=written)


def refuse_iban_in(*written: str, element: str) -> None:
    """Raises BillRefused where an IBAN stands in one of these, right or mistyped, however it is spelled.

    Mistyped is what begins like one and is at most a sign longer or shorter: the numbers of some countries begin with
    the letters of theirs.
    """
    for each in written:
        bare = _bare(each)
        country = _country_of(bare) if _IBAN_START.match(bare) else None
        if (country and abs(len(bare) - country.length) <= 1) or _holds_iban(bare):
            raise _no_iban(each, element=element)


def _no_iban(written: str, *, element: str) -> BillRefused:
    if valid_iban(written):
        detail = f"{text.quoted(written)} is an IBAN: send it as one."
    elif _holds_iban(_bare(written)):
        detail = f"{text.quoted(written)} holds an IBAN and more: send the IBAN alone."
    else:
        detail = f"{text.quoted(written)} is not a valid IBAN: check its digits."
    return BillRefused("account-refused", detail, element=element)


def _holds_iban(bare: str) -> bool:
    return any(_iban_at(bare, start) for start in range(len(bare)))


@lru_cache(maxsize=1024)  # the bills of a biller name the same few
def valid_iban(value: str) -> str | None:
    """The IBAN in electronic form, or None: country, length, structure and check digits count (ISO 13616).

    Spaces, hyphens and dots in it, lower case, and the word IBAN before it are spellings of the same.
    """
    bare = _bare(value) if value.isascii() else ""
    found = _iban_at(bare, 0)
    return found if found == bare else None


def iban_length(country: str) -> int | None:
    """Characters of an IBAN of this country; None where it has none."""
    found = _country(country) if _COUNTRY.fullmatch(country) else None
    return found.length if found else None


def _iban_at(bare: str, start: int) -> str | None:
    """The valid IBAN that begins there, whatever follows it."""
    if not _IBAN_START.match(bare, start):
        return None
    # Without the national checks of stdnum: they know a fixed list of banks, and new ones must be let in.
    country = _country_of(bare[start:])
    national = country.bban.match(bare, start + 4) if country else None
    if national is None:
        return None
    digits = "".join(str(int(character, 36)) for character in national[0] + bare[start : start + 4])
    return bare[start : national.end()] if int(digits) % 97 == 1 else None


class _Country(NamedTuple):
    """A country that has IBANs."""

    bban: re.Pattern[str]  #: what follows the check digits
    length: int  #: of the whole


def _country_of(bare: str) -> _Country | None:
    return _country(bare[:2])


@cache
def _country(code: str) -> _Country | None:
    """By the registry that stdnum has; None for a country without IBANs."""
    structure = numdb.get("iban").info(code)[0][1].get("bban")
    if structure is None:
        return None
    parts = _BBAN_PART.findall(structure)
    pattern = re.compile("".join(f"{_BBAN_KINDS[kind]}{{{size}}}" for size, kind in parts), re.ASCII)
    return _Country(pattern, len("DE75") + sum(int(size) for size, _ in parts))


def bic(value: str) -> str | None:
    """The BIC (ISO 9362), or None where the branch field holds something else: a BSB, a sort code."""
    return _compact(value) if _BIC.fullmatch(_compact(value)) else None


def reference(value: str, *, element: str) -> str:
    """A remittance reference as written. One that looks like an ISO 11649 reference must be a right one."""
    written = text.exact(value, element=element, limit=text.REFERENCE_MAX)
    compact = _compact(written)
    if _RF_SHAPE.fullmatch(compact):
        try:
            iso11649.validate(compact)
        except StdnumError:
            detail = f"{text.quoted(written)} looks like an RF creditor reference, but is not a valid one."
            raise BillRefused("reference-refused", detail, element=element) from None
    return written


def is_structured_reference(value: str) -> bool:
    """Whether it is a creditor reference (ISO 11649) or a Swiss QR reference: of one bill, with check digits."""
    compact = _compact(value)
    return (_RF_SHAPE.fullmatch(compact) is not None and iso11649.is_valid(compact)) or (
        len(compact) == _QRR_LENGTH and esr.is_valid(compact)
    )


def country(value: str, *, element: str) -> str:
    """An ISO 3166-1 alpha-2 code by its shape."""
    if not _COUNTRY.fullmatch(value):
        raise BillRefused(
            "text-refused", f"{text.quoted(value)} is not a country code of two letters.", element=element
        )
    return value


def _bare(account: str) -> str:
    """Without what people put between the signs of an account, and without the word IBAN before them."""
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", account)).upper().removeprefix("IBAN")


def _compact(value: str) -> str:
    return value.replace(" ", "").upper()


def _money(value: str, code: str, *, exact: bool, element: str) -> Money:
    try:
        return Money.parse(value, code, exact=exact)
    except ValueError as error:
        raise BillRefused("amount-refused", f"{error}.", element=element) from None


def _signed(money: Money, *, negative: bool) -> Money:
    return Money(-money.minor, money.currency) if negative else money
