"""What a text says that could move money: accounts, amounts, and whatever else somebody could pay by or to.

No program understands a letter. So nothing is looked for that would make it good: whatever has digits must be known of
the bill that it is held against, and a word of another way to pay is a reason to say nothing.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from app.journey.intake.formats import checks, text
from app.journey.intake.letter_amounts import CURRENCY, Amount, amounts_in, follows_sum, values_of
from app.journey.intake.letter_days import OVER_MOST, WrittenDay, written_days_in
from app.journey.intake.letter_phrases import (
    ACCOUNT,
    AMOUNT,
    COMPANY,
    DAY,
    MONTH,
    NUMBER,
    TERM,
    strange_words,
)
from app.journey.intake.letter_text import BANK, BANK_WORDS, HERE, SPACE
from app.people import lookalikes

#: letters and digits of what could be a number that money goes by; a street, a year or a postcode is shorter
TELLING = 6
_ACCOUNT_START = re.compile(r"(?<![^\W_])[A-Za-z]{2}[-. \u00a0\u202f]?[0-9]{2}", re.ASCII)
_WORD = re.compile(r"[^\W_]+")
_AS_NAME, _NAME_GAP = r"(?<![^\W_]){}(?![^\W_])", r"[\W_]{1,3}"
_BLANK_LINE = re.compile(r"\n\s*\n")
#: before an account: it is the customer's, and nothing is asked to be paid to it
_OF_READER = re.compile(
    r"\b(?<!to )(?<!on )(?<!sur )(?<!vers )(?:votre|your)\W+(?:own\W+)?(?:compte|accounts?|IBAN|RIB|bank account)\W+"
    r"(?:(?:bancaire|IBAN|number|is|est|n)\W+){0,3}\Z"
    r"|\b(?:d[eé]bit\w*|taken from|depuis|from|du compte)\b(?:(?!\b(?:to|on|into|sur|vers|au|à|now)\b)[^.;\n]){0,40}\Z",
    re.IGNORECASE,
)
_LEAD_MOST = 80
_BETWEEN_GROUPS = re.compile(r"[\s.\u00a0\u202f-]{0,3}")
_LETTER = re.compile(r"[A-Za-z0-9]", re.ASCII)
#: digits alone, however they are grouped; signs of all kinds joined
_RUNS = (
    re.compile(rf"[0-9](?:(?:{SPACE}|[./()+_–-]){{0,3}}[0-9])+"),
    re.compile(r"[^\W_]+(?:[-./_][^\W_]+)*"),
)
_GROUP = re.compile(_RUNS[0].pattern[:-1] + "*")
_DIGITS = re.compile(rf"(?<![^\W_]){_RUNS[0].pattern}(?![^\W_])")
_COUNT = rf"(?<![\w.,])([0-9]{{1,3}}(?:(?:{SPACE}|['’.,])?[0-9]{{3}})?(?:[.,][0-9]{{1,3}})?)"
#: a quantity: the bill must say that number
_MEASURED = re.compile(rf"{_COUNT}{SPACE}?(?:m³|m3|kWh|MWh|kW|kVA|GB|Go)(?!\w)", re.IGNORECASE)
#: a time to pay in: the bill must say it, or have it between its days
_TERM = re.compile(rf"(?<![\w.,-])([0-9]{{1,3}})(?:{SPACE}|-)?(?:jours?|days?|Tagen?|dagen)(?!\w)", re.IGNORECASE)
#: the rate of a tax, as high as any is, and twice at the most: no money, and too little to say anything else
_RATE = re.compile(
    rf"\b(?:TVA|VAT|MwSt|USt|BTW|tax|taxe)\b[.:]?{SPACE}?\(?(?:[1-9]|1[0-9]|2[0-7])(?:[.,][0-9])?{SPACE}?%",
    re.IGNORECASE,
)
_RATES_MOST = 2
#: which page of how many: one digit each, once
_PAGE = re.compile(
    rf"\b(?:page|seite|pagina){SPACE}?[1-9]{SPACE}?(?:/|sur|of|von|van){SPACE}?[1-9](?![\w/]|[.,][0-9])",
    re.IGNORECASE,
)
#: words with digits, that many one behind the other
_GROUPS_LEAST = 3
_BEHIND_PAYEE = re.compile(rf"\s*(?:[,;(]|\b(?:at|by|IBAN)\b|{ACCOUNT})", re.IGNORECASE)
_NO_WORD = rf"[^\w{ACCOUNT}-{COMPANY}]{{0,3}}"
_NUMBERED = re.compile(
    rf"\b(?:facture|invoice|bill|rechnung|r[eé]f[eé]rence|r[eé]f|referenz|bill number|num[eé]ro)\b{_NO_WORD}"
    rf"(?:(?:n[°ºo]?|no|nr|number|num[eé]ro)\b|n°)?{_NO_WORD}([^\W_]*[0-9][^\W_]*)",
    re.IGNORECASE,
)
_PAYEE = re.compile(
    r"^[^\w\n]*(?:b[eé]n[eé]ficiaire|payee|payable to|beneficiary|titulaire(?: du compte)?|account holder|account name"
    r"|[aà] l['’]ordre de|payable [aà]|empf[aä]nger|zahlungsempf[aä]nger|kontoinhaber|zahlbar an|in favou?r of"
    r"|en faveur de|konto / zahlbar an)\b\s*:?\s*(.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_BIC = re.compile(
    r"\b(?:BIC|SWIFT)\b[\s:/()]*(?:BIC|SWIFT|code)?[\s:/()]*([A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?)\b", re.IGNORECASE
)
#: what stands for the dot in the name of a host, and where such a dot is written as a word or apart
_DOT = r"(?:[.。•·⸳‧∙]|\[\.\]|\(\.\))"
_PLACES = r"(?:be|de|me|is|it|at|us|am|la|in|com|fr|eu|net|org)"
#: as links.py knows them, for long texts; the name of a host alone is one here
_LINK = re.compile(
    r"@|[a-z]:/|\bhttps?\b|\bmailto\b|\bwww\."
    rf"|(?<![\w.-])(?:(?:[^\W\d_]|[\w-]{{2,}}){_DOT})+[^\W\d_]{{2,}}(?![\w.])"
    rf"|(?<=[^\W_]){SPACE}{{0,2}}[.。](?<=\s.){SPACE}?{_PLACES}\b"
    rf"|\b(?:point|dot)\b\W{{1,3}}{_PLACES}\b(?! livraison\b)",
    re.IGNORECASE,
)
#: control characters, and a note without a head: they part letters, and nobody sees them
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\U0001d159]")
_DRAWN = frozenset(("So", "Sm", "Sk", "Cc", "Cf", "Co", "Cn"))
#: what makes another sum of one: "× 12", "+ 21", "M and M"
_RECKONED = re.compile(
    rf"{AMOUNT}[\s)]*(?:[-×*+/÷%−–x²³^]|(?:et|and|und|en)\b)[\s(]*(?=[0-9{AMOUNT}])|{AMOUNT}[\s)]*[×*+/÷%²³^]"
    rf"|[×*+÷][\s(]*[0-9{AMOUNT}]|[0-9]\s*[×*÷%]",
    re.IGNORECASE,
)
#: letters one by one: no "l’" or "d’" of the word behind it
_SPELLED_OUT = re.compile(
    rf"(?<![^\W_])[^\W\d_](?:[^\w{ACCOUNT}-{COMPANY}]|_)+[^\W\d_](?![^\W_])(?!['’][^\W\d_]{{2}})", re.IGNORECASE
)
_IN_WORDS = re.compile(
    r"\b(?:vingt|trente|quarante|cinquante|soixante|cent|mille|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
    r"|hundred|thousand|zehn|zwanzig|hundert|tausend)\w*[\s-]+(?:[^\W\d]+[\s-]+){0,3}(?:euros?|pounds?|francs?|dollars?)\b",
    re.IGNORECASE,
)
_CHANGED = (
    r"new|updated?|changed?|different|nouvel(?:le)?s?|nouveaux?|chang[eé]\w*|modifi\w*|mis(?:es)? [aà] jour|neue\w*"
    r"|ge[aä]ndert\w*|instead|plus valables?|no longer"
)
_NEW_ACCOUNT = re.compile(
    rf"\b(?:{_CHANGED})\b[^.\n]{{0,80}}\b(?:{BANK})\b|\b(?:{BANK})\b[^.\n]{{0,80}}\b(?:{_CHANGED})\b", re.IGNORECASE
)
_OTHER_WAYS = re.compile(
    r"\b(?:pay ?pal|lydia|paylib|wero|revolut|western union|money ?gram|bitcoins?|btc|eth|ethereum|usdt|crypto\w*"
    r"|wallet|gift ?cards?|cartes? cadeaux?|cartes? bancaires?|carte bleue|par carte|by card|credit cards?|debit cards?"
    r"|sort code|account (?:number|no\b(?! later))|num[eé]ro de compte|routing|apple pay|google pay|sms|whats ?app"
    r"|telegram|mandat cash|cheques?|ch[eè]ques?|cash|esp[eè]ces|paysafe\w*|neosurf|transcash|twint|swish|bizum|venmo"
    r"|zelle|t[eé]l|t[eé]l[eé]phone|phone|mobile|kontonummer|bankleitzahl|blz)\b",
    re.IGNORECASE,
)
_COLLECTED = re.compile(
    r"\b(?:pr[eé]l[eè]v\w*|direct debit|debit(?:ed)?|mandat|mandate|lastschrift|rembours\w*|refund\w*|credited"
    r"|cr[eé]dit[eé]e?|(?<!d['’])avoir)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What is a bill's own, however a text about it spells it."""

    words: tuple[str, ...] = ()  #: numbers and references
    names: frozenset[str] = frozenset()  #: of its company
    days: frozenset[dt.date] = frozenset()
    limits: frozenset[dt.date] = frozenset()  #: the days until which it is to be paid
    numbers: frozenset[Decimal] = frozenset()
    terms: frozenset[int] = frozenset()  #: days to pay in


