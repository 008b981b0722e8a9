"""Which bills somebody means by a few words, and by what of a bill. Pure: values in, a verdict out.

Every word must be found in a bill: at the beginning of a word of it, or as a number, an amount or a day, of which some
are written in several words (``RF18 5390``, ``1 234,50 €``, ``12 March 2026``).
"""

from __future__ import annotations

import datetime as dt
import enum
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from babel.numbers import get_currency_symbol

from connectors.money import EXPONENTS, exponent_of

#: characters of what is looked for
QUERY_MOST = 100
#: words of a number that is written in groups: an EndToEndIdentification in groups of four, and an IBAN
RUN_MOST = 9
#: letters by which a month is known
_MONTH_LEAST = 3

_LETTERS = str.maketrans(
    {"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ı": "i", "’": "'", "ʼ": "'", "−": "-", "\N{WORD JOINER}": ""}
)
_BETWEEN = re.compile(r"[\W_]+")
_MONTHS = {
    "en": "january february march april may june july august september october november december",
    "fr": "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
}
#: beginning of a month's name → the months that are meant: ``jui`` is two of them
MONTHS: dict[str, frozenset[int]] = {}
for _names in _MONTHS.values():
    for _number, _name in enumerate(_names.split(), 1):
        for _end in range(_MONTH_LEAST, len(_name) + 1):
            MONTHS[_name[:_end]] = MONTHS.get(_name[:_end], frozenset()) | {_number}
#: what may stand before a day, and tells nothing
_BEFORE_A_DAY = frozenset(("le", "du", "au", "of", "on", "the")) | frozenset(
    ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
     "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
)  # fmt: skip
_NUMERIC = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d{2})|(\d{4})-(\d{1,2})(?:-(\d{1,2}))?|(\d{1,2})/(\d{4})")
_DAY = re.compile(r"(\d{1,2})(?:er|st|nd|rd|th)?")
_YEAR = re.compile(r"(?:19|20|21)\d\d")
_AMOUNT = re.compile(r"-?([^\d\s.,'-]*)-?(\d[\d.,']*)([^\d\s.,'-]*)")
#: a space between the figures of an amount stands before three of them, and one beside a sign anywhere
_GROUPS = re.compile(r"(?<=\d) (?=\d{3}(?!\d))")
_BESIDE = re.compile(r"(?<!\d) | (?!\d)")
_PLAIN = re.compile(r"(\d+)(?:[.,](\d{1,3}))?")
_GROUPED = re.compile(r"(\d{1,3}(?:([.,'])\d{3})(?:\2\d{3})*)(?:(?!\2)[.,](\d{1,3}))?")


class Field(enum.IntEnum):
    """What of a bill was found. Of several the first one is told."""

    COMPANY = 1
    NUMBER = 2
    ISSUED = 3
    FIGURE = 4  #: the amount that stands large
    BILLED = 5
    PAID = 6
    LEFT = 7
    DUE = 8
    PAID_ON = 9
    RECEIPT = 10
    CREDIT_NOTE = 11
    REFERENCE = 12
    ORDER = 13
    PAYMENT = 14  #: the reference of a payment
    PAYEE = 15
    LINE = 16
    NOTE = 17


#: what whoever sees the list sees of each bill
VISIBLE = frozenset({Field.COMPANY, Field.NUMBER, Field.ISSUED, Field.FIGURE})
#: numbers, which are also found without spaces and punctuation
_NUMBERS = frozenset({Field.NUMBER, Field.RECEIPT, Field.CREDIT_NOTE, Field.REFERENCE, Field.ORDER, Field.PAYMENT})


class Text(NamedTuple):
    field: Field
    words: str
    #: of what it is, where that has a page of its own
    id: str | None = None


class Amount(NamedTuple):
    field: Field
    minor: int
    currency: str
    id: str | None = None


class Day(NamedTuple):
    field: Field
    day: dt.date
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Findable:
    """What of one bill can be looked for."""

    id: str
    newest: tuple[dt.date, str]  #: by this the newest stands first
    texts: tuple[Text, ...]
    amounts: tuple[Amount, ...]
    days: tuple[Day, ...]


Found = Text | Amount | Day


