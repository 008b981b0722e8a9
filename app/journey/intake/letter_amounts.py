"""Sums of money in a letter, in whatever notation, and the words that stand beside them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from app.journey.intake.letter_phrases import AMOUNT
from app.journey.intake.letter_text import ASKED, SPACE, sentences
from connectors.money import EXPONENTS, Money, exponent_of

#: digits of a group
_THOUSANDS = 3
SIGNS = {"€": "EUR", "£": "GBP", "$": "USD", "¥": "JPY"}
_NAMES = {"eur": "EUR", "euro": "EUR", "euros": "EUR", "pounds": "GBP", "dollars": "USD", "chf": "CHF", "francs": "CHF"}
_NUMBER = re.compile(
    rf"(?:[0-9]{{1,3}}(?:(?:{SPACE}|[.,'’])[0-9]{{3}})+(?![0-9])|[0-9]+)(?:[.,][0-9]{{1,3}}(?![0-9])|[.,](?:--?|–))?"
)
#: of all currencies
CURRENCY_WORDS = frozenset({*map(str.lower, EXPONENTS), *_NAMES, *SIGNS})
CURRENCY = rf"(?:[€£$¥]|(?-i:\b(?:{'|'.join(EXPONENTS)})\b)|\b(?:{'|'.join(_NAMES)})\b|(?-i:\bFr\.))"
_BEFORE = re.compile(rf"({CURRENCY}){SPACE}?-?\Z", re.IGNORECASE)
_BEFORE_MOST, _LABEL_MOST = 12, 60
_AFTER = re.compile(rf"{SPACE}?({CURRENCY})", re.IGNORECASE)
_CENTS = re.compile(r"[.,](?:[0-9]{2}|--?|–)\Z")
_PERCENT = re.compile(rf"{SPACE}?%")
_SUM = re.compile(r"\b(?:total|montant|amount|somme|sum|\w*betrag|gesamt)\b\W*\Z", re.IGNORECASE)
#: what is counted behind a word as "pay" without being money
_COUNTED = re.compile(r"\W{0,2}(?:days?|jours?|tagen?|weeks?|semaines?|months?|mois)\b", re.IGNORECASE)
_TAX = re.compile(
    r"\b(?:HT|sous-total|subtotal|hors taxes?|TVA|VAT|net|netto|tax(?:es)?|taxe|MwSt|USt|excl|IVA|BTW)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Amount:
    """As it is written. ``1.234`` are thousands, but in a currency that has three decimals."""

    values: tuple[Decimal, ...]
    currency: str | None  #: None: none stands beside it
    asked: bool = False  #: behind a word as "to pay"
    taxed: bool = False  #: behind a word as "VAT", "net"

    def may_be(self, money: Money) -> bool:
        return money in money_of([self], money.currency)


def numbers_in(written: str) -> Iterator[Decimal]:
    """All numbers of a text that is the biller's own, of amounts and quantities too."""
    for found in _NUMBER.findall(written):
        yield from values_of(found)


def amounts_in(written: str) -> tuple[list[Amount], str]:
    """All amounts, and what is left of the text."""
    found: list[Amount] = []
    left: list[str] = []
    for sentence, _, gap in sentences(written):
        taken: list[Amount] = []
        kept_from = 0
        for match in _NUMBER.finditer(sentence):
            before = _BEFORE.search(sentence[max(0, match.start() - _BEFORE_MOST) : match.start()])
            after = _AFTER.match(sentence, match.end())
            label = sentence[max(kept_from, match.start() - _LABEL_MOST) : match.start()]
            is_joined = (label[-1:].isalnum() and not before) or (
                sentence[match.end() : match.end() + 1].isalnum() and not after
            )
            is_bare = _SUM.search(label) or (ASKED.search(label) and not _COUNTED.match(sentence, match.end()))
            is_amount = before or after or _CENTS.search(match[0]) or is_bare
            if is_joined or not is_amount or (not before and not after and _PERCENT.match(sentence, match.end())):
                continue
            named = before or after
            taken.append(
                Amount(
                    tuple(values_of(match[0])),
                    _code(named[1]) if named else None,
                    asked=ASKED.search(label) is not None,
                    taxed=_TAX.search(label) is not None,
                )
            )
            until = match.start() - len(before[0]) if before else match.start()
            left.append(f"{sentence[kept_from:until]} {AMOUNT} ")
            kept_from = after.end() if after and not before else match.end()
        if taken and ASKED.search(sentence[kept_from:]):
            taken[-1] = dataclasses.replace(taken[-1], asked=True)
        left.append(sentence[kept_from:] + gap)
        found += taken
    return found, "".join(left)


def values_of(number: str) -> Iterator[Decimal]:
    bare = re.sub(rf"{SPACE}|['’]", "", re.sub(r"[.,](?:--?|–)\Z", "", number))
    parts = re.split(r"[.,]", bare)
    if len(parts) == 1 or len(parts[-1]) == _THOUSANDS:
        yield Decimal("".join(parts))  # all of them group
    if len(parts) > 1:
        yield Decimal("".join(parts[:-1]) + "." + parts[-1])


def _code(currency: str) -> str:
    word = currency.strip(".").strip()
    if word == "Fr":
        return "CHF"
    return SIGNS.get(word) or _NAMES.get(word.lower()) or word.upper()


def words_of_currency(currency: str) -> frozenset[str]:
    """Its code, names and signs, small."""
    return frozenset({currency.lower(), *(word for word, code in {**_NAMES, **SIGNS}.items() if code == currency)})


def money_of(amounts: Iterable[Amount], currency: str) -> Iterator[Money]:
    """What they may be in this currency."""
    for amount in amounts:
        exponent = exponent_of(currency)
        values = amount.values if exponent == _THOUSANDS else amount.values[:1]
        for value in values if amount.currency in (None, currency) else ():
            scaled = value.scaleb(exponent)
            if scaled == scaled.to_integral_value() and abs(scaled) < 10**15:
                yield Money(int(scaled), currency)
