"""Which bills somebody means by a few words, and by what of a bill. Pure: values in, a verdict out.

Every word must be found in a bill: at the beginning of a word of it, or as a number, an amount or a day, of which some
are written in several words (``RF18 5390``, ``1 234,50 €``, ``12 March 2026``).
"""

from __future__ import annotations

import collections
import datetime as dt
import enum
import functools
import itertools
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from babel.numbers import get_currency_symbol

from connectors.money import EXPONENTS, exponent_of

#: characters of what is looked for
QUERY_MOST = 100
WORDS_MOST = 20
#: of what is written as one word, with whatever between: looked for as a text it costs a look at each place for each
PARTS_MOST = 6
#: words of a number that is written in groups: an EndToEndIdentification in groups of four, and an IBAN
RUN_MOST = 9
#: characters of a number that is found whatever stands between them: a shorter one stands in too many
NUMBER_LEAST = 4
#: letters by which a month is known
_MONTH_LEAST = 3

#: what no decomposition of Unicode takes apart, and what looks the same beside figures
_LETTERS = {
    "œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ı": "i", "’": "'", "ʼ": "'", "−": "-", "\N{WORD JOINER}": "",
}  # fmt: skip
_MARKS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
#: between the texts of two bills: it is in none, since no database here takes it
_END = "\0"
_BETWEEN = re.compile(r"[\W_]+")
#: the same within the text of one bill
_INNER = re.compile(r"(?:[^\w\0]|_)+")
_INNER_PLAIN = "".join(filter(_INNER.fullmatch, map(chr, range(128)))).encode()
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
#: a field, what it says, and the id of what it is of where that has a page of its own. Plain tuples: there are many
Text = tuple[Field, str, str | None]
Amount = tuple[Field, int, str | None]  # in minor units
Day = tuple[Field, dt.date, str | None]


class Findable(NamedTuple):
    """What of one bill can be looked for."""

    id: str
    currency: str
    texts: Sequence[Text]
    numbers: Sequence[Text]  #: which are also found without spaces and punctuation
    amounts: Sequence[Amount]
    days: Sequence[Day]


class Found(NamedTuple):
    """One thing of a bill that was meant: one of the three."""

    field: Field
    id: str | None
    words: str | None = None
    minor: int | None = None
    day: dt.date | None = None


def fold(text: str) -> str:
    """Small letters without accents, ligatures as their letters, and whatever has a plainer form in that."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text).casefold()
    for letter, plain in _LETTERS.items():
        if letter in apart:
            apart = apart.replace(letter, plain)
    return _MARKS.sub("", apart)


def _fold_all(texts: Iterable[str]) -> dict[str, str]:
    """The same of each: what is not plain in one piece, which is much quicker than one by one."""
    folded = {text: text.lower() for text in texts}
    odd = [text for text in folded if not text.isascii()]
    apart = fold(_END.join(odd)).split(_END)
    folded.update(zip(odd, apart if len(apart) == len(odd) else map(fold, odd), strict=True))
    return folded


def _plain(folded: str) -> str:
    """Letters and digits alone."""
    return folded if folded.isalnum() else _BETWEEN.sub("", folded)


#: signs as both languages write them beside figures, and the codes of ISO 4217 → the currencies that are meant
_SIGNS: dict[str, frozenset[str]] = {"$": frozenset(("USD",))}
for _code in EXPONENTS:
    for _sign in {get_currency_symbol(_code, "en_GB"), get_currency_symbol(_code, "fr_FR"), _code}:
        _key = "".join(fold(_sign).split())
        _SIGNS[_key] = _SIGNS.get(_key, frozenset()) | {_code}


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
    currencies: frozenset[str] | None

    def within(self, currency: str) -> range:
        """The amounts that are meant, in minor units of that currency."""
        digits = exponent_of(currency)
        if (self.currencies is not None and currency not in self.currencies) or len(self.decimals.rstrip("0")) > digits:
            return range(0)
        first = self.units * 10**digits
        if not self.decimals:
            return range(first, first + 10**digits)
        first += int(self.decimals[:digits].ljust(digits, "0") or 0)
        return range(first, first + 1)


@dataclass(frozen=True, slots=True)
class Term:
    """Some words beside each other, read in every way in which they can be meant."""

    beginning: re.Pattern[str] | None  #: of some word of a text; None: as text each of the words stands for itself
    number: str  #: without spaces and punctuation; "": it is none
    sums: tuple[Sum, ...]
    spans: tuple[Span, ...]
    currencies: frozenset[str]  #: of a sign by itself

    @property
    def is_one(self) -> bool:
        """Of several words: whether together they can be one thing."""
        return bool(self.number or self.sums or self.spans)

    def of_texts(self, bill: Findable) -> Iterator[Found]:
        if self.beginning is not None:
            for field, words, of in itertools.chain(bill.texts, bill.numbers):
                if self.beginning.search(fold(words)):
                    yield Found(field, of, words=words)
        yield from self.of_numbers(bill)

    def of_numbers(self, bill: Findable) -> Iterator[Found]:
        if self.number:
            begins = _from_a_word_on(self.number)
            for field, words, of in bill.numbers:
                if begins(fold(words)):
                    yield Found(field, of, words=words)

    def of_figures(self, bill: Findable) -> Iterator[Found]:
        meant = set(self.amounts_of(bill.currency, {minor for _, minor, _ in bill.amounts}))
        for field, minor, of in bill.amounts:
            if minor in meant:
                yield Found(field, of, minor=minor)
        for field, day, of in bill.days:
            if self.means_day(day):
                yield Found(field, of, day=day)

    def amounts_of(self, currency: str, amounts: Collection[int]) -> Iterator[int]:
        """Those of the amounts, in minor units of that currency, that are meant."""
        if currency in self.currencies:
            yield from amounts
            return
        for within in [each.within(currency) for each in self.sums]:
            few, many = (within, amounts) if len(within) < len(amounts) else (amounts, within)
            yield from (minor for minor in few if minor in many)

    def means_day(self, day: dt.date) -> bool:
        return any(span.has(day) for span in self.spans)

    def found(self, bill: Findable) -> Iterator[Found]:
        """All of the bill that it can mean."""
        yield from self.of_texts(bill)
        yield from self.of_figures(bill)


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. ``terms`` are of the words from one place up to another."""

    count: int
    terms: dict[tuple[int, int], Term]

    @property
    def has_too_many(self) -> bool:
        return self.count > WORDS_MOST

    @property
    def is_empty(self) -> bool:
        return self.count == 0

    @property
    def asks_for_days(self) -> bool:
        return any(term.spans for term in self.terms.values())