def fold(text: str) -> str:
    """Small letters without accents, ligatures in their letters, as many compatibility signs as one has."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS)).casefold()
    return "".join(itertools.filterfalse(unicodedata.combining, apart)).translate(_LETTERS)


def _plain(folded: str) -> str:
    """Letters and digits alone."""
    return folded if folded.isalnum() else _BETWEEN.sub("", folded)


#: signs as both languages write them beside figures, and the codes of ISO 4217
_SIGNS = {
    "".join(fold(written).split()): code
    for code in EXPONENTS
    for written in (get_currency_symbol(code, "en_GB"), get_currency_symbol(code, "fr_FR"), code)
} | {"$": "USD"}


class Span(NamedTuple):
    """A day, a month or a year, as somebody wrote it. What is None may be any."""

    year: int | None
    months: frozenset[int] | None
    day: int | None

    def has(self, day: dt.date) -> bool:
        return (
            (self.year is None or self.year == day.year)
            and (self.months is None or day.month in self.months)
            and (self.day is None or self.day == day.day)
        )


class Sum(NamedTuple):
    """An amount as somebody wrote it. Without decimals it is any with that many units; without a currency any."""

    units: int
    decimals: str
    currency: str | None

    def has(self, minor: int, currency: str) -> bool:
        if self.currency is not None and self.currency != currency:
            return False
        digits = exponent_of(currency)
        units, rest = divmod(minor, 10**digits)
        if units != self.units or len(self.decimals.rstrip("0")) > digits:
            return False
        return not self.decimals or int(self.decimals[:digits].ljust(digits, "0") or 0) == rest


@dataclass(frozen=True, slots=True)
class Term:
    """Some words beside each other, read in every way in which they can be meant."""

    head: str  #: how the line of a number begins that is meant (``_heads``)
    beginning: re.Pattern[str] | None  #: None: as text each word stands for itself
    sums: tuple[Sum, ...]
    spans: tuple[Span, ...]
    currency: str | None

    @property
    def is_of_use(self) -> bool:
        """Of several words: whether they are one thing."""
        return bool(self.sums or self.spans or any(map(str.isdigit, self.head)))

    def matches(self, bill: _Prepared) -> bool:
        if self.beginning is not None and self.beginning.search(bill.text):
            return True
        return self.head in bill.heads or any(self._measured(bill.of))

    def found(self, bill: Findable) -> Iterator[Found]:
        """All of the bill that it can mean."""
        for each in bill.texts:
            text = fold(each.words)
            is_text = self.beginning is not None and self.beginning.search(text)
            if is_text or (each.field in _NUMBERS and self.head in _heads(text)):
                yield each
        yield from self._measured(bill)

    def _measured(self, bill: Findable) -> Iterator[Amount | Day]:
        if self.sums or self.currency:
            for amount in bill.amounts:
                wanted = any(each.has(amount.minor, amount.currency) for each in self.sums)
                if wanted or self.currency == amount.currency:
                    yield amount
        if self.spans:
            yield from (each for each in bill.days if any(span.has(each.day) for span in self.spans))


class _Prepared(NamedTuple):
    of: Findable
    text: str  #: all of its words, folded
    heads: str  #: its numbers without all else


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. ``terms`` are of the words from one place up to another."""

    count: int
    terms: dict[tuple[int, int], Term]

    @property
    def is_empty(self) -> bool:
        return self.count == 0


def read(written: str) -> Query:
    """What was typed, in every way in which it can be meant."""
    words = [word for word in fold(written).split() if _plain(word) or word in _SIGNS]
    terms = {}
    for first in range(len(words)):
        for last in range(first + 1, min(len(words), first + RUN_MOST) + 1):
            term = _term(words[first:last])
            if last == first + 1 or term.is_of_use:
                terms[first, last] = term
    return Query(len(words), terms)


def search(query: Query, bills: Iterable[Findable]) -> list[Findable]:
    """The bills that have all of it, the newest first. Nothing that is looked for finds none."""
    if query.is_empty:
        return []
    # up to which word each bill has been followed: a bill stands where all words before it are found
    reached: list[dict[str, _Prepared]] = [{} for _ in range(query.count + 1)]
    reached[0] = {bill.id: _prepare(bill) for bill in bills}
    for first in range(query.count):
        for last in range(first + 1, min(query.count, first + RUN_MOST) + 1):
            term = query.terms.get((first, last))
            if term is not None:
                known = reached[last]
                reached[last] |= {k: v for k, v in reached[first].items() if k not in known and term.matches(v)}
    return sorted((each.of for each in reached[-1].values()), key=lambda bill: bill.newest, reverse=True)