@dataclass(frozen=True, slots=True)
class Rest:
    """What of a text has digits and is nothing that is known of the bill that it is held against."""

    amounts: tuple[Amount, ...]
    runs: frozenset[str]  #: small letters and digits, TELLING and more
    is_numbered: bool  #: another number stands where the number of a bill would
    has_other_day: bool  #: one that the bill does not say, and that is not over
    has_other_measure: bool  #: a quantity, or a time to pay in, that the bill does not say
    words: frozenset[str]  #: small, also short numbers and strange currency signs: what no letter about a bill needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """``doubts``: ``hidden`` (characters that nobody sees), ``letters`` (of another alphabet), ``link`` (the address of
    a page or of a mailbox), ``other-way`` (to pay), ``new-account`` (it speaks of one), ``collected`` (by direct debit,
    or paid back), ``in-words`` (an amount).
    """

    accounts: frozenset[str]  #: IBANs, electronic form
    of_reader: frozenset[str]  #: of these the ones that are told to be the customer's own
    broken: frozenset[str]  #: what looks like an IBAN and is none
    payees: tuple[str, ...]  #: behind a word as "payee"
    bics: frozenset[str]
    words: str  #: all, as they look, a space around each
    doubts: tuple[str, ...]
    without_accounts: str
    letters: str = field(repr=False)  #: and digits of that, small
    dates: tuple[WrittenDay, ...] = field(repr=False)  #: in it
    measures: frozenset[Decimal] = field(repr=False)  #: numbers of quantities in it
    terms: frozenset[int] = field(repr=False)  #: days to pay in, in it

    @classmethod
    def of(cls, written: str, *, numbers: Collection[str] = ()) -> Said:
        """``numbers`` of bills: none of them is the beginning of an account."""
        visible = written.removeprefix("\ufeff")
        plain = unicodedata.normalize("NFC", visible)
        found = list(_accounts_in(_without_numbers(plain, numbers)))
        without = plain
        for _, start, end in reversed(found):
            without = without[:start] + f" {ACCOUNT} " + without[end:]
        accounts = frozenset(each for each, *_ in found if checks.valid_iban(each))
        broken = {each for each, *_ in found} - accounts
        # what is one once all that only looks so is gone: never one that counts
        seen = lookalikes.key(_without_numbers(plain, numbers))
        disguised = {each for each, *_ in _accounts_in(seen) if checks.valid_iban(each)} - accounts
        return cls(
            accounts=accounts,
            of_reader=frozenset(
                each for each, start, _ in found if _OF_READER.search(plain[max(0, start - _LEAD_MOST) : start])
            ),
            broken=frozenset(broken | disguised),
            payees=tuple(_payees_in(without)),
            bics=frozenset(each.upper() for each in _BIC.findall(without)),
            words=words_of(plain),
            doubts=tuple(_doubts(plain, without)),
            without_accounts=without,
            letters=compact(without),
            dates=tuple(written_days_in(without)),
            measures=frozenset(value for number in _MEASURED.findall(without) for value in values_of(number)),
            terms=frozenset(terms_in(without)),
        )

    def within(self, own: Own) -> Own:
        """What of it may stand in this text: most bills have the same, which is nothing."""
        return Own(
            words=tuple(each for each in own.words if compact(each) in self.letters),
            names=own.names,
            days=frozenset(day for day in own.days if any(each.is_said_by([day]) for each in self.dates)),
            limits=frozenset(day for day in own.limits if any(each.is_said_by([day]) for each in self.dates)),
            numbers=own.numbers & self.measures,
            terms=own.terms & self.terms,
        )

    def rest(self, own: Own, today: dt.date) -> Rest:
        """Without what is the bill's ``own``, each however it is spaced and hyphenated."""
        left, has_other_day = self._without_dates(own, today)
        for each in sorted(own.words, key=len, reverse=True):
            pattern = _spelled(each)
            left = pattern.sub(_as_number, left) if pattern else left
        for name in sorted(own.names, key=len, reverse=True):
            words = _WORD.findall(name)
            if words:
                left = re.sub(_AS_NAME.format(_NAME_GAP.join(words)), f" {COMPANY} ", left, flags=re.IGNORECASE)
        amounts, left = amounts_in(left)
        counted: list[bool] = []

        def measured(match: re.Match[str]) -> str:
            counted.append(not own.numbers.isdisjoint(values_of(match[1])))
            return HERE

        def term(match: re.Match[str]) -> str:
            counted.append(int(match[1]) in own.terms)
            return f" {TERM} "

        left = _TERM.sub(term, _MEASURED.sub(measured, left))
        left = _PAGE.sub(HERE, _RATE.sub(HERE, left, count=_RATES_MOST), count=1)
        runs = set(runs_in(left))
        short = {run for line in left.split("\n") if BANK_WORDS.search(line) for run in re.findall("[0-9]{3,}", line)}
        telling = {run for run in runs if len(run) >= TELLING and sum(map(str.isdigit, run)) > 2}
        return Rest(
            amounts=tuple(amounts),
            runs=frozenset(telling | short),
            is_numbered=_NUMBERED.search(left) is not None,
            has_other_day=has_other_day,
            has_other_measure=not all(counted),
            words=frozenset(_strange_in(left)),
        )

    def _without_dates(self, own: Own, today: dt.date) -> tuple[str, bool]:
        """The text, and whether it has a day that neither the bill says nor is over."""
        left, at, over, others = [], 0, set(), False
        for each in self.dates:
            left.append(self.without_accounts[at : each.start])
            at = each.end
            if each.is_said_by(own.limits if each.is_limit else own.days | own.limits):
                left.append(f" {DAY if each.day else MONTH} ")
                continue
            left.append(HERE)
            over.add((each.year, each.month, each.day))
            others = others or not each.is_over(today)
        return "".join([*left, self.without_accounts[at:]]), others or len(over) > OVER_MOST

    def names(self, name: str) -> bool:
        """Whether the name stands in it, letter by letter, in whatever case."""
        return words_of(name) in self.words and bool(name.strip())


