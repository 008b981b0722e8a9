"""Days and months in a letter: where they stand, and whether something is to be done until then."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from app.journey.intake.letter_text import BANK_WORDS, CALLED_FOR, HERE, carried_on, sentences

_MONTH_NAMES = {
    **dict.fromkeys(("january", "jan", "janvier", "janv", "januar", "januari"), 1),
    **dict.fromkeys(("february", "feb", "février", "fevrier", "févr", "fév", "februar", "februari"), 2),
    **dict.fromkeys(("march", "mar", "mars", "märz", "maart"), 3),
    **dict.fromkeys(("april", "apr", "avril", "avr"), 4),
    **dict.fromkeys(("may", "mai", "mei"), 5),
    **dict.fromkeys(("june", "jun", "juin", "juni"), 6),
    **dict.fromkeys(("july", "jul", "juillet", "juil", "juli"), 7),
    **dict.fromkeys(("august", "aug", "août", "aout", "augustus"), 8),
    **dict.fromkeys(("september", "sept", "sep", "septembre"), 9),
    **dict.fromkeys(("october", "oct", "octobre", "oktober", "okt"), 10),
    **dict.fromkeys(("november", "nov", "novembre"), 11),
    **dict.fromkeys(("december", "dec", "décembre", "decembre", "déc", "dezember", "dez"), 12),
}
_MONTH = rf"(?:{'|'.join(sorted(_MONTH_NAMES, key=len, reverse=True))})\b\.?"
_YEAR = r"20[0-9]{2}"
_DATES = re.compile(
    rf"(?<![\w.,/-])(?:(?P<y1>{_YEAR})-(?P<m1>0[1-9]|1[0-2])-(?P<d1>0[1-9]|[12][0-9]|3[01])"
    rf"|(?P<d2>0?[1-9]|[12][0-9]|3[01])(?P<by>[./-])(?P<m2>0?[1-9]|1[0-2])(?P=by)(?P<y2>{_YEAR}|[0-9]{{2}})"
    rf"|(?P<d3>[0-3]?[0-9])(?:er|st|nd|rd|th|\.)?\s(?:of\s)?(?P<m3>{_MONTH})(?:,?\s(?P<y3>{_YEAR}))?"
    rf"|(?P<m4>{_MONTH})\s(?P<d4>[0-3]?[0-9])(?:st|nd|rd|th)?(?![0-9])(?:,?\s(?P<y4>{_YEAR}))?"
    rf"|(?P<m5>{_MONTH})\s(?P<y5>{_YEAR}))(?![\w/-]|[.,][0-9])",
    re.IGNORECASE,
)
#: as programs write it
_DATE_STAMP = re.compile(rf"(?<![0-9])({_YEAR})-?(0[1-9]|1[0-2])-?(0[1-9]|[12][0-9]|3[01])(?![0-9])")
#: a day that is over says when something was; so many of them, and no older ones, and none beside a word of what is to
#: be done until then
OVER_MOST, _OVER_DAYS = 3, 400
#: characters before a day in which such a word speaks of it
_BEFORE_DAY_MOST = 40
#: what may stand before a day that belongs to the line before
_LEAD = re.compile(r"\W*(?:(?:le|on|the|au|am|den|du|op)\W+)?", re.IGNORECASE)
_UNTIL = re.compile(
    r"\b(?:avant|d[èe]s|jusqu|d['’]ici|au plus tard|d[eé]lai|limite|[eé]ch[eé]ance|expire\w*|before|by|until|till"
    r"|deadline|no later|latest|from|starting|bis|vor|sp[aä]testens|ab|tot|voor|uiterlijk|vanaf)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDay:
    """A day, or a month, where it stands in a text."""

    start: int
    end: int
    year: int | None
    month: int
    day: int | None
    is_limit: bool  #: it is told as the day until which, or from which, something is to be done
    may_be_limit: bool  #: such a word stands somewhere in its sentence

    def is_said_by(self, days: Collection[dt.date]) -> bool:
        return any(
            each.month == self.month and self.day in (None, each.day) and self.year in (None, each.year)
            for each in days
        )

    def is_over(self, today: dt.date) -> bool:
        if self.may_be_limit or self.year is None:
            return False
        if self.day is None:
            return 0 <= (today.year - self.year) * 12 + today.month - self.month <= 12
        return 0 <= (today - dt.date(self.year, self.month, self.day)).days <= _OVER_DAYS


def days_in(written: str) -> Iterator[dt.date]:
    """All days of a text that is the biller's own."""
    for year, month, day in _DATE_STAMP.findall(written):
        with contextlib.suppress(ValueError):
            yield dt.date(int(year), int(month), int(day))
    for each in written_days_in(written):
        if each.year and each.day:
            yield dt.date(each.year, each.month, each.day)


def written_days_in(written: str) -> Iterator[WrittenDay]:
    before = ""
    for sentence, begin, gap in sentences(written):
        found = list(_DATES.finditer(sentence))
        lead = before if found and _LEAD.fullmatch(sentence, 0, found[0].start()) else ""
        may_be_limit = bool(found) and _is_limited(lead + _DATES.sub(HERE, sentence), BANK_WORDS)
        before = carried_on(before, sentence, gap)[-_BEFORE_DAY_MOST:]
        ends = [0, *(match.end() for match in found)]
        for match, after in zip(found, ends, strict=False):
            year, month, day = (
                next(
                    filter(None, (match[f"{part}{at}"] for at in range(1, 6) if f"{part}{at}" in match.re.groupindex)),
                    "",
                )
                for part in "ymd"
            )
            written_month = int(month) if month.isdigit() else _MONTH_NAMES[month.rstrip(".").lower()]
            written_year = int(year) + (2000 if len(year) == 2 else 0) if year else None
            try:
                dt.date(written_year or 2024, written_month, int(day or 1))
            except ValueError:
                continue
            yield WrittenDay(
                start=begin + match.start(),
                end=begin + match.end(),
                year=written_year,
                month=written_month,
                day=int(day) if day else None,
                is_limit=_is_limited(
                    (lead if match is found[0] else "")
                    + sentence[max(after, match.start() - _BEFORE_DAY_MOST) : match.start()]
                ),
                may_be_limit=may_be_limit,
            )


def _is_limited(written: str, *besides: re.Pattern[str]) -> bool:
    return any(pattern.search(written) for pattern in (CALLED_FOR, _UNTIL, *besides))