def why(query: Query, bill: Findable) -> list[Found]:
    """What of a bill that was found cannot be seen in a list, and is meant all the same. Of the ways in which the words
    can be read that with the fewest parts: a day is more likely meant than three numbers."""
    ways: list[tuple[int, tuple[Found, ...]] | None] = [(0, ())] + [None] * query.count
    for first, last in sorted(query.terms):
        before, now = ways[first], ways[last]
        if before is None or (now is not None and now[0] <= before[0] + 1):
            continue
        found = min(query.terms[first, last].found(bill), key=lambda each: each.field, default=None)
        if found is not None:
            ways[last] = (before[0] + 1, (*before[1], found))
    chosen = ways[-1][1] if ways[-1] is not None else ()
    return list(dict.fromkeys(each for each in chosen if each.field not in VISIBLE))


def excerpt(query: Query, text: str, *, words_most: int = 14) -> str:
    """Of a long text the words around the first one that is looked for."""
    words = text.split()
    patterns = [term.beginning for term in query.terms.values() if term.beginning is not None]
    at = next((n for n, word in enumerate(words) if any(each.search(fold(word)) for each in patterns)), 0)
    first = max(min(at - 3, len(words) - words_most), 0)
    shown = " ".join(words[first : first + words_most])
    return f"{'… ' if first else ''}{shown}{' …' if first + words_most < len(words) else ''}"


def _prepare(bill: Findable) -> _Prepared:
    text = fold("\n".join([each.words for each in bill.texts]))
    numbers = fold("\n".join([each.words for each in bill.texts if each.field in _NUMBERS]))
    return _Prepared(bill, text, "".join(map(_heads, numbers.splitlines())))


def _heads(number: str) -> str:
    """A number without spaces and punctuation, on lines from each of its words on."""
    if number.isalnum():
        return f"\n{number}"
    parts = [part for part in _BETWEEN.split(number) if part]
    return "".join(f"\n{''.join(parts[at:])}" for at in range(len(parts)))


def _term(words: Sequence[str]) -> Term:
    parts = [each for word in words for each in _BETWEEN.split(word) if each]
    beginning = None
    if len(words) == 1 and parts:
        # looked behind from the end of its first part: so the expression begins with letters, which is found faster
        first = re.escape(parts[0])
        rest = "".join(rf"(?:[^\w\n]|_)+{re.escape(part)}" for part in parts[1:])
        beginning = re.compile(rf"{first}(?<![^\W_]{first}){rest}")
    return Term(
        head="\n" + "".join(parts) if parts else "\0",  # which no line has
        beginning=beginning,
        sums=tuple(_sums(words)),
        spans=tuple(_spans(words)),
        currency=_SIGNS.get(words[0]) if len(words) == 1 else None,
    )


def _sums(words: Sequence[str]) -> Iterator[Sum]:
    """``1.234`` is two: that many units, or one with three decimals."""
    written = _BESIDE.sub("", _GROUPS.sub("", " ".join(words)))
    match = _AMOUNT.fullmatch(written)
    if match is None or (match[1] and match[3]):
        return
    sign = match[1] or match[3]
    currency = _SIGNS.get(sign) if sign else None
    if sign and currency is None:
        return
    figures = match[2].rstrip(".,'")
    if plain := _PLAIN.fullmatch(figures):
        yield Sum(int(plain[1]), plain[2] or "", currency)
    if grouped := _GROUPED.fullmatch(figures):
        yield Sum(int(re.sub(r"\D", "", grouped[1])), grouped[3] or "", currency)


def _spans(words: Sequence[str]) -> Iterator[Span]:
    """``12 March 2026``, ``March 12, 2026``, ``mars 2026``, ``mars``, ``12/03/2026``, ``2026-03``, ``2026``; a weekday
    or an article may stand before it. Where both come as figures the day comes first, as in both languages."""
    plain = [word.strip(".,;:()") for word in words]
    while len(plain) > 1 and plain[0] in _BEFORE_A_DAY:
        del plain[0]
    if len(plain) == 1 and (numeric := _NUMERIC.fullmatch(plain[0])):
        day, month, year, year_first, month_next, day_last, month_first, year_last = numeric.groups()
        written = int(year or year_first or year_last)
        yield Span(
            written + 2000 if written < 100 else written,
            frozenset({int(month or month_next or month_first)}),
            int(day or day_last) if day or day_last else None,
        )
        return
    days: list[int] = []
    months: list[frozenset[int]] = []
    years: list[int] = []
    for word in plain:
        if word in MONTHS:
            months.append(MONTHS[word])
        elif _YEAR.fullmatch(word):
            years.append(int(word))
        elif (match := _DAY.fullmatch(word)) and 1 <= int(match[1]) <= 31:
            days.append(int(match[1]))
        else:
            return
    if max(len(days), len(months), len(years)) > 1 or (days and not months):
        return
    yield Span(years[0] if years else None, months[0] if months else None, days[0] if days else None)