def compact(written: str) -> str:
    """Its letters and digits, small."""
    return "".join(filter(str.isalnum, written)).lower()


def words_of(written: str) -> str:
    """Its words without their case, a space around each."""
    return f" {' '.join(_WORD.findall(lookalikes.plain(written)))} "


def stands_in(known: str, written: str) -> bool:
    """Whether a number or reference stands there, however it is spaced and hyphenated."""
    pattern = _spelled(known)
    return pattern is not None and pattern.search(written) is not None


def runs_in(written: str) -> Iterator[str]:
    """All numbers of a text that is the biller's own, so that others that say them say nothing new."""
    for pattern in _RUNS:
        for run in pattern.findall(written):
            yield compact(run)
    for line in written.split("\n"):
        group: list[str] = []
        for word in [*line.split(), ""]:
            if any(map(str.isdigit, word)):
                group.append(word)
                continue
            if len(group) >= _GROUPS_LEAST:
                yield compact("".join(group))
            group = []


def groups_in(written: str) -> Iterator[str]:
    """All digits of a text that is the biller's own, as they stand in groups: of 2026-11-15 none is a 15."""
    yield from map(compact, _GROUP.findall(written))


def terms_in(written: str) -> Iterator[int]:
    """How many days there are to pay in, as a text says."""
    yield from map(int, _TERM.findall(written))


