"""Finding a bank by what a customer knows of it: a piece of its name, its country, its BIC, or the own account.

An account number (IBAN, or sort code) belongs to the customer and says who that is: `is_account` comes before anything
else is done with what was typed, and `by_account` looks at the part that names the bank, and keeps nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from babel import Locale

from app.people.names import words as _words
from connectors.profile import BankProfile
from connectors.profile_schema import BIC

#: from so many figures on it is rather an account than a bank: BICs have none or few
_FIGURES_OF_AN_ACCOUNT = 4

_IBAN_BEGINS = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]*")
_BETWEEN = re.compile(r"[\W_]+")
#: of an account number in these countries, a letter before the bank that only checks the rest (the Italian CIN)
_CHECK_LETTERS = {"IT": 1, "SM": 1}
#: how people call a country beside its names and its two letters
_ALSO_CALLED = {"GB": ("UK", "Britain", "England", "Scotland", "Wales")}


def is_account(typed: str) -> bool:
    """Whether it may be an account number, whole or in part: then it goes into no address and no page."""
    text = _together(typed)
    if BIC.fullmatch(text):
        return False
    return _IBAN_BEGINS.fullmatch(text) is not None or sum(map(str.isdigit, text)) >= _FIGURES_OF_AN_ACCOUNT


def by_words(banks: Iterable[BankProfile], typed: str) -> list[BankProfile]:
    """Those of which each typed word begins a word: first by the name's beginning, then name, BIC, country."""
    asked = _words(typed)
    ranked = [(rank, bank.name.casefold(), bank.id, bank) for bank in banks if (rank := _rank(bank, asked)) is not None]
    return [bank for *_, bank in sorted(ranked, key=lambda one: one[:3])]


def by_account(banks: Iterable[BankProfile], typed: str) -> list[BankProfile]:
    """Those whose codes the account may begin with. As many characters as name a bank are enough."""
    text = _together(typed)
    return [bank for bank in banks if any(_names(code, text) for code in bank.bank_codes)]


def words_of(bank: BankProfile) -> list[str]:
    """All words by which it is found, as `by_words` compares them."""
    return [word for words in _groups(bank) for word in words]


def _names(code: str, account: str) -> bool:
    """``code`` is a country and what names the bank in its IBANs. Either may be the longer one."""
    country, national = code[:2], code[2:]
    letters = _CHECK_LETTERS.get(country, 0)
    if _IBAN_BEGINS.fullmatch(account):
        return account[:2] == country and _either_begins(account[4 + letters :], national)
    # on paper it stands without country and check digits, and in Britain without the bank's four letters, too
    sort_code = national[4:] if country == "GB" else ""
    checked = letters > 0 and account[:letters].isalpha() and _either_begins(account[letters:], national)
    return checked or _either_begins(account, national) or (sort_code != "" and _either_begins(account, sort_code))


def _either_begins(account: str, code: str) -> bool:
    return account.startswith(code) or code.startswith(account)


def _rank(bank: BankProfile, asked: list[str]) -> int | None:
    """0 is best; None: it is not one of those. All are, where nothing is asked."""
    if " ".join(_words(bank.name)).startswith(" ".join(asked)):
        return 0
    ranks = [_rank_of_word(bank, word) for word in asked]
    return None if None in ranks else max(rank for rank in ranks if rank is not None)


def _rank_of_word(bank: BankProfile, asked: str) -> int | None:
    groups = enumerate(_groups(bank), start=1)
    return next((rank for rank, words in groups if any(word.startswith(asked) for word in words)), None)


def _groups(bank: BankProfile) -> tuple[list[str], list[str], list[str]]:
    """The words of its name, its BICs, and of its countries: better ones first."""
    countries = [word for code in (bank.country, *bank.also_in) for word in _country_words(code)]
    return _words(bank.name), [bic.lower() for bic in bank.bics], countries


@cache
def _country_words(code: str) -> tuple[str, ...]:
    """What a country is called in the languages of our pages."""
    names = [str(Locale(language).territories.get(code, "")) for language in ("en", "fr")]
    return tuple(dict.fromkeys(_words(" ".join([code, *names, *_ALSO_CALLED.get(code, ())]))))


def _together(text: str) -> str:
    """As banks' programs write it: capital letters and figures alone."""
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", text)).upper()
