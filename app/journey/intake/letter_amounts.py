"""Sums of money in a letter, in whatever notation, and the words that stand beside them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from app.journey.intake.letter_phrases import AMOUNT
from app.journey.intake.letter_text import ASKED, CALLED_FOR, SPACE, carried_on, sentences
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
_CURRENCY, _LETTERS = re.compile(CURRENCY, re.IGNORECASE), re.compile(r"[^\W\d_]")
_BEFORE_MOST, _LABEL_MOST = 12, 60
_AFTER = re.compile(rf"{SPACE}?({CURRENCY})", re.IGNORECASE)
_CENTS = re.compile(r"[.,](?:[0-9]{2}|--?|–)\Z")
_PERCENT = re.compile(rf"{SPACE}?%")
_SUM_WORDS = (
    r"\b(?:totals?|totaux|montants?|amounts?|sommes?|sum|solde|balance|net|ttc|\w*betrag|gesamt|summe|bedrag|totaal"
    r"|prix|prices?|preis|prijs)\b"
)
#: a number in its line, or alone in the next one, is a sum
_SUM = re.compile(rf"{_SUM_WORDS}|{CURRENCY}", re.IGNORECASE)
_SUM_BEFORE = re.compile(
    rf"(?:{_SUM_WORDS}|{CURRENCY}|{ASKED.pattern})\W*(?:(?:en|in|of|de|ttc|is|est)\b\W*|{CURRENCY}\W*){{0,3}}\Z",
    re.IGNORECASE,
)
_TOTAL = re.compile(r"\b(?:total|solde|balance|gesamt\w*|totaal)\b", re.IGNORECASE)
#: what is counted without being money
_COUNTED = re.compile(
    r"\W{0,2}(?:(?:days?|jours?|tagen?|dagen|weeks?|semaines?|months?|mois|kWh|MWh|kW|kVA|GB|Go)\b|m³|m3\b)",
    re.IGNORECASE,
)
_NO_TAX_WORDS = (
    r"(?:HT|hors[ -]?(?:taxes?|TVA)|excl\w*|before (?:vat|tax)|zzgl|netto"
    r"|net(?!\W+(?:à|to|zu|due|pay|payable|amount (?:due|payable|to))\b))\b"
)
_UNTAXED = re.compile(rf"\b{_NO_TAX_WORDS}", re.IGNORECASE)
_UNTAXED_BEHIND = re.compile(rf"\W{{0,3}}\b{_NO_TAX_WORDS}(?!\W{{0,4}}[0-9€])", re.IGNORECASE)
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
    called_for: bool = False  #: behind a word as "total", "payment": it may be asked for
    untaxed: bool = False  #: as it is told, a tax comes to it

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
    before = ""
    for sentence, _, gap in sentences(written):
        taken: list[Amount] = []
        kept_from = 0
        has_sum = _SUM.search(sentence) is not None
        letter = _LETTERS.search(_CURRENCY.sub(lambda found: " " * len(found[0]), sentence))
        begins_until = letter.start() if letter else len(sentence)
        for match in _NUMBER.finditer(sentence):
            begin = sentence[max(0, match.start() - _BEFORE_MOST) : match.start()]
            named_before, named_behind = _BEFORE.search(begin), _AFTER.match(sentence, match.end())
            named = named_before or named_behind
            label = sentence[max(kept_from, match.start() - _LABEL_MOST) : match.start()]
            is_joined = (label[-1:].isalnum() and not named_before) or (
                sentence[match.end() : match.end() + 1].isalnum() and not named_behind
            )
            is_first = match.start() <= begins_until
            label = before + label if is_first else label
            is_bare = not named and not _CENTS.search(match[0])
            is_sum = has_sum or ASKED.search(label) or (is_first and _SUM.search(before))
            if is_joined or (not named and _PERCENT.match(sentence, match.end())):
                continue
            if is_bare and (not is_sum or _COUNTED.match(sentence, match.end())):
                continue
            end = named_behind.end() if named_behind and not named_before else match.end()
            taken.append(
                Amount(
                    tuple(values_of(match[0])),
                    _code(named[1]) if named else None,
                    asked=ASKED.search(label) is not None,
                    taxed=_TAX.search(label) is not None,
                    called_for=is_bare or any(each.search(label) for each in (CALLED_FOR, _TOTAL)),
                    untaxed=bool(_UNTAXED.search(label) or _UNTAXED_BEHIND.match(sentence, end)),
                )
            )
            until = match.start() - len(named_before[0]) if named_before else match.start()
            left.append(f"{sentence[kept_from:until]} {AMOUNT} ")
            kept_from = end
        if taken and CALLED_FOR.search(sentence[kept_from:]):
            is_asked = taken[-1].asked or ASKED.search(sentence[kept_from:]) is not None
            taken[-1] = dataclasses.replace(taken[-1], asked=is_asked, called_for=True)
        left.append(sentence[kept_from:] + gap)
        found += taken
        before = carried_on(before, sentence, gap)[-_LABEL_MOST:]
    return found, "".join(left)


def follows_sum(written: str) -> bool:
    """Whether a number that comes next is one of money: "total in EUR:"."""
    return _SUM_BEFORE.search(written) is not None


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