def _strange_in(left: str) -> Iterator[str]:
    """Words that no letter about a bill needs, and numbers that count nothing; in no alphabet but ours. What is known
    is a mark of letter_phrases.py."""
    yield from map(compact, _DIGITS.findall(left))
    yield from strange_words(_DIGITS.sub(HERE, left))
    yield from _SPELLED_OUT.findall(left)
    yield from _RECKONED.findall(left)
    yield from (each for each in left if unicodedata.category(each) == "Sc" and each not in HERE)


def _without_numbers(written: str, numbers: Collection[str]) -> str:
    """Marks in the place of those with which an account could begin, each as long as it was."""
    for number in numbers:
        pattern = _spelled(number) if _ACCOUNT_START.match(number) else None
        written = pattern.sub(lambda match: "\u00a4" * len(match[0]), written) if pattern else written
    return written


def _accounts_in(written: str) -> Iterator[tuple[str, int, int]]:
    """What stands there like an IBAN, right or wrong, and where it begins and ends."""
    at = 0
    while found := _ACCOUNT_START.search(written, at):
        at = found.start() + 1
        length = checks.iban_length(written[found.start() : found.start() + 2].upper())
        if length is None:
            continue
        signs, ends = _signs(written, found.start(), length + 1)
        for size in (length, length + 1, length - 1):
            if size > len(signs) or not _is_end(written, ends[size - 1]):
                continue
            if _looks_like_one(signs[:size], written[found.start() : ends[size - 1]]):
                yield signs[:size], found.start(), ends[size - 1]
                at = ends[size - 1]
                break