def read(written: str) -> Query:
    """What was typed, in every way in which it can be meant."""
    words = [word for word in fold(written).split() if _plain(word) or word in _SIGNS]
    terms = {}
    for first in range(len(words)):
        for last in range(first + 1, min(len(words), first + RUN_MOST) + 1):
            term = _term(words[first:last])
            if last == first + 1 or term.is_one:
                terms[first, last] = term
    return Query(len(words), terms)


def search(query: Query, bills: Sequence[Findable]) -> list[Findable]:
    """Those of the bills that have all of it, in the same order. Nothing that is looked for finds none."""
    if query.is_empty:
        return []
    index = _Index(bills)
    # up to each word the bills in which all words before it are found
    reached: list[set[int]] = [set() for _ in range(query.count + 1)]
    reached[0] = set(range(len(bills)))
    for (first, last), term in sorted(query.terms.items()):
        if open_ := reached[first] - reached[last]:
            reached[last] |= index.find(term, open_)
    return [bills[at] for at in sorted(reached[-1])]


class _Index:
    """Many bills, each known by its place, so that one term after the other is looked for in all of them."""

    def __init__(self, bills: Sequence[Findable]) -> None:
        self._bills = bills
        # month after month bills say the same: each text is folded once
        self._folded = _fold_all(
            {words for bill in bills for said in (bill.texts, bill.numbers) for _, words, _ in said}
        )

    def find(self, term: Term, among: set[int]) -> set[int]:
        """The places of those that have it."""
        found: set[int] = set()
        if term.beginning is not None:
            begins, texts = term.beginning.search, self._texts
            found.update([at for at in among if begins(texts[at])])
        if term.number:
            folded, numbers, wanted = self._folded, self._numbers, term.number
            may = [at for at in among - found if wanted in numbers[at]]
            if may:
                run, bills = _from_a_word_on(wanted), self._bills
                found.update([at for at in may if any(run(folded[words]) for _, words, _ in bills[at].numbers)])
        for currency, bills_of in self._amounts.items() if term.sums or term.currencies else ():
            for minor in term.amounts_of(currency, bills_of):
                found |= bills_of[minor] & among
        if term.spans:
            for day, places in self._days.items():
                if term.means_day(day):
                    found |= places & among
        return found

    @functools.cached_property
    def _texts(self) -> list[str]:
        """Of each bill all that it says, line by line."""
        folded = self._folded
        return [
            "\n".join([folded[words] for said in (bill.texts, bill.numbers) for _, words, _ in said])
            for bill in self._bills
        ]

    @functools.cached_property
    def _numbers(self) -> list[str]:
        """Of each bill its numbers without all else, one behind the other: what is not in this is in none of them."""
        folded = self._folded
        joined = _END.join(["".join([folded[words] for _, words, _ in bill.numbers]) for bill in self._bills])
        plain = joined.encode().translate(None, _INNER_PLAIN).decode() if joined.isascii() else _INNER.sub("", joined)
        return plain.split(_END)

    @functools.cached_property
    def _amounts(self) -> dict[str, dict[int, set[int]]]:
        """By their currency."""
        places: dict[str, dict[int, set[int]]] = collections.defaultdict(lambda: collections.defaultdict(set))
        for at, bill in enumerate(self._bills):
            its = places[bill.currency]
            for _, minor, _ in bill.amounts:
                its[minor].add(at)
        return places

    @functools.cached_property
    def _days(self) -> dict[dt.date, set[int]]:
        places: dict[dt.date, set[int]] = collections.defaultdict(set)
        for at, bill in enumerate(self._bills):
            for _, day, _ in bill.days:
                places[day].add(at)
        return places


