"""What an account number is, where it is no IBAN. Without it a sort code would be one more unknown text.

A number is called something only when its shape, its check digits and its country say so; else it stays ``other``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stdnum import luhn

from app.journey.intake import links
from app.journey.intake.bill import AccountScheme, Payee
from app.journey.intake.formats import checks

_SEPARATORS = re.compile(r"[ .\-]")
_SIX_DIGITS = re.compile(r"[0-9]{6}", re.ASCII)
_UK_ACCOUNT = re.compile(r"[0-9]{6,8}", re.ASCII)
_UK_BOTH = re.compile(r"[0-9]{14}", re.ASCII)
_AU_ACCOUNT = re.compile(r"[A-Z0-9]{1,9}", re.ASCII)
_BPAY_CODE = re.compile(r"[0-9]{3,10}", re.ASCII)
_BANKGIRO = re.compile(r"[0-9]{3,4}-?[0-9]{4}", re.ASCII)
_PLUSGIRO = re.compile(r"[0-9]{1,7}-?[0-9]", re.ASCII)
_NO_ACCOUNT = re.compile(r"[0-9]{11}", re.ASCII)
_NO_WEIGHTS = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What around an account says whose national numbers it may be."""

    currency: str
    country: str | None = None  #: of the seller
    means_code: str = ""


def payee(name: str, account: checks.Account, branch: str | None, where: Where) -> Payee:
    """``branch`` is BT-86 as written: a BIC, or something national."""
    if account.iban is not None:
        return Payee(name=name, iban=account.iban, bic=checks.bic(branch) if branch else None)
    number = account.other or ""
    return Payee(name=name, other_account=number, branch=branch or None, scheme=_scheme(number, branch or "", where))


def _scheme(number: str, branch: str, where: Where) -> AccountScheme:
    marked = _marked(number, branch, where)
    if marked is not None:
        return marked
    digits, sort = _SEPARATORS.sub("", number), _SEPARATORS.sub("", branch)
    if (where.country or "") in ("AU", "NZ") or where.currency == "AUD":
        bsb = _SIX_DIGITS.fullmatch(sort) and _AU_ACCOUNT.fullmatch(digits)
        return AccountScheme.AU_BSB if bsb else AccountScheme.OTHER
    if where.country == "GB" or where.currency == "GBP":
        both = _SIX_DIGITS.fullmatch(sort) and _UK_ACCOUNT.fullmatch(digits)
        return AccountScheme.UK_SORT_CODE if both or _UK_BOTH.fullmatch(digits) else AccountScheme.OTHER
    if where.country == "NO" or where.currency == "NOK":
        return AccountScheme.NO_ACCOUNT if _is_norwegian(digits) else AccountScheme.OTHER
    if where.country == "SE" or where.currency == "SEK":
        return _swedish(number)
    return AccountScheme.OTHER


def _marked(number: str, branch: str, where: Where) -> AccountScheme | None:
    """By a word that the profile of a country puts beside the number."""
    if links.is_page(number) or branch.upper() == "URI":
        return AccountScheme.LINK
    if branch.upper() == "BPAY":
        return AccountScheme.AU_BPAY if _BPAY_CODE.fullmatch(number) else AccountScheme.OTHER
    if where.means_code == "Z02":
        return AccountScheme.SG_PAYNOW
    giro = {"SE:BANKGIRO": AccountScheme.SE_BANKGIRO, "SE:PLUSGIRO": AccountScheme.SE_PLUSGIRO}.get(branch.upper())
    return giro if giro and luhn.is_valid(_SEPARATORS.sub("", number)) else None


def _swedish(number: str) -> AccountScheme:
    """Both giros are written with a hyphen and end with a Luhn digit; without the hyphen either could be meant."""
    if "-" not in number or not luhn.is_valid(number.replace("-", "")):
        return AccountScheme.OTHER
    if _BANKGIRO.fullmatch(number):
        return AccountScheme.SE_BANKGIRO
    return AccountScheme.SE_PLUSGIRO if _PLUSGIRO.fullmatch(number) else AccountScheme.OTHER


def _is_norwegian(digits: str) -> bool:
    """Eleven digits, the last one by mod 11."""
    if not _NO_ACCOUNT.fullmatch(digits):
        return False
    check = -sum(int(digit) * weight for digit, weight in zip(digits, _NO_WEIGHTS, strict=False)) % 11
    return check == int(digits[10])