def _signs(written: str, start: int, most: int) -> tuple[str, list[int]]:
    """Letters and digits from there on, across what stands between groups, and where each ends."""
    signs, ends = "", []
    while len(signs) < most and start < len(written):
        if _LETTER.match(written, start):
            signs += written[start].upper()
            ends.append(start + 1)
            start += 1
            continue
        gap = _BETWEEN_GROUPS.match(written, start)
        if gap is None or gap.end() == start or not _LETTER.match(written, gap.end()):
            break
        start = gap.end()
    return signs, ends


def _is_end(written: str, at: int) -> bool:
    return at >= len(written) or not written[at].isalnum()


def _looks_like_one(signs: str, written: str) -> bool:
    """A sentence that begins with the letters of a country is none, nor is a number with the words behind it, though
    the check digits may be right by chance."""
    if _BLANK_LINE.search(written) or (written != written.upper() and written != written.lower()):
        return False
    is_valid = checks.valid_iban(signs) is not None
    return is_valid or ("\n" not in written and sum(map(str.isdigit, signs)) >= len(signs) // 2)


def _spelled(known: str) -> re.Pattern[str] | None:
    signs = compact(known)
    if len(signs) < 3 or (signs.isdigit() and len(signs) == 3):
        return None  # it may be three digits of any amount
    inner = r"[\s\-./_]{0,2}".join(map(re.escape, signs))
    return re.compile(
        rf"(?<![^\W_])(?<![^\W_][-./_])(?<![0-9][,'’]){inner}(?![^\W_])(?![-./_][^\W_])(?![,'’][0-9])(?!{SPACE}?{CURRENCY})",
        re.IGNORECASE,
    )


def _as_number(match: re.Match[str]) -> str:
    """A number of the bill; where a sum would stand, it is one."""
    is_sum = compact(match[0]).isdigit() and follows_sum(match.string[max(0, match.start() - 60) : match.start()])
    return match[0] if is_sum else f" {NUMBER} "


def _payees_in(written: str) -> Iterator[str]:
    for match in _PAYEE.finditer(written):
        named = match[1].strip() or written[match.end() :].strip().partition("\n")[0].strip()
        named = _BEHIND_PAYEE.split(named, maxsplit=1)[0]  # what follows the name is read as any other words are
        if named:
            yield named


def _doubts(written: str, without: str) -> Iterator[str]:
    if text.hides(written.replace("\n", "").replace("\r", "").replace("\t", "")) or _UNSEEN.search(written):
        yield "hidden"
    if not is_usual(written):
        yield "letters"
    plain = unicodedata.normalize("NFKC", without)
    for code, pattern in (
        ("link", _LINK),
        ("other-way", _OTHER_WAYS),
        ("new-account", _NEW_ACCOUNT),
        ("collected", _COLLECTED),
        ("in-words", _IN_WORDS),
    ):
        if pattern.search(plain):
            yield code


def is_usual(written: str) -> bool:
    """Whether it has nothing but Latin letters, ASCII digits, and signs that neither are nor draw any."""
    return all(map(_is_usual, set(written)))


def _is_usual(character: str) -> bool:
    if character in "ªº²³¹¼½¾°×+<>=~|^`\n\r\t":
        return True
    kind = unicodedata.category(character)
    # pictures, letters in frames, operators; and nobody knows what is drawn for private ones, of which our marks are
    if (kind[0] in "NM" and not character.isascii()) or kind in _DRAWN:
        return False
    if character.isascii():
        return True
    is_latin = unicodedata.name(character, "").startswith("LATIN") and character not in "ıɑɡɩſ"
    return kind[0] != "L" or is_latin