def why(query: Query, bill: Findable) -> list[Found]:
    """What of a bill that was found cannot be seen in a list, and is meant all the same. Of the ways in which the words
    can be read that with the fewest parts: a day is more likely meant than three numbers."""
    ways: list[tuple[Found, ...] | None] = [(), *[None] * query.count]
    for (first, last), term in sorted(query.terms.items()):
        before, now = ways[first], ways[last]
        if before is None or (now is not None and len(now) <= len(before) + 1):
            continue
        found = min(term.found(bill), key=lambda each: each.field, default=None)
        if found is not None:
            ways[last] = (*before, found)
    return [each for each in dict.fromkeys(ways[-1] or ()) if each.field not in VISIBLE]


def excerpt(query: Query, text: str, *, words_most: int = 14) -> str:
    """Of a long text the words around the first one that is looked for."""
    words = text.split()
    patterns = [term.beginning for term in query.terms.values() if term.beginning is not None]
    at = next((n for n, word in enumerate(words) if any(each.search(fold(word)) for each in patterns)), 0)
    first = max(min(at - 3, len(words) - words_most), 0)
    shown = " ".join(words[first : first + words_most])
    return f"{'… ' if first else ''}{shown}{' …' if first + words_most < len(words) else ''}"


@functools.lru_cache(maxsize=200)
def _from_a_word_on(number: str) -> Callable[[str], object]:
    """Tells whether a number begins so at one of its words, whatever stands between its letters and digits."""
    return re.compile(r"(?<![^\W_])" + r"[\W_]*".join(map(re.escape, number))).search


def _term(words: Sequence[str]) -> Term:
    parts = [each for word in words for each in _BETWEEN.split(word) if each]
    beginning = None
    if len(words) == 1 and 0 < len(parts) <= PARTS_MOST:
        # looked behind from the end of its first part: so the expression begins with letters, which is found faster
        first = re.escape(parts[0])
        rest = "".join(rf"(?:[^\w\n]|_)+{re.escape(part)}" for part in parts[1:])
        beginning = re.compile(rf"{first}(?<![^\W_]{first}){rest}")
    number = "".join(parts)
    return Term(
        beginning=beginning,
        number=number if len(number) >= NUMBER_LEAST and any(map(str.isdigit, number)) else "",
        sums=tuple(_sums(words)),
        spans=tuple(_spans(words)),
        currencies=_SIGNS.get(words[0], frozenset()) if len(words) == 1 else frozenset(),
    )


def _sums(words: Sequence[str]) -> Iterator[Sum]:
    """``1.234`` is two: that many units, or one with three decimals."""
    written = _BESIDE.sub("", _GROUPS.sub("", " ".join(words)))
    match = _AMOUNT.fullmatch(written)
    if match is None or (match[1] and match[3]):
        return
    sign = match[1] or match[3]
    currencies = _SIGNS.get(sign) if sign else None
    if sign and currencies is None:
        return
    figures = match[2].rstrip(".,'")
    if plain := _PLAIN.fullmatch(figures):
        yield Sum(int(plain[1]), plain[2] or "", currencies)
    if grouped := _GROUPED.fullmatch(figures):
        yield Sum(int(re.sub(r"\D", "", grouped[1])), grouped[3] or "", currencies)


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
